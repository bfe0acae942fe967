"""Which heads the protected branches of a repository at a forge took, and which statements were recorded before.

The rows are projections of records: of branch updates, and of the decisions that saw a statement first.
"""

from collections.abc import Iterable, Mapping

from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext as _

from muniment.errors import GitError
from muniment.facts import canonical, kinds
from muniment.facts.change import Revision
from muniment.facts.maybe import Known
from muniment.facts.statements import APPROVING, Approval, LandedHead, LandedHeads, StatementRecord
from muniment.ledger import entries, objects
from muniment.server import moments
from muniment.server.changes.again import judge_again
from muniment.server.changes.models import Change, Decision
from muniment.server.connections.landed_head_records import (
    UNKNOWN_HEADS,
    compare_heads,
    heads_of_records,
    read_between,
    statement_records,
)
from muniment.server.connections.models import BranchUpdate, ProtectedBranch, RecordedStatement, TakenHead
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.server.records.reading import beside
from muniment.server.work import soon
from muniment.workflows.judge_change import Judgement

_RECORD_STATEMENTS = """
    INSERT INTO connections_recordedstatement (change_id, record_id, statement, head)
    SELECT %s, %s, * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING
"""


def read_landed_heads(change: Change, opened: str, revision: Revision, statements: tuple[Approval, ...]) -> LandedHeads:
    """The fact for a revision; `opened`: when its change was, as the forge says.

    Raises GitError while the branch took what is not recorded yet, StoreError if a row is not what the ledger says.
    """
    watched = ProtectedBranch.objects.filter(repository=change.repository, ref=revision.target)
    tip = watched.values_list("tip", flat=True).first()
    if tip is not None and tip != revision.base:
        soon("read-branch-updates", repository=change.repository_id)
        raise GitError(_("what the branch took last is not recorded yet"), _("It is read again in a moment."))
    rows = TakenHead.objects.filter(repository=change.repository, ref=revision.target)
    wanted = {UNKNOWN_HEADS, *(statement.head for statement in statements)}
    found = dict(rows.filter(head__in=wanted).values_list("head", "record"))
    compare_heads(found, heads_of_records(change.repository, revision.target), wanted)
    all_before = found.pop(UNKNOWN_HEADS, -1)
    concerned = [one for one in statements if one.head in found or all_before >= 0]
    landings = {one.head: max(found.get(one.head, -1), all_before) for one in concerned}
    return LandedHeads(
        preview=False,
        heads=tuple(LandedHead(head, position) for head, position in sorted(found.items())),
        statements=_positions(change, opened, concerned, landings),
        all_before=all_before,
    )


def _positions(
    change: Change, opened: str, statements: Iterable[Approval], landings: Mapping[str, int]
) -> tuple[StatementRecord, ...]:
    """Where each was recorded first; `landings`: the newest record by which the branch took each head.

    One that no decision saw yet comes after all that is recorded, unless it may be older than the landing: it is left
    out then, as one without a record. A signed statement lies in the repository, so decisions on other changes with the
    same head may have seen it before.
    """
    statements = tuple(statements)
    keys = {one.digest or one.id: _key(one) for one in statements}
    if not keys:
        return ()
    known: dict[str, int] = {}
    others = Change.objects.filter(repository=change.repository, recorded_statements__statement__in=keys.values())
    for seen_by in (change, *others.exclude(pk=change.pk).distinct()):
        rows = dict(RecordedStatement.objects.filter(change=seen_by).values_list("statement", "record"))
        for key, record in statement_records(seen_by, rows, lambda seen: {_key(one) for one in seen}).items():
            known[key] = min(record, known.get(key, record))
    newest: int = Record.objects.aggregate(newest=Max("pk"))["newest"] or 0
    found: dict[str, int] = {}
    for one in statements:
        id = one.digest or one.id
        position, landed = known.get(keys[id], newest + 1), landings[one.head]
        if position <= landed or _is_later(change, opened, one, landed, position):
            found[id] = position
    return tuple(StatementRecord(id, position) for id, position in sorted(found.items()))


def _is_later(change: Change, opened: str, statement: Approval, landed: int, position: int) -> bool:
    """Whether a statement that was recorded first at `position` was surely made after the record `landed`.

    Records are late: nobody evaluates while we are stopped, so the first decision that sees a statement may come after
    a branch update that is younger than it. A signed statement can be taken from the forge and put there again, so a
    decision that did not see it proves nothing, and its own time has to be later too. The others belong to the change:
    it was opened after the landing, or a decision since then that read them all did not see the statement.
    """
    recorded = moments.text(Record.objects.values_list("recorded_at", flat=True).get(pk=landed))
    if statement.digest:
        return statement.time > recorded
    return opened > recorded or read_between(change, landed, position)


def record_statements(change: Change, judgement: Judgement, decision: Decision) -> None:
    """Keep which statements a decision saw first. Within its transaction."""
    statements = judgement.facts.get(kinds.APPROVALS)
    if isinstance(statements, Known):
        keys, heads = [_key(one) for one in statements.value], [one.head for one in statements.value]
        with connection.cursor() as cursor:  # for each decision: without the time that models take
            cursor.execute(_RECORD_STATEMENTS, [change.pk, decision.record_id, keys, heads])


def was_said(repository: Repository, moment: str, statement: Approval) -> bool:
    """Whether a signed statement was there at a moment. The time that its signer wrote proves nothing.

    An approval was if a decision of then saw it: what was allowed then needed no other. An objection that no decision
    saw counts by its own time.
    """
    rows = RecordedStatement.objects.filter(change__repository=repository, statement=_key(statement))
    seen = rows.filter(record__recorded_at__lte=moments.read(moment)).exists()
    return seen or (statement.action not in APPROVING and statement.time <= moment)


def _key(statement: Approval) -> str:
    """A digest that stays while the statement is the same one: a forge may name a later one alike."""
    said = (statement.ref_person, statement.digest or statement.id, statement.head, statement.time)
    return canonical.digest_of(said)


def heads_included_by(decision: Decision) -> tuple[str, ...] | None:
    """The heads that a decision included, as its record says; None if nobody knows them any more.

    Raises StoreError if what is stored is not what the record names.
    """
    if decision.record is None:
        return None
    entry = entries.decode(bytes(decision.record.data), decision.record.pk)
    if not isinstance(entry, entries.DecisionRecord | entries.DecisionPreviewRecord) or not entry.included_heads:
        return None
    found = beside(entry.included_heads, objects.IncludedHeads)
    return found.heads if isinstance(found, objects.IncludedHeads) else None


def take_heads(update: BranchUpdate, heads: Iterable[str] | None) -> None:
    """Keep which heads a branch took by an update, None if nobody knows, and have the changes that this concerns read
    again. Within the transaction of its record."""
    taken = (UNKNOWN_HEADS,) if heads is None else tuple(heads)
    place = {"repository": update.repository, "ref": update.ref}
    TakenHead.objects.bulk_create(
        [TakenHead(**place, head=head, record=update.record) for head in taken],
        update_conflicts=True,
        unique_fields=["repository", "ref", "head"],
        update_fields=["record"],
    )
    concerned = Change.objects.filter(repository=update.repository, target=update.ref, state=Change.State.OPEN)
    if heads is not None:
        concerned = concerned.filter(recorded_statements__head__in=taken)
    for change in concerned.distinct():
        judge_again(change)


def used_decisions(repository: Repository, ref: str) -> list[int]:
    """Ids of the decisions that a branch was updated by: each allows that once."""
    rows = BranchUpdate.objects.filter(repository=repository, ref=ref, decision__isnull=False)
    return list(rows.values_list("decision", flat=True))
