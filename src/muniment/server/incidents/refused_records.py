"""Opens an incident for each record or permission to deploy that the sequencer refused, which writes none itself."""

from django.urls import reverse

from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.records.models import RefusedRecord, SignedPermission

_MOST = 100  # in one round


def report_refused_records() -> None:
    """Open the incidents that are missing."""
    numbers = _find_reported_numbers(kinds.RECORD_REFUSED, _SUBJECT)
    rows = RefusedRecord.objects.exclude(pk__in=numbers).select_related("record").order_by("pk")
    for row in rows[:_MOST]:
        reason = RefusedRecord.Reason(row.reason).label
        description = (
            f"The record {row.pk} ({row.record.kind}), inserted as {row.record.writer}, was refused: {reason}."
        )
        open_incident(
            kinds.RECORD_REFUSED, None, f"{_SUBJECT}{row.pk}", description, link=reverse("entry", args=[row.pk])
        )
    _report_refused_permissions()


def _report_refused_permissions() -> None:
    numbers = _find_reported_numbers(kinds.PERMISSION_REFUSED, _PERMISSION)
    rows = SignedPermission.objects.exclude(refusal="").exclude(pk__in=numbers).order_by("pk")
    for row in rows.select_related("signing_request")[:_MOST]:
        reason = SignedPermission.Refusal(row.refusal).label
        asked = row.signing_request
        description = f"The permission to deploy for the record {asked.request_id} was not signed: {reason}."
        link = reverse("entry", args=[asked.request_id])
        open_incident(kinds.PERMISSION_REFUSED, None, f"{_PERMISSION}{row.pk}", description, link=link)


def _find_reported_numbers(kind: str, prefix: str) -> list[int]:
    """Numbers that have an incident already."""
    subjects = Incident.objects.filter(kind=kind).values_list("subject", flat=True)
    return [int(subject.removeprefix(prefix)) for subject in subjects]


_SUBJECT, _PERMISSION = "record:", "permission:"
