"""Template tags for agendas."""

from collections.abc import Mapping

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from muniment.server.components.library import icon
from muniment.server.minutes.agendas import AgendaLine, LineTone

register = template.Library()
_LOOKS = {
    LineTone.GOOD: ("passing", "circle-check"),
    LineTone.OPEN: ("accent", "clock"),
    LineTone.LATE: ("failing", "circle-x"),
    LineTone.NEW: ("accent", "plus"),
    LineTone.UNKNOWN: ("unknown", "help-octagon"),
    LineTone.FACT: ("na", "circle-minus"),
}


@register.simple_tag
def agenda_status(line: AgendaLine) -> SafeString:
    """Word for the state of a line, with an icon of its own shape."""
    style, outline = _LOOKS[line.tone]
    return format_html('<span class="st {} plain border-0">{}{}</span>', style, icon(outline), line.word)


@register.simple_tag
def agenda_person(line: AgendaLine, names: Mapping[str, str] | str) -> str:
    """Name of the person of a line with a full stop, "" for none."""
    name = names.get(line.person, "") if isinstance(names, Mapping) else ""
    return f"{name}. " if name else ""
