"""Evaluate one revision: collect the facts that its clauses need, then evaluate. A preview is neither recorded nor
enforced.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision
from muniment.decision.evaluation import evaluate_policy, list_needed_facts, select_clauses
from muniment.decision.report import DecisionReport, build_decision_report
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.code_facts import ChangeScan
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import Freeze
from muniment.facts.update_facts import ChangeDependencies, ChangeReleases
from muniment.git.repository import Repository
from muniment.policy.model import EnforcementPoint
from muniment.workflows.fact_suppliers import create_fact
from muniment.workflows.rule_sources import Rules

NOTHING_FROZEN: Maybe[tuple[Freeze, ...]] = Known(())


class Collector(Protocol):
    """Reads facts from wherever changes live."""

    @property
    def git_repository(self) -> Repository:
        """Repository that has the commits of the changes."""

    def collect_facts(
        self, revision: Revision, kinds: Collection[str], extra: Mapping[str, Maybe[object] | Fact]
    ) -> Facts:
        """Collect the facts named by `kinds`, those in `extra` as given. Unreadable ones are Unknown; it never
        raises.
        """


class ProposalCollector(Collector, Protocol):
    """Collector that knows the commits of a proposal."""

    def make_revision(self, repository: str, target: str, base: str, head: str) -> Revision:
        """Revision that proposes `head` for `target`. Its update is Unknown if the commits cannot be read."""


class ChangeEvaluation(Struct, frozen=True):
    """Decision with its policy and facts."""

    decision: Decision
    policy: BoundPolicy
    facts: Facts

    def build_report(self) -> DecisionReport:
        """Explanation for people: each clause's result, with its reasons and next steps."""
        return build_decision_report(self.decision, self.policy, self.facts)


class Proposal(Struct, frozen=True):
    """Subject of an evaluation at a merge: `head` for the branch `target` (a full ref), whose tip is `base`.

    `repository` is its name in the policy.
    """

    repository: str
    target: str
    base: str
    head: str


ReadFacts = Callable[[Collection[str]], Mapping[str, Fact]]  # those with these names that no collector of changes has


def evaluate_proposal(
    collector: ProposalCollector,
    rules: Rules,
    proposal: Proposal,
    now: str,
    read_facts: ReadFacts,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
) -> ChangeEvaluation:
    """Evaluate a merge that is proposed; else like `evaluate_change`."""
    revision = collector.make_revision(proposal.repository, proposal.target, proposal.base, proposal.head)
    return evaluate_change(collector, rules, revision, EnforcementPoint.MERGE, now, read_facts, freezes)


def evaluate_change(
    collector: Collector,
    rules: Rules,
    revision: Revision,
    point: EnforcementPoint,
    now: str,
    read_facts: ReadFacts,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
) -> ChangeEvaluation:
    """Evaluate `revision` at `point` for the moment `now`. `freezes` are those of the home, if there is one.

    `read_facts` gives facts from elsewhere (`workflows.fact_suppliers`): of the product, and at `deploy` of the
    delivery. It is called once, with the names that the clauses need.
    """
    policy = rules.policy
    if point is EnforcementPoint.MERGE and policy.clause_problems:
        from muniment.workflows.policy_repair import select_repair_policy  # pushers wait for imports, and few need it

        policy = select_repair_policy(collector, rules, revision)
    names = list_needed_facts(select_clauses(policy, point, revision.target))
    # At a merge the design is that of the change, not of the product before it.
    own = {kinds.DESIGN.name} & names if point is EnforcementPoint.MERGE else frozenset[str]()
    known: dict[str, Maybe[object] | Fact] = {
        **{name: fact for name, fact in read_facts(names - own).items() if name in names - own},
        kinds.PEOPLE.name: create_fact(rules.known_people, "given", now, rules.people_reference),
        kinds.EXCEPTIONS.name: Known(rules.exceptions),
        kinds.FREEZES.name: freezes,
    }
    if kinds.CHANGE_SCAN.name in names and kinds.CHANGE_SCAN.name not in known:
        known[kinds.CHANGE_SCAN.name] = create_fact(_scan_change(collector, revision), "scanners", now)
    if own:
        from muniment.workflows import design_evaluation  # a server hook loads it only if its policy needs it

        design = design_evaluation.evaluate_change_design(collector.git_repository, revision, now)
        known[kinds.DESIGN.name] = create_fact(design, "repository", now)
    if kinds.CHANGE_DEPENDENCIES.name in names and kinds.CHANGE_DEPENDENCIES.name not in known:
        compared = _compare_dependencies(collector, revision, now)
        known[kinds.CHANGE_DEPENDENCIES.name] = create_fact(compared, "advisories", now)
    if kinds.CHANGE_RELEASES.name in names and kinds.CHANGE_RELEASES.name not in known:
        aged = _find_release_ages(collector, revision, now)
        known[kinds.CHANGE_RELEASES.name] = create_fact(aged, "registries", now)
    facts = collector.collect_facts(revision, names, known)
    return ChangeEvaluation(evaluate_policy(policy, facts, point, now), policy, facts)


def _compare_dependencies(collector: Collector, revision: Revision, now: str) -> Maybe[ChangeDependencies]:
    """Compare the dependencies of a change. A server hook loads the parsers only if its policy needs them."""
    try:
        from muniment.workflows import change_dependencies
    except ImportError:
        return Unknown("the reader of lock files is not installed: pip install muniment[updates]")
    return change_dependencies.compare_dependencies(collector.git_repository, revision, now)


def _find_release_ages(collector: Collector, revision: Revision, now: str) -> Maybe[ChangeReleases]:
    """Find the ages of the releases that a change brings. A server hook loads the parsers only if its policy asks."""
    try:
        from muniment.workflows import change_releases
    except ImportError:
        return Unknown("the reader of lock files is not installed: pip install muniment[updates]")
    return change_releases.find_release_ages(collector.git_repository, revision, now)


def _scan_change(collector: Collector, revision: Revision) -> Maybe[ChangeScan]:
    """Scan the code of a change. A server hook loads the engines only if its policy needs them."""
    try:
        from muniment.workflows import change_scan
    except ImportError:
        return Unknown("what reads infrastructure and pipeline files is not installed: pip install muniment[pipeline]")
    return change_scan.scan_revision(collector.git_repository, revision)
