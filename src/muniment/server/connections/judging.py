"""Judges a reading of a change at a forge: git comes from a copy, the decision is on the record before it is shown."""

from collections.abc import Iterable, Iterator
from functools import cached_property, partial

from django.db import transaction
from msgspec import Struct, structs

from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.decision.ending import ending
from muniment.decision.judge import clauses_at, needed
from muniment.facts import canonical, kinds
from muniment.facts.maybe import Known, Unknown
from muniment.facts.statements import Approval, Freeze, Signature
from muniment.facts.statements import ReviewAction as Word
from muniment.forges.collect import accounts_in
from muniment.forges.first_pushes import ReadFirstPushes
from muniment.forges.forge import Forge
from muniment.forges.reviews import standing
from muniment.forges.shapes import Account, Group, Reading, Repo, Said
from muniment.forges.statuses import context_for
from muniment.git.history import read as read_commits
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.ledger import objects
from muniment.policy.model import Point
from muniment.server import moments
from muniment.server.changes.judging import decided
from muniment.server.changes.models import Change
from muniment.server.changes.rules import read_freezes, rules_of
from muniment.server.changes.standing import product_facts
from muniment.server.connections import attention, first_pushes, numbering
from muniment.server.connections.change_acts import act_of_statement
from muniment.server.connections.eligible_reviewers import name_reviewers
from muniment.server.connections.keeping import lock_change, locked, status_page_of
from muniment.server.connections.landed_heads import read_landed_heads, record_statements, was_said
from muniment.server.connections.models import ForgeChange, RepositoryLink, ReviewStatement
from muniment.server.connections.reaching import repo_of, where
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.server.records.reading import beside
from muniment.workflows import forge_changes, telling_forge
from muniment.workflows.forge_changes import bring, collector_of
from muniment.workflows.judge_at_forge import Verdict
from muniment.workflows.judge_change import Judgement, judge_change
from muniment.workflows.sources import Rules
from muniment.workflows.watch_branch import steps


