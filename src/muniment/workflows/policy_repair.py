"""A change that corrects a branch's own policy, where this version cannot evaluate a clause of it.

Such a clause is unknown, so it denies every change. A change that touches the policy file alone, after which every
clause can be evaluated, needs two other people's approvals in the place of these clauses; all others still apply.
"""

from msgspec import structs

from muniment.controls import independent_review
from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import bind_policy_in_force
from muniment.decision.evaluation import select_clauses
from muniment.errors import ConfigurationError, GitError
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.maybe import Known
from muniment.git import branch_documents
from muniment.policy.model import Clause, EnforcementPoint
from muniment.workflows.change_evaluation import Collector
from muniment.workflows.rule_sources import Rules, combine_policies

_REPAIR_CLAUSE = "policy-repair"
_REVIEWERS = 2


def select_repair_policy(collector: Collector, rules: Rules, revision: Revision) -> BoundPolicy:
    """The policy for a change: that of `rules`, or, for a change that repairs it, the one with the repair clause."""
    own = rules.branch_policy
    broken = [
        bound.clause for bound in select_clauses(rules.policy, EnforcementPoint.MERGE, revision.target) if bound.problem
    ]
    if (
        not broken
        or own is None
        or not own.clause_problems
        or (rules.home_policy is not None and rules.home_policy.clause_problems)
    ):
        return rules.policy
    if not _is_repair(collector, revision):
        return rules.policy
    usable_clauses = tuple(bound.clause for bound in own.clauses if not bound.problem)
    repair = _create_repair_clause(usable_clauses, rules.home_policy, broken)
    return combine_policies(
        rules.home_policy, bind_policy_in_force(structs.replace(own.policy, clauses=(*usable_clauses, repair)))
    )[0]


def _is_repair(collector: Collector, revision: Revision) -> bool:
    """Whether a change touches the policy file alone, and this version can evaluate the policy after it."""
    files = collector.collect_facts(revision, frozenset({kinds.FILES.name}), {}).get(kinds.FILES)
    if not isinstance(files, Known):
        return False
    touched = {path for file in files.value for path in (file.path, file.old_path)}
    if touched != {branch_documents.POLICY_PATH}:
        return False
    try:
        documents = branch_documents.read_documents(collector.git_repository, revision.head)
        return documents.load_proposed_policy() is not None
    except (ConfigurationError, GitError):
        return False


def _create_repair_clause(usable_clauses: tuple[Clause, ...], home: BoundPolicy | None, broken: list[Clause]) -> Clause:
    used = {clause.id for clause in usable_clauses} | (
        {bound.clause.id for bound in home.clauses} if home is not None else set()
    )
    name = _REPAIR_CLAUSE
    while name in used:
        name += "-x"
    return Clause(
        id=name,
        name="Repair of the policy",
        section=broken[0].section,
        text=f"This version cannot evaluate {', '.join(clause.id for clause in broken)}. "
        "A change that corrects .muniment/policy.toml and nothing else is approved by two others.",
        control=independent_review.CONTROL.name,
        enforce=(EnforcementPoint.MERGE,),
        parameters={"reviewers": _REVIEWERS},
    )
