"""Opens an incident for each record that the sequencer refused. The sequencer itself writes none."""

from django.urls import reverse

from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.records.models import RefusedRecord

_MOST = 100  # in one round


def report_refused_records() -> None:
    """Open the incidents that are missing."""
    reported = Incident.objects.filter(kind=kinds.RECORD_REFUSED).values_list("subject", flat=True)
    numbers = [int(subject.removeprefix(_SUBJECT)) for subject in reported]
    rows = RefusedRecord.objects.exclude(pk__in=numbers).select_related("record").order_by("pk")
    for row in rows[:_MOST]:
        reason = RefusedRecord.Reason(row.reason).label
        told = f"The record {row.pk} ({row.record.kind}), inserted as {row.record.writer}, was refused: {reason}."
        open_incident(kinds.RECORD_REFUSED, None, f"{_SUBJECT}{row.pk}", told, link=reverse("entry", args=[row.pk]))


_SUBJECT = "record:"
