"""Items of an agenda in which nothing asks for a word: they are shown in one list, and confirmed together."""

from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.agendas import RULES, AgendaSection, LineTone, decode_agenda
from muniment.server.minutes.models import AgendaItem, ItemState, Minutes

_QUIET = frozenset({LineTone.GOOD, LineTone.FACT})


def is_unchanged(section: AgendaSection) -> bool:
    """Whether no line of a section is new, late, open or unknown. A section without lines is unchanged."""
    return all(line.tone in _QUIET for line in section.lines)


def find_unchanged_items(meeting: ProductMeeting) -> tuple[str, ...]:
    """Codes of the open items without anything new; none before the opening, and none of a retro, which makes its
    content in the meeting. An item on which somebody wrote something is not among them.
    """
    minutes = Minutes.objects.filter(meeting=meeting).first()
    if minutes is None or RULES[MeetingKind(meeting.kind)].is_made_in_meeting:
        return ()
    open_items = set(AgendaItem.objects.filter(minutes=minutes, state=ItemState.OPEN).values_list("code", flat=True))
    written = set(meeting.entries.values_list("item", flat=True))
    sections = decode_agenda(minutes.agenda).sections
    return tuple(each.code for each in sections if each.code in open_items - written and is_unchanged(each))
