"""Reads from ledger records what the rows of taken heads and recorded statements must say: rows prove nothing.

With the worker's credentials a row can be changed, a record cannot. A difference is an error that denies.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from django.db import connection
from django.utils.translation import gettext as _

from muniment.errors import StoreError
from muniment.facts import kinds
from muniment.facts.facts import StoredFact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import Approval
from muniment.ledger import record_kinds, record_objects
from muniment.server.changes.models import Change
from muniment.server.connections.models import BranchUpdate
from muniment.server.products.models import Repository
from muniment.server.records.record_details import read_all_details, read_details

UNKNOWN_HEADS = ""  # in the place of a head: nobody knows which heads the branch took
_here = threading.local()
_NEWEST = """
    SELECT change.id, CASE change.id WHEN %s THEN record.data END
    FROM connections_branchupdate AS change JOIN records_record AS record ON record.id = change.record_id
    WHERE change.repository_id = %s AND change.ref = %s AND change.id >= %s ORDER BY change.id LIMIT 2
"""


class _UpdateHistory(msgspec.Struct):
    """Heads that the records of a branch's updates name, each with its newest record. The row `newest` was read
    last.
    """

    newest: int = 0
    proof: bytes = b""
    tip: str = ""
    heads: dict[str, int] = {}


def read_recorded_heads(repository: Repository, ref: str) -> Mapping[str, int]:
    """Newest record of each head that a branch received; `UNKNOWN_HEADS` for an update that names none.

    Raises StoreError if the row of an update differs from its record, or one is missing between two others.
    """
    histories: dict[tuple[int, str], _UpdateHistory] = _here.__dict__.setdefault("histories", {})
    rows = BranchUpdate.objects.filter(repository=repository, ref=ref).select_related("record").order_by("pk")
    rows = rows.only("ref", "commit", "previous_tip", "record__data")
    found = histories.get((repository.pk, ref), _UpdateHistory())
    with connection.cursor() as cursor:  # for each evaluation, and mostly nothing is new: without models
        cursor.execute(_NEWEST, [found.newest, repository.pk, ref, found.newest])
        newest = cursor.fetchall()
    if newest and newest[0][0] == found.newest and bytes(newest[0][1]) == found.proof:
        new = list(rows.filter(pk__gt=found.newest)) if len(newest) > 1 else []
    else:
        found, new = _UpdateHistory(), list(rows) if found.newest or newest else []
    heads = dict(found.heads)  # the copy that is kept stays whole if a row is not what its record says
    for row in new:
        found = _add_update(repository, found, row, heads)
    histories[repository.pk, ref] = found
    return found.heads


def _add_update(
    repository: Repository, found: _UpdateHistory, row: BranchUpdate, heads: dict[str, int]
) -> _UpdateHistory:
    """History with one more update, whose heads are added to `heads`."""
    entry = record_kinds.decode_record(bytes(row.record.data), row.record_id)
    same = (
        isinstance(entry, record_kinds.BranchUpdateRecord)
        and (entry.repository_location, entry.target, entry.commit) == (repository.place, row.ref, row.commit)
        and entry.previous_commit == row.previous_tip
        and (not found.tip or entry.previous_commit == found.tip)
    )
    if not same or not isinstance(entry, record_kinds.BranchUpdateRecord):
        raise make_row_differs(f"branch update {row.pk}")
    listed = read_details(entry.included_heads, record_objects.IncludedHeads) if entry.included_heads else ""
    included = listed.heads if isinstance(listed, record_objects.IncludedHeads) else (UNKNOWN_HEADS,)
    heads.update(dict.fromkeys(included, row.record_id))
    return _UpdateHistory(row.pk, bytes(row.record.data), row.commit, heads)


def find_statement_records(
    change: Change, rows: Mapping[str, int], keys_of: Callable[[Iterable[Approval]], set[str]]
) -> dict[str, int]:
    """Record in which each statement on a change was first seen, by key, by the change's decisions.

    `rows` are the database's rows of them, and `keys_of` gives the keys of statements. Raises StoreError if they
    differ. The statements of a decision may have been erased: statements seen after it may have been in it.
    """
    found: dict[str, int] = {}
    erased = False
    for decision in change.decisions.filter(record__isnull=False).select_related("record").order_by("record"):
        if decision.record is None:
            continue
        statements = _read_statements(
            record_kinds.decode_record(bytes(decision.record.data), decision.record.pk), change
        )
        erased = erased or statements is None
        for key in keys_of(statements or ()):
            first = rows.get(key, -1) if erased else decision.record.pk
            found.setdefault(key, min(first, decision.record.pk))
    for key, record in rows.items():
        if found.get(key, record if erased else -1) != record:
            raise make_row_differs(f"recorded statement of record {record}")
    return found


def has_decision_between(change: Change, after: int, before: int) -> bool:
    """Whether a decision whose record lies between two others read all statements on the change."""
    decisions = change.decisions.filter(record__gt=after, record__lt=before).select_related("record")
    for decision in decisions.order_by("record"):
        if decision.record is not None:
            found = _read_approvals_fact(
                record_kinds.decode_record(bytes(decision.record.data), decision.record.pk), change
            )
            if isinstance(found, Known):
                return True
    return False


def _read_statements(entry: record_kinds.AnyEntry, change: Change) -> tuple[Approval, ...] | None:
    """Statements that a decision on a change was made by; None if they were erased."""
    found = _read_approvals_fact(entry, change)
    return found.value if isinstance(found, Known) else () if isinstance(found, Unknown) else None


def _read_approvals_fact(entry: record_kinds.AnyEntry, change: Change) -> Maybe[tuple[Approval, ...]] | None:
    """Fact of the statements that a decision on a change was made by; None if it was erased."""
    here = isinstance(entry, record_kinds.DecisionRecord) and entry.repository_location == change.repository.place
    if not here or not isinstance(entry, record_kinds.DecisionRecord):
        raise make_row_differs(f"a decision on change {change.pk}")
    inputs = read_details(entry.object, record_objects.DecisionInputs)
    digest = inputs.facts.get(kinds.APPROVALS.name, "") if isinstance(inputs, record_objects.DecisionInputs) else ""
    stored = read_all_details([digest], StoredFact)[digest] if digest else ""
    if not isinstance(stored, StoredFact):
        return None
    shape: Any = Known[tuple[Approval, ...]] | Unknown
    found: Maybe[tuple[Approval, ...]] = msgspec.convert(stored.value, shape, strict=True)
    return found


def compare_heads(rows: Mapping[str, int], recorded: Mapping[str, int], heads: Iterable[str]) -> None:
    """Compare the rows of some heads with the ledger. Raises StoreError if one differs or is missing."""
    for head in heads:
        if rows.get(head) != recorded.get(head):
            raise make_row_differs(f"taken head {head[:12] or '-'}")


def make_row_differs(what: str) -> StoreError:
    """Error for a row that differs from the ledger."""
    return StoreError(
        _("a row of the database is not what the ledger says: %(what)s") % {"what": what},
        _("Restore the database from a backup, and find out who changed it: muniment doctor says more."),
    )
