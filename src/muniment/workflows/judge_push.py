"""Judge what one push brings: protected branches and tags by their rules, approvals by their signatures."""

from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct, structs

from muniment.controls.control import Reason, Status
from muniment.decision.decision import Outcome
from muniment.decision.freezes import select_freezes
from muniment.errors import ConfigurationError, GitError, MunimentError, SignatureError, StoreError
from muniment.facts import canonical
from muniment.facts.change import Revision
from muniment.facts.change import Update as Becomes
from muniment.facts.maybe import Known
from muniment.facts.people import People
from muniment.facts.statements import Approval, Freeze, LandedHeads, Signature
from muniment.git import approvals, history, receiving, runs
from muniment.git.collect import GitCollector
from muniment.git.pushed import PushReader
from muniment.git.receiving import Update
from muniment.git.repository import Repository
from muniment.git.statements import chain as chain_of
from muniment.policy.model import Point
from muniment.store.index import Index
from muniment.workflows.approval_commands import Source, find_source
from muniment.workflows.judge_change import Judgement, judge_change
from muniment.workflows.landed_heads import landed_heads
from muniment.workflows.pushed_statements import again as _again
from muniment.workflows.pushed_statements import never_counts, unsigned
from muniment.workflows.refusals import Refusals
from muniment.workflows.repository_facts import Guard, facts_at_merge
from muniment.workflows.sources import Rules
from muniment.workflows.standing import HEADS, TAGS, Standing

STATEMENTS = (approvals.PREFIX, runs.PREFIX)  # refs of signed statements: no commit of theirs is anybody's work
_RESERVED = ("refs/muniment/", "refs/replace/")


class Answer(Struct, frozen=True):
    """What came of one update: a `judgement`, a `refusal`, the statements it brings, or none of them.

    `entry` is its place in the ledger, -1 for an update that nothing has to be said of. `source`: where others fetch
    what was denied. `undecided`: of a preview that knows no people; it holds back only what a clause forbids for sure.
    """

    update: Update
    judgement: Judgement | None = None
    refusal: Reason | None = None
    statements: tuple[Approval, ...] = ()
    entry: int = -1
    source: Source | None = None
    undecided: bool = False

    @property
    def allowed(self) -> bool:
        """Whether this update alone would be let through."""
        if self.refusal is not None:
            return False
        return self.judgement is None or self.judgement.decision.outcome is Outcome.ALLOW or self.is_open

    @property
    def is_open(self) -> bool:
        """Whether only the server can decide: no clause is violated, and some are not known."""
        if self.judgement is None or not self.undecided:
            return False
        decision = self.judgement.decision
        return not any(result.stops and result.status is Status.VIOLATED for result in decision.results)

    @property
    def learnt(self) -> bool:
        """Whether it could be judged at all. What could not never passes, in no mode."""
        return self.refusal is None or self.refusal.status is not Status.UNKNOWN


