"""The manifest of Muniment's GitHub App: made with one click, with exactly the permissions that it needs.

No person's token is used. Source: https://docs.github.com/en/apps, "Registering a GitHub App from a manifest".
"""

from typing import TypedDict
from urllib.parse import quote, urlencode

from msgspec import Struct

from muniment.forges.forge_client import UNSHARED_TRANSPORT, ForgeClient, Transport, decode_answer
from muniment.forges.github.client import api_addresses
from muniment.forges.shapes import Ability

# What the App asks for, and which of our abilities rests on it.
READ_PERMISSIONS = {
    "metadata": "read",  # repositories, who may write, which rules hold
    "contents": "read",  # code, branches, who pushed
    "pull_requests": "write",  # changes and their reviews; ask people; the one comment
    "checks": "write",  # our status
    "statuses": "read",  # what others say of a head
    "members": "read",  # teams that may bypass a rule
    "merge_queues": "read",  # groups that are about to be merged
    "administration": "read",  # how branches are protected
}
PROTECT_PERMISSIONS = {"administration": "write"}  # rulesets, and who may bypass them
PROPOSE_PERMISSIONS = {"contents": "write"}  # push a branch for a revert
EVENTS = (
    "branch_protection_rule",
    "check_run",
    "check_suite",
    "create",
    "delete",
    "issue_comment",
    "member",
    "membership",
    "merge_group",
    "organization",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "repository",
    "repository_ruleset",
    "status",
    "team",
    "team_add",
)
ABILITY_PERMISSIONS = {
    Ability.READ: (("contents", "read"), ("pull_requests", "read")),
    Ability.PERMISSIONS: (("metadata", "read"),),
    Ability.RULES: (("administration", "read"),),
    Ability.STATUS: (("checks", "write"),),
    Ability.COMMENT: (("pull_requests", "write"),),
    Ability.PROTECT: (("administration", "write"),),
    Ability.HOOKS: (),  # the App's own hook needs none
    Ability.PROPOSE: (("contents", "write"), ("pull_requests", "write")),
}
_LEVELS = ("", "read", "write", "admin")


def find_missing_abilities(permissions: dict[str, str]) -> tuple[Ability, ...]:
    """Abilities that an App with these permissions lacks."""
    return tuple(dict.fromkeys(ability for ability, _name, _level in list_lacking_permissions(permissions)))


def list_lacking_permissions(permissions: dict[str, str]) -> tuple[tuple[Ability, str, str], ...]:
    """Permissions that an App with these ones lacks: the ability that needs it, its name and its level."""

    def has_level(name: str, level: str) -> bool:
        given = permissions.get(name, "")
        return given in _LEVELS and _LEVELS.index(given) >= _LEVELS.index(level)

    return tuple(
        (ability, name, level)
        for ability, needed in ABILITY_PERMISSIONS.items()
        for name, level in needed
        if not has_level(name, level)
    )


# Making it: a form that the browser sends to GitHub, and what GitHub gives for the code that comes back


class CreatedApp(Struct, frozen=True):
    """The App that GitHub created. All but `id`, `slug` and `html_url` are secrets: only the vault stores them."""

    id: int
    slug: str
    html_url: str
    pem: str
    webhook_secret: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Made({self.id}, {self.slug!r})"


class HookAttributes(TypedDict):
    """Webhook of an App."""

    url: str
    active: bool


class AppManifest(TypedDict):
    """Form that makes an App at GitHub."""

    name: str
    url: str
    hook_attributes: HookAttributes
    redirect_url: str
    public: bool
    default_permissions: dict[str, str]
    default_events: list[str]


def make_manifest(name: str, service: str, *, hook: str, back: str, protects: bool, proposes: bool) -> AppManifest:
    """Content of the form: `service` is our address, `hook` the webhook's, `back` the one the browser returns to."""
    permissions = {
        **READ_PERMISSIONS,
        **(PROTECT_PERMISSIONS if protects else {}),
        **(PROPOSE_PERMISSIONS if proposes else {}),
    }
    return {
        "name": name,
        "url": service,
        "hook_attributes": {"url": hook, "active": True},
        "redirect_url": back,
        "public": False,
        "default_permissions": permissions,
        "default_events": list(EVENTS),
    }


def registration_url(url: str, organisation: str, state: str) -> str:
    """Address to which the browser posts the manifest.

    `state` comes back with the code, and the caller has to check it.
    """
    owner = f"organizations/{quote(organisation, safe='')}/" if organisation else ""
    return f"{url.rstrip('/')}/{owner}settings/apps/new?{urlencode({'state': state})}"


def exchange_code(url: str, code: str, transport: Transport = UNSHARED_TRANSPORT) -> CreatedApp:
    """The App for the code, which GitHub accepts once and for an hour."""
    client = ForgeClient(api_addresses(url)[0], lambda: {"Accept": "application/vnd.github+json"}, transport=transport)
    path = f"app-manifests/{quote(code, safe='')}/conversions"
    return decode_answer(CreatedApp, client.send_json("POST", path), "app-manifests")
