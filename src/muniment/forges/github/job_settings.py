"""Job settings of GitHub: names and switches, each known, or Unknown with the missing permission.

None of these requests returns the value of a secret.
"""

from collections.abc import Iterator
from urllib.parse import quote

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges.github.client import GitHubClient, repository_path
from muniment.forges.github.wire import RepositoryAnswer
from muniment.forges.shapes import ForgeRepository, Vendor
from muniment.forges.unknowns import read_or_unknown

_RULES = "the permission Administration: read"
_NAMES = "the permissions Secrets, Environments and Actions: read"


class _Named(Struct, frozen=True):
    name: str


class _Jobs(Struct, frozen=True):
    enabled: bool
    sha_pinning_required: bool | None = None


class _Token(Struct, frozen=True):
    default_workflow_permissions: str


class _Forks(Struct, frozen=True):
    run_workflows_from_fork_pull_requests: bool
    send_write_tokens_to_workflows: bool
    send_secrets_and_variables: bool


def collect_job_settings(hub: GitHubClient, repository: ForgeRepository) -> ForgeSettings:
    """Job settings of a repository, set by itself or by its organisation."""
    base = repository_path(repository)
    secrets = read_or_unknown(lambda: tuple(sorted(set(_list_secrets(hub, base)))), "which secrets it stores", _NAMES)
    jobs = read_or_unknown(lambda: hub.read_one(_Jobs, f"{base}/actions/permissions"), "what jobs may run", _RULES)
    if isinstance(jobs, Known) and not jobs.value.enabled:
        return ForgeSettings.make_without_jobs(Vendor.GITHUB.value, secrets)
    return ForgeSettings(
        forge=Vendor.GITHUB.value,
        secrets=secrets,
        job_token_writes=read_or_unknown(lambda: _can_token_write(hub, base), "what a job's token may", _RULES),
        unpinned_allowed=jobs
        if isinstance(jobs, Unknown)
        else read_or_unknown(lambda: _is_unpinned_allowed(jobs.value)),
        forks_trusted=read_or_unknown(lambda: _are_forks_trusted(hub, base), "what jobs of forks get", _RULES),
    )


def _list_secrets(hub: GitHubClient, base: str) -> Iterator[str]:
    """Names of the secrets of the repository, of its organisation as far as they apply, and of its environments."""
    for where in ("secrets", "organization-secrets"):
        yield from (one.name for one in hub.read_counted_list(_Named, f"{base}/actions/{where}", "secrets"))
    for environment in hub.read_counted_list(_Named, f"{base}/environments", "environments"):
        path = f"{base}/environments/{quote(environment.name, safe='')}/secrets"
        yield from (one.name for one in hub.read_counted_list(_Named, path, "secrets"))


def _can_token_write(hub: GitHubClient, base: str) -> bool:
    return hub.read_one(_Token, f"{base}/actions/permissions/workflow").default_workflow_permissions != "read"


def _is_unpinned_allowed(jobs: _Jobs) -> bool:
    if jobs.sha_pinning_required is None:
        problem = "this GitHub does not tell whether actions have to be pinned"
        raise ForgeError(ForgeCode.UNSUPPORTED, problem, "Update GitHub Enterprise Server.")
    return not jobs.sha_pinning_required


def _are_forks_trusted(hub: GitHubClient, base: str) -> bool:
    """Whether jobs of forks get a secret or a token that writes: never in a public repository, else as it is set."""
    if not hub.read_one(RepositoryAnswer, base).private:
        return False
    found = hub.read_one(_Forks, f"{base}/actions/permissions/fork-pr-workflows-private-repos")
    given = found.send_write_tokens_to_workflows or found.send_secrets_and_variables
    return found.run_workflows_from_fork_pull_requests and given
