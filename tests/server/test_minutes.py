"""Minutes: a review is held with its quorum, frozen, confirmed by the roles that must, and corrected only below."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.facts.meeting_facts import MeetingState
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.minutes import views
from muniment.server.minutes.meeting_facts import MeetingSupplier, read_security_meetings
from muniment.server.minutes.models import (
    Attendance,
    EntryKind,
    Minutes,
    MinutesComment,
    MinutesEntry,
    MinutesSignature,
)
from muniment.server.minutes.objections import end_objections
from muniment.server.minutes.record_document import RecordDocument, make_pdf
from muniment.server.people.models import Message, Person
from muniment.server.people.privacy import collect_personal_data
from muniment.server.products.models import Product
from muniment.server.reviews.models import MarketRequirement, PersonalDataField, UsabilityOpinion
from tests.support.service import as_role, browser, compare_rows, person, post, product, record_rows

pytestmark = pytest.mark.usefixtures("service")

SEATS = {"sam": "chair", "ann": "analyst", "dora": "dpo", "stan": "stakeholder", "olga": "owner"}


@pytest.fixture
def review(service: None) -> ProductMeeting:
    """Review of today, with everybody who is needed."""
    shop = product("shop")
    roles = {"sam": Role.SECURITY, "ann": Role.ANALYST, "dora": Role.DPO, "stan": Role.STAKEHOLDER}
    for name, role in roles.items():
        person(name, role)
    person("olga", Role.OWNER, product=shop)
    person("dev", Role.DEVELOPER, product=shop)
    return make_review(shop)


def make_review(shop: Product, number: int = 1) -> ProductMeeting:
    today = timezone.localdate()
    with as_role("owner"):
        row = ProductMeeting.objects.create(
            product=shop,
            kind=MeetingKind.REVIEW,
            number=number,
            due_on=today,
            date=today,
            time=datetime.time(10),
            dated_on=today,
            sequence=1,
        )
        for name, role in SEATS.items():
            MeetingAttendee.objects.create(meeting=row, role=role, person=Person.objects.get(slug=name))
    return row


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def lead(review: ProductMeeting, act: str, by: str = "sam", **fields: str) -> str:
    return post(who(by), f"/meetings/{review.pk}/lead", act=act, **fields)


def seat_of(review: ProductMeeting, slug: str) -> int:
    return int(review.attendees.get(person__slug=slug).pk)


def attend(review: ProductMeeting, *names: str) -> None:
    for name in names:
        lead(review, "confirm-attendance", person=name, present="yes")


def finish_items(review: ProductMeeting) -> None:
    for item in Minutes.objects.get(meeting=review).items.all():
        lead(review, "finish-item", item=item.code)


def hold(review: ProductMeeting) -> Minutes:
    """Hold the review from its opening to its end."""
    lead(review, "open-meeting")
    attend(review, "sam", "ann", "dora", "stan", "olga")
    finish_items(review)
    lead(review, "close-meeting")
    return Minutes.objects.get(meeting=review)


def sign(minutes: Minutes, slug: str, statement: str = "confirmed", digest: str = "") -> str:
    fields = {"statement": statement, "digest": digest or minutes.digest}
    return post(who(slug), f"/meetings/seats/{seat_of(minutes.meeting, slug)}/sign", **fields)


def read_state() -> MeetingState:
    found = read_security_meetings("shop").find_state("review")
    assert found is not None
    return found


def test_only_the_chair_opens_and_leads(review: ProductMeeting) -> None:
    answer = who("olga").post(f"/meetings/{review.pk}/lead", {"act": "open-meeting"})
    assert answer.status_code == 403
    assert "Open it first" in lead(review, "finish-item", item="market")
    assert "Saved" in lead(review, "open-meeting")
    assert "is open already" in lead(review, "open-meeting")
    codes = list(Minutes.objects.get(meeting=review).items.values_list("code", flat=True))
    assert codes == [
        *("earlier", "market", "usability", "changes", "personal-data", "processing-record", "requirements"),
        *("incidents", "deployed", "sample", "access", "further"),
    ]


def test_meeting_does_not_end_without_its_items_and_quorum(review: ProductMeeting) -> None:
    lead(review, "open-meeting")
    assert "items are not done" in lead(review, "close-meeting")
    finish_items(review)
    assert "Nobody was there as" in lead(review, "close-meeting")
    attend(review, "sam", "ann", "stan")
    page = lead(review, "close-meeting")
    assert "Data Protection Officer" in page
    assert not Minutes.objects.get(meeting=review).is_closed
    attend(review, "dora")
    assert "Saved" in lead(review, "close-meeting")
    review.refresh_from_db()
    assert review.held_on == timezone.localdate()


def test_deferred_item_needs_a_reason(review: ProductMeeting) -> None:
    lead(review, "open-meeting")
    assert "Correct the marked fields" in lead(review, "defer-item", item="market", reason="")
    assert "Saved" in lead(review, "defer-item", item="market", reason="The law is not out yet.")
    assert "no such item" in lead(review, "defer-item", item="nothing", reason="x")


def test_decisions_and_actions_enter_minutes_and_the_next_agenda(review: ProductMeeting) -> None:
    lead(review, "open-meeting")
    assert "Saved" in lead(review, "record-decision", item="market", text="We support passkeys.")
    tomorrow = (timezone.localdate() + datetime.timedelta(1)).isoformat()
    action = {"item": "market", "text": "Add passkeys", "due": tomorrow}
    assert "owns no action" in lead(review, "add-action", person="dora", **action)
    assert "Saved" in lead(review, "add-action", person="dev", **action)
    assert Message.objects.filter(person__slug="dev", text__contains="Add passkeys").exists()
    attend(review, "sam", "ann", "dora", "stan")
    finish_items(review)
    lead(review, "close-meeting")
    page = who("ann").get(f"/meetings/{review.pk}/minutes").content.decode()
    assert "We support passkeys." in page
    assert "Add passkeys" in who("dev").get("/actions").content.decode()
    following = make_review(review.product, 2)
    assert "Add passkeys" in who("ann").get(f"/meetings/{following.pk}/hold").content.decode()
    number = MinutesEntry.objects.get(kind=EntryKind.ACTION).pk
    assert who("ann").post(f"/actions/{number}", {"act": "finish-action"}).status_code == 403
    later = (timezone.localdate() + datetime.timedelta(9)).isoformat()
    assert "Saved" in post(who("dev"), f"/actions/{number}", act="move-action", due=later, reason="Illness.")
    assert "Saved" in post(who("dev"), f"/actions/{number}", act="finish-action", note="Measured: 0 resets.")
    assert "Measured: 0 resets." in who("ann").get(f"/meetings/{following.pk}/hold").content.decode()


def test_agenda_is_frozen_at_the_opening(review: ProductMeeting) -> None:
    lead(review, "open-meeting")
    with as_role("owner"):
        MarketRequirement.objects.create(
            product=review.product, text="A new law", source="law", added_by=Person.objects.get(slug="ann")
        )
    assert "A new law" not in who("ann").get(f"/meetings/{review.pk}/hold?item=market").content.decode()


def test_minutes_are_confirmed_by_chair_and_quorum_over_their_fingerprint(review: ProductMeeting) -> None:
    minutes = hold(review)
    assert read_state().unsigned_since == timezone.localdate().isoformat()
    assert "other minutes" in sign(minutes, "sam", digest="sha256:" + "0" * 64)
    assert "not the one of your role" in sign(minutes, "dora", "confirmed")
    assert "not the one of your role" in sign(minutes, "sam", "advice")
    assert "not needed" in sign(minutes, "olga")
    for name in ("sam", "ann", "stan"):
        assert "Saved" in sign(minutes, name)
    assert "confirmed them already" in sign(minutes, "sam")
    assert read_state().unsigned_since != ""
    assert "Saved" in sign(minutes, "dora", "no-advice")
    assert (read_state().unsigned_since, read_state().last_held) == ("", timezone.localdate().isoformat())
    assert MinutesSignature.objects.count() == 4
    page = who("olga").get(f"/meetings/{review.pk}/minutes").content.decode()
    assert "Confirmed by sign-in" in page
    assert "I have no advice." in page


def test_sign_in_without_second_factor_confirms_nothing(review: ProductMeeting) -> None:
    minutes = hold(review)
    client = browser(Person.objects.get(slug="ann"), second_factor=False)
    fields = {"statement": "confirmed", "digest": minutes.digest}
    client.post(f"/meetings/seats/{seat_of(review, 'ann')}/sign", fields)
    assert not MinutesSignature.objects.exists()


def test_minutes_are_corrected_only_below(review: ProductMeeting) -> None:
    minutes = hold(review)
    assert "has ended" in lead(review, "record-decision", item="market", text="Later.")
    assert "Saved" in post(who("olga"), f"/meetings/seats/{seat_of(review, 'olga')}/object", text="I said no.")
    assert "Added" in post(who("sam"), f"/meetings/{review.pk}/minutes/correct", text="Olga said no.")
    assert MinutesComment.objects.count() == 2
    before = minutes.text
    minutes.refresh_from_db()
    assert minutes.text == before
    with as_role("owner"):
        Minutes.objects.filter(pk=minutes.pk).update(closed_at=timezone.now() - datetime.timedelta(9))
    assert "last day for objections" in post(
        who("olga"), f"/meetings/seats/{seat_of(review, 'olga')}/object", text="Once more."
    )


def test_only_the_dpo_advises_and_the_owner_gives_a_reason_for_not_following(review: ProductMeeting) -> None:
    entry = {"item": "personal-data", "text": "Name it in the privacy notice."}
    address = f"/meetings/seats/{seat_of(review, 'ann')}/entry"
    assert "Only the Data Protection Officer" in post(who("ann"), address, act="write-advice", **entry)
    assert "Saved" in post(who("ann"), address, act="record-dissent", item="market", text="Too late.")
    own = f"/meetings/seats/{seat_of(review, 'dora')}/entry"
    assert "Saved" in post(who("dora"), own, act="write-advice", **entry)
    advice = MinutesEntry.objects.get(kind=EntryKind.ADVICE)
    assert who("dora").post(f"/meetings/advice/{advice.pk}", {"followed": "yes"}).status_code == 403
    assert "needs a reason" in post(who("olga"), f"/meetings/advice/{advice.pk}", followed="no")
    assert "Saved" in post(who("olga"), f"/meetings/advice/{advice.pk}", followed="no", reason="Clinics need it.")
    assert "Clinics need it." in who("dora").get(f"/meetings/{review.pk}/hold").content.decode()
    data = str(collect_personal_data(Person.objects.get(slug="dora")))
    assert "Name it in the privacy notice." in data


def test_dpo_who_gave_advice_in_time_need_not_come(review: ProductMeeting) -> None:
    own = f"/meetings/seats/{seat_of(review, 'dora')}/entry"
    post(who("dora"), own, act="write-advice", item="personal-data", text="Fine.")
    lead(review, "open-meeting")
    attend(review, "sam", "ann", "stan")
    finish_items(review)
    assert "Nobody was there as" in lead(review, "close-meeting"), "she was not invited ten working days before"
    with as_role("owner"):
        ProductMeeting.objects.update(dated_on=timezone.localdate() - datetime.timedelta(15))
        review.attendees.update(invited_at=timezone.now() - datetime.timedelta(15))
        for days in (7, 1):
            review.sent_notices.create(key=f"review/shop/1/reminder-{days}/x")
    assert "Saved" in lead(review, "close-meeting")
    assert "gave advice before the meeting" in who("ann").get(f"/meetings/{review.pk}/minutes").content.decode()


def test_fact_is_refused_if_a_row_was_altered(review: ProductMeeting, monkeypatch: pytest.MonkeyPatch) -> None:
    record_rows()
    compare_rows(monkeypatch)
    hold(review)
    with as_role("worker"):
        assert MeetingSupplier().supply_facts("shop", ["security_meetings"], "now")
    with as_role("owner"):
        Attendance.objects.filter(person__slug="ann").update(is_present=False)
    with as_role("worker"), pytest.raises(Exception, match="not what the ledger says"):
        MeetingSupplier().supply_facts("shop", ["security_meetings"], "now")


def test_analyst_imports_questions_and_answers_need_what_belongs_to_them(review: ProductMeeting) -> None:
    table = '"Are backups in the EU, and tested?"\nWho reads our data?\nWho reads our data?\n'
    fields = {"act": "import-requirements", "source": "customer", "origin": "Clinics", "table": table}
    assert "Added" in post(who("ann"), "/products/shop/requirements/add", **fields)
    assert "Added" in post(who("ann"), "/products/shop/requirements/add", **fields)
    assert MarketRequirement.objects.count() == 2
    assert who("dora").post("/products/shop/requirements/add", fields).status_code == 403
    row = MarketRequirement.objects.first()
    assert row is not None
    address = f"/requirements/{row.pk}/answer"
    assert "A refusal needs a reason" in post(who("ann"), address, state="refused")
    assert "Name the clause" in post(who("ann"), address, state="met")
    assert "no such clause" in post(who("ann"), address, state="met", clause="nothing")
    tomorrow = (timezone.localdate() + datetime.timedelta(1)).isoformat()
    unmet = {"state": "unmet", "reason": "Test them.", "due": tomorrow}
    assert "owns no risk" in post(who("ann"), address, person="dora", **unmet)
    assert "Saved" in post(who("ann"), address, person="olga", **unmet)
    page = who("ann").get(f"/meetings/{review.pk}/hold").content.decode()
    assert "Test them." in page
    for place in ("/requirements", f"/requirements/{row.pk}", "/requirements?product=shop&state=open", "/reviews"):
        assert who("ann").get(place).status_code == 200


def test_owner_describes_personal_data_and_stakeholder_gives_an_opinion(review: ProductMeeting) -> None:
    described = {"purpose": "Letters", "place": "Frankfurt", "period": "As the account", "recipients": "Clinics"}
    fields = {"act": "describe-personal-data", "name": "Language", **described}
    assert who("dora").post("/products/shop/personal-data/change", fields).status_code == 403
    assert "Saved" in post(who("olga"), "/products/shop/personal-data/change", **fields)
    assert "Saved" in post(who("olga"), "/products/shop/personal-data/change", **{**fields, "period": "A year"})
    assert PersonalDataField.objects.filter(ended_at=None).get().period == "A year"
    answer = {"answers-stopped": "Sign-out is too early."}
    assert "Saved" in post(who("stan"), f"/reviews/seats/{seat_of(review, 'stan')}/opinion", **answer)
    assert UsabilityOpinion.objects.get().text == "Sign-out is too early."
    page = who("dora").get(f"/meetings/{review.pk}/hold").content.decode()
    assert "A year" in page
    assert "Sign-out is too early." in page
    for place in ("/products/shop/personal-data", f"/reviews/{review.pk}/questions"):
        assert who("stan").get(place).status_code == 200


def test_silence_is_recorded_as_no_objection_once_five_working_days_are_over(review: ProductMeeting) -> None:
    minutes = hold(review)
    with as_role("worker"):
        assert end_objections() == 0
    with as_role("owner"):
        Minutes.objects.update(closed_at=timezone.now() - datetime.timedelta(8))
        record_rows()
    with as_role("worker"):
        assert end_objections() == 1
        assert end_objections() == 0
    minutes.refresh_from_db()
    assert minutes.silent_since is not None
    page = who("ann").get(f"/meetings/{review.pk}/minutes").content.decode()
    assert "No objection" in page
    assert not MinutesSignature.objects.exists()


def test_each_form_of_the_meeting_page_has_an_address(review: ProductMeeting) -> None:
    lead(review, "open-meeting")
    for slug in ("sam", "dora"):
        page = who(slug).get(f"/meetings/{review.pk}/hold").content.decode()
        assert f'action="/meetings/{review.pk}/lead"' in page or slug != "sam"
        assert 'action=""' not in page


def test_record_is_downloaded_as_pdf_with_people_inputs_decisions_and_follow_up(
    review: ProductMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[RecordDocument] = []

    def make_seen_pdf(document: RecordDocument, moment: datetime.datetime) -> bytes:
        found.append(document)
        return make_pdf(document, moment)

    monkeypatch.setattr(views, "make_pdf", make_seen_pdf)
    lead(review, "open-meeting")
    lead(review, "record-decision", item="market", text="The law concerns us.")
    due = timezone.localdate() + datetime.timedelta(5)
    lead(review, "add-action", item="market", text="Ask the lawyers", person="olga", due=due.isoformat())
    assert who("ann").get(f"/meetings/{review.pk}/minutes/record.pdf").status_code == 302
    attend(review, "sam", "ann", "dora", "stan")
    finish_items(review)
    lead(review, "close-meeting")
    sign(Minutes.objects.get(meeting=review), "ann")
    answer = who("ann").get(f"/meetings/{review.pk}/minutes/record.pdf")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    sections = {each.title: each for each in found[0].sections}
    assert ("Ann", "analyst", "Present") in sections["Attendees and roles"].rows
    assert ("Olga", "product owner", "Absent") in sections["Attendees and roles"].rows
    assert "Market requirements" in sections
    decided = sections["Decisions, advice and actions"].rows
    assert ("Decision", "The law concerns us.", "Sam", "–") in decided
    assert ("Action", "Ask the lawyers", "Olga", f"Due on {due:%a %-d %b %Y}.") in decided
    assert any("Confirmed by sign-in" in row[2] for row in sections["Confirmed"].rows)
    assert "Download PDF" in who("ann").get(f"/meetings/{review.pk}/minutes/record").content.decode()
