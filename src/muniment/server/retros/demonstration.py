"""Part of the demonstration about retros: one that was held with feedback, votes and a schedule, and the next one."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.utils import timezone

from muniment.calendars.meetings import MeetingKind
from muniment.server.demonstration_story import Demonstration, DemonstrationEvent
from muniment.server.meetings.demonstration import PRODUCT, find_next_meeting, list_daily_events
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.minutes.demonstration import find_meetings_of_now
from muniment.server.minutes.taking_part import find_lead
from muniment.server.people.models import Person
from muniment.server.retros.card_acts import (
    AddCard,
    AnswerWorth,
    FinishPhase,
    GoToPhase,
    GroupCards,
    VoteForCard,
    WriteDpoFeedback,
)
from muniment.server.retros.feedback_acts import ShowFeedback
from muniment.server.retros.feedback_cells import AnswerSheet
from muniment.server.retros.feedback_rounds import TEAM, issue_code, store_feedback_answer
from muniment.server.retros.improvement_acts import DecideImprovement, NoteResult, PlanImprovement, StateHours
from muniment.server.retros.models import FeedbackRound, Improvement, Phase, RetroCard
from muniment.server.retros.threat_acts import AssessThreat

_DPO = "lena-fischer"
_CARDS = (
    ("feedback", "Review of sensitive files waits up to a day."),
    ("threats", "Takeover of an npm package that we use."),
    ("process", "A second security reviewer for holidays."),
)
_FIRST_CARDS = (
    ("threats", "A stolen session on a shared clinic computer."),
    ("process", "Nobody reviews sign-in code when two people are on leave."),
    ("process", "A second reviewer for sign-in code."),
    ("security", "Sessions that end on shared computers."),
)
_ANSWERS = (
    ("help", "Findings come while we still know the code.", "Two tools report the same thing.", "A shared computer."),
    ("help", "Nobody had to ask for a secret.", "Review of sign-in code waits for one person.", ""),
    ("way", "", "The checks of a large change take long.", "An npm package is taken over."),
    ("neither", "Exceptions end by themselves.", "", "Somebody leaves, and keeps access."),
    ("help", "The new guide for reviews.", "Exceptions need two people even for an hour.", ""),
)
_IMPROVEMENTS = (  # kind, text, step, metric, today, target, days until it is looked at
    ("process", "A second reviewer for sign-in code", "Code owners", "Hours until a review", "19", "4", 3),
    ("security", "Sessions end on shared computers", "", "Sessions over 10 idle minutes", "412", "0", 80),
)


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about the retro that was held, and yesterday about the next one."""
    yield from list_daily_events(company, 15, 30, _give_feedback)
    for hour, is_morning in ((10, True), (14, False)):
        yield from list_daily_events(company, hour, 15, partial(_lead_phases, is_morning=is_morning))
    yield from list_daily_events(company, 16, 45, _note_result)
    yield DemonstrationEvent(company.find_moment(1, 18), "web", partial(_prepare_retro, company))


def _give_feedback(company: Demonstration) -> None:
    """Answer anonymously on the day before the first retro, and add cards under one's name."""
    retro = find_next_meeting(MeetingKind.RETRO)
    if retro is None or retro.number != 1 or retro.date != timezone.localdate() + timedelta(1):
        return
    for person, (mood, well, slow, after) in zip(_list_team(retro), _ANSWERS, strict=False):
        code = issue_code(retro, person.pk)
        store_feedback_answer(retro, code, AnswerSheet(mood=mood, well=well, slow=slow, next=after, to_dpo=False))
    _add_cards(company, retro, _FIRST_CARDS)
    company.perform(_DPO, WriteDpoFeedback, meeting=retro.pk, text="Exported reports are kept too long.")


