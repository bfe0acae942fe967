"""Requests that Muniment needs of Gitea and Forgejo, each with the token scope for it.

Source: Gitea's documentation, "Scoped tokens" (https://docs.gitea.com/development/oauth2-provider#scopes). No request
returns a token's scopes, and the API returns the permissions of the account: only trying shows what a token lacks.
"""

from collections.abc import Iterator
from functools import partial

from muniment.forges.gitea.client import GiteaClient, api_path, quote_segment
from muniment.forges.permission_checks import Probe, make_unused_name
from muniment.forges.shapes import MISSING_ABILITY_EFFECTS, Ability, ForgeRepository

_READ, _WRITE = "the token's scope read:repository", "the token's scope write:repository"
_ISSUE, _COMMENT = "the token's scope read:issue", "the token's scope write:issue"
_ADMIN = " (and administration of the repository)"
_ORGANISATION = (
    "which secrets the organisation gives to jobs stays unknown, and so does who may write as a member of its teams"
)


def list_probes(gitea: GiteaClient, repository: ForgeRepository | None) -> Iterator[Probe]:
    """Probes of our account, and with a repository those of it. Raises ForgeError for an invalid path."""
    client = gitea.client
    read = MISSING_ABILITY_EFFECTS[Ability.READ]
    yield Probe("read our own account", "the token's scope read:user", read, lambda: client.get_json("user"))
    if repository is None:
        return
    yield from _list_reading_probes(gitea, repository)
    yield from _list_writing_probes(gitea, repository)
    owner = quote_segment(repository.path.partition("/")[0])
    yield Probe(
        "read the organisation",
        "the token's scope read:organization",
        _ORGANISATION,
        lambda: client.get_json(f"orgs/{owner}"),
    )


def _list_reading_probes(gitea: GiteaClient, repository: ForgeRepository) -> Iterator[Probe]:
    client, resource_path = gitea.client, partial(api_path, repository.path)
    read = MISSING_ABILITY_EFFECTS[Ability.READ]
    pulls = "the history of a pull request is not read, so each is denied"
    yield Probe("read branches", _READ, read, lambda: client.get_json(resource_path("branches"), limit=1))
    yield Probe("read pull requests", _READ, read, lambda: client.get_json(resource_path("pulls"), limit=1))
    yield Probe(
        "read a pull request's timeline", _ISSUE, pulls, lambda: client.get_json(resource_path("issues"), limit=1)
    )
    yield Probe(
        "read who may write",
        _READ + _ADMIN,
        MISSING_ABILITY_EFFECTS[Ability.PERMISSIONS],
        lambda: client.get_json(resource_path("collaborators", gitea.our_account.login, "permission")),
    )
    yield Probe(
        "read branch protection",
        _READ + _ADMIN,
        MISSING_ABILITY_EFFECTS[Ability.RULES],
        lambda: client.get_json(resource_path("branch_protections", make_unused_name())),
    )


def _list_writing_probes(gitea: GiteaClient, repository: ForgeRepository) -> Iterator[Probe]:
    client, resource_path = gitea.client, partial(api_path, repository.path)
    yield Probe(
        "post a status",
        _WRITE,
        MISSING_ABILITY_EFFECTS[Ability.STATUS],
        lambda: client.send_json("DELETE", resource_path("branches", make_unused_name())),
    )
    yield Probe(
        "write a comment",
        _COMMENT,
        MISSING_ABILITY_EFFECTS[Ability.COMMENT],
        lambda: client.send_json("DELETE", resource_path("issues", "comments", 0)),
    )
    yield Probe(
        "protect a branch",
        _WRITE + _ADMIN,
        MISSING_ABILITY_EFFECTS[Ability.PROTECT],
        lambda: client.send_json("DELETE", resource_path("branch_protections", make_unused_name())),
    )
    yield Probe(
        "register a webhook",
        _WRITE + _ADMIN,
        MISSING_ABILITY_EFFECTS[Ability.HOOKS],
        lambda: client.send_json("DELETE", resource_path("hooks", 0)),
    )
