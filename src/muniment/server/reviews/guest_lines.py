"""Lines of an agenda with the statements of guests: each says who wrote it, and how that was confirmed."""

from collections.abc import Collection

from django.utils.translation import gettext as _

from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.agendas import AgendaLine, LineTone
from muniment.server.reviews.models import GuestAnswer, GuestQuestion


def list_guest_lines(meeting: ProductMeeting, questions: Collection[GuestQuestion]) -> list[AgendaLine]:
    """Answers of the guests of a review to some questions, by guest."""
    rows = GuestAnswer.objects.filter(guest__meeting=meeting, question__in=questions)
    return [
        AgendaLine(LineTone.FACT, _("Opinion"), each.shown_text, _describe_statement(each))
        for each in rows.select_related("guest").order_by("guest", "pk")
    ]


def _describe_statement(answer: GuestAnswer) -> str:
    details = {
        "question": answer.get_question_display(),
        "guest": answer.guest.full_name,
        "address": answer.guest.email,
    }
    return _("%(question)s %(guest)s, guest. Confirmed by a code sent to %(address)s.") % details
