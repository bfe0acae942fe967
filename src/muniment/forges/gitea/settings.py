"""What Gitea and Forgejo keep for jobs: the names of secrets are told; what a job's token may, and pinning, are not."""

from collections.abc import Iterator
from typing import Any

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import guarding
from muniment.forges.gitea.client import Gitea, needed, place, quoted
from muniment.forges.http import Proof
from muniment.forges.learning import learnt
from muniment.forges.shapes import Repo

_NAMES = "an account that administers the repository and owns its organisation"
_WRITES = Unknown("the forge's API does not return the permissions of a job's token")
_UNPINNED = Unknown("the forge has no setting that demands pinned actions")


def settings(gitea: Gitea, repository: Repo) -> ForgeSettings:
    """Those that hold for a repository. Jobs of changes from forks get no secret and a token that reads, always."""
    secrets = learnt(lambda: tuple(sorted(set(_secrets(gitea, repository)))), "which secrets it stores", _NAMES)
    found = gitea.client.get(place(repository.path))
    if isinstance(found, dict) and found.get("has_actions") is False:
        return guarding.without_jobs(gitea.vendor, secrets)
    return ForgeSettings(gitea.vendor.value, secrets, _WRITES, _UNPINNED, Known(False))


def _secrets(gitea: Gitea, repository: Repo) -> Iterator[str]:
    """Of the repository and of its organisation. What a person keeps for all of their own, nobody is told."""
    yield from _names(gitea, place(repository.path, "actions", "secrets"))
    owner = repository.path.partition("/")[0]
    try:
        yield from _names(gitea, f"orgs/{quoted(owner)}/actions/secrets")
    except ForgeError as error:
        if error.code is ForgeCode.NOT_FOUND:
            told = f"{owner} is no organisation, and the secrets of a person's account cannot be listed"
            raise ForgeError(ForgeCode.UNSUPPORTED, told, "Move the repository to an organisation.") from None
        raise


def _names(gitea: Gitea, where: str) -> Iterator[str]:
    rows: tuple[Any, ...] = gitea.client.listed(where, Proof.TOTAL)
    yield from (needed(row, "name", str, where) for row in rows)
