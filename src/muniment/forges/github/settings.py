"""What GitHub keeps for jobs, and what it lets them do: names and switches, each known or told which permission lacks.

A value of a secret is told by none of these addresses.
"""

from collections.abc import Iterator
from urllib.parse import quote

from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges import guarding
from muniment.forges.github.client import Hub, at
from muniment.forges.github.wire import Repository
from muniment.forges.learning import learnt
from muniment.forges.shapes import Repo, Vendor

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


def settings(hub: Hub, repository: Repo) -> ForgeSettings:
    """Those that hold for a repository, whether it or its organisation set them."""
    base = at(repository)
    secrets = learnt(lambda: tuple(sorted(set(_secrets(hub, base)))), "which secrets it stores", _NAMES)
    jobs = learnt(lambda: hub.one(_Jobs, f"{base}/actions/permissions"), "what jobs may run", _RULES)
    if isinstance(jobs, Known) and not jobs.value.enabled:
        return guarding.without_jobs(Vendor.GITHUB, secrets)
    return ForgeSettings(
        forge=Vendor.GITHUB.value,
        secrets=secrets,
        job_token_writes=learnt(lambda: _writes(hub, base), "what a job's token may", _RULES),
        unpinned_allowed=jobs if isinstance(jobs, Unknown) else learnt(lambda: _unpinned(jobs.value)),
        forks_trusted=learnt(lambda: _forks(hub, base), "what jobs of forks get", _RULES),
    )


def _secrets(hub: Hub, base: str) -> Iterator[str]:
    """Of the repository, of its organisation as far as it may use them, and of its environments."""
    for where in ("secrets", "organization-secrets"):
        yield from (one.name for one in hub.counted(_Named, f"{base}/actions/{where}", "secrets"))
    for environment in hub.counted(_Named, f"{base}/environments", "environments"):
        path = f"{base}/environments/{quote(environment.name, safe='')}/secrets"
        yield from (one.name for one in hub.counted(_Named, path, "secrets"))


def _writes(hub: Hub, base: str) -> bool:
    return hub.one(_Token, f"{base}/actions/permissions/workflow").default_workflow_permissions != "read"


def _unpinned(jobs: _Jobs) -> bool:
    if jobs.sha_pinning_required is None:
        told = "this GitHub does not tell whether actions have to be pinned"
        raise ForgeError(ForgeCode.UNSUPPORTED, told, "Update GitHub Enterprise Server.")
    return not jobs.sha_pinning_required


def _forks(hub: Hub, base: str) -> bool:
    """Jobs of a public repository's forks get a token that reads, and no secret; of a private one's, what is set."""
    if not hub.one(Repository, base).private:
        return False
    found = hub.one(_Forks, f"{base}/actions/permissions/fork-pr-workflows-private-repos")
    given = found.send_write_tokens_to_workflows or found.send_secrets_and_variables
    return found.run_workflows_from_fork_pull_requests and given
