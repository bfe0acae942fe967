"""Retros: six subjects with content or a reason, cards that carry names, hidden totals, improvements that return."""

import datetime
from typing import Any

import icalendar
import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.models import MeetingAttendee, MeetingCalendar, ProductMeeting
from muniment.server.minutes.meeting_facts import read_security_meetings
from muniment.server.minutes.minutes_text import decode_minutes
from muniment.server.minutes.models import Minutes
from muniment.server.minutes.taking_part import list_signers
from muniment.server.people.models import Person
from muniment.server.people.privacy import collect_personal_data
from muniment.server.products.models import Product
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.retros.models import (
    Improvement,
    RetroBoard,
    RetroCard,
    RetroThreat,
    RetroVote,
    Subject,
    WorthAnswer,
    WorthPool,
)
from muniment.server.retros.schedule import find_schedule_problems, measure_loads
from muniment.server.retros.timeline import draw_timeline
from tests.support.service import as_role, browser, compare_rows, person, post, product, record_rows

pytestmark = pytest.mark.usefixtures("service")

TEAM = ("fay", "mel", "moe")


@pytest.fixture
def retro(service: None) -> ProductMeeting:
    """Retro of today, with a facilitator and two members of the team."""
    shop = product("shop")
    for name in TEAM:
        person(name, Role.DEVELOPER, product=shop)
    person("olga", Role.OWNER, product=shop)
    person("dora", Role.DPO)
    return make_retro(shop)


def make_retro(shop: Product, number: int = 1) -> ProductMeeting:
    today = timezone.localdate()
    days = {"due_on": today, "date": today, "dated_on": today}
    with as_role("owner"):
        row = ProductMeeting.objects.create(
            product=shop, kind=MeetingKind.RETRO, number=number, time=datetime.time(10), sequence=1, **days
        )
        for name in TEAM:
            role = "facilitator" if name == "fay" else "member"
            MeetingAttendee.objects.create(meeting=row, role=role, person=Person.objects.get(slug=name))
    return row


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def day(days: int) -> str:
    return (timezone.localdate() + datetime.timedelta(days)).isoformat()


def seat_of(retro: ProductMeeting, slug: str) -> int:
    return int(retro.attendees.get(person__slug=slug).pk)


def act(retro: ProductMeeting, slug: str, act: str, **fields: object) -> str:
    """Send an act of a person on their seat; the page that follows."""
    path = "decisions" if act in DECISIONS else "cards"
    return post(who(slug), f"/meetings/seats/{seat_of(retro, slug)}/{path}", act=act, **fields)


DECISIONS = ("assess-threat", "decide-improvement", "carry-over-improvement", "state-hours", "plan-improvement")
THREAT = {
    "text": "A stolen session",
    "stride": "spoofing",
    "likelihood": "high",
    "impact": "high",
    "trend": "rising",
    "treatment": "mitigate",
    "mitigation": "Sessions end after 10 minutes",
    "residual": "low",
    "person": "mel",
}
IMPROVEMENT = {
    "kind": "security",
    "text": "Sessions end",
    "person": "mel",
    "start": day(1),
    "metric": "Long sessions",
    "before": "412",
    "target": "0",
    "look": day(60),
}


def lead(retro: ProductMeeting, act: str, **fields: str) -> str:
    return post(who("fay"), f"/meetings/{retro.pk}/lead", act=act, **fields)


def lead_board(retro: ProductMeeting, act: str, **fields: object) -> str:
    return post(who("fay"), f"/meetings/{retro.pk}/retro/lead", act=act, **fields)


def open_retro(retro: ProductMeeting) -> None:
    lead(retro, "open-meeting")
    for name in TEAM:
        lead(retro, "confirm-attendance", person=name, present="yes")


def finish(retro: ProductMeeting, none: tuple[str, ...] = ()) -> str:
    """Finish each item, those of `none` with a reason, and end the meeting."""
    for item in Minutes.objects.get(meeting=retro).items.all():
        if item.code in none:
            lead(retro, "defer-item", item=item.code, reason="There was nothing.")
        else:
            lead(retro, "finish-item", item=item.code)
    return lead(retro, "close-meeting")


def board(slug: str, retro: ProductMeeting) -> str:
    return str(who(slug).get(f"/meetings/{retro.pk}/retro").content.decode())


def decisions(slug: str, retro: ProductMeeting) -> str:
    return str(who(slug).get(f"/meetings/{retro.pk}/retro/decisions").content.decode())


def improve(retro: ProductMeeting, **changed: object) -> Improvement:
    assert "Saved" in act(retro, "mel", "decide-improvement", **{**IMPROVEMENT, **changed})
    return Improvement.objects.latest("pk")


