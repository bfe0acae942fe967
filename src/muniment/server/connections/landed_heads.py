"""Heads that the protected branches of a repository at a forge received, and statements recorded before.

The rows are projections of records: of branch updates, and of the decisions that saw a statement first.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from muniment.errors import GitError
from muniment.facts import canonical, kinds
from muniment.facts.change import Revision
from muniment.facts.maybe import Known
from muniment.facts.statements import APPROVING_ACTIONS, Approval, LandedHead, LandedHeads, StatementRecord
from muniment.ledger import record_kinds, record_objects
from muniment.server import moments
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.reevaluation_requests import request_reevaluation
from muniment.server.connections.landed_head_records import (
    UNKNOWN_HEADS,
    compare_heads,
    find_statement_records,
    has_decision_between,
    read_recorded_heads,
)
from muniment.server.connections.models import BranchUpdate, ProtectedBranch, RecordedStatement, TakenHead
from muniment.server.job_queue import enqueue
from muniment.server.products.models import Repository
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
from muniment.server.remembered_sql import remember_sql
from muniment.workflows.change_evaluation import ChangeEvaluation

_RECORD_STATEMENTS = """
    INSERT INTO connections_recordedstatement (change_id, record_id, statement, head)
    SELECT %s, %s, * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING
"""


def read_landed_heads(change: Change, opened: str, revision: Revision, statements: tuple[Approval, ...]) -> LandedHeads:
    """Fact of landed heads for a revision; `opened`: moment when the forge opened the change.

    Raises GitError while an update of the branch is not recorded yet, StoreError if a row differs from the ledger.
    """
    tips = _find_tips(change.repository_id, revision.target)
    if any(tip != revision.base for (tip,) in tips):
        enqueue("read-branch-updates", repository=change.repository_id)
        raise GitError(_("what the branch took last is not recorded yet"), _("It is read again in a moment."))
    wanted = {UNKNOWN_HEADS, *(statement.head for statement in statements)}
    found = dict(_find_taken_heads(change.repository_id, revision.target, tuple(wanted)))
    compare_heads(found, read_recorded_heads(change.repository, revision.target), wanted)
    all_before = found.pop(UNKNOWN_HEADS, -1)
    concerned = [one for one in statements if one.head in found or all_before >= 0]
    landings = {one.head: max(found.get(one.head, -1), all_before) for one in concerned}
    return LandedHeads(
        preview=False,
        heads=tuple(LandedHead(head, position) for head, position in sorted(found.items())),
        statements=_find_positions(change, opened, concerned, landings),
        all_before=all_before,
    )


@remember_sql
def _find_tips(repository: int, ref: str) -> QuerySet[Any, tuple[str]]:
    return ProtectedBranch.objects.filter(repository=repository, ref=ref).values_list("tip")


@remember_sql
def _find_taken_heads(repository: int, ref: str, heads: tuple[str, ...]) -> QuerySet[Any, tuple[str, int]]:
    rows = TakenHead.objects.filter(repository=repository, ref=ref, head__in=heads)
    return rows.values_list("head", "record")


def _find_positions(
    change: Change, opened: str, statements: Iterable[Approval], landings: Mapping[str, int]
) -> tuple[StatementRecord, ...]:
    """First record of each statement; `landings`: the newest record by which the branch received each head.

    A statement that no decision saw yet comes after all that is recorded, unless it may be older than the landing: it
    is left out then, as one without a record. A signed statement is in the repository, so decisions on other changes
    with the same head may have seen it before.
    """
    statements = tuple(statements)
    keys = {one.digest or one.id: _digest_statement(one) for one in statements}
    if not keys:
        return ()
    known: dict[str, int] = {}
    others = Change.objects.filter(repository=change.repository, recorded_statements__statement__in=keys.values())
    for seen_by in (change, *others.exclude(pk=change.pk).distinct()):
        rows = dict(RecordedStatement.objects.filter(change=seen_by).values_list("statement", "record"))
        for key, record in find_statement_records(
            seen_by, rows, lambda seen: {_digest_statement(one) for one in seen}
        ).items():
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

    Records are late: nothing is evaluated while the service is stopped, so the first decision that sees a statement may
    come after a branch update that is younger than it. A signed statement can be removed from the forge and put there
    again, so a decision that did not see it proves nothing, and its own time has to be later too. The others belong to
    the change: it was opened after the landing, or a decision since then that read them all did not see the statement.
    """
    recorded = moments.format_moment(Record.objects.values_list("recorded_at", flat=True).get(pk=landed))
    if statement.digest:
        return statement.time > recorded
    return opened > recorded or has_decision_between(change, landed, position)


def record_statements(change: Change, evaluation: ChangeEvaluation, decision: Decision) -> None:
    """Store which statements a decision saw first. Within its transaction."""
    statements = evaluation.facts.get(kinds.APPROVALS)
    if isinstance(statements, Known):
        keys, heads = [_digest_statement(one) for one in statements.value], [one.head for one in statements.value]
        with connection.cursor() as cursor:  # for each decision: without the time that models take
            cursor.execute(_RECORD_STATEMENTS, [change.pk, decision.record_id, keys, heads])


def was_stated(repository: Repository, moment: str, statement: Approval) -> bool:
    """Whether a signed statement existed at a moment. The time that its signer wrote proves nothing.

    An approval did if a decision of then saw it: what was allowed then needed no other. An objection that no decision
    saw counts by its own time.
    """
    rows = RecordedStatement.objects.filter(change__repository=repository, statement=_digest_statement(statement))
    seen = rows.filter(record__recorded_at__lte=moments.parse_moment(moment)).exists()
    return seen or (statement.action not in APPROVING_ACTIONS and statement.time <= moment)


def _digest_statement(statement: Approval) -> str:
    """Digest that identifies a statement: a forge may give a later one the same id."""
    identifying = (statement.ref_person, statement.digest or statement.id, statement.head, statement.time)
    return canonical.digest_value(identifying)


def read_included_heads(decision: Decision) -> tuple[str, ...] | None:
    """Heads that a decision included, by its record; None if they are unknown.

    Raises StoreError if the stored object differs from the record.
    """
    if decision.record is None:
        return None
    entry = record_kinds.decode_record(bytes(decision.record.data), decision.record.pk)
    if (
        not isinstance(entry, record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord)
        or not entry.included_heads
    ):
        return None
    found = read_details(entry.included_heads, record_objects.IncludedHeads)
    return found.heads if isinstance(found, record_objects.IncludedHeads) else None


def record_taken_heads(update: BranchUpdate, heads: Iterable[str] | None) -> None:
    """Store the heads that a branch received by an update, None if unknown, and have the changes concerned read again.
    Within the transaction of its record.
    """
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
        request_reevaluation(change)


def list_used_decisions(repository: Repository, ref: str) -> list[int]:
    """Ids of the decisions that a branch was updated by: each allows that once."""
    rows = BranchUpdate.objects.filter(repository=repository, ref=ref, decision__isnull=False)
    return list(rows.values_list("decision", flat=True))