def _lead_phases(company: Demonstration, *, is_morning: bool) -> None:
    """Lead through the phases: read, group, vote, decide."""
    rows = find_meetings_of_now(is_morning=is_morning).filter(product__slug=PRODUCT, kind=MeetingKind.RETRO)
    retro = rows.filter(number=1).first()
    if retro is None:
        return
    lead = Person.objects.get(pk=find_lead(retro)).slug
    if FeedbackRound.objects.filter(meeting=retro).exists():
        company.perform(lead, ShowFeedback, meeting=retro.pk)
    seats = _list_seats(retro)
    cards = {card.text: card.pk for card in RetroCard.objects.filter(meeting=retro)}
    first, second = (cards[_FIRST_CARDS[at][1]] for at in (2, 1))
    company.perform(seats[0].person.slug, GroupCards, seat=seats[0].pk, card=first, onto=second)
    company.perform(lead, GoToPhase, meeting=retro.pk, phase=Phase.VOTE.value, minutes=5)
    for at, seat in enumerate(seats):
        for text in (_FIRST_CARDS[0][1], _FIRST_CARDS[1 + at % 3][1]):
            company.perform(seat.person.slug, VoteForCard, seat=seat.pk, card=cards[text])
        company.perform(seat.person.slug, FinishPhase, seat=seat.pk, phase=Phase.VOTE.value)
    company.perform(lead, GoToPhase, meeting=retro.pk, phase=Phase.DECIDE.value)
    _assess_threat(company, seats[0])
    for values in _IMPROVEMENTS:
        _decide_improvement(company, seats[0], *values)
    for at, seat in enumerate(seats):
        company.perform(seat.person.slug, AnswerWorth, seat=seat.pk, worth="partly" if at == 0 else "yes")


def _note_result(company: Demonstration) -> None:
    """Say on its day what became of an improvement."""
    for row in Improvement.objects.filter(result="", look_on=timezone.localdate()).select_related("owner"):
        values = {"result": "worked", "after": "3", "note": "Two people are code owners now."}
        company.perform(row.owner.slug, NoteResult, improvement=row.pk, **values)


def _prepare_retro(company: Demonstration) -> None:
    """Prepare the next retro: cards, a threat and an improvement."""
    retro = find_next_meeting(MeetingKind.RETRO)
    if retro is None:
        return
    _add_cards(company, retro, _CARDS)
    company.perform(_DPO, WriteDpoFeedback, meeting=retro.pk, text="Exported reports are kept without an end.")
    seat = _list_seats(retro)[0]
    _assess_threat(company, seat)
    _decide_improvement(company, seat, "security", "Pin each npm package by its hash", "", "Unpinned", "61", "0", 66)


def _list_seats(retro: ProductMeeting) -> list[MeetingAttendee]:
    return list(retro.attendees.filter(role=MeetingRole.MEMBER).select_related("person").order_by("pk"))


def _list_team(retro: ProductMeeting) -> list[Person]:
    return list(Person.objects.filter(meeting_seats__meeting=retro, meeting_seats__role__in=TEAM).distinct())


def _add_cards(company: Demonstration, retro: ProductMeeting, cards: tuple[tuple[str, str], ...]) -> None:
    seats = _list_seats(retro)
    for at, (subject, text) in enumerate(cards):
        seat = seats[at % len(seats)]
        company.perform(seat.person.slug, AddCard, seat=seat.pk, subject=subject, text=text)


def _assess_threat(company: Demonstration, seat: MeetingAttendee) -> None:
    grades = {"stride": "spoofing", "likelihood": "high", "impact": "high", "trend": "rising", "residual": "medium"}
    words = {"text": "Stolen session on a shared clinic computer", "mitigation": "Sessions end after 10 idle minutes"}
    who = seat.person.slug
    company.perform(who, AssessThreat, seat=seat.pk, treatment="mitigate", person=who, **words, **grades)


def _decide_improvement(
    company: Demonstration,
    seat: MeetingAttendee,
    *values: str | int,
) -> None:
    kind, text, step, metric, before, target, days = values
    today, who = timezone.localdate(), seat.person.slug
    start, look = today + timedelta(1), today + timedelta(int(days))
    figures = {"metric": metric, "before": before, "target": target, "look": look.isoformat()}
    named = {"kind": kind, "text": text, "step": step, "person": who, "start": start.isoformat()}
    company.perform(who, DecideImprovement, seat=seat.pk, **named, **figures)
    company.perform(who, StateHours, seat=seat.pk, hours=8)
    number = Improvement.objects.latest("pk").pk
    end = start + timedelta(max(1, int(days) - 14))
    plan = {"start": start.isoformat(), "end": end.isoformat(), "hours": min(40, int(days))}
    company.perform(who, PlanImprovement, seat=seat.pk, improvement=number, milestone="yes", **plan)