class Judging:
    """The judging of one push, after its intent was recorded as entry `own`."""

    def __init__(
        self,
        repository: Repository,
        index: Index,
        place: str,
        refs: Mapping[str, str],
        updates: tuple[Update, ...],
        own: int,
        frozen: tuple[Freeze, ...],
        now: str,
        *,
        enforced: bool,
    ) -> None:
        self._repository = repository
        self._index = index
        self._place = place
        self._refs = refs
        self._own = own
        self._now = now
        self._pushed = {update.ref: update.new for update in updates if update.ref.startswith(STATEMENTS)}
        self._frozen = frozen
        self._guard = Known(Guard(enforced))
        self._collectors: dict[int, GitCollector] = {}

    def answer(self, update: Update, standing: Standing | MunimentError) -> Answer:
        """What comes of one update. It never raises for what a push can bring."""
        subject = f"ref:{update.ref}"
        if isinstance(standing, MunimentError):
            return _refused(update, Refusals.UNREADABLE(subject, why=standing.message, next=standing.remedy))
        try:
            if update.ref.startswith(approvals.PREFIX):
                return self._approval(update, standing)
            if update.ref.startswith(runs.PREFIX):
                return self._run(update, standing.people)
            if update.ref.startswith(_RESERVED):
                return _refused(update, Refusals.RESERVED(subject))
            if update.old != self._refs.get(update.ref, ""):  # whoever pushes says what it was; git checks it later
                return _refused(update, Refusals.MOVED_MEANWHILE(subject))
            return self._protected(update, standing) if standing.protects(update.ref) else Answer(update)
        except (ConfigurationError, GitError, SignatureError, StoreError) as error:
            return _refused(update, Refusals.UNREADABLE(subject, why=error.message, next=error.remedy))

    def _protected(self, update: Update, standing: Standing) -> Answer:
        subject = f"ref:{update.ref}"
        if receiving.raw(update.ref) != update.ref:
            return _refused(update, Refusals.STRANGE_NAME(subject))
        commits = {value: receiving.peeled(self._repository, value) for value in (update.old, update.new) if value}
        tag = update.ref.startswith(TAGS)
        for value, commit in commits.items():
            if not commit or (commit != value and not tag):
                return _refused(update, Refusals.NOT_A_COMMIT(subject, object=value))
        old, new = commits.get(update.old, ""), commits.get(update.new, "")
        rules = standing.of(update.ref)
        if new and not tag:
            try:
                standing.proposed(update.ref, new)
            except ConfigurationError as error:
                return _refused(update, Refusals.BREAKS_RULES(subject, why=error.message, next=error.remedy))
        collector = self._collector(rules, standing)
        revision = revision_of(self._repository, collector, rules, Update(update.ref, old, new), standing)
        where = (rules.policy, update.ref, revision.base)
        given = facts_at_merge(self._repository, *where, self._now, self._guard)
        freezes = Known(select_freezes(self._frozen, self._now, rules.policy.policy.repository))
        judgement = judge_change(collector, rules, revision, Point.MERGE, self._now, freezes, given)
        if judgement.decision.outcome is Outcome.ALLOW:
            return Answer(update, judgement)
        return Answer(update, judgement, source=find_source(self._repository, new, standing.protects))

    def _collector(self, rules: Rules, standing: Standing) -> GitCollector:
        """One for all refs that have the same rules, so that nothing is read twice."""
        if id(rules) not in self._collectors:
            until = self._own + 1  # what this push makes of other refs belongs to the changes that it brings
            reader = PushReader(self._repository, self._refs, self._index, self._place, until, standing.protects)
            self._collectors[id(rules)] = GitCollector(
                self._repository, Known(rules.people), self._now, reader, self._pushed, self._refs, self._landed
            )
        return self._collectors[id(rules)]

    def _landed(self, revision: Revision, statements: tuple[Approval, ...]) -> LandedHeads:
        """Which of the heads that were approved the ref took, by the ledger. What this very push brings is newest."""
        digests = [statement.digest for statement in statements]
        recorded = self._index.statements(self._place, digests)
        recorded = {**dict.fromkeys(self._brought.intersection(digests), self._own), **recorded}
        return landed_heads(self._index, self._place, revision.target, statements, recorded)

    @cached_property
    def _brought(self) -> frozenset[str]:
        """Digests of the statements that this push brings."""
        found: set[str] = set()
        for ref, tip in self._pushed.items():
            if ref.startswith(approvals.PREFIX) and tip:
                known = self._refs.get(ref, "")
                for stored in chain_of(self._repository, tip, ref):
                    if stored.id == known:
                        break
                    found.update([canonical.digest(stored.texts[0])] if stored.texts is not None else [])
        return frozenset(found)

    def _approval(self, update: Update, standing: Standing) -> Answer:
        """Statements are let in if they are signed, lie where they belong, and can count one day."""
        subject, people = f"ref:{update.ref}", standing.people
        found = approvals.references({update.ref: update.new or update.old})
        if not found:
            return _refused(update, Refusals.NO_APPROVAL_REF(subject))
        said = approvals.read(self._repository, found, people)
        if not update.new:
            return _refused(update, Refusals.APPROVAL_STAYS(subject, command=_again(said[-1], "--withdraw")))
        ids = [statement.id for statement in said]
        if update.old and update.old not in ids:
            where = {"head": found[0].head, "person": found[0].person}
            return _refused(update, Refusals.APPROVAL_REWOUND(subject, **where))
        fresh = said[ids.index(update.old) + 1 if update.old else 0 :]
        why = next(filter(None, (unsigned(statement, found[0].person, subject) for statement in fresh)), None)
        if why is None and fresh:  # what came before the last one is replaced by it
            why = never_counts(fresh[-1], standing, subject, self._tree_of(fresh[-1].head))
        return Answer(update, statements=fresh) if why is None else _refused(update, why)

    def _tree_of(self, head: str) -> str:
        """The tree of a commit, "" if it is not here (yet)."""
        there = self._repository.objects.kinds([head])[0] == "commit"
        return history.read(self._repository, [head])[0].tree if there else ""

    def _run(self, update: Update, people: People) -> Answer:
        """A run is let in if a machine that is known signed it, about the commit whose ref it lies at."""
        subject = f"ref:{update.ref}"
        found = runs.references({update.ref: update.new or update.old})
        if not found:
            return _refused(update, Refusals.NO_RUN_REF(subject))
        if not update.new:
            return _refused(update, Refusals.RUN_STAYS(subject))
        where = {"head": found[0].head, "pipeline": found[0].pipeline}
        said = runs.read(self._repository, found, people)
        ids = [told.id for told in said]
        if update.old and update.old not in ids:
            return _refused(update, Refusals.RUN_REWOUND(subject, **where))
        for told in said[ids.index(update.old) + 1 if update.old else 0 :]:
            if told.run.signature is not Signature.VALID:
                details = {"who": told.run.runner or "nobody", "signature": told.run.signature.value, **where}
                return _refused(update, Refusals.RUN_NOT_SIGNED(subject, **details))
            if told.head != told.run.commit:
                return _refused(update, Refusals.RUN_ELSEWHERE(subject, about=told.head, **where))
        return Answer(update)


def revision_of(
    repository: Repository, collector: GitCollector, rules: Rules, update: Update, standing: Standing
) -> Revision:
    """What an update of a protected ref proposes; its values are commits. Raises GitError.

    A branch or tag that is new is what it adds to the protected branches. A tag that moves is rewound.
    """
    name = rules.policy.policy.repository
    if not update.new:
        return Revision(name, update.ref, update.old, "", Known(Becomes.DELETED))
    base = update.old or receiving.merge_base(repository, update.new, standing.tips())
    revision = collector.revision(name, update.ref, base, update.new)
    becomes = revision.update
    if isinstance(becomes, Known):
        if not update.old:
            becomes = Known(Becomes.CREATED)
        elif becomes.value is Becomes.DIVERGED or not update.ref.startswith(HEADS):
            becomes = Known(Becomes.REWOUND)
    return structs.replace(revision, update=becomes)


def _refused(update: Update, why: Reason) -> Answer:
    return Answer(update, refusal=why)
