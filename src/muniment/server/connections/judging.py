"""Judges a reading of a change at a forge: git comes from a copy, the decision is on the record before it is shown."""

from django.db import transaction
from msgspec import Struct

from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.decision.ending import ending
from muniment.decision.judge import biting, needed
from muniment.facts.maybe import Known, Unknown
from muniment.facts.statements import Approval, Signature
from muniment.facts.statements import Verdict as Word
from muniment.forges.collect import accounts_in
from muniment.forges.forge import Forge
from muniment.forges.shapes import Group, Reading, Said
from muniment.forges.statuses import context_for
from muniment.git.history import read as read_commits
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.ledger import objects
from muniment.policy.model import Point
from muniment.server import moments
from muniment.server.changes.judging import decided
from muniment.server.changes.rules import freezes, rules_of
from muniment.server.changes.standing import product_facts
from muniment.server.connections import attention, numbering
from muniment.server.connections.acts import terms
from muniment.server.connections.keeping import locked, page_of
from muniment.server.connections.models import AtForge, Connected, Statement
from muniment.server.connections.reaching import repo_of, where
from muniment.server.record.models import Entry
from muniment.server.record.reading import beside
from muniment.workflows import forge_changes, telling_forge
from muniment.workflows.forge_changes import bring, collector_of
from muniment.workflows.judge_at_forge import Verdict
from muniment.workflows.judge_change import Judgement, judge_change
from muniment.workflows.sources import Rules
from muniment.workflows.watch_branch import steps


class Court:
    """The judge of one repository's changes (`workflows.judge_at_forge.Judge`)."""

    def __init__(self, connected: Connected, forge: Forge) -> None:
        self._connected = connected
        self._forge = forge

    def __call__(self, reading: Reading, now: str) -> Verdict:
        """The verdict, on the record. Raises MunimentError if it could not be judged."""
        numbering.note(self._connected.connection, accounts_in(reading))
        mirror = mirror_of(self._connected, self._forge)
        with locked(f"mirror:{self._connected.pk}"):
            tip = bring(self._forge, mirror, reading)
        with mirror.open() as git:
            judged = self._judged(git, reading, tip, now)
            lines = attention.lines(git, judged.judgement)
        with transaction.atomic():
            rows = AtForge.objects.select_related("change__repository")
            row = rows.get(repository=self._connected.repository, number=reading.change.number)
            return self._recorded(row, reading, judged, lines)

    def _judged(self, git: Git, reading: Reading, tip: str, now: str) -> "Judged":
        """What comes of it, nothing of it kept yet."""
        change, repository = reading.change, self._connected.repository
        rules = rules_of(repository, git, tip)
        said = statements(repository.name, git, change.number, self._connected)
        connection, repo = where(self._connected.connection), repo_of(self._connected)
        collector = collector_of(connection, self._forge, repo, reading, git, rules, now, said)
        revision = collector.revision(repository.name, change.target, tip, change.head)
        names = needed(biting(rules.policy, Point.MERGE, change.target))
        given = product_facts(repository, git, change.target, tip, rules.policy, names, now)
        return Judged(judge_change(collector, rules, revision, Point.MERGE, now, Known(freezes()), given), rules)

    def _recorded(self, row: AtForge, reading: Reading, judged: "Judged", lines: attention.Lines) -> Verdict:
        change = row.change
        if change is None:
            raise RuntimeError("a change is judged once it was opened")
        told = account(judged.judgement.decision, judged.judgement.policy, judged.judgement.facts)
        new = decided(change, judged.judgement, judged.rules, enforced=True) is not None
        attention.keep(change, reading.change.head, lines)
        _measure(row, reading, denied=new and told.decision is Outcome.DENY, excepted=_excepted(told))
        address = page_of(change)
        return Verdict(
            telling_forge.verdict(told, context_for(reading.change.target), address),
            telling_forge.comment(told, address),
            ending(judged.judgement.decision, judged.judgement.policy, judged.rules.exceptions),
        )


class Judged(Struct, frozen=True):
    """A judgement with the rules that it was made by."""

    judgement: Judgement
    rules: Rules


def carries(connected: Connected, forge: Forge, group: Group, heads: frozenset[str]) -> bool:
    """Whether each step of a group, base to head, is what a machine makes of these heads. Raises MunimentError."""
    mirror = mirror_of(connected, forge)
    with locked(f"mirror:{connected.pk}"):
        gone = mirror.fetch((), (), [group.base, group.head, *heads])
    if gone:
        return False
    with mirror.open() as git:
        found = steps(git, group.target, group.base, group.head, heads)
    return bool(found) and {step.allowed for step in found} == heads and not any(step.rewound for step in found)


def mirror_of(connected: Connected, forge: Forge) -> Mirror:
    """The copy of the repository. Whoever fetches into it holds its lock."""
    return forge_changes.mirror_of(connected.repository.folder, forge, repo_of(connected))


def statements(name: str, git: Git, number: int, connected: Connected) -> tuple[Approval, ...]:
    """What people said of the change in a session of ours, for heads that git has."""
    rows = Statement.objects.filter(change__at_forge__number=number, change__repository=connected.repository)
    found = list(rows.select_related("person", "change__repository").order_by("at", "pk"))
    there = git.objects.kinds([row.head for row in found]) if found else []
    return tuple(
        _said(name, git, row, order)
        for order, (row, kind) in enumerate(zip(found, there, strict=True))
        if kind == "commit"
    )


def _said(name: str, git: Git, row: Statement, order: int) -> Approval:
    attests = row.verdict == Word.ATTEST.value
    return Approval(
        ref_head=row.head,
        ref_person=row.person.slug,
        id=row.proof,
        order=order,
        signature=Signature.RECORDED if _recorded(row) else Signature.BAD,
        repository=name,
        target=row.target,
        head=row.head,
        tree=read_commits(git, [row.head])[0].tree,
        verdict=Word(row.verdict),
        answers={} if attests else row.words,
        attests=row.words if attests else {},
        time=moments.text(row.at),
    )


def _recorded(row: Statement) -> bool:
    """Whether the record has an act of that person that says the same."""
    if not Entry.objects.filter(kind="act", object=row.proof).exists():
        return False
    said = beside(row.proof, objects.Act)
    wanted = terms(row.change, row.head, Word(row.verdict), row.words)
    return isinstance(said, objects.Act) and (said.person, said.details.get("terms")) == (row.person.slug, wanted)


def _excepted(told: object) -> bool:
    return any(one.exception for one in getattr(told, "results", ()))


def _measure(row: AtForge, reading: Reading, *, denied: bool, excepted: bool) -> None:
    """For the page about friction: moments and numbers of the change, of nobody."""
    given = reading.reviews.value if not isinstance(reading.reviews, Unknown) else ()
    yes = [review for review in given if review.said is Said.APPROVED and not review.dismissed]
    row.last_approval = max((moments.read(review.at) for review in yes), default=row.last_approval)
    people = [review.by.id for review in given if review.said is Said.APPROVED]
    row.reapprovals = len(people) - len(set(people))
    row.denials += denied
    row.excepted = row.denials if excepted and not denied else row.excepted
    row.save(update_fields=["last_approval", "reapprovals", "denials", "excepted"])
