"""Muniment at GitHub is an App: made with one click, with exactly the permissions it needs, and no person's token.

Source: https://docs.github.com/en/apps, "Registering a GitHub App from a manifest".
"""

from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from muniment.forges.github import wire
from muniment.forges.github.client import api
from muniment.forges.http import ALONE, Client, Transport
from muniment.forges.shapes import Ability

# What the App asks for, and which of our abilities rests on it.
READS = {
    "metadata": "read",  # repositories, who may write, which rules hold
    "contents": "read",  # code, branches, who pushed
    "pull_requests": "write",  # changes and their reviews; ask people; the one comment
    "checks": "write",  # the verdict
    "statuses": "read",  # what others say of a head
    "members": "read",  # teams that may bypass a rule
    "merge_queues": "read",  # groups that are about to be merged
    "administration": "read",  # how branches are protected
}
PROTECTS = {"administration": "write"}  # rulesets, and who may bypass them
PROPOSES = {"contents": "write"}  # push a branch for a revert
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
ABILITIES = {
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


def missing(permissions: dict[str, str]) -> tuple[Ability, ...]:
    """What an App with these permissions cannot do."""
    return tuple(dict.fromkeys(ability for ability, _name, _level in lacking_permissions(permissions)))


def lacking_permissions(permissions: dict[str, str]) -> tuple[tuple[Ability, str, str], ...]:
    """The permissions that an App with these ones lacks: the ability that rests on it, its name and its level."""

    def has(name: str, level: str) -> bool:
        given = permissions.get(name, "")
        return given in _LEVELS and _LEVELS.index(given) >= _LEVELS.index(level)

    return tuple(
        (ability, name, level)
        for ability, needed in ABILITIES.items()
        for name, level in needed
        if not has(name, level)
    )


# Making it: a form that the browser sends to GitHub, and what GitHub gives for the code that comes back


class Made(Struct, frozen=True):
    """The App that GitHub made. All but `id`, `slug` and `html_url` are secrets: to the vault, and nowhere else."""

    id: int
    slug: str
    html_url: str
    pem: str
    webhook_secret: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Made({self.id}, {self.slug!r})"


def manifest(name: str, service: str, *, hook: str, back: str, protects: bool, proposes: bool) -> dict[str, Any]:
    """What the form says: `service` is our address, `hook` where events go, `back` where the browser returns."""
    permissions = {**READS, **(PROTECTS if protects else {}), **(PROPOSES if proposes else {})}
    return {
        "name": name,
        "url": service,
        "hook_attributes": {"url": hook, "active": True},
        "redirect_url": back,
        "public": False,
        "default_permissions": permissions,
        "default_events": list(EVENTS),
    }


def form(url: str, organisation: str, state: str) -> str:
    """Where the browser posts the manifest. `state` comes back with the code: whoever asked has to check it."""
    owner = f"organizations/{quote(organisation, safe='')}/" if organisation else ""
    return f"{url.rstrip('/')}/{owner}settings/apps/new?{urlencode({'state': state})}"


def convert(url: str, code: str, transport: Transport = ALONE) -> Made:
    """The App made of the code, which GitHub takes once and for an hour."""
    client = Client(api(url)[0], lambda: {"Accept": "application/vnd.github+json"}, transport=transport)
    path = f"app-manifests/{quote(code, safe='')}/conversions"
    return wire.decoded(Made, client.send("POST", path), "app-manifests")
