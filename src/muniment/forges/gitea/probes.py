"""The requests that Muniment needs of Gitea and Forgejo, each with the scope of the token that it takes.

Source: Gitea's documentation, "Scoped tokens" (https://docs.gitea.com/development/oauth2-provider#scopes). A token's
scopes are told nowhere, and what the API says of permissions is the account's: only trying shows what a token lacks.
"""

from collections.abc import Iterator

from muniment.forges.gitea.client import Gitea, place, quoted
from muniment.forges.permission_checks import Probe, unused_name
from muniment.forges.shapes import WITHOUT, Ability, Repo

_READ, _WRITE = "the token's scope read:repository", "the token's scope write:repository"
_ISSUE, _COMMENT = "the token's scope read:issue", "the token's scope write:issue"
_ADMIN = " (and administration of the repository)"
_SECRETS = "which secrets the organisation gives to jobs stays unknown"


def probes(gitea: Gitea, repository: Repo | None) -> Iterator[Probe]:
    """The probes of our account, and with a repository those of it. Raises ForgeError for a strange path."""
    client = gitea.client
    read = WITHOUT[Ability.READ]
    yield Probe("read our own account", "the token's scope read:user", read, lambda: client.get("user"))
    if repository is None:
        return

    def at(*more: str | int) -> str:
        return place(repository.path, *more)

    pulls = "the history of a pull request is not read, so each is denied"
    yield Probe("read branches", _READ, read, lambda: client.get(at("branches"), limit=1))
    yield Probe("read pull requests", _READ, read, lambda: client.get(at("pulls"), limit=1))
    yield Probe("read a pull request's timeline", _ISSUE, pulls, lambda: client.get(at("issues"), limit=1))
    yield Probe(
        "read who may write",
        _READ + _ADMIN,
        WITHOUT[Ability.PERMISSIONS],
        lambda: client.get(at("collaborators", gitea.ours.login, "permission")),
    )
    yield Probe(
        "read branch protection",
        _READ + _ADMIN,
        WITHOUT[Ability.RULES],
        lambda: client.get(at("branch_protections", unused_name())),
    )
    yield Probe(
        "post a status",
        _WRITE,
        WITHOUT[Ability.STATUS],
        lambda: client.send("DELETE", at("branches", unused_name())),
    )
    yield Probe(
        "write a comment",
        _COMMENT,
        WITHOUT[Ability.COMMENT],
        lambda: client.send("DELETE", at("issues", "comments", 0)),
    )
    yield Probe(
        "protect a branch",
        _WRITE + _ADMIN,
        WITHOUT[Ability.PROTECT],
        lambda: client.send("DELETE", at("branch_protections", unused_name())),
    )
    yield Probe(
        "register a webhook",
        _WRITE + _ADMIN,
        WITHOUT[Ability.HOOKS],
        lambda: client.send("DELETE", at("hooks", 0)),
    )
    owner = quoted(repository.path.partition("/")[0])
    yield Probe(
        "read the organisation", "the token's scope read:organization", _SECRETS, lambda: client.get(f"orgs/{owner}")
    )
