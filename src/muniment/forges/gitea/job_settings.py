"""Job settings of Gitea and Forgejo: names of secrets. Permissions of a job's token, and pinning, are not returned."""

from collections.abc import Iterator

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges.forge_client import CompletenessProof
from muniment.forges.gitea import wire
from muniment.forges.gitea.client import GiteaClient, api_path, quote_segment
from muniment.forges.shapes import ForgeRepository
from muniment.forges.unknowns import read_or_unknown

_NAMES = "an account that administers the repository and owns its organisation"
_WRITES = Unknown("the forge's API does not return the permissions of a job's token")
_UNPINNED = Unknown("the forge has no setting that demands pinned actions")


def collect_job_settings(gitea: GiteaClient, repository: ForgeRepository) -> ForgeSettings:
    """Job settings of a repository. Jobs of changes from forks always get no secret and a token that reads."""
    secrets = read_or_unknown(
        lambda: tuple(sorted(set(_list_secrets(gitea, repository)))), "which secrets it stores", _NAMES
    )
    if gitea.client.read_one(wire.Repository, api_path(repository.path)).has_actions is False:
        return ForgeSettings.make_without_jobs(gitea.vendor.value, secrets)
    return ForgeSettings(gitea.vendor.value, secrets, _WRITES, _UNPINNED, Known(False))


def _list_secrets(gitea: GiteaClient, repository: ForgeRepository) -> Iterator[str]:
    """Names of the secrets of the repository and of its organisation. Those of a person's account are never listed."""
    yield from _list_names(gitea, api_path(repository.path, "actions", "secrets"))
    owner = repository.path.partition("/")[0]
    try:
        yield from _list_names(gitea, f"orgs/{quote_segment(owner)}/actions/secrets")
    except ForgeError as error:
        if error.code is ForgeCode.NOT_FOUND:
            problem = f"{owner} is no organisation, and the secrets of a person's account cannot be listed"
            raise ForgeError(ForgeCode.UNSUPPORTED, problem, "Move the repository to an organisation.") from None
        raise


def _list_names(gitea: GiteaClient, where: str) -> Iterator[str]:
    yield from (row.name for row in gitea.client.list_all_items(wire.SecretName, where, CompletenessProof.TOTAL))
