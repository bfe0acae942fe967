"""One board for the retros of several products that are held together: cards, groups, votes and phases.

Each card stays in the retro of its product, so agenda, minutes and record of each product hold their own cards alone.
A reader sees the cards of those products that they may see.
"""

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from muniment.access.authorization import Actor
from muniment.errors import RefusedError
from muniment.server.meetings.act_fields import visible_meetings
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.minutes.models import Minutes
from muniment.server.retros.models import FinishedPhase, Phase, RetroCard, RetroVote


def list_board_meetings(meeting: ProductMeeting) -> list[int]:
    """Numbers of the retros that share a board with one, itself among them."""
    return [each.pk for each in meeting.list_joint()]


def list_visible_board_meetings(actor: Actor, meeting: ProductMeeting) -> list[int]:
    """Numbers of those retros of a board that a person may see."""
    shared = list_board_meetings(meeting)
    if len(shared) == 1:
        return shared
    return list(visible_meetings(actor).filter(pk__in=shared).values_list("pk", flat=True))


def list_board_seats(meeting: ProductMeeting, person: str) -> list[MeetingAttendee]:
    """Seats of a person in the retros of a board, one for each product, that of this retro first."""
    rows = MeetingAttendee.objects.filter(meeting__in=list_board_meetings(meeting), person=person)
    found: dict[int, MeetingAttendee] = {}
    for each in rows.select_related("person", "meeting__product").order_by("meeting__product__name", "pk"):
        if each.meeting.is_open:
            found.setdefault(each.meeting_id, each)
    return sorted(found.values(), key=lambda each: each.meeting_id != meeting.pk)


def find_board_votes(meeting: ProductMeeting, person: str) -> "QuerySet[RetroVote]":
    """Votes of a person for cards of a board: a person has so many for all products together."""
    return RetroVote.objects.filter(card__meeting__in=list_board_meetings(meeting), person=person)


def find_finished(meeting: ProductMeeting, phase: Phase) -> "QuerySet[FinishedPhase]":
    """Notes that people are done with a phase, in any of the retros of a board."""
    return FinishedPhase.objects.filter(meeting__in=list_board_meetings(meeting), phase=phase)


def refuse_other_board(meeting: ProductMeeting, card: RetroCard) -> None:
    """Raise RefusedError for a card that is not on the board of a retro."""
    if card.meeting_id not in list_board_meetings(meeting):
        raise RefusedError("other-retro", _("It belongs to another retro."), _("Open its page again."))


def refuse_ended_board(meeting: ProductMeeting) -> None:
    """Raise RefusedError once one retro of a board has ended: its votes are counted, and would be free again."""
    if Minutes.objects.filter(meeting__in=list_board_meetings(meeting), closed_at__isnull=False).exists():
        raise RefusedError("vote-over", _("The vote has ended."), _("The board shows its totals."))
