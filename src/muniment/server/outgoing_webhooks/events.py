"""Lists the events of new records of the ledger: codes and numbers alone, and a link to the page that says more.

Positions of the ledger have no gaps and are assigned after the records' transactions ended, so that no event is missed
or listed twice, however many workers there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import Q
from msgspec import Struct

from muniment.ledger import record_kinds
from muniment.server.changes.models import Change, Decision
from muniment.server.deployments.models import VerifiedRequest
from muniment.server.incidents.models import Incident
from muniment.server.records.models import Record
from muniment.server.requests.models import Request

CHANGE_DECIDED, REQUEST_WAITING = "change.decided", "request.waiting"
INCIDENT_OPENED, INCIDENT_CLOSED = "incident.opened", "incident.closed"
DEPLOYMENT_ENDED, TEST = "deployment.ended", "test"
_OUTCOME = "deployment-outcome"


class OutgoingEvent(Struct, frozen=True):
    """Event of a product, or of the organisation (`product` None). `link` is a page, `details` are codes."""

    identity: str
    event: str
    product: int | None
    link: str
    details: Mapping[str, str]
    happened_at: datetime


def list_record_events(records: Sequence[Record]) -> list[OutgoingEvent]:
    """Events of the records, in their order. Most records are no event."""
    numbers = [record.pk for record in records]
    order = {f"record-{number}": place for place, number in enumerate(numbers)}
    found = [
        *_list_decisions(numbers),
        *_list_incidents(numbers),
        *_list_requests(records),
        *_list_deployments(records),
    ]
    return sorted(found, key=lambda each: order[each.identity])


def _list_decisions(records: Sequence[int]) -> Iterator[OutgoingEvent]:
    """Decisions on open changes that say something else than the one before, or are about another head."""
    rows = Decision.objects.filter(record__in=records, change__state=Change.State.OPEN)
    for row in rows.select_related("change__repository", "record"):
        if row.record is None:  # supposed ones of the past have none
            continue
        before = Decision.objects.filter(change=row.change_id, pk__lt=row.pk).order_by("-pk").first()
        if before is not None and (before.allowed, before.head) == (row.allowed, row.head):
            continue
        repository = row.change.repository
        details = {"decision": "allow" if row.allowed else "deny", "repository": repository.name, "head": row.head}
        yield _make_event(row.record, CHANGE_DECIDED, repository.product_id, f"/changes/{row.change_id}", details)


def _list_incidents(records: Sequence[int]) -> Iterator[OutgoingEvent]:
    rows = Incident.objects.filter(Q(record__in=records) | Q(closing_record__in=records))
    for row in rows.select_related("record", "closing_record"):
        details, link = {"kind": row.kind}, f"/incidents/{row.pk}"
        if row.record_id in records:
            yield _make_event(row.record, INCIDENT_OPENED, row.product_id, link, details)
        if row.closing_record is not None and row.closing_record_id in records:
            closed = {**details, "resolution": row.resolution}
            yield _make_event(row.closing_record, INCIDENT_CLOSED, row.product_id, link, closed)


def _list_requests(records: Sequence[Record]) -> Iterator[OutgoingEvent]:
    """Requests that wait for a second person now."""
    by_object = {record.details_digest: record for record in records if record.details_digest}
    for row in Request.objects.filter(request_record__in=list(by_object), state=Request.State.WAITING):
        details = {"action": row.action}
        yield _make_event(
            by_object[row.request_record], REQUEST_WAITING, row.product_id, f"/requests/{row.pk}", details
        )


def _list_deployments(records: Sequence[Record]) -> Iterator[OutgoingEvent]:
    """Deployments whose outcome was recorded. The record names the request by digest."""
    outcomes: dict[str, tuple[Record, str]] = {}
    for record in records:
        if record.kind == _OUTCOME:
            entry = record_kinds.decode_record(bytes(record.data), 0)
            if isinstance(entry, record_kinds.DeploymentOutcomeRecord):
                outcomes[entry.request] = (record, entry.state)
    rows = VerifiedRequest.objects.filter(record__details_digest__in=list(outcomes))
    for row in rows.select_related("record", "deployment__environment"):
        record, state = outcomes[row.record.details_digest]
        place = row.deployment.environment
        details = {"state": state, "environment": place.name}
        yield _make_event(record, DEPLOYMENT_ENDED, place.product_id, f"/deployments/{row.deployment_id}", details)


def _make_event(
    record: Record, event: str, product: int | None, link: str, details: Mapping[str, str]
) -> OutgoingEvent:
    return OutgoingEvent(f"record-{record.pk}", event, product, link, details, record.recorded_at)