class Court:
    """The judge of one repository's changes (`workflows.judge_at_forge.Judge`)."""

    def __init__(self, connected: RepositoryLink, forge: Forge) -> None:
        self._connected = connected
        self._forge = forge
        self.lacks_facts = False  # whether the newest evaluation had results that are unknown

    @cached_property
    def repo(self) -> Repo:
        """The repository, compared with the ledger once: this object does not change meanwhile."""
        return repo_of(self._connected)

    def __call__(self, reading: Reading, now: str) -> Verdict:
        """The verdict, on the record. Raises MunimentError if it could not be judged."""
        mirror, tip, pushers = self._bring(reading)
        proposal = Proposal(reading.change.target, tip, reading.change.head)
        with mirror.open() as git:
            judged = self._judged(git, reading, proposal, pushers, now)
            lines = attention.lines(git, judged.judgement)
        with transaction.atomic():
            # Locked before its Change, which is written first here: in that order everybody locks the two.
            row = lock_change(self._connected.repository, reading.change.number)
            if row is None:
                raise RuntimeError("a change is judged once it was opened")
            return self._recorded(row, reading, judged, lines)

    def evaluate_merged(self, reading: Reading, merged: "Proposal", now: str, merged_at: str) -> Judgement:
        """The evaluation of what a branch took from a change, for the moment `now`, with nothing of it kept.

        `reading` is as the change was when it was merged (`merged_at`, "" if the forge does not say that it was).
        Raises MunimentError if it cannot be evaluated.
        """
        mirror, _, pushers = self._bring(reading, merged.base)
        with mirror.open() as git:
            return self._judged(git, reading, merged, pushers, now, merged_at).judgement

    def _bring(self, reading: Reading, base: str = "") -> tuple[Mirror, str, ReadFirstPushes]:
        """The copy of the repository, with all that an evaluation reads, and the tip of the change's branch.

        Beside them what tells who pushed the commits first that the change's head has over `base`, or over the tip.
        """
        numbering.note(self._connected.connection, accounts_in(reading))
        mirror = mirror_of(self._connected, self._forge, self.repo)
        with locked(f"mirror:{self._connected.pk}"):
            tip = bring(self._forge, mirror, reading)
            pushers = first_pushes.find_pushers(self._connected, self._forge, mirror, reading.change, base or tip)
            return mirror, tip, pushers

    def _judged(
        self,
        git: Git,
        reading: Reading,
        proposal: "Proposal",
        pushers: ReadFirstPushes,
        now: str,
        merged_at: str = "",
    ) -> "Judged":
        """What comes of it, nothing of it kept yet. Of what was `merged_at` a moment, nothing later counts."""
        repository, number, target = self._connected.repository, reading.change.number, proposal.target
        rules = rules_of(repository, git, proposal.base, moments.read(now) if merged_at else None)
        connection, repo = where(self._connected.connection), self.repo
        change = _change_of(repository, number)
        said = statements(change, git, now if merged_at else "")
        landed = partial(read_landed_heads, change, reading.change.opened)
        there = partial(was_said, repository, now) if merged_at else None
        collector = collector_of(
            connection, self._forge, repo, reading, git, rules, now, said, landed, merged_at, pushers, there
        )
        revision = collector.revision(repository.name, target, proposal.base, proposal.head)
        names = needed(clauses_at(rules.policy, Point.MERGE, target))
        given = product_facts(repository, git, target, proposal.base, rules.policy, names, now)
        freezes = read_freezes(repository.product.slug, now)
        judgement = judge_change(collector, rules, revision, Point.MERGE, now, Known(freezes), given)
        if not merged_at:
            judgement = name_reviewers(judgement, collector, self._forge, repo)
        return Judged(judgement, rules, freezes, collector.writers())

    def _recorded(self, row: ForgeChange, reading: Reading, judged: "Judged", lines: attention.Lines) -> Verdict:
        change = _opened(row)
        change.repository = self._connected.repository
        told = account(judged.judgement.decision, judged.judgement.policy, judged.judgement.facts)
        self.lacks_facts = any(one.status == "unknown" for one in told.results)
        new = decided(change, judged.judgement, enforced=True)
        if new is not None:
            record_statements(change, judged.judgement, new)
        attention.keep(change, reading.change.head, lines)
        denied = new is not None and told.decision is Outcome.DENY
        row.save(
            update_fields=[
                *_note_inputs(row, reading, judged),
                *_measure(row, reading, denied=denied, excepted=_excepted(told)),
            ]
        )
        address = status_page_of(row)
        return Verdict(
            telling_forge.verdict(told, context_for(reading.change.target), address),
            telling_forge.comment(told, address),
            ending(
                judged.judgement.decision,
                judged.judgement.policy,
                judged.rules.exceptions,
                judged.freezes,
                judged.judgement.facts,
            ),
        )


def _note_inputs(row: ForgeChange, reading: Reading, judged: "Judged") -> list[str]:
    """Note which inputs the evaluation rests on, to find out later whether they are other ones. The fields to save."""
    read = judged.judgement.facts.items()
    row.reads_checks = kinds.TEST_RUNS.name in read
    row.reviews_digest, row.writers = "", []
    if kinds.APPROVALS.name in read and isinstance(reading.reviews, Known):
        row.reviews_digest = canonical.digest_of(standing(reading.reviews.value))
    if kinds.APPROVALS.name in read:
        row.writers = [[one.id, one.login] for one in judged.writers]
    return ["reads_checks", "reviews_digest", "writers"]


def _opened(row: ForgeChange) -> Change:
    if row.change is None:
        raise RuntimeError("a change is judged once it was opened")
    return row.change


_CHANGE = """
    SELECT change.* FROM changes_change AS change JOIN connections_forgechange AS row ON row.change_id = change.id
    WHERE row.repository_id = %s AND row.number = %s
"""


def _change_of(repository: Repository, number: int) -> Change:
    change = next(iter(Change.objects.raw(_CHANGE, [repository.pk, number])), None)
    if change is None:
        raise RuntimeError("a change is judged once it was opened")
    change.repository = repository
    return change


class Proposal(Struct, frozen=True):
    """What is evaluated: `head` for the branch `target`, whose tip is `base`."""

    target: str
    base: str
    head: str


class Judged(Struct, frozen=True):
    """A judgement with the rules and the freezes that it was made by, and the accounts of reviewers who may write."""

    judgement: Judgement
    rules: Rules
    freezes: tuple[Freeze, ...]
    writers: tuple[Account, ...]


