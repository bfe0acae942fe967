"""Reads what the pages of a retro show: its board, and what is decided."""

from collections.abc import Mapping
from typing import NamedTuple

from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Resource, authorize
from muniment.server.findings.early_stops import list_quarter_starts, read_quarter
from muniment.server.guarding.mediation import current_actor
from muniment.server.meetings.joint_meetings import list_joint_lines
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting, format_clock_time
from muniment.server.minutes.models import Minutes
from muniment.server.minutes.taking_part import find_lead, find_present_people
from muniment.server.people.models import Person
from muniment.server.products.views import could_with_second_factor
from muniment.server.retros.card_acts import find_phase
from muniment.server.retros.feedback_rounds import (
    TEAM,
    count_team,
    find_closing,
    is_feedback_closed,
    is_in_team,
    read_least_answers,
)
from muniment.server.retros.joint_boards import (
    find_board_votes,
    find_finished,
    list_board_seats,
    list_visible_board_meetings,
)
from muniment.server.retros.models import (
    VOTES_EACH,
    FeedbackMood,
    FeedbackRound,
    Grade,
    ImprovementKind,
    ImprovementResult,
    Phase,
    RetroBoard,
    RetroCard,
    RetroThreat,
    RetroVote,
    Stride,
    Subject,
    Treatment,
    Trend,
    Worth,
    WorthAnswer,
    WorthRespondent,
)
from muniment.server.retros.schedule import find_schedule_problems, list_improvements, measure_loads
from muniment.server.retros.sections import find_earlier_improvements
from muniment.server.retros.timeline import draw_timeline

_COLUMNS = (Subject.FEEDBACK, Subject.DPO, Subject.THREATS, Subject.PROCESS, Subject.SECURITY)


class ShownCard(NamedTuple):
    """Card with the cards that are put together with it. `votes` is None as long as totals are hidden.

    `product` is the name of its product on a board of several, "" for an anonymous answer, which is of all.
    """

    card: RetroCard
    product: str
    members: tuple[tuple[RetroCard, str], ...]
    is_own_vote: bool
    votes: int | None


class BoardColumn(NamedTuple):
    """Subject with its cards, and whether the team adds cards to it."""

    subject: Subject
    cards: tuple[ShownCard, ...]
    takes_cards: bool


class VotingState(NamedTuple):
    """State of the vote: who has to be done, how many are, how many votes are left, and whether totals show."""

    total: int
    done: int
    left: int
    is_complete: bool


def read_retro_page(request: HttpRequest, meeting: ProductMeeting) -> dict[str, object]:
    """Values of the board of a retro."""
    own = current_actor(request).person
    board = RetroBoard.objects.filter(meeting=meeting).first()
    phase = find_phase(meeting)
    voting = read_voting(meeting, own)
    seats = list_board_seats(meeting, own)
    shared = list_visible_board_meetings(current_actor(request), meeting)
    columns = _read_columns(shared, own, voting.is_complete)
    rows = [each for column in columns for each in column.cards]
    return {
        **_read_frame(request, meeting),
        **_read_feedback(meeting, own),
        "phase": phase,
        "phases": [(each, _find_step_state(each, phase)) for each in Phase],
        "next_phase": _find_next_phase(phase),
        "timer_end": _read_timer_end(board),
        "columns": columns,
        "schedule_title": Subject.SCHEDULE.label,
        "planned": [row for row in list_improvements(meeting) if row.ends_on is not None],
        "own_seats": seats,
        "own_seat": seats[0] if seats else None,
        "targets": [each.card for each in rows],
        "discussion": sorted(rows, key=lambda each: -(each.votes or 0)) if voting.is_complete else [],
        "removed": RetroCard.objects.filter(meeting__in=shared, removed_at__isnull=False).count(),
        "voting": voting,
        "votes_each": VOTES_EACH,
        "is_done": find_finished(meeting, phase).filter(person=own).exists(),
        "done_names": list(dict.fromkeys(find_finished(meeting, phase).values_list("person__name", flat=True))),
        "earlier": find_earlier_improvements(meeting),
        "worths": Worth.choices,
        "answered_worth": WorthRespondent.objects.filter(meeting=meeting.find_main(), person=own).exists(),
        "worth_answers": _list_worth_answers(meeting.find_main()),
        "may_advise": could_with_second_factor(request, Action.WRITE_DPO_FEEDBACK, meeting.product.slug),
    }


def _list_worth_answers(main: ProductMeeting) -> list[WorthAnswer]:
    return list(WorthAnswer.objects.filter(meeting=main)) if main.held_on is not None else []


