"""Judge what one push brings: protected branches and tags by their rules, approvals by their signatures."""

from collections.abc import Mapping

from msgspec import Struct, structs

from muniment.controls.control import Reason, Status
from muniment.decision.decision import Outcome
from muniment.errors import ConfigurationError, GitError, HomeError, MunimentError, SignatureError
from muniment.facts.change import Revision
from muniment.facts.change import Update as Becomes
from muniment.facts.maybe import Known
from muniment.facts.people import People
from muniment.facts.statements import Approval, Freeze, Signature
from muniment.git import approvals, receiving, runs
from muniment.git.collect import GitCollector
from muniment.git.pushed import PushReader
from muniment.git.receiving import Update
from muniment.git.repository import Repository
from muniment.home.index import Index
from muniment.policy.model import Point
from muniment.workflows.judge_change import Judgement, judge_change
from muniment.workflows.refusals import Refusals
from muniment.workflows.repository_facts import Guard, facts_at_merge
from muniment.workflows.sources import Rules
from muniment.workflows.standing import HEADS, TAGS, Standing

STATEMENTS = (approvals.PREFIX, runs.PREFIX)  # refs of signed statements: no commit of theirs is anybody's work
_RESERVED = ("refs/muniment/", "refs/replace/")


class Answer(Struct, frozen=True):
    """What came of one update: a judgement by `rules`, a `refusal`, the statements it brings, or none of them.

    `entry` is its place in the ledger, -1 for an update that nothing has to be said of.
    """

    update: Update
    judgement: Judgement | None = None
    rules: Rules | None = None
    refusal: Reason | None = None
    statements: tuple[Approval, ...] = ()
    entry: int = -1

    @property
    def allowed(self) -> bool:
        """Whether this update alone would be let through."""
        return self.refusal is None and (self.judgement is None or self.judgement.decision.outcome is Outcome.ALLOW)

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
        self._freezes = Known(frozen)
        self._guard = Known(Guard(enforced))
        self._collectors: dict[int, GitCollector] = {}

    def answer(self, update: Update, standing: Standing | MunimentError) -> Answer:
        """What comes of one update. It never raises for what a push can bring."""
        subject = f"ref:{update.ref}"
        if isinstance(standing, MunimentError):
            return _refused(update, Refusals.UNREADABLE(subject, why=standing.message, next=standing.remedy))
        try:
            if update.ref.startswith(approvals.PREFIX):
                return self._approval(update, standing.people)
            if update.ref.startswith(runs.PREFIX):
                return self._run(update, standing.people)
            if update.ref.startswith(_RESERVED):
                return _refused(update, Refusals.RESERVED(subject))
            if update.old != self._refs.get(update.ref, ""):  # whoever pushes says what it was; git checks it later
                return _refused(update, Refusals.MOVED_MEANWHILE(subject))
            return self._protected(update, standing) if standing.protects(update.ref) else Answer(update)
        except (ConfigurationError, GitError, SignatureError, HomeError) as error:
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
        judgement = judge_change(collector, rules, revision, Point.MERGE, self._now, self._freezes, given)
        return Answer(update, judgement, rules)

    def _collector(self, rules: Rules, standing: Standing) -> GitCollector:
        """One for all refs that have the same rules, so that nothing is read twice."""
        if id(rules) not in self._collectors:
            reader = PushReader(self._repository, self._refs, self._index, self._place, self._own, standing.protects)
            people = Known(rules.people)
            self._collectors[id(rules)] = GitCollector(self._repository, people, self._now, reader, self._pushed)
        return self._collectors[id(rules)]

    def _approval(self, update: Update, people: People) -> Answer:
        subject = f"ref:{update.ref}"
        found = approvals.references({update.ref: update.new or update.old})
        if not found:
            return _refused(update, Refusals.NO_APPROVAL_REF(subject))
        if not update.new:
            return _refused(update, Refusals.APPROVAL_STAYS(subject))
        where = {"head": found[0].head, "person": found[0].person}
        said = approvals.read(self._repository, found, people)
        ids = [statement.id for statement in said]
        if update.old and update.old not in ids:
            return _refused(update, Refusals.APPROVAL_REWOUND(subject, **where))
        fresh = said[ids.index(update.old) + 1 if update.old else 0 :]
        for statement in fresh:
            if statement.signature is not Signature.VALID:
                details = {**where, "statement": statement.id, "signature": statement.signature.value}
                return _refused(update, Refusals.APPROVAL_NOT_SIGNED(subject, **details))
            if statement.head != statement.ref_head:
                details = {"head": statement.ref_head, "statement": statement.id, "about": statement.head}
                return _refused(update, Refusals.APPROVAL_ELSEWHERE(subject, **details))
        return Answer(update, statements=fresh)

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
                details = {"who": told.run.by or "nobody", "signature": told.run.signature.value, **where}
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
        elif becomes.value is Becomes.PROPOSED or not update.ref.startswith(HEADS):
            becomes = Known(Becomes.REWOUND)
    return structs.replace(revision, update=becomes)


def _refused(update: Update, why: Reason) -> Answer:
    return Answer(update, refusal=why)
