"""Evaluate the updates of one push: protected branches and tags by their rules, approvals by their signatures."""

from collections.abc import Collection, Mapping
from functools import cached_property

from msgspec import Struct, structs

from muniment.controls.control import Reason, ResultStatus
from muniment.decision.decision import Outcome
from muniment.decision.freezes import select_freezes
from muniment.errors import ConfigurationError, GitError, MunimentError, SignatureError, StoreError
from muniment.facts import canonical
from muniment.facts.change import Revision
from muniment.facts.change import UpdateKind as Becomes
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known
from muniment.facts.people import People
from muniment.facts.statements import Approval, Freeze, LandedHeads, SignatureResult
from muniment.git import approvals, history, received_push, run_statements
from muniment.git.git_collector import GitCollector
from muniment.git.push_facts import PushReader
from muniment.git.received_push import PushedRef
from muniment.git.repository import Repository
from muniment.git.statement_chains import read_chain as chain_of
from muniment.policy.model import EnforcementPoint
from muniment.store.push_index import PushIndex
from muniment.workflows.approval_commands import HeadSource, find_head_source
from muniment.workflows.change_evaluation import ChangeEvaluation, evaluate_change
from muniment.workflows.landed_heads import build_landed_heads
from muniment.workflows.pushed_statements import find_permanent_problem, find_signature_problem
from muniment.workflows.pushed_statements import repeat_command as _again
from muniment.workflows.refusals import Refusals
from muniment.workflows.repository_facts import HookProtection, read_repository_facts
from muniment.workflows.repository_rules import HEADS, TAGS, RepositoryRules
from muniment.workflows.rule_sources import Rules

STATEMENTS = (
    approvals.PREFIX,
    run_statements.RUN_REFS,
)  # refs of signed statements: no commit of theirs is anybody's work
_RESERVED = ("refs/muniment/", "refs/replace/")


class UpdateResult(Struct, frozen=True):
    """Result of one update: a `evaluation`, a `refusal`, the statements in it, or none of them.

    `entry` is its position in the ledger, -1 for an update without a record. `source`: the ref from which others fetch
    a denied head. `undecided`: of a preview that knows no people; it denies only what a clause surely forbids.
    """

    update: PushedRef
    evaluation: ChangeEvaluation | None = None
    refusal: Reason | None = None
    statements: tuple[Approval, ...] = ()
    entry: int = -1
    source: HeadSource | None = None
    undecided: bool = False

    @property
    def is_allowed(self) -> bool:
        """Whether this update alone would be let through."""
        if self.refusal is not None:
            return False
        return self.evaluation is None or self.evaluation.decision.outcome is Outcome.ALLOW or self.is_open

    @property
    def is_open(self) -> bool:
        """Whether only the server can decide: no clause is violated, and some are not known."""
        if self.evaluation is None or not self.undecided:
            return False
        decision = self.evaluation.decision
        return not any(result.is_blocking and result.status is ResultStatus.VIOLATED for result in decision.results)

    @property
    def is_evaluable(self) -> bool:
        """Whether the update could be evaluated at all. One that could not never passes, in no mode."""
        return self.refusal is None or self.refusal.status is not ResultStatus.UNKNOWN