def test_each_subject_needs_content_or_a_reason(retro: ProductMeeting) -> None:
    open_retro(retro)
    codes = list(Minutes.objects.get(meeting=retro).items.values_list("code", flat=True))
    assert codes == ["earlier", "feedback", "dpo", "threats", "process", "security", "schedule"]
    for code in codes[1:-1]:
        assert "This subject has no content" in lead(retro, "finish-item", item=code)
    assert "nothing to plan" in lead(retro, "finish-item", item="schedule")
    assert "items are not done" in finish(retro, none=("feedback",))
    lead(retro, "defer-item", item="dpo", reason="She had none.")
    assert "items are not done" in lead(retro, "close-meeting")
    assert "Saved" in finish(retro, none=tuple(codes[1:]))
    retro.refresh_from_db()
    assert retro.held_on == timezone.localdate()


def test_minutes_hold_what_the_retro_decided_and_need_two_people(
    retro: ProductMeeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_rows()
    open_retro(retro)
    act(retro, "moe", "add-card", subject="feedback", text="Checks are slow")
    post(who("dora"), f"/meetings/{retro.pk}/retro/dpo", text="Exports are kept too long")
    act(retro, "mel", "assess-threat", **THREAT)
    improve(retro, kind="process", step="The checklist of reviews")
    row = improve(retro)
    act(retro, "mel", "state-hours", hours=8)
    for each in Improvement.objects.all():
        act(retro, "mel", "plan-improvement", improvement=each.pk, hours=8, start=day(1), end=day(30))
    assert "Saved" in finish(retro)
    minutes = Minutes.objects.get(meeting=retro)
    lines = [line.text for section in decode_minutes(minutes.text).outcomes for line in section.lines]
    assert {"Checks are slow", "Exports are kept too long", "A stolen session", row.text} <= set(lines)
    compare_rows(monkeypatch)
    fields = {"statement": "confirmed", "digest": minutes.digest}
    assert "not needed" in post(who("moe"), f"/meetings/seats/{seat_of(retro, 'moe')}/sign", **fields)
    for name in (
        "fay",
        "mel",
    ):  # nobody is invited as the owner, so a member who was there signs beside the facilitator
        state = read_security_meetings("shop").find_state("retro")
        assert state is not None
        assert state.unsigned_since
        assert "Saved" in post(who(name), f"/meetings/seats/{seat_of(retro, name)}/sign", **fields)
    state = read_security_meetings("shop").find_state("retro")
    assert state is not None
    assert not state.unsigned_since
    page = who("mel").get(f"/meetings/{retro.pk}/minutes").content.decode()
    assert "A stolen session" in page
    assert "Fay" in page
    assert "The retro has ended" in act(retro, "mel", "add-card", subject="feedback", text="Too late")


def test_card_carries_its_writer_and_a_removed_one_shows(retro: ProductMeeting) -> None:
    open_retro(retro)
    assert "Saved" in act(retro, "moe", "add-card", subject="threats", text="Moe is lazy")
    card = RetroCard.objects.get()
    assert card.author_id == "moe"
    assert "takes no cards" in act(retro, "moe", "add-card", subject="dpo", text="x")
    assert "Moe is lazy" in board("mel", retro)
    assert who("mel").post(f"/meetings/{retro.pk}/retro/lead", {"act": "remove-card"}).status_code == 403
    assert "Saved" in lead_board(retro, "remove-card", card=card.pk)
    page = board("mel", retro)
    assert "Moe is lazy" not in page
    assert "1 card was removed by the facilitator" in page


@pytest.mark.parametrize(("zone", "hours", "name"), [("", 0, " UTC"), ("Asia/Kolkata", 5.5, "")])
def test_timer_ends_at_the_time_of_the_organisation(retro: ProductMeeting, zone: str, hours: float, name: str) -> None:
    if zone:
        with as_role("owner"):
            MeetingCalendar.objects.create(zone=zone, region="NL")
    open_retro(retro)
    lead_board(retro, "go-to-phase", phase="group", minutes=5)
    end = RetroBoard.objects.get().timer_ends_at
    assert end is not None
    assert f"<strong>{end + datetime.timedelta(hours=hours):%H:%M}{name}</strong>" in board("mel", retro)


def test_groups_are_made_and_undone_without_loss(retro: ProductMeeting) -> None:
    open_retro(retro)
    lead_board(retro, "go-to-phase", phase="group", minutes=5)
    for text in ("one", "two", "three"):
        act(retro, "moe", "add-card", subject="feedback", text=text)
    one, two, three = RetroCard.objects.order_by("pk")
    assert "Saved" in act(retro, "mel", "group-cards", card=one.pk, onto=two.pk)
    assert "together already" in act(retro, "mel", "group-cards", card=one.pk, onto=two.pk)
    assert "Saved" in act(retro, "mel", "group-cards", card=two.pk, onto=three.pk)
    assert list(RetroCard.objects.order_by("pk").values_list("group", flat=True)) == [three.pk, three.pk, None]
    assert "Ungroup" in board("mel", retro)
    assert "Saved" in act(retro, "mel", "ungroup-card", card=one.pk)
    lead_board(retro, "go-to-phase", phase="vote", minutes=0)
    lead_board(retro, "go-to-phase", phase="group", minutes=0)
    assert [row.text for row in RetroCard.objects.order_by("pk")] == ["one", "two", "three"]
    assert RetroCard.objects.get(pk=two.pk).group_id == three.pk


def test_totals_are_hidden_until_everybody_who_is_present_is_done(retro: ProductMeeting) -> None:
    open_retro(retro)
    for number in range(6):
        act(retro, "moe", "add-card", subject="feedback", text=f"card {number}")
    lead_board(retro, "go-to-phase", phase="vote", minutes=3)
    cards = list(RetroCard.objects.order_by("pk"))
    for card in cards[:5]:
        assert "Saved" in act(retro, "mel", "vote-for-card", card=card.pk)
    assert "gave all your 5 votes" in act(retro, "mel", "vote-for-card", card=cards[5].pk)
    assert "voted for this card" in act(retro, "mel", "vote-for-card", card=cards[0].pk)
    assert "Saved" in act(retro, "mel", "withdraw-vote", card=cards[1].pk)
    assert RetroVote.objects.count() == 4
    act(retro, "moe", "vote-for-card", card=cards[4].pk)
    for name in ("mel", "moe"):
        act(retro, name, "finish-phase", phase="vote")
    assert "2 votes" not in board("fay", retro)
    act(retro, "fay", "finish-phase", phase="vote")
    assert "2 votes" in board("fay", retro)
    lead_board(retro, "go-to-phase", phase="discuss", minutes=5)
    page = board("fay", retro)
    assert page.index("card 4") < page.index("card 0")


def test_accepted_threat_waits_for_the_product_owner(retro: ProductMeeting) -> None:
    accept = {**THREAT, "treatment": "accept", "mitigation": ""}
    assert "needs a day of review" in act(retro, "mel", "assess-threat", **accept)
    assert "owns no risk" in act(retro, "mel", "assess-threat", **{**THREAT, "person": "dora"})
    assert "Saved" in act(retro, "mel", "assess-threat", **accept, review=day(90))
    threat = RetroThreat.objects.get()
    assert "Waits for the product owner" in decisions("mel", retro)
    assert who("dora").post(f"/threats/{threat.pk}/accept").status_code == 403
    assert who("mel").post(f"/threats/{threat.pk}/accept").status_code == 403
    assert "stolen session" in who("olga").get("/inbox").content.decode()
    assert "Accepted" in post(who("olga"), f"/threats/{threat.pk}/accept")
    threat.refresh_from_db()
    assert threat.accepted_by_id == "olga"
    assert "waits for no acceptance" in post(who("olga"), f"/threats/{threat.pk}/accept")


def test_mitigated_threat_names_what_mitigates_it(retro: ProductMeeting) -> None:
    assert "needs what mitigates it" in act(retro, "mel", "assess-threat", **{**THREAT, "mitigation": ""})
    past = {**THREAT, "review": day(-1)}
    assert "day of review is over" in act(retro, "mel", "assess-threat", **past)


def test_improvement_needs_step_owner_and_a_later_day(retro: ProductMeeting) -> None:
    assert "Name the step" in act(retro, "mel", "decide-improvement", **{**IMPROVEMENT, "kind": "process"})
    assert "before it begins" in act(retro, "mel", "decide-improvement", **{**IMPROVEMENT, "look": day(0)})
    with as_role("owner"):
        Person.objects.filter(slug="moe").update(active=False)
    assert "Moe has left" in act(retro, "mel", "decide-improvement", **{**IMPROVEMENT, "person": "moe"})
    assert not Improvement.objects.exists()


def test_schedule_is_checked_for_order_dates_and_hours(retro: ProductMeeting) -> None:
    first, second = improve(retro, text="First"), improve(retro, text="Second")
    assert len(find_schedule_problems(retro)) == 3  # both without a plan, and no hours
    plan = {"hours": 40, "start": day(1), "end": day(5)}
    act(retro, "mel", "plan-improvement", improvement=first.pk, **plan)
    late = {"hours": 4, "start": day(3), "end": day(61), "follows": first.pk}
    act(retro, "mel", "plan-improvement", improvement=second.pk, **late)
    assert "wait for each other" in act(
        retro, "mel", "plan-improvement", improvement=first.pk, **plan, follows=second.pk
    )
    assert "ends before it begins" in act(
        retro, "mel", "plan-improvement", improvement=first.pk, hours=1, start=day(5), end=day(1)
    )
    act(retro, "mel", "state-hours", hours=10)
    text = " ".join(find_schedule_problems(retro))
    assert "begins before “First” ends" in text
    assert "ends after the day" in text
    assert "has 10 hours a week" in text
    act(retro, "mel", "plan-improvement", improvement=first.pk, hours=8, start=day(1), end=day(20))
    plan = {"hours": 8, "start": day(21), "end": day(40), "milestone": "yes", "follows": first.pk}
    act(retro, "mel", "plan-improvement", improvement=second.pk, **plan)
    assert find_schedule_problems(retro) == []
    (load,) = measure_loads(retro)
    assert load.fits_hours
    page = decisions("mel", retro)
    assert "The schedule is feasible" in page
    assert page.count('class="f-accent" x=') == 2
    assert 'class="flow-line"' in page
    export = who("mel").get(f"/meetings/{retro.pk}/retro/schedule.ics").content.decode()
    assert [str(each["summary"]) for each in icalendar.Calendar.from_ical(export).walk("VEVENT")] == [
        *("First (Mel)", "Second (Mel)")
    ]


def test_timeline_begins_on_a_monday_and_bars_follow_their_days() -> None:
    owner = Person(name="Mel")
    monday = datetime.date(2026, 12, 14)
    rows = [
        Improvement(pk=1, text="a", owner=owner, hours=4, starts_on=monday, ends_on=monday + datetime.timedelta(6)),
        Improvement(pk=2, text="b", owner=owner, hours=4, starts_on=monday + datetime.timedelta(7), follows_id=1),
        Improvement(pk=3, text="c", owner=owner, hours=4, starts_on=monday + datetime.timedelta(7), follows_id=1),
    ]
    rows[2].ends_on = monday + datetime.timedelta(13)
    drawn = draw_timeline(rows)
    assert drawn is not None
    assert [bar.text for bar in drawn.bars] == ["a", "c"]  # b is not planned
    first, second = drawn.bars
    assert first.x + first.width == pytest.approx(second.x)
    assert [week.text for week in drawn.weeks] == ["14 Dec", "21 Dec"]
    assert len(drawn.links) == 1
    assert draw_timeline(rows[1:2]) is None


def test_unfinished_improvement_returns_and_the_third_time_asks_why(retro: ProductMeeting) -> None:
    row, meeting = improve(retro), retro
    for number in (2, 3, 4):
        with as_role("owner"):
            ProductMeeting.objects.filter(pk=meeting.pk).update(held_on=timezone.localdate())
        meeting = make_retro(retro.product, number)
        carry = {"improvement": row.pk, "look": day(90)}
        assert "day is over" in act(meeting, "mel", "carry-over-improvement", **{**carry, "look": day(0)}, reason="x")
        if number == 4:
            assert "third time" in act(meeting, "mel", "carry-over-improvement", **carry)
            assert not meeting.improvements.exists()
        reason = "The limit was never explained." if number == 4 else ""
        assert "Saved" in act(meeting, "mel", "carry-over-improvement", **carry, reason=reason)
        assert "no improvement of an earlier retro" in act(
            meeting, "mel", "carry-over-improvement", **{**carry, "improvement": meeting.improvements.get().pk}
        )
        assert "carried over already" in act(meeting, "mel", "carry-over-improvement", **carry, reason="x")
        row = meeting.improvements.get()
    assert row.count_carries() == 3
    assert "never explained" in decisions("mel", meeting)


def test_follow_up_needs_a_result_by_the_metric(retro: ProductMeeting) -> None:
    row = improve(retro)
    with as_role("owner"):
        Improvement.objects.update(look_on=timezone.localdate())
        ProductMeeting.objects.filter(pk=retro.pk).update(held_on=timezone.localdate())
    following = make_retro(retro.product, 2)
    open_retro(following)
    assert "has no result yet" in lead(following, "finish-item", item="earlier")
    assert "Sessions end" in who("mel").get("/inbox").content.decode()
    assert who("moe").post(f"/improvements/{row.pk}/result", {"result": "worked"}).status_code == 403
    assert "Write the figure of now" in post(who("mel"), f"/improvements/{row.pk}/result", result="worked")
    page = post(who("mel"), f"/improvements/{row.pk}/result", result="worked", after="3")
    assert "412 before, 3 now, target 0" in page
    assert "Saved" in lead(following, "finish-item", item="earlier")
    assert "412 before, 3 now, target 0" in board("mel", following)


def test_last_question_is_counted_without_names(retro: ProductMeeting) -> None:
    open_retro(retro)
    assert "Saved" in act(retro, "mel", "answer-worth", worth="yes")
    assert "answered already" in act(retro, "mel", "answer-worth", worth="no")
    assert "Saved" in act(retro, "moe", "answer-worth", worth="yes")
    assert not WorthAnswer.objects.exists()
    pool = bytes(WorthPool.objects.get().cells)
    assert b"yes" not in pool
    finish(retro, none=("feedback", "dpo", "threats", "process", "security", "schedule"))
    assert "Yes: 2." in board("mel", retro)
    assert list(WorthAnswer.objects.values_list("answer", "count")) == [("yes", 2)]
    assert not WorthPool.objects.exists()


def test_votes_are_linked_to_nobody_after_the_end_and_never_in_the_ledger(retro: ProductMeeting) -> None:
    open_retro(retro)
    act(retro, "moe", "add-card", subject="feedback", text="card")
    card = RetroCard.objects.get()
    assert "Saved" in act(retro, "mel", "vote-for-card", card=card.pk)
    newest = Record.objects.filter(kind="person-action").order_by("-pk")[0]
    details = (open_store().get_object(newest.details_digest) or b"").decode()
    assert "seat" in details
    assert '"card"' not in details
    finish(retro, none=("dpo", "threats", "process", "security", "schedule"))
    assert not RetroVote.objects.exists()
    assert RetroCard.objects.get(pk=card.pk).vote_total == 1


def test_review_takes_no_acts_of_retros(retro: ProductMeeting) -> None:
    with as_role("owner"):
        ProductMeeting.objects.update(kind=MeetingKind.REVIEW)
    assert who("mel").get(f"/meetings/{retro.pk}/retro").status_code == 404
    seat = seat_of(retro, "mel")
    answer = who("mel").post(f"/meetings/seats/{seat}/cards", {"act": "add-card", "subject": "threats", "text": "x"})
    assert answer.status_code == 302
    assert not RetroCard.objects.exists()


def test_pages_list_retros_and_improvements(retro: ProductMeeting) -> None:
    assert "Shop" in who("mel").get("/retros").content.decode()
    assert "No open improvement" in who("mel").get("/improvements").content.decode()
    improve(retro)
    assert "Sessions end" in who("mel").get("/improvements").content.decode()
    assert who("mel").get("/meetings/99/retro").status_code == 404
    assert who("mel").post("/threats/99/accept").status_code == 404
    assert who("mel").post("/improvements/99/result").status_code == 404


def test_export_of_a_person_has_their_cards_and_improvements(retro: ProductMeeting) -> None:
    act(retro, "mel", "add-card", subject="threats", text="Mine")
    improve(retro)
    text = str(collect_personal_data(Person.objects.get(slug="mel")))
    assert "Mine" in text
    assert "Sessions end" in text


def invite_owner(retro: ProductMeeting, slug: str = "olga") -> None:
    with as_role("owner"):
        MeetingAttendee.objects.create(meeting=retro, role="owner", person=Person.objects.get(slug=slug))


def test_product_owner_signs_a_retro_without_having_been_there_unless_they_left(retro: ProductMeeting) -> None:
    invite_owner(retro)
    open_retro(retro)
    codes = [*Subject.values, "earlier"]
    assert "Saved" in finish(retro, none=tuple(codes))
    minutes = Minutes.objects.get(meeting=retro)
    assert {each.seat.person.slug for each in list_signers(minutes)} == {"fay", "olga"}
    with as_role("owner"):
        Person.objects.filter(slug="olga").update(active=False)
    assert {each.seat.person.slug for each in list_signers(minutes)} == {"fay", "mel"}


def test_retro_of_one_person_does_not_end(retro: ProductMeeting) -> None:
    with as_role("owner"):
        retro.attendees.exclude(person__slug="fay").delete()
        MeetingAttendee.objects.create(meeting=retro, role="member", person=Person.objects.get(slug="fay"))
    invite_owner(retro, "fay")
    lead(retro, "open-meeting")
    lead(retro, "confirm-attendance", person="fay", present="yes")
    codes = [*Subject.values, "earlier"]
    assert "One person alone would confirm" in finish(retro, none=tuple(codes))
    assert not Minutes.objects.get(meeting=retro).is_closed
