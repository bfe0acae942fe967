"""Meetings held together: one day and lead for several products, one round of feedback, and a record of each."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.meeting_acts import MoveMeeting
from muniment.server.meetings.models import MeetingAttendee, MeetingCalendar, ProductMeeting
from muniment.server.minutes.agendas import read_agenda
from muniment.server.minutes.models import Attendance, Minutes
from muniment.server.people.models import Person
from muniment.server.retros.feedback_rounds import count_team, issue_code
from muniment.server.retros.models import VOTES_EACH, FeedbackRound, Phase, RetroBoard, RetroCard
from muniment.server.retros.retro_page import read_voting
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def make_retro(slug: str, day: datetime.date, team: tuple[str, ...], owner: str) -> ProductMeeting:
    row = product(slug)
    for name in team:
        person(name, Role.DEVELOPER, product=row)
    person(owner, Role.OWNER, product=row)
    days = {"due_on": day + datetime.timedelta(14), "date": day, "dated_on": day}
    with as_role("owner"):
        meeting = ProductMeeting.objects.create(
            product=row, kind=MeetingKind.RETRO, number=1, time=datetime.time(10), sequence=1, **days
        )
        for name in team:
            role = "facilitator" if name == team[0] else "member"
            MeetingAttendee.objects.create(meeting=meeting, role=role, person=Person.objects.get(slug=name))
    return meeting


@pytest.fixture
def retros(service: None) -> tuple[ProductMeeting, ProductMeeting]:
    """Retros of two products of today and tomorrow, which a security officer may plan both."""
    with as_role("owner"):
        MeetingCalendar.objects.create(zone="UTC", region="ZW")
    person("sam", Role.SECURITY)
    shop = make_retro("shop", timezone.localdate(), ("fay", "mel", "moe"), "olga")
    till = make_retro("till", timezone.localdate() + datetime.timedelta(1), ("tim", "tom"), "otto")
    person("fay", Role.DEVELOPER, product=till.product)  # who leads both sees both
    return shop, till


def who(slug: str) -> Any:
    return browser(Person.objects.get(slug=slug))


def join(retros: tuple[ProductMeeting, ProductMeeting], by: str = "sam") -> str:
    shop, till = retros
    page = post(who(by), f"/meetings/{till.pk}/together", act="hold-together", main=shop.pk, reason="")
    till.refresh_from_db()
    return page


@pytest.fixture(autouse=True)
def every_day_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.calendars.planning.is_working_day", lambda region, day: True)


def test_meeting_takes_day_and_lead_of_the_main_one_and_keeps_its_own_people(
    retros: tuple[ProductMeeting, ProductMeeting],
) -> None:
    shop, till = retros
    assert "Everybody is invited again" in join(retros)
    assert (till.date, till.held_with) == (shop.date, shop)
    assert till.sequence > 1
    lead = till.attendees.get(role="facilitator")
    assert (lead.person.slug, lead.deputises_for and lead.deputises_for.slug) == ("fay", "tim")
    assert till.attendees.filter(role="member").get().person.slug == "tom"
    page = who("sam").get(f"/meetings/{shop.pk}").content.decode()
    assert f'href="/meetings/{till.pk}"' in page


def test_one_opening_serves_all_products_and_each_has_its_own_minutes(
    retros: tuple[ProductMeeting, ProductMeeting],
) -> None:
    join(retros)
    shop, till = retros
    post(who("fay"), f"/meetings/{shop.pk}/lead", act="open-meeting")
    post(who("fay"), f"/meetings/{shop.pk}/lead", act="confirm-attendance", person="fay", present="yes")
    post(who("fay"), f"/meetings/{shop.pk}/retro/lead", act="go-to-phase", phase="vote", minutes="0")
    for meeting in retros:
        assert Minutes.objects.get(meeting=meeting).agenda_digest
        assert Attendance.objects.get(meeting=meeting).person.slug == "fay"
        assert RetroBoard.objects.get(meeting=meeting).phase == Phase.VOTE
    assert len({each.agenda_digest for each in Minutes.objects.all()}) == 2
    for address in ("hold", "retro", "retro/decisions"):
        page = who("fay").get(f"/meetings/{till.pk}/{address}").content.decode()
        assert f'href="/meetings/{shop.pk}/{address}"' in page


def add_card(meeting: ProductMeeting, by: str, text: str) -> RetroCard:
    seat = meeting.attendees.get(person__slug=by)
    post(who(by), f"/meetings/seats/{seat.pk}/cards", act="add-card", subject="feedback", text=text)
    return RetroCard.objects.get(text=text)


def vote(meeting: ProductMeeting, by: str, card: RetroCard) -> str:
    seat = meeting.attendees.get(person__slug=by)
    return post(who(by), f"/meetings/seats/{seat.pk}/cards", act="vote-for-card", card=str(card.pk))


@pytest.fixture
def board(retros: tuple[ProductMeeting, ProductMeeting]) -> tuple[RetroCard, RetroCard]:
    """Cards of two products on one board, whose people are there."""
    join(retros)
    shop, till = retros
    post(who("fay"), f"/meetings/{shop.pk}/lead", act="open-meeting")
    for name in ("fay", "tom"):
        post(who("fay"), f"/meetings/{shop.pk}/lead", act="confirm-attendance", person=name, present="yes")
    post(who("fay"), f"/meetings/{till.pk}/lead", act="confirm-attendance", person="tom", present="yes")
    return add_card(shop, "fay", "Slow tests"), add_card(till, "tom", "Slow reviews")


def test_one_board_groups_and_counts_votes_of_several_products(
    retros: tuple[ProductMeeting, ProductMeeting], board: tuple[RetroCard, RetroCard]
) -> None:
    (shop, till), (one, other) = retros, board
    page = who("fay").get(f"/meetings/{till.pk}/retro").content.decode()
    assert "Slow tests" in page
    assert "Add card to Shop" in page
    assert '<span class="tag">Till</span>' in page
    seat = shop.attendees.get(person__slug="fay")
    post(who("fay"), f"/meetings/seats/{seat.pk}/cards", act="group-cards", card=str(other.pk), onto=str(one.pk))
    other.refresh_from_db()
    assert (other.group_id, other.meeting) == (one.pk, till), "each stays in the record of its product"
    assert "Saved" in vote(shop, "fay", one)
    more = [add_card(till, "tom", f"Card {at}") for at in range(VOTES_EACH)]
    for each in more[: VOTES_EACH - 1]:
        assert "Saved" in vote(shop, "fay", each)
    assert "all your 5 votes" in vote(till, "fay", more[-1])
    post(who("fay"), f"/meetings/{shop.pk}/retro/lead", act="go-to-phase", phase="vote", minutes="0")
    for meeting, name in ((shop, "fay"), (till, "tom")):
        finish = {"act": "finish-phase", "phase": "vote"}
        post(who(name), f"/meetings/seats/{meeting.attendees.get(person__slug=name).pk}/cards", **finish)
    voting = read_voting(shop, "fay")
    assert (voting.total, voting.done, voting.is_complete) == (2, 2, True)


def test_cards_of_a_product_are_shown_to_its_people_alone_and_stay_in_its_record(
    retros: tuple[ProductMeeting, ProductMeeting], board: tuple[RetroCard, RetroCard]
) -> None:
    (shop, till), (one, _other) = retros, board
    page = who("tom").get(f"/meetings/{till.pk}/retro").content.decode()
    assert "Slow reviews" in page
    assert "Slow tests" not in page
    assert "no such card" in vote(till, "tom", one)
    lines = {meeting: read_agenda(meeting) for meeting in retros}
    found = {meeting: [line.text for each in sections for line in each.lines] for meeting, sections in lines.items()}
    assert "Slow tests" in found[shop]
    assert "Slow tests" not in found[till]


def test_vote_ends_with_the_first_record_and_the_last_question_is_asked_once(
    retros: tuple[ProductMeeting, ProductMeeting], board: tuple[RetroCard, RetroCard]
) -> None:
    (shop, till), (_one, other) = retros, board
    for meeting, text in ((shop, "Saved"), (till, "answered already")):
        seat = meeting.attendees.get(person__slug="fay")
        assert text in post(who("fay"), f"/meetings/seats/{seat.pk}/cards", act="answer-worth", worth="yes")
    with as_role("owner"):
        Minutes.objects.filter(meeting=shop).update(closed_at=timezone.now())
    assert "The vote has ended" in vote(till, "tom", other)


def test_feedback_is_one_round_of_all_teams(retros: tuple[ProductMeeting, ProductMeeting]) -> None:
    shop, till = retros
    with as_role("owner"):
        ProductMeeting.objects.update(date=timezone.localdate() + datetime.timedelta(3))
    join(retros)
    assert count_team(shop) == count_team(till) == 4  # fay leads both, tim gave the seat to her
    with as_role("web"):
        issue_code(till, Person.objects.get(slug="tom").pk)
    assert FeedbackRound.objects.get().meeting == shop
    assert "has begun" in post(who("sam"), f"/meetings/{till.pk}/together", act="hold-apart")


def test_main_meeting_moves_all_and_the_others_do_not_move_alone(retros: tuple[ProductMeeting, ProductMeeting]) -> None:
    join(retros)
    shop, till = retros
    day = (timezone.localdate() + datetime.timedelta(2)).isoformat()
    fields = {"act": MoveMeeting.act_tag(), "date": day, "time": "11:00", "reason": ""}
    assert "held together with the meeting of" in post(who("sam"), f"/meetings/{till.pk}/move", **fields)
    assert "Everybody is invited again" in post(who("sam"), f"/meetings/{shop.pk}/move", **fields)
    assert {str(each.date) for each in ProductMeeting.objects.all()} == {day}
    assert "Saved" in post(who("sam"), f"/meetings/{till.pk}/together", act="hold-apart")
    till.refresh_from_db()
    assert till.held_with is None


def test_refuses_meetings_that_do_not_fit_and_people_who_plan_only_one(
    retros: tuple[ProductMeeting, ProductMeeting],
) -> None:
    shop, till = retros
    assert "no such meeting that you may plan" in join(retros, by="otto")
    with as_role("owner"):
        seat = shop.attendees.get(role="facilitator")
        seat.person = Person.objects.get(slug="moe")
        MeetingAttendee.objects.filter(meeting=shop, role="member", person=seat.person).delete()
        seat.save()
    assert "may not see Till" in join(retros)
    with as_role("owner"):
        seat.person = Person.objects.get(slug="fay")
        seat.save()
    with as_role("owner"):
        ProductMeeting.objects.filter(pk=shop.pk).update(kind=MeetingKind.REVIEW)
    assert "Only meetings of one kind" in join(retros)
    with as_role("owner"):
        ProductMeeting.objects.filter(pk=shop.pk).update(kind=MeetingKind.RETRO)
        Minutes.objects.create(meeting=shop, agenda="{}", agenda_digest="sha256:0")
    assert "was opened" in join(retros)
    assert till.held_with is None
