"""Facts of a product whose repository lives at a forge: its files at a commit, what the forge says, and its checks."""

from collections.abc import Callable, Collection

from muniment.decision.binding import BoundPolicy
from muniment.decision.judge import clauses_at, needed
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import BranchRules, Runs
from muniment.forges import checks, guarding
from muniment.forges.forge import Forge
from muniment.forges.learning import learnt
from muniment.forges.shapes import Repo
from muniment.git.collect import GitCollector
from muniment.git.repository import Repository
from muniment.policy.model import Point
from muniment.workflows.repository_facts import repository_facts, required
from muniment.workflows.supplies import fact


def facts_at_merge(
    forge: Forge, repository: Repo, git: Repository, policy: BoundPolicy, target: str, tip: str, now: str
) -> dict[str, Fact]:
    """Those that the clauses need which bite when something is merged into `target`, whose tip is `tip`."""
    names = needed(clauses_at(policy, Point.MERGE, target))
    return facts_at_forge(forge, repository, git, target, tip, policy, names, now)


def facts_at_forge(
    forge: Forge,
    repository: Repo,
    git: Repository,
    target: str,
    tip: str,
    policy: BoundPolicy,
    names: Collection[str],
    now: str,
) -> dict[str, Fact]:
    """Those that go by `names`. The forge is asked for what they need alone, and what fails is Unknown."""
    asked: dict[str, Callable[[], object]] = {
        kinds.BRANCH_RULES.name: lambda: _rules(forge, repository, target, policy, now),
        kinds.FORGE_SETTINGS.name: lambda: forge.reader.settings(repository),
    }
    own = repository_facts(git, target, tip, policy, [name for name in names if name not in asked], now)
    told = {name: fact(learnt(read), forge.name, now) for name, read in asked.items() if name in names}
    return {**own, **told}


def runs_at(forge: Forge, repository: Repo, collector: GitCollector, revision: Revision, now: str) -> dict[str, Fact]:
    """The runs on what a branch holds: what machines signed, and the forge's own checks."""
    kind = kinds.TEST_RUNS
    signed: Maybe[Runs] = collector.collect(revision, [kind.name], {}).get(kind)
    told = learnt(lambda: forge.reader.statuses(repository, revision.head), "the forge's checks")
    if isinstance(signed, Unknown):
        return {kind.name: fact(signed, forge.name, now)}
    if isinstance(told, Unknown):
        return {kind.name: fact(told, forge.name, now)}
    head = (*signed.value.head, *checks.runs(forge.name, told.value, revision.head))
    return {kind.name: fact(Known(Runs(head, signed.value.base)), forge.name, now)}


def _rules(forge: Forge, repository: Repo, target: str, policy: BoundPolicy, now: str) -> BranchRules:
    rules, about = forge.reader.rules(repository, target), forge.reader.about()
    return guarding.guards(rules, about, required(target, policy, now))
