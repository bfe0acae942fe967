"""Meetings: planned for every active product, moved with a reason, invited by mail once, answered on the page alone."""

import datetime
import smtplib
from collections.abc import Iterator
from typing import Any

import icalendar
import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings import invitation_mails
from muniment.server.meetings.invitation_mails import send_invitations
from muniment.server.meetings.meeting_page import list_invited_people
from muniment.server.meetings.models import (
    InvitationAnswer,
    InvitationMail,
    MeetingAttendee,
    MeetingMove,
    MeetingRhythm,
    ProductMeeting,
    RoleHolder,
    SentNotice,
)
from muniment.server.meetings.notices import send_notices
from muniment.server.meetings.planner import plan_all_meetings
from muniment.server.people.models import Message, Person
from muniment.server.people.privacy import collect_personal_data
from muniment.server.products.models import Product
from muniment.server.records.models import Record
from tests.support.service import as_role, browser, compare_rows, person, post, product, record_rows, token_of

pytestmark = pytest.mark.usefixtures("service")

DAY = datetime.timedelta(1)


@pytest.fixture
def shop(service: None) -> Product:
    """Product with everybody that its meetings need."""
    found = product("shop")
    for name, role in (
        ("sam", Role.SECURITY),
        ("ann", Role.ANALYST),
        ("dora", Role.DPO),
        ("stan", Role.STAKEHOLDER),
        ("adam", Role.ADMIN),
    ):
        person(name, role)
    person("olga", Role.OWNER, product=found)
    person("dev", Role.DEVELOPER, product=found)
    person("dot", Role.DEVELOPER, product=found)
    return found


