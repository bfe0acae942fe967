"""Compares incidents that were closed with the records of their closing: without one, an incident is open.

The web may close an incident, as an act of a person. What only the worker observes, such as that a bypass was reviewed,
has a record that the worker alone can write.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from muniment.errors import LedgerError
from muniment.ledger import record_kinds
from muniment.server.incidents.kinds import ACT_UNSIGNED, INCIDENT_KINDS, RESOLUTIONS
from muniment.server.incidents.models import Incident
from muniment.server.remembered_sql import remember_sql

_known: dict[int, tuple[int | None, str]] = {}  # of each whose closing agrees, its record and its resolution


def find_unrecorded_closings() -> frozenset[int]:
    """The incidents that the table calls closed and that no record closes."""
    closed = Incident.objects.exclude(closed_at=None).values_list("pk", "closing_record", "resolution")
    left = [number for number, *state in closed if _known.get(number) != tuple(state)]
    found: set[int] = set()
    for row in Incident.objects.filter(pk__in=left).select_related("record", "closing_record__refusal"):
        if _is_recorded(row):
            _known[row.pk] = (row.closing_record_id, row.resolution)
        else:
            found.add(row.pk)
    return frozenset(found)


def find_suspended_people() -> frozenset[str]:
    """Ids of persons whose account was recovered by no signed act, until a recorded act closes the incident."""
    rows = list(_list_unsigned_acts())
    unrecorded = find_unrecorded_closings() if any(closed for _number, closed, _people in rows) else frozenset()
    return frozenset(
        person for number, closed, people in rows if closed is None or number in unrecorded for person in people
    )


@remember_sql
def _list_unsigned_acts() -> "QuerySet[Any, tuple[int, datetime | None, list[str]]]":
    """Incidents of accounts that were recovered by no signed act: each page asks twice for them."""
    return Incident.objects.filter(kind=ACT_UNSIGNED).values_list("pk", "closed_at", "involved_people")


def reopen_unrecorded() -> list[Incident]:
    """Open again what no record closed, unless another of its subject is open. For the worker."""
    reopened: list[Incident] = []
    for number in sorted(find_unrecorded_closings()):
        with transaction.atomic():
            # Read again under a lock: a person may have closed it by an act since it was found.
            row = Incident.objects.select_for_update(of=("self",)).get(pk=number)
            same = Incident.objects.filter(kind=row.kind, product=row.product_id, subject=row.subject, closed_at=None)
            if row.closed_at is None or same.exists():
                continue
            row.closed_at, row.resolution, row.cause, row.closed_by, row.closing_record = None, "", "", None, None
            row.save(update_fields=["closed_at", "resolution", "cause", "closed_by", "closing_record"])
            reopened.append(row)
    return reopened


def _is_recorded(row: Incident) -> bool:
    """Whether a record closes exactly this incident in this way; a person's closes what people may close by hand."""
    record = row.closing_record
    if record is None or hasattr(record, "refusal"):
        return False
    try:
        entry = record_kinds.decode_record(bytes(record.data), record.pk)
    except LedgerError:
        return False
    if isinstance(entry, record_kinds.IncidentClosedRecord):
        by_hand = row.kind in INCIDENT_KINDS and INCIDENT_KINDS[row.kind].by_hand and row.resolution in RESOLUTIONS
        if not by_hand or not RESOLUTIONS[row.resolution].by_hand:
            return False
    elif not isinstance(entry, record_kinds.IncidentResolvedRecord):
        return False
    recorded = (entry.incident_kind, entry.opening, entry.resolution)
    return recorded == (row.kind, row.record.details_digest, row.resolution)
