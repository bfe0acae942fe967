"""Part of the demonstration about incidents: who takes one over, and how it is closed."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from muniment.server.demonstration_story import (
    SECOND_SECURITY_OFFICER,
    SECURITY_OFFICER,
    Demonstration,
    DemonstrationEvent,
)
from muniment.server.incidents import kinds
from muniment.server.incidents.breach_acts import AdviseOnBreach, DecideNotification, RecordAwareness, SetBreachDuty
from muniment.server.incidents.incident_acts import CloseIncident, TakeOverIncident
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import BreachClock, Incident
from muniment.server.products.models import Product

_PORTAL, _PORTAL_OWNER, _PORTAL_DPO = "patient-portal", "hana-kim", "lena-fischer"
_CAUSES = {
    kinds.RULE_WEAKENED: "The release script switched the protection off and on again. It now uses a pull request.",
    kinds.DEPLOYMENT: "The builder was down for an hour, so an image was built on a laptop. It was replaced.",
    kinds.BREAK_GLASS: "Claims could not be paid out. The builder signs again, and the same change was deployed.",
    kinds.VAULT_READ: "The former job of the team still had its role. The role was removed and the secret rotated.",
}


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about incidents: those that other apps opened, and a read of a secret."""
    read = company.find_moment(34, 6, 30)
    yield DemonstrationEvent(read, "worker", _report_read)
    leaked = company.find_moment(1, 11, 12)
    yield DemonstrationEvent(leaked, "worker", _report_unwatched_read)
    for days in (33, 29, 27, 24):
        close = partial(_close_incidents, company)
        yield DemonstrationEvent(company.find_moment(days, 17), "web", close)
    yield DemonstrationEvent(company.find_moment(12, 10, 20), "worker", _report_portal_read)
    yield DemonstrationEvent(company.find_moment(12, 10, 40), "web", partial(_record_breach, company))
    yield DemonstrationEvent(company.find_moment(11, 9, 30), "web", partial(_decide_breach, company))
    own = partial(_take_over, company)
    yield DemonstrationEvent(company.now - timedelta(minutes=12), "web", own)


def _report_read() -> None:
    product = Product.objects.get(slug="notifications")
    text = "A job of another pipeline read the secrets of staging of Notifications."
    open_incident(kinds.VAULT_READ, product, "unrecorded:gitlab-former-job", text)


def _report_unwatched_read() -> None:
    product = Product.objects.get(slug="lab-gateway")
    text = "A person read the secrets of production of Lab Gateway outside a pipeline."
    open_incident(kinds.VAULT_READ, product, "unrecorded:userpass-admin", text)


def _report_portal_read() -> None:
    product = Product.objects.get(slug=_PORTAL)
    text = "A former job read the secrets of production of Patient Portal. It could read names of patients."
    open_incident(kinds.VAULT_READ, product, "unrecorded:portal-former-job", text)


def _record_breach(company: Demonstration) -> None:
    """Name the duties of the product, record since when the possible breach is known, and advise."""
    number = Incident.objects.get(product__slug=_PORTAL, kind=kinds.VAULT_READ).pk
    duty = {"regime": "processor", "recipient": "Each of the 12 clinics"}
    company.perform(_PORTAL_OWNER, SetBreachDuty, product=_PORTAL, **duty)
    company.perform(_PORTAL_OWNER, SetBreachDuty, product=_PORTAL, regime="cra", recipient="CSIRT", deadline=24)
    company.perform(_PORTAL_OWNER, TakeOverIncident, incident=number)
    aware = (company.find_moment(12, 10, 20)).strftime("%Y-%m-%dT%H:%M")
    company.perform(_PORTAL_OWNER, RecordAwareness, incident=number, aware=aware)
    text = "Inform the clinics today: names of patients may have been read."
    company.perform(_PORTAL_DPO, AdviseOnBreach, incident=number, text=text)


def _decide_breach(company: Demonstration) -> None:
    """Decide on each duty, and close the incident."""
    row = Incident.objects.get(product__slug=_PORTAL, kind=kinds.VAULT_READ)
    reasons = {"processor": "All 12 clinics were informed by mail.", "cra": "No weakness of the product was used."}
    for clock in BreachClock.objects.filter(incident=row):
        notified = "yes" if clock.regime == "processor" else "no"
        company.perform(
            _PORTAL_OWNER, DecideNotification, clock=clock.pk, notified=notified, reason=reasons[clock.regime]
        )
    cause = "The job of a former pipeline still had its role. The role was removed and the secrets rotated."
    company.perform(_PORTAL_OWNER, CloseIncident, incident=row.pk, resolution=kinds.MENDED, cause=cause)


def _close_incidents(company: Demonstration) -> None:
    """Close each open incident whose cause is known by now."""
    for row in Incident.objects.filter(closed_at=None, kind__in=_CAUSES).order_by("pk"):
        officer = SECOND_SECURITY_OFFICER if row.kind == kinds.VAULT_READ else SECURITY_OFFICER
        company.perform(officer, TakeOverIncident, incident=row.pk)
        values = {"resolution": kinds.MENDED, "cause": _CAUSES[row.kind]}
        company.perform(officer, CloseIncident, incident=row.pk, **values)


def _take_over(company: Demonstration) -> None:
    """A security officer owns the bypass of today; the other the read of a secret."""
    for row in Incident.objects.filter(closed_at=None, owner=None).order_by("pk"):
        officer = SECURITY_OFFICER if row.kind == kinds.ESCAPE else SECOND_SECURITY_OFFICER
        if row.kind in (kinds.ESCAPE, kinds.VAULT_READ):
            company.perform(officer, TakeOverIncident, incident=row.pk)
