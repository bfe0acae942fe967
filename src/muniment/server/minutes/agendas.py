"""Agendas of meetings: each app registers the sections of its kind of meeting, with the data since the last one.

An agenda is read anew until the meeting is opened; then it is frozen, and its digest enters the minutes.
"""

import datetime
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import msgspec
from django.db.models import Model, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from msgspec import Struct, structs

from muniment.calendars.meetings import MeetingKind
from muniment.facts import canonical
from muniment.ledger import record_objects
from muniment.server.meetings.mail_languages import DOCUMENT_LANGUAGE
from muniment.server.meetings.models import MeetingRole, ProductMeeting


class LineTone(StrEnum):
    """Tone of a line of an agenda: what it asks for."""

    GOOD = "good"
    OPEN = "open"
    LATE = "late"
    NEW = "new"
    UNKNOWN = "unknown"
    FACT = "fact"


class AgendaLine(Struct, frozen=True):
    """Line of a section: a word for its state, a sentence, and a quiet second one. `link` is a path, "" for none.

    `person` is the internal id of somebody whom a page names before the second sentence.
    """

    tone: LineTone
    word: str
    text: str
    note: str = ""
    link: str = ""
    person: str = ""


class AgendaSection(Struct, frozen=True):
    """Section of an agenda. Without lines it says so by `empty`."""

    code: str
    title: str
    lines: tuple[AgendaLine, ...] = ()
    empty: str = ""
    minutes: int = 3


class FrozenAgenda(Struct, frozen=True):
    """Agenda as it was at the opening. The salt keeps its digest from being guessed."""

    frozen_at: str
    sections: tuple[AgendaSection, ...]
    salt: str


class MeetingRules(Struct, frozen=True):
    """Rules of a kind of meeting: who leads it, which roles have to take part, and which sign."""

    lead: MeetingRole
    quorum: tuple[MeetingRole, ...]
    signers: tuple[MeetingRole, ...]
    signs_absent: tuple[MeetingRole, ...] = ()  # roles that sign even if their person was not there, besides the lead
    is_made_in_meeting: bool = False  # its sections are filled in the meeting, so its minutes hold them as at the end


T = TypeVar("T", bound=Model)
SectionReader = Callable[[ProductMeeting, datetime.date], AgendaSection]  # with the day since which data counts
ContentCheck = Callable[[ProductMeeting, str], str]  # with the code of a section: the sentence that says what it lacks
_readers: dict[MeetingKind, list[tuple[int, SectionReader]]] = {kind: [] for kind in MeetingKind}
_content_checks: dict[MeetingKind, ContentCheck] = {}
Closing = Callable[[ProductMeeting], None]
_closings: dict[MeetingKind, Closing] = {}

RULES = {
    MeetingKind.REVIEW: MeetingRules(
        lead=MeetingRole.CHAIR,
        quorum=(MeetingRole.ANALYST, MeetingRole.DPO, MeetingRole.STAKEHOLDER),
        signers=(MeetingRole.CHAIR, MeetingRole.ANALYST, MeetingRole.DPO, MeetingRole.STAKEHOLDER),
    ),
    MeetingKind.RETRO: MeetingRules(
        lead=MeetingRole.FACILITATOR,
        quorum=(MeetingRole.MEMBER,),
        signers=(MeetingRole.FACILITATOR, MeetingRole.OWNER),
        signs_absent=(MeetingRole.OWNER,),  # who states the hours and accepts threats
        is_made_in_meeting=True,
    ),
}


def show_first_rows(rows: "QuerySet[T]", show: Callable[[T], AgendaLine], most: int) -> list[AgendaLine]:
    """Lines of the first rows, with a last one that says how many more there are: none is left out silently."""
    found = list(rows[: most + 1])
    lines = [show(each) for each in found[:most]]
    if len(found) > most:
        count = rows.count() - most
        text = ngettext("%(n)d more is not listed here", "%(n)d more are not listed here", count) % {"n": count}
        lines.append(AgendaLine(LineTone.OPEN, _("More"), text))
    return lines


def register_section(kind: MeetingKind, position: int, read: SectionReader) -> None:
    """Add a section to the agenda of a kind of meeting. Sections stand by rising `position`. Called at the start."""
    _readers[kind].append((position, read))


def register_content_check(kind: MeetingKind, check: ContentCheck) -> None:
    """Have items of a kind of meeting be done only once their section lacks nothing. Called at the start."""
    _content_checks[kind] = check


def register_closing(kind: MeetingKind, close: Closing) -> None:
    """Have the end of a kind of meeting do something, in the transaction of its act. Called at the start."""
    _closings[kind] = close


def run_closing(meeting: ProductMeeting) -> None:
    """Do what the end of a meeting does, after its minutes are frozen."""
    close = _closings.get(MeetingKind(meeting.kind))
    if close is not None:
        close(meeting)


def find_missing_content(meeting: ProductMeeting, code: str) -> str:
    """Sentence that says what a section lacks before its item is done, "" for nothing."""
    check = _content_checks.get(MeetingKind(meeting.kind))
    return check(meeting, code) if check is not None else ""


def read_agenda(meeting: ProductMeeting) -> tuple[AgendaSection, ...]:
    """Agenda of a meeting by the data of now."""
    since = find_since(meeting)
    ordered = sorted(_readers[MeetingKind(meeting.kind)], key=lambda each: each[0])
    return tuple(read(meeting, since) for _position, read in ordered)


def freeze_agenda(meeting: ProductMeeting) -> tuple[str, str]:
    """Agenda as text, and its digest."""
    with translation.override(DOCUMENT_LANGUAGE):
        frozen = FrozenAgenda(timezone.now().isoformat(), read_agenda(meeting), record_objects.draw_salt())
    return canonical.encode(frozen).decode(), canonical.digest_value(frozen)


def decode_agenda(text: str) -> FrozenAgenda:
    """Agenda as it was frozen. Raises msgspec.ValidationError for a text that is none."""
    return msgspec.json.decode(text, type=FrozenAgenda)


def translate_section(section: AgendaSection) -> AgendaSection:
    """Section of a frozen agenda with its fixed words in the reader's language. Sentences with figures stay."""
    lines = tuple(structs.replace(line, word=_translate_text(line.word)) for line in section.lines)
    return structs.replace(
        section, title=_translate_text(section.title), empty=_translate_text(section.empty), lines=lines
    )


def _translate_text(text: str) -> str:
    return _(text) if text else ""  # the empty text is the header of a catalogue


def find_since(meeting: ProductMeeting) -> datetime.date:
    """Day of the last meeting of this kind that was held, else the day on which the product was added."""
    rows = ProductMeeting.objects.filter(product=meeting.product, kind=meeting.kind, held_on__isnull=False)
    last = rows.exclude(pk=meeting.pk).order_by("-held_on").values_list("held_on", flat=True).first()
    return last or timezone.localtime(meeting.product.created_at).date()
