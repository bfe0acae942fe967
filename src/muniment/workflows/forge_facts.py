"""Facts of a product whose repository is at a forge: its files at a commit, the forge's settings, and its checks."""

from collections.abc import Callable, Collection

from muniment.decision.binding import BoundPolicy
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BranchPipelineRules, PipelineRuns
from muniment.forges import checks, pipeline_rules
from muniment.forges.forge import Forge
from muniment.forges.shapes import ForgeRepository
from muniment.forges.unknowns import read_or_unknown
from muniment.git.git_collector import GitCollector
from muniment.git.repository import Repository
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.repository_facts import list_required_pipelines, read_repository_facts


def read_forge_facts(
    forge: Forge,
    repository: ForgeRepository,
    git: Repository,
    target: str,
    tip: str,
    policy: BoundPolicy,
    names: Collection[str],
    now: str,
) -> dict[str, Fact]:
    """Read the facts named by `names`. The forge is asked only for those; each failure gives Unknown."""
    asked: dict[str, Callable[[], object]] = {
        kinds.BRANCH_RULES.name: lambda: _read_branch_rules(forge, repository, target, policy, now),
        kinds.FORGE_SETTINGS.name: lambda: forge.reader.read_job_settings(repository),
    }
    own = read_repository_facts(git, target, tip, policy, [name for name in names if name not in asked], now)
    by_forge = {
        name: create_fact(read_or_unknown(read), forge.name, now) for name, read in asked.items() if name in names
    }
    return {**own, **by_forge}


def read_test_runs(
    forge: Forge, repository: ForgeRepository, collector: GitCollector, revision: Revision, now: str
) -> dict[str, Fact]:
    """Read the test runs on the commit of a branch: those that machines signed, and the forge's own checks."""
    kind = kinds.TEST_RUNS
    signed: Maybe[PipelineRuns] = collector.collect_facts(revision, [kind.name], {}).get(kind)
    statuses = read_or_unknown(lambda: forge.reader.list_statuses(repository, revision.head), "the forge's checks")
    if isinstance(signed, Unknown):
        return {kind.name: create_fact(signed, forge.name, now)}
    if isinstance(statuses, Unknown):
        return {kind.name: create_fact(statuses, forge.name, now)}
    head = (*signed.value.head, *checks.convert_to_runs(forge.name, statuses.value, revision.head))
    return {kind.name: create_fact(Known(PipelineRuns(head, signed.value.base)), forge.name, now)}


def _read_branch_rules(
    forge: Forge, repository: ForgeRepository, target: str, policy: BoundPolicy, now: str
) -> BranchPipelineRules:
    rules, about = forge.reader.read_branch_rules(repository, target), forge.reader.describe_forge()
    return pipeline_rules.describe_branch_rules(rules, about, list_required_pipelines(target, policy, now))
