"""Test runs on the tip of a branch: those that machines signed, and at a forge its own checks."""

from muniment.facts import kinds
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import PipelineRuns
from muniment.git.git_collector import GitCollector
from muniment.git.repository import Repository
from muniment.workflows.deployment_evaluation import LinkedForge
from muniment.workflows.forge_facts import read_test_runs
from muniment.workflows.rule_sources import Rules


def read_branch_runs(
    git: Repository, rules: Rules, name: str, branch: str, tip: str, linked: LinkedForge | None, now: str
) -> Maybe[PipelineRuns]:
    """Read the runs on the tip of a branch of the repository `name`."""
    collector = GitCollector(git, rules.known_people, now)
    revision = collector.make_landed_revision(name, branch, tip)
    if linked is None:
        signed: Maybe[PipelineRuns] = collector.collect_facts(revision, [kinds.TEST_RUNS.name], {}).get(kinds.TEST_RUNS)
        return signed
    found = read_test_runs(linked.forge, linked.repository, collector, revision, now)[kinds.TEST_RUNS.name].value
    if isinstance(found, Unknown):
        return found
    runs = found.value
    return Known(runs) if isinstance(runs, PipelineRuns) else Unknown("the forge's checks have another form")