def carries(connected: RepositoryLink, forge: Forge, group: Group, heads: frozenset[str]) -> bool:
    """Whether each step of a group, base to head, is what a machine makes of these heads. Raises MunimentError."""
    mirror = mirror_of(connected, forge)
    with locked(f"mirror:{connected.pk}"):
        gone = mirror.fetch((), (), [group.base, group.head, *heads])
    if gone:
        return False
    with mirror.open() as git:
        found = steps(git, group.target, group.base, group.head, heads)
    return bool(found) and {step.allowed for step in found} == heads and not any(step.rewound for step in found)


def mirror_of(connected: RepositoryLink, forge: Forge, repo: Repo | None = None) -> Mirror:
    """The copy of the repository, at the forge `repo`. Whoever fetches into it holds its lock."""
    there = repo if repo is not None else repo_of(connected)
    return forge_changes.mirror_of(connected.repository.folder, forge, there, connected.connection.proxy)


def statements(change: Change, git: Git, until: str = "") -> tuple[Approval, ...]:
    """What people said of the change in a session of ours until a moment ("" for now), for heads that git has."""
    rows = ReviewStatement.objects.filter(change=change)
    rows = rows.filter(stated_at__lte=moments.read(until)) if until else rows
    found = list(rows.order_by("stated_at", "pk"))
    for row in found:
        row.change = change
    name = change.repository.name
    there = git.objects.kinds([row.head for row in found]) if found else []
    made = (
        _said(name, git, row, order)
        for order, (row, kind) in enumerate(zip(found, there, strict=True))
        if kind == "commit"
    )
    return tuple(_add_up(made))


def _add_up(statements: Iterable[Approval]) -> Iterator[Approval]:
    """Statements in their order: one of the same action repeats what its person said at this head just before.

    So that whoever answers for two clauses, or attests two contributors, does not replace the first by the second.
    """
    last: dict[tuple[str, str, str], Approval] = {}
    for one in statements:
        key = (one.ref_person, one.head, one.target)
        before = last.get(key)
        if one.signature is not Signature.RECORDED:
            yield one
            continue
        if before is not None and before.action is one.action:
            answers, attests = {**before.answers, **one.answers}, {**before.attests, **one.attests}
            one = structs.replace(one, answers=answers, attests=attests)
        last[key] = one
        yield one


def _said(name: str, git: Git, row: ReviewStatement, order: int) -> Approval:
    attests = row.kind == Word.ATTEST.value
    return Approval(
        ref_head=row.head,
        ref_person=row.person_id,
        id=row.act_digest,
        order=order,
        signature=Signature.RECORDED if _recorded(row) else Signature.BAD,
        repository=name,
        target=row.target,
        head=row.head,
        tree=read_commits(git, [row.head])[0].tree,
        action=Word(row.kind),
        answers={} if attests else row.answers,
        attests=row.answers if attests else {},
        time=moments.text(row.stated_at),
    )


def _recorded(row: ReviewStatement) -> bool:
    """Whether the record has exactly this act, performed by this person."""
    act = act_of_statement(row)
    if act is None or not Record.objects.filter(kind="person-action", details_digest=row.act_digest).exists():
        return False
    said = beside(row.act_digest, objects.PersonAction)
    if not isinstance(said, objects.PersonAction) or said.person != row.person_id:
        return False
    return (said.details.get("step"), said.details.get("act_digest")) == ("performed", act.digest())


def _excepted(told: object) -> bool:
    return any(one.exception for one in getattr(told, "results", ()))


def _measure(row: ForgeChange, reading: Reading, *, denied: bool, excepted: bool) -> list[str]:
    """Note moments and numbers of the change, of nobody, for the page about friction. The fields to save."""
    given = reading.reviews.value if not isinstance(reading.reviews, Unknown) else ()
    yes = [review for review in given if review.said is Said.APPROVED and not review.dismissed]
    row.last_approved_at = max((moments.read(review.at) for review in yes), default=row.last_approved_at)
    people = [review.by.id for review in given if review.said is Said.APPROVED]
    row.reapproval_count = len(people) - len(set(people))
    row.denial_count += denied
    row.excepted_denial_count = row.denial_count if excepted and not denied else row.excepted_denial_count
    return ["last_approved_at", "reapproval_count", "denial_count", "excepted_denial_count"]
