"""Breaches: clocks run since somebody became aware, the owner of the incident decides, and the officer advises."""
# ruff: noqa: F811 (a fixture of another file)

import datetime

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.incidents.models import BreachAdvice, BreachClock, BreachDuty, Incident
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.models import ManagementAdvice
from muniment.server.people.models import Message
from muniment.server.records.models import Record
from tests.server.test_minutes import review, who  # noqa: F401
from tests.support.service import as_role, person, post

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def incident(review: ProductMeeting) -> Incident:
    with as_role("owner"):
        record = Record.objects.create(kind="incident-opened", recorded_at=timezone.now(), data=b"{}")
        return Incident.objects.create(
            kind="bypass",
            product=review.product,
            subject="commit:abc",
            summary="Reports were readable.",
            due_at=timezone.now() + datetime.timedelta(3),
            record=record,
        )


def start_clocks(incident: Incident, hours_ago: int = 1, by: str = "olga") -> str:
    moment = timezone.now() - datetime.timedelta(hours=hours_ago)
    return post(who(by), f"/incidents/{incident.pk}/breach", aware=moment.strftime("%Y-%m-%dT%H:%M"))


def test_clocks_of_each_duty_run_from_awareness(incident: Incident) -> None:
    address = "/products/shop/breach-duties/add"
    assert "Added" in post(who("olga"), address, regime="controller", recipient="Authority", deadline="72")
    assert "Added" in post(who("olga"), address, regime="processor", recipient="Northern Clinics", deadline="")
    assert "named already" in post(who("olga"), address, regime="controller", recipient="Authority", deadline="24")
    assert "in the future" in start_clocks(incident, -2)
    assert "The clocks run" in start_clocks(incident)
    assert "run already" in start_clocks(incident)
    rows = {row.recipient: row for row in BreachClock.objects.all()}
    assert rows["Authority"].ends_at == rows["Authority"].aware_at + datetime.timedelta(hours=72)
    assert rows["Northern Clinics"].ends_at is None
    page = who("dora").get(f"/incidents/{incident.pk}").content.decode()
    assert "Northern Clinics" in page
    assert "Without undue delay" in page
    duty = BreachDuty.objects.get(recipient="Authority")
    assert "Ended" in post(who("olga"), f"/breach-duties/{duty.pk}/end")
    assert BreachClock.objects.count() == 2


def test_breach_of_a_product_without_duties_counts_as_that_of_a_controller(incident: Incident) -> None:
    start_clocks(incident, 73)
    clock = BreachClock.objects.get()
    assert (clock.regime, clock.hours, clock.is_late) == ("controller", 72, True)


def test_owner_of_the_incident_decides_with_a_reason_and_the_officer_advises(
    incident: Incident, review: ProductMeeting
) -> None:
    start_clocks(incident)
    clock = BreachClock.objects.get()
    address = f"/incidents/breach/{clock.pk}"
    assert who("dora").post(address, {"notified": "no", "reason": "x"}).status_code == 403
    assert "Saved" in post(who("dora"), f"/incidents/{incident.pk}/breach/advice", text="Notify it.")
    assert BreachAdvice.objects.get().person_id == "dora"
    assert who("olga").post(f"/incidents/{incident.pk}/breach/advice", {"text": "x"}).status_code == 403
    assert "owner of the incident decides" in post(who("olga"), address, notified="yes", reason="Needed.")
    post(who("olga"), f"/incidents/{incident.pk}/handle", act="take-over-incident")
    assert "Correct the marked fields" in post(who("olga"), address, notified="no", reason="")
    assert "Saved" in post(who("olga"), address, notified="yes", reason="Sent to the authority.")
    assert "decided already" in post(who("olga"), address, notified="no", reason="Other.")
    agenda = who("ann").get(f"/meetings/{review.pk}/hold").content.decode()
    assert "Possible breach: GDPR, as controller" in agenda
    assert "Sent to the authority." in agenda


def test_advice_to_management_reaches_management_and_nobody_else(review: ProductMeeting) -> None:
    address = "/products/shop/advice/management"
    assert "Nobody has the role" in post(who("dora"), address, text="The plan is late.")
    person("mia", Role.MANAGEMENT)
    assert "Sent" in post(who("dora"), address, text="The plan is late.")
    assert ManagementAdvice.objects.get().person_id == "dora"
    assert Message.objects.get(text__contains="Advice of the Data Protection Officer").person.slug == "mia"
    assert "The plan is late." in who("mia").get("/products/shop/advice").content.decode()
    for name in ("olga", "sam", "ann"):
        assert "The plan is late." not in who(name).get("/products/shop/advice").content.decode(), name
    assert who("olga").post(address, {"text": "x"}).status_code == 403