@pytest.fixture
def calendar(shop: Product) -> None:
    """Calendar of the organisation."""
    page = post(browser(Person.objects.get(slug="adam")), "/meetings/calendar", zone="Europe/Amsterdam", region="NL")
    assert "Saved" in page


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Mails that were sent."""
    mail.outbox = []
    backend = get_connection("django.core.mail.backends.locmem.EmailBackend")
    monkeypatch.setattr(invitation_mails, "open_mail_backend", lambda: backend)
    yield mail.outbox
    mail.outbox = []


def plan() -> None:
    with as_role("worker"):
        plan_all_meetings()


def review() -> ProductMeeting:
    return ProductMeeting.objects.select_related("product").get(kind=MeetingKind.REVIEW, product__slug="shop")


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def move(slug: str, day: datetime.date, **fields: str) -> str:
    return post(who(slug), f"/meetings/{review().pk}/move", date=day.isoformat(), time="14:00", **fields)


def free_day(after: datetime.date) -> datetime.date:
    """Next Tuesday to Thursday, away from the holidays of the Netherlands."""
    day = after + DAY
    while day.weekday() not in (1, 2) or (day.month, day.day) in {(12, 25), (12, 26), (1, 1), (4, 27), (5, 5)}:
        day += DAY
    return day


@pytest.mark.usefixtures("shop")
def test_without_calendar_nothing_is_planned_and_pages_say_who_can_set_it() -> None:
    plan()
    assert not ProductMeeting.objects.exists()
    assert "Ask an administrator" in who("olga").get("/products/shop/meetings").content.decode()
    assert "no time zone" in post(who("adam"), "/meetings/calendar", zone="Mars/Base", region="NL")
    assert "holidays are not known" in post(who("adam"), "/meetings/calendar", zone="Europe/Amsterdam", region="XX")


@pytest.mark.usefixtures("calendar")
def test_active_product_gets_both_meetings_within_30_days_with_everybody() -> None:
    plan()
    assert {each.kind for each in ProductMeeting.objects.all()} == {"review", "retro"}
    row = review()
    assert timezone.localdate() < row.date <= row.due_on <= timezone.localdate() + 30 * DAY
    seats = {each.role: each.person.slug for each in row.attendees.select_related("person")}
    assert seats == {"chair": "sam", "analyst": "ann", "dpo": "dora", "stakeholder": "stan", "owner": "olga"}
    retro = ProductMeeting.objects.get(kind=MeetingKind.RETRO)
    assert {each.person.slug for each in retro.attendees.filter(role="member")} == {"dev", "dot"}
    records = Record.objects.count()
    plan()  # the same state gives the same plan
    assert ProductMeeting.objects.count() == 2
    assert Record.objects.count() == records


@pytest.mark.usefixtures("calendar")
def test_planning_refuses_rows_that_no_act_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    record_rows()
    compare_rows(monkeypatch)
    plan()
    assert ProductMeeting.objects.count() == 2
    with as_role("owner"):
        ProductMeeting.objects.all().update(held_on=timezone.localdate())
    with pytest.raises(Exception, match="not what the ledger says"):
        plan()


@pytest.mark.usefixtures("calendar")
def test_inactive_product_loses_its_meetings_and_a_sign_of_life_brings_them_back(shop: Product) -> None:
    plan()
    with as_role("owner"):
        Product.objects.filter(pk=shop.pk).update(
            retired_at=timezone.now(),
            retired_since=timezone.localdate(),
            deployed=False,
            has_users=False,
            supported=False,
            holds_personal_data=False,
        )
    plan()
    assert not ProductMeeting.objects.filter(cancelled_at=None).exists()
    assert not MeetingRhythm.objects.filter(ended_on=None).exists()
    with as_role("owner"):
        Product.objects.filter(pk=shop.pk).update(has_users=None)  # unknown counts as yes
    plan()
    assert set(ProductMeeting.objects.filter(cancelled_at=None).values_list("number", flat=True)) == {2}


@pytest.mark.usefixtures("calendar")
def test_missing_roles_are_named_on_day_one_and_named_people_are_invited(shop: Product) -> None:
    with as_role("owner"):
        Person.objects.filter(slug="ann").update(active=False)
    plan()
    page = who("olga").get("/products/shop/meetings").content.decode()
    assert "Nobody is there for:" in page
    assert "analyst" in page
    assert "no role for this product" in name("olga", "analyst", person("zoe").slug)
    person("ada", Role.ANALYST, product=product("other"))
    person("eva", Role.AUDITOR)
    assert "Saved" in name("olga", "analyst", "eva")
    before = review().sequence
    plan()
    row = review()
    assert row.attendees.get(role="analyst").person.slug == "eva"
    assert row.sequence > before
    remove = {"act": "remove-from-meetings", "role": "analyst", "person": "eva"}
    assert "Saved" in post(who("olga"), "/products/shop/meetings/roles", **remove)
    assert not RoleHolder.objects.filter(product=shop).exists()


def name(by: str, role: str, slug: str, **more: str) -> str:
    values = {"act": "name-for-meetings", "role": role, "person": slug, **more}
    return post(who(by), "/products/shop/meetings/roles", **values)


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize(("role", "slug"), [("dpo", "sam"), ("dpo", "adam"), ("dpo", "olga"), ("stakeholder", "dev")])
def test_refuses_roles_that_conflict(role: str, slug: str) -> None:
    assert "conflicts with the role" in name("olga", role, slug)
    assert not RoleHolder.objects.exists()


@pytest.mark.usefixtures("calendar")
def test_meeting_is_moved_past_its_due_date_only_with_a_reason_that_is_shown() -> None:
    plan()
    row = review()
    late = free_day(row.due_on)
    assert "due" in move("olga", late)
    assert not MeetingMove.objects.exists()
    assert "Moved" in move("olga", late, reason="The auditors come that week.")
    moved = review()
    assert (moved.date, moved.time, moved.due_on) == (late, datetime.time(14), row.due_on)
    assert moved.sequence > row.sequence
    assert "The auditors come that week." in who("dora").get(f"/meetings/{row.pk}").content.decode()


@pytest.mark.usefixtures("calendar")
def test_refuses_weekends_past_days_and_people_without_the_right() -> None:
    plan()
    day = review().date + DAY
    while day.weekday() != 5:
        day += DAY
    assert "holiday or weekend" in move("olga", day, reason="x")
    assert "is past" in move("olga", timezone.localdate() - DAY, reason="x")
    answer = who("dora").post(f"/meetings/{review().pk}/move", {"date": day.isoformat(), "time": "14:00"})
    assert answer.status_code == 403


@pytest.mark.usefixtures("calendar")
def test_answer_is_given_on_the_page_and_no_link_changes_anything(mailbox: list[Any]) -> None:
    plan()
    with as_role("worker"):
        send_invitations()
    seat = review().attendees.get(role="dpo")
    assert len(mailbox) > 4
    for method in ("get", "head"):
        for _again in range(3):
            assert getattr(who("dora"), method)(f"/meetings/{review().pk}").status_code == 200
            assert getattr(who("dora"), method)(f"/meetings/seats/{seat.pk}").status_code == 405
    assert not InvitationAnswer.objects.exists()
    assert "Saved" in post(who("dora"), f"/meetings/seats/{seat.pk}", act="answer-invitation", answer="accepted")
    assert InvitationAnswer.objects.get().person.slug == "dora"
    other = who("ann").post(f"/meetings/seats/{seat.pk}", {"act": "answer-invitation", "answer": "declined"})
    assert other.status_code == 403
    data = str(collect_personal_data(Person.objects.get(slug="dora")))
    assert "meeting_answers" in data


@pytest.mark.usefixtures("calendar")
def test_deputy_takes_the_seat_and_can_give_it_back(shop: Product) -> None:
    person("dirk", Role.AUDITOR)
    assert "Saved" in name("olga", "dpo", "dora")
    assert "Saved" in name("olga", "dpo", "dirk", deputy="yes")
    plan()
    seat = review().attendees.get(role="dpo")
    send = {"act": "send-deputy"}
    assert "no deputy for your role" in post(who("dora"), f"/meetings/seats/{seat.pk}", **send, person="ann")
    assert "Saved" in post(who("dora"), f"/meetings/seats/{seat.pk}", **send, person="dirk")
    plan()  # planning leaves the deputy in the seat
    seat.refresh_from_db()
    assert (seat.person.slug, seat.deputises_for and seat.deputises_for.slug) == ("dirk", "dora")
    assert "Saved" in post(who("dirk"), f"/meetings/seats/{seat.pk}", **send, person="dora")
    seat.refresh_from_db()
    assert (seat.person.slug, seat.deputises_for) == ("dora", None)


@pytest.mark.usefixtures("calendar")
def test_person_with_two_seats_stands_once_with_both_roles() -> None:
    plan()
    with as_role("owner"):
        MeetingAttendee.objects.create(meeting=review(), role="stakeholder", person=Person.objects.get(slug="sam"))
    found = {each.person.slug: each.roles for each in list_invited_people(review())}
    assert len(found) == len(list_invited_people(review()))
    assert found["sam"] == "chair, stakeholder"
    page = who("sam").get(f"/meetings/{review().pk}").content.decode()
    assert page.count("You are invited as") == 1
    assert "You are invited as chair, stakeholder" in page


@pytest.mark.usefixtures("calendar")
def test_invitation_is_mailed_once_and_anew_after_each_change(mailbox: list[Any]) -> None:
    plan()
    with as_role("worker"):
        assert send_invitations() == MeetingAttendee.objects.values("meeting", "person").distinct().count()
        assert send_invitations() == 0
    first = next(each for each in mailbox if each.to == ["dora@example.test"])
    event = read_event(first, "REQUEST")
    assert str(event["uid"]) == read_uid()
    mailbox.clear()
    day = free_day(review().date)
    assert "Moved" in move("olga", day, reason="Illness.")
    with as_role("worker"):
        assert send_invitations() == 5
    again = read_event(next(each for each in mailbox if each.to == ["dora@example.test"]), "REQUEST")
    assert again["uid"] == event["uid"]
    assert int(again["sequence"]) > int(event["sequence"])
    assert again["dtstart"].dt.replace(tzinfo=None) == datetime.datetime.combine(day, datetime.time(14))
    mailbox.clear()
    with as_role("owner"):
        ProductMeeting.objects.filter(kind="review").update(cancelled_at=timezone.now(), sequence=review().sequence + 1)
    with as_role("worker"):
        assert send_invitations() == 5
        assert send_invitations() == 0
    assert read_event(mailbox[0], "CANCEL")["status"] == "CANCELLED"


def read_event(sent: Any, method: str) -> Any:
    message = sent.message()
    parts = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    assert [part.get_param("method") for part in parts] == [method]
    read = icalendar.Calendar.from_ical(parts[0].get_payload(decode=True).decode())
    assert read["method"] == method
    (event,) = read.walk("VEVENT")
    return event


def read_uid() -> str:
    from muniment.calendars.invitations import make_uid

    return make_uid(review().lasting_key, invitation_mails.find_host())


@pytest.mark.usefixtures("calendar", "mailbox")
def test_refused_mail_is_tried_again_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    plan()
    send = EmailMultiAlternatives.send

    def refuse_dora(self: Any, fail_silently: bool = False) -> int:
        if self.to == ["dora@example.test"]:
            raise smtplib.SMTPRecipientsRefused({})
        return send(self, fail_silently)

    monkeypatch.setattr(EmailMultiAlternatives, "send", refuse_dora)
    with as_role("worker"), pytest.raises(smtplib.SMTPRecipientsRefused):
        send_invitations()
    monkeypatch.undo()
    backend = get_connection("django.core.mail.backends.locmem.EmailBackend")
    monkeypatch.setattr(invitation_mails, "open_mail_backend", lambda: backend)
    with as_role("worker"):
        assert send_invitations() == 1
    assert InvitationMail.objects.filter(person__slug="dora", sequence__gt=0).exists()


@pytest.mark.usefixtures("calendar")
def test_reminders_and_escalations_come_once() -> None:
    plan()
    with as_role("owner"):
        today = timezone.localdate()
        ProductMeeting.objects.filter(kind="review").update(date=today + DAY, dated_on=today - 9 * DAY)
        ProductMeeting.objects.filter(kind="retro").delete()
    with as_role("worker"):
        assert send_notices() == 1
        assert send_notices() == 0
    assert Message.objects.filter(text__contains="tomorrow").count() == 5
    with as_role("owner"):
        rows = ProductMeeting.objects.filter(kind="review")
        rows.update(date=today - DAY, due_on=today, dated_on=today - 9 * DAY)
    with as_role("worker"):
        assert send_notices() == 1
        assert send_notices() == 0
    assert Message.objects.filter(text__contains="was not held").get().person.slug == "sam"
    assert SentNotice.objects.count() == 2


@pytest.mark.usefixtures("calendar")
def test_calendar_feed_needs_its_address_alone_and_a_new_one_ends_it() -> None:
    plan()
    page = post(who("dora"), "/me/calendar", act="renew-calendar-feed")
    address = page.partition('<pre class="cmd">')[2].partition("</pre>")[0].partition("localhost")[2]
    feed = browser().get(address)
    assert feed.status_code == 200
    read = icalendar.Calendar.from_ical(feed.content.decode())
    assert [str(event["summary"]) for event in read.walk("VEVENT")] == ["Security review: Shop"]
    assert address not in who("dora").get("/me/calendar").content.decode()
    post(who("dora"), "/me/calendar", act="renew-calendar-feed")
    assert browser().get(address).status_code == 404


@pytest.mark.usefixtures("calendar")
def test_own_region_is_avoided_and_pages_and_api_show_meetings() -> None:
    assert "Saved" in post(who("dora"), "/me/calendar", act="set-own-region", region="DE-BY")
    plan()
    for address in ("/meetings", f"/meetings/{review().pk}", "/products/shop/meetings", "/me/calendar", "/inbox"):
        assert who("dora").get(address).status_code == 200
    key = token_of(Person.objects.get(slug="olga"))
    answer = browser().get("/api/meetings", headers={"Authorization": f"Bearer {key}"}).json()
    assert {each["kind"] for each in answer["items"]} == {"review", "retro"}