class PushEvaluator:
    """Evaluator of one push, after its intent was recorded at position `own`."""

    def __init__(
        self,
        repository: Repository,
        index: PushIndex,
        location: str,
        refs: Mapping[str, str],
        updates: tuple[PushedRef, ...],
        intent_position: int,
        freezes: tuple[Freeze, ...],
        now: str,
        *,
        enforced: bool,
    ) -> None:
        self._repository = repository
        self._index = index
        self._location = location
        self._refs = refs
        self._intent_position = intent_position
        self._now = now
        self._pushed = {update.ref: update.new for update in updates if update.ref.startswith(STATEMENTS)}
        self._freezes = freezes
        self._guard = Known(HookProtection(enforced))
        self._collectors: dict[int, GitCollector] = {}

    def evaluate_update(self, update: PushedRef, standing: RepositoryRules | MunimentError) -> UpdateResult:
        """Evaluate one update. It never raises for the content of a push."""
        subject = f"ref:{update.ref}"
        if isinstance(standing, MunimentError):
            return _refuse_update(update, Refusals.UNREADABLE(subject, why=standing.message, next=standing.remedy))
        try:
            if update.ref.startswith(approvals.PREFIX):
                return self._check_approvals(update, standing)
            if update.ref.startswith(run_statements.RUN_REFS):
                return self._check_test_runs(update, standing.people)
            if update.ref.startswith(_RESERVED):
                return _refuse_update(update, Refusals.RESERVED(subject))
            if update.old != self._refs.get(update.ref, ""):  # whoever pushes says what it was; git checks it later
                return _refuse_update(update, Refusals.MOVED_MEANWHILE(subject))
            return (
                self._evaluate_protected(update, standing)
                if standing.is_protected(update.ref)
                else UpdateResult(update)
            )
        except (ConfigurationError, GitError, SignatureError, StoreError) as error:
            return _refuse_update(update, Refusals.UNREADABLE(subject, why=error.message, next=error.remedy))

    def _evaluate_protected(self, update: PushedRef, standing: RepositoryRules) -> UpdateResult:
        subject = f"ref:{update.ref}"
        if received_push.decode_ref(update.ref) != update.ref:
            return _refuse_update(update, Refusals.STRANGE_NAME(subject))
        commits = {
            value: received_push.peel_to_commit(self._repository, value) for value in (update.old, update.new) if value
        }
        tag = update.ref.startswith(TAGS)
        for value, commit in commits.items():
            if not commit or (commit != value and not tag):
                return _refuse_update(update, Refusals.NOT_A_COMMIT(subject, object=value))
        old, new = commits.get(update.old, ""), commits.get(update.new, "")
        rules = standing.rules_for(update.ref)
        if new and not tag:
            try:
                standing.check_proposed(update.ref, new)
            except ConfigurationError as error:
                refusal = Refusals.NOT_REPAIRED if rules.policy.clause_problems else Refusals.BREAKS_RULES
                return _refuse_update(update, refusal(subject, why=error.message, next=error.remedy))
        collector = self._get_collector(rules, standing)
        revision = build_revision(self._repository, collector, rules, PushedRef(update.ref, old, new), standing)
        where = (self._repository, update.ref, revision.base, rules.policy)

        def read_facts(names: Collection[str]) -> dict[str, Fact]:
            return read_repository_facts(*where, names, self._now, self._guard)

        freezes = Known(select_freezes(self._freezes, self._now, rules.policy.policy.repository))
        evaluation = evaluate_change(collector, rules, revision, EnforcementPoint.MERGE, self._now, read_facts, freezes)
        if evaluation.decision.outcome is Outcome.ALLOW:
            return UpdateResult(update, evaluation)
        return UpdateResult(update, evaluation, source=find_head_source(self._repository, new, standing.is_protected))

    def _get_collector(self, rules: Rules, standing: RepositoryRules) -> GitCollector:
        """Collector for all refs that have the same rules, so that nothing is read twice."""
        if id(rules) not in self._collectors:
            until = (
                self._intent_position + 1
            )  # what this push makes of other refs belongs to the changes that it brings
            reader = PushReader(self._repository, self._refs, self._index, self._location, until, standing.is_protected)
            self._collectors[id(rules)] = GitCollector(
                self._repository,
                Known(rules.people),
                self._now,
                reader,
                self._pushed,
                self._refs,
                self._read_landed_heads,
            )
        return self._collectors[id(rules)]

    def _read_landed_heads(self, revision: Revision, statements: tuple[Approval, ...]) -> LandedHeads:
        """Approved heads that the ref took, by the ledger. Statements of this very push are newest."""
        digests = [statement.digest for statement in statements]
        recorded = self._index.find_statements(self._location, digests)
        recorded = {**dict.fromkeys(self._brought_statements.intersection(digests), self._intent_position), **recorded}
        return build_landed_heads(self._index, self._location, revision.target, statements, recorded)

    @cached_property
    def _brought_statements(self) -> frozenset[str]:
        """Digests of the statements in this push."""
        found: set[str] = set()
        for ref, tip in self._pushed.items():
            if ref.startswith(approvals.PREFIX) and tip:
                known = self._refs.get(ref, "")
                for stored in chain_of(self._repository, tip, ref):
                    if stored.id == known:
                        break
                    found.update([canonical.digest_bytes(stored.texts[0])] if stored.texts is not None else [])
        return frozenset(found)

    def _check_approvals(self, update: PushedRef, standing: RepositoryRules) -> UpdateResult:
        """Accept statements if they are signed, lie at their place, and can count one day."""
        subject, people = f"ref:{update.ref}", standing.people
        found = approvals.find_approval_refs({update.ref: update.new or update.old})
        if not found:
            return _refuse_update(update, Refusals.NO_APPROVAL_REF(subject))
        statements = approvals.read_approvals(self._repository, found, people)
        if not update.new:
            return _refuse_update(
                update, Refusals.APPROVAL_STAYS(subject, command=_again(statements[-1], "--withdraw"))
            )
        ids = [statement.id for statement in statements]
        if update.old and update.old not in ids:
            where = {"head": found[0].head, "person": found[0].person}
            return _refuse_update(update, Refusals.APPROVAL_REWOUND(subject, **where))
        fresh = statements[ids.index(update.old) + 1 if update.old else 0 :]
        why = next(
            filter(None, (find_signature_problem(statement, found[0].person, people, subject) for statement in fresh)),
            None,
        )
        if why is None and fresh:  # what came before the last one is replaced by it
            why = find_permanent_problem(fresh[-1], standing, subject, self._read_tree(fresh[-1].head))
        return UpdateResult(update, statements=fresh) if why is None else _refuse_update(update, why)

    def _read_tree(self, head: str) -> str:
        """Tree of a commit, "" if it is not here (yet)."""
        there = self._repository.objects.read_kinds([head])[0] == "commit"
        return history.read_commits(self._repository, [head])[0].tree if there else ""

    def _check_test_runs(self, update: PushedRef, people: People) -> UpdateResult:
        """Accept a run if a known machine signed it, about the commit whose ref it lies at."""
        subject = f"ref:{update.ref}"
        found = run_statements.find_run_refs({update.ref: update.new or update.old})
        if not found:
            return _refuse_update(update, Refusals.NO_RUN_REF(subject))
        if not update.new:
            return _refuse_update(update, Refusals.RUN_STAYS(subject))
        where = {"head": found[0].head, "pipeline": found[0].pipeline}
        statements = run_statements.read_runs(self._repository, found, people)
        ids = [statement.id for statement in statements]
        if update.old and update.old not in ids:
            return _refuse_update(update, Refusals.RUN_REWOUND(subject, **where))
        for statement in statements[ids.index(update.old) + 1 if update.old else 0 :]:
            if statement.run.signature is not SignatureResult.VALID:
                details = {"who": statement.run.runner or "nobody", "signature": statement.run.signature.value, **where}
                return _refuse_update(update, Refusals.RUN_NOT_SIGNED(subject, **details))
            if statement.head != statement.run.commit:
                return _refuse_update(update, Refusals.RUN_ELSEWHERE(subject, about=statement.head, **where))
        return UpdateResult(update)


def build_revision(
    repository: Repository, collector: GitCollector, rules: Rules, update: PushedRef, standing: RepositoryRules
) -> Revision:
    """Build the revision that an update of a protected ref proposes; its values are commits. Raises GitError.

    A new branch or tag is evaluated as its addition to the protected branches. A tag that moves is rewound.
    """
    name = rules.policy.policy.repository
    if not update.new:
        return Revision(name, update.ref, update.old, "", Known(Becomes.DELETED))
    base = update.old or received_push.find_merge_base(repository, update.new, standing.protected_tips())
    revision = collector.make_revision(name, update.ref, base, update.new)
    becomes = revision.update
    if isinstance(becomes, Known):
        if not update.old:
            becomes = Known(Becomes.CREATED)
        elif becomes.value is Becomes.DIVERGED or not update.ref.startswith(HEADS):
            becomes = Known(Becomes.REWOUND)
    return structs.replace(revision, update=becomes)


def _refuse_update(update: PushedRef, why: Reason) -> UpdateResult:
    return UpdateResult(update, refusal=why)