def read_decisions_page(request: HttpRequest, meeting: ProductMeeting) -> dict[str, object]:
    """Values of the page on which threats, improvements and the schedule are decided."""
    improvements = list_improvements(meeting)
    return {
        **_read_frame(request, meeting),
        "threats": RetroThreat.objects.filter(meeting=meeting).select_related("owner", "accepted_by"),
        "may_accept": could_with_second_factor(request, Action.ACCEPT_THREAT, meeting.product.slug),
        "improvements": improvements,
        "early": read_quarter(meeting.product, list_quarter_starts(timezone.localdate(), 1)[0]),
        "kinds": [(kind, [each for each in improvements if each.kind == kind]) for kind in ImprovementKind],
        "earlier": [row for row in find_earlier_improvements(meeting) if not row.result],
        "loads": measure_loads(meeting),
        "timeline": draw_timeline(improvements),
        "problems": find_schedule_problems(meeting),
        "people": Person.objects.filter(active=True),
        "strides": Stride.choices,
        "grades": Grade.choices,
        "trends": Trend.choices,
        "treatments": Treatment.choices,
        "results": ImprovementResult.choices,
    }


def read_voting(meeting: ProductMeeting, person: str) -> VotingState:
    """State of the vote. Totals show once everybody of the teams who is present is done."""
    voters: set[str] = set()
    for each in meeting.list_joint():
        team = set(each.attendees.filter(role__in=TEAM).values_list("person", flat=True))
        voters |= team & find_present_people(each)
    done = find_finished(meeting, Phase.VOTE).filter(person__in=voters)
    finished = done.values("person").distinct().count()
    given = find_board_votes(meeting, person).count()
    return VotingState(len(voters), finished, VOTES_EACH - given, bool(voters) and finished == len(voters))


def _read_feedback(meeting: ProductMeeting, person: str) -> dict[str, object]:
    """Values about anonymous feedback: never a count before it is shown."""
    row = FeedbackRound.objects.filter(meeting=meeting.find_main()).first()
    moods = row.moods if row is not None else {}
    return {
        "feedback": row,
        "feedback_closed": is_feedback_closed(meeting),
        "closing": find_closing(meeting),
        "least": read_least_answers(),
        "team_size": count_team(meeting),
        "is_in_team": is_in_team(meeting, person),
        "has_code": row is not None and row.taken.filter(person=person).exists(),
        "moods": [(mood.label, moods[mood.value]) for mood in FeedbackMood if mood.value in moods],
    }


def _read_frame(request: HttpRequest, meeting: ProductMeeting) -> dict[str, object]:
    actor = current_actor(request)
    may_lead = authorize(actor, Action.CHAIR_MEETING, Resource(owner=find_lead(meeting)))
    minutes = Minutes.objects.filter(meeting=meeting).first()
    seats: list[MeetingAttendee] = list(meeting.attendees.select_related("person"))
    return {
        "meeting": meeting,
        "joint": list_joint_lines(meeting),
        "minutes": minutes,
        "is_open": meeting.is_open and not (minutes is not None and minutes.is_closed),
        "is_lead": may_lead in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR),
        "lead": next((seat.person for seat in seats if seat.role == MeetingRole.FACILITATOR), None),
        "own_seat": next((seat for seat in seats if seat.person_id == actor.person), None),
    }


def _read_columns(shared: list[int], person: str, shows_totals: bool) -> list[BoardColumn]:
    cards = RetroCard.objects.filter(meeting__in=shared, removed_at=None)
    rows = list(cards.select_related("author", "meeting__product"))
    names = {row.pk: "" if len(shared) == 1 or row.question else row.meeting.product.name for row in rows}
    votes = RetroVote.objects.filter(card__meeting__in=shared)
    own = set(votes.filter(person=person).values_list("card", flat=True))
    totals: dict[int, int] = {}
    if shows_totals:  # rows of a retro that has ended have totals, those of another may still have votes
        totals = {row.pk: row.vote_total for row in rows if row.vote_total is not None}
        totals |= dict(votes.values_list("card").annotate(Count("pk")))
    seen = set(names)
    members: dict[int, list[RetroCard]] = {}
    for row in rows:  # a card whose group is of a product that the reader may not see stands alone
        members.setdefault(row.group_id if row.group_id in seen else 0, []).append(row)
    lead_cards = [_show_card(row, members.get(row.pk, []), own, totals, names) for row in members.get(0, [])]
    if not shows_totals:
        lead_cards = [each._replace(votes=None) for each in lead_cards]
    return [
        BoardColumn(subject, tuple(each for each in lead_cards if each.card.subject == subject), subject != Subject.DPO)
        for subject in _COLUMNS
    ]


def _show_card(
    card: RetroCard, members: list[RetroCard], own: set[int], totals: Mapping[int, int], names: Mapping[int, str]
) -> ShownCard:
    votes = sum(totals.get(each.pk, 0) for each in (card, *members))
    return ShownCard(card, names[card.pk], tuple((each, names[each.pk]) for each in members), card.pk in own, votes)


def _find_step_state(phase: Phase, current: Phase) -> str:
    order = list(Phase)
    if phase is current:
        return "current"
    return "done" if order.index(phase) < order.index(current) else ""


def _find_next_phase(phase: Phase) -> Phase | None:
    order = list(Phase)
    at = order.index(phase) + 1
    return order[at] if at < len(order) else None


def _read_timer_end(board: RetroBoard | None) -> str:
    """Time of day at which the timer ends, "" where none runs."""
    if board is None or board.timer_ends_at is None or board.timer_ends_at <= timezone.now():
        return ""
    return format_clock_time(board.timer_ends_at)
