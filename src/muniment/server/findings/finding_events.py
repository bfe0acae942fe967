"""Events in the history of a finding, and the sentence that a page shows for each."""

from collections.abc import Iterable

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.server.acts.inputs import Label
from muniment.server.findings.models import FindingEvent

FOUND, GONE, REOPENED, RAISED = "found", "gone", "reopened", "raised"
ASSIGNED, DECIDED, DECISION_ENDED, CORRECTED = "assigned", "decided", "decision-ended", "corrected"
ENTERED, IMPORTED = "entered", "imported"

EVENT_TEXTS: dict[str, Label] = {
    FOUND: _("Found by a scan"),
    GONE: _("No longer found by a scan: corrected"),
    REOPENED: _("Found again by a scan: open again"),
    RAISED: _("Severity raised: the due date counts from this day"),
    ASSIGNED: _("Assigned"),
    DECIDED: _("Decision in force"),
    DECISION_ENDED: _("Decision ended: open again"),
    CORRECTED: _("Corrected, confirmed by a second person"),
    ENTERED: _("Entered by hand"),
    IMPORTED: _("Imported from a report"),
}


def add_events(findings: Iterable[int], kind: str, person: str | None = None) -> None:
    """Add an event to the history of each finding. Raises KeyError for an unknown kind."""
    if kind not in EVENT_TEXTS:
        raise KeyError(kind)
    now = timezone.now()
    FindingEvent.objects.bulk_create(
        FindingEvent(finding_id=number, kind=kind, happened_at=now, person_id=person) for number in findings
    )
