"""Incidents of secrets that leaked into code: opened once a scan finds one, closed once it is revoked."""

from collections.abc import Iterable

from muniment.server.findings.models import LeakedSecret
from muniment.server.incidents.kinds import SECRET_LEAKED, SECRET_REVOKED
from muniment.server.incidents.lifecycle import close_incident, open_incident
from muniment.server.incidents.models import Incident
from muniment.server.records import row_checks


def report_secrets(numbers: Iterable[int]) -> None:
    """Open the incident of each secret. One that was revoked and is in the code again is no incident."""
    for row in LeakedSecret.objects.filter(pk__in=list(numbers), revoked_at=None).select_related("product"):
        text = f"A secret is in the code of {row.product.name}: {row.path}, line {row.line}."
        open_incident(SECRET_LEAKED, row.product, row.incident_subject, text, link=f"/leaked-secrets/{row.pk}")


def close_revoked_secrets() -> None:
    """Close the incident of each secret that two persons stated to be revoked. For the worker."""
    for incident in Incident.objects.filter(kind=SECRET_LEAKED, closed_at=None):
        number = int(incident.subject.rpartition(":")[2])
        row = LeakedSecret.objects.filter(pk=number, revoked_at__isnull=False).first()
        if row is not None:
            row_checks.require_recorded(row)
            close_incident(incident, SECRET_REVOKED, row.proof)


def find_incident(row: LeakedSecret) -> Incident | None:
    """Newest incident of a secret; None if its retention period is over."""
    found = Incident.objects.filter(kind=SECRET_LEAKED, product=row.product, subject=row.incident_subject)
    return found.order_by("-pk").first()
