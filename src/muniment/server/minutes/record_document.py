"""Makes the record of a held meeting as a PDF/A file, with the library `typst` if it is installed.

All words go to the typesetter as data: nothing that somebody wrote is read as its markup, and it opens no file.
"""

import datetime
import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RefusedError
from muniment.server.minutes.agendas import AgendaLine, AgendaSection
from muniment.server.minutes.minutes_page import FrozenEntryLine, OtherAttendee
from muniment.server.minutes.models import EntryKind, MinutesComment
from muniment.server.minutes.passkey_signatures import SignatureMethod
from muniment.server.minutes.taking_part import Signer

_TEMPLATE = Path(__file__).parent / "record.typ"
_STANDARD = "a-2a"
_FONT = "Libertinus Serif"  # comes with the library
_OTHER_FONTS = ("Noto Sans", "Noto Sans CJK SC", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari")
_LETTER = re.compile(r'text `"([^`]{1,40})"` could not be displayed')


class DocumentSection(Struct, frozen=True):
    """Section of the file: a heading, a sentence, a table, and a list. `level` is that of the heading."""

    title: str
    note: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    items: tuple[str, ...] = ()
    level: int = 2


class RecordDocument(Struct, frozen=True):
    """Words of the file, in the reader's language."""

    title: str
    lead: str
    footer: str
    language: str
    sections: tuple[DocumentSection, ...]
    fonts: tuple[str, ...] = (_FONT,)


def is_pdf_available() -> bool:
    """Whether the library that makes PDF files is installed."""
    return importlib.util.find_spec("typst") is not None


def make_pdf(document: RecordDocument, moment: datetime.datetime) -> bytes:
    """PDF/A file of a record; the same record gives the same bytes. Raises RefusedError without the library or a font.

    The fonts of the machine are tried only if the library's own lack a letter: so most files are the same everywhere.
    """
    if not is_pdf_available():
        raise RefusedError(
            "no-pdf-library",
            _("This installation makes no PDF files."),
            _("Print the record page, or ask an administrator to install muniment[pdf]."),
        )
    import typst

    options: dict[str, Any] = {
        "pdf_standards": [_STANDARD],
        "timestamp": moment.replace(microsecond=0),
        "root": _TEMPLATE.parent,
    }
    try:
        return _compile_document(typst, document, ignore_system_fonts=True, **options)
    except typst.TypstError:
        pass
    more = msgspec.structs.replace(document, fonts=(_FONT, *_OTHER_FONTS))
    try:
        return _compile_document(typst, more, **options)
    except typst.TypstError as error:
        letters = "".join(dict.fromkeys(_LETTER.findall(str(error))))
        raise RefusedError(
            "no-font",
            _("The server has no font for these letters: %(letters)s") % {"letters": letters or "?"},
            _("Print the record page. An administrator can install a font, such as fonts-noto-cjk."),
        ) from None


def _compile_document(library: Any, document: RecordDocument, **options: Any) -> bytes:
    words = {"record": json.dumps(msgspec.to_builtins(document))}
    return bytes(library.compile(_TEMPLATE.read_bytes(), sys_inputs=words, **options))


def build_document(values: Mapping[str, Any]) -> RecordDocument:
    """Words of the file from the values of the record page."""
    meeting, names = values["meeting"], values["line_names"]
    return RecordDocument(
        title=f"{meeting.kind_title}: {meeting.product.name}",
        lead=_("Held on %(day)s.") % {"day": _format_moment(values["minutes"].opened_at)},
        footer=values["minutes"].digest,
        language=(get_language() or "en").partition("-")[0],
        sections=(
            _describe_meeting(values),
            _list_attendees(values["seats"]),
            DocumentSection(_("Inputs"), _("The facts as they were fixed at the opening.")),
            *(_show_section(each, names) for each in values["sections"]),
            *(_show_section(each, names) for each in values["outcomes"]),
            _list_entries(values["entries"]),
            _list_comments(values["comments"]),
            _list_confirmations(values["signers"], values["others"]),
            _list_records(values["ledger"]),
        ),
    )


def _describe_meeting(values: Mapping[str, Any]) -> DocumentSection:
    meeting, minutes = values["meeting"], values["minutes"]
    compared = (
        _("The text has this fingerprint.")
        if values["is_unchanged"]
        else _("These minutes no longer match their fingerprint.")
    )
    rows = (
        (_("Opened"), _format_moment(minutes.opened_at)),
        (_("Ended"), _format_moment(minutes.closed_at)),
        (_("Due"), date_format(meeting.due_on, "D j M Y")),
        (_("Place"), meeting.place or "–"),
        (_("Fingerprint of the minutes"), minutes.digest),
        (_("Fingerprint of the facts"), minutes.agenda_digest),
        (_("Compared"), compared),
        *((_("Note"), excuse) for excuse in values["frozen"].excuses),
    )
    return DocumentSection(_("Meeting"), columns=(_("Fact"), _("Value")), rows=rows)


def _list_attendees(seats: Sequence[tuple[str, Any, Any]]) -> DocumentSection:
    rows = tuple((name, str(role), _("Present") if seat.is_present else _("Absent")) for name, role, seat in seats)
    return DocumentSection(
        _("Attendees and roles"), columns=(_("Person"), _("Role"), _("Attendance")), rows=_or_dash(rows, 3)
    )


def _show_section(section: AgendaSection, names: Mapping[str, str]) -> DocumentSection:
    items = tuple(_show_line(line, names) for line in section.lines)
    return DocumentSection(section.title, "" if items else section.empty, items=items, level=3)


def _show_line(line: AgendaLine, names: Mapping[str, str]) -> str:
    person = names.get(line.person, "")
    return " ".join(filter(None, (f"{line.word}: {line.text}.", f"{person}." if person else "", line.note)))


def _list_entries(entries: Sequence[FrozenEntryLine]) -> DocumentSection:
    rows = tuple(
        (str(EntryKind(each.entry.kind).label), each.entry.text, each.owner or each.author, _show_follow_up(each))
        for each in entries
    )
    columns = (_("Kind"), _("Text"), _("Person"), _("Follow-up"))
    note = "" if rows else _("Nothing was decided.")
    return DocumentSection(_("Decisions, advice and actions"), note, columns=columns, rows=rows)


def _show_follow_up(line: FrozenEntryLine) -> str:
    """State of an action or advice today, "–" for other entries."""
    now, kind = line.now, line.entry.kind
    if kind == EntryKind.ACTION:
        due = _("Due on %(day)s.") % {"day": date_format(line.due, "D j M Y") if line.due is not None else "–"}
        if now is None:
            return due
        if now.done_on is not None:
            done = _("Done on %(day)s. %(note)s") % {"day": date_format(now.done_on, "D j M Y"), "note": now.note}
            return f"{due} {done}".strip()
        return f"{due} {_('Late.')}" if now.is_late else due
    if kind == EntryKind.ADVICE and now is not None and now.is_followed is not None:
        return _("Followed.") if now.is_followed else f"{_('Not followed:')} {now.note}"
    return "–"


def _list_comments(comments: Sequence[MinutesComment]) -> DocumentSection:
    items = tuple(
        f"{_('Objection') if one.is_objection else _('Correction')}: {one.text} "
        f"({one.person.name}, {_format_moment(one.written_at)})"
        for one in comments
    )
    return DocumentSection(_("Objections and corrections"), "" if items else _("There is none."), items=items)


def _list_confirmations(signers: Sequence[Signer], others: Sequence[OtherAttendee]) -> DocumentSection:
    rows = [_show_signer(each) for each in signers]
    for each in others:
        word = _("No objection") if each.is_silent else _("No answer yet")
        rows.append((f"{each.seat.person.name}, {each.roles}", _("Objected") if each.objected else word, "–"))
    note = _("A passkey signs the fingerprint. A sign-in confirms it with a second factor.")
    note = f"{note} {_('This is not a qualified signature.')}"
    columns = (_("Person"), _("Statement"), _("Signed"))
    return DocumentSection(_("Confirmed"), note, columns=columns, rows=tuple(rows))


def _show_signer(signer: Signer) -> tuple[str, str, str]:
    if signer.signature is None:
        return (_name_seat(signer.seat), "–", _("Waiting"))
    is_passkey = signer.method is SignatureMethod.PASSKEY
    method = _("Confirmed with a passkey") if is_passkey else _("Confirmed by sign-in")
    statement = str(signer.signature.get_statement_display())
    return (_name_seat(signer.seat), statement, f"{_format_moment(signer.signature.signed_at)}. {method}")


def _name_seat(seat: Any) -> str:
    return f"{seat.person.name}, {seat.get_role_display()}"


def _list_records(ledger: Sequence[Any]) -> DocumentSection:
    columns = (_("Record"), _("Recorded"), _("Position"))
    rows = tuple(
        (
            str(each.record.pk),
            _format_moment(each.record.recorded_at),
            str(each.position) if each.position is not None else "–",
        )
        for each in ledger
    )
    note = "" if rows else _("No record is known.")
    return DocumentSection(_("Records of the ledger"), note, columns=columns, rows=rows)


def _or_dash(rows: tuple[tuple[str, ...], ...], width: int) -> tuple[tuple[str, ...], ...]:
    return rows or (("–",) * width,)


def _format_moment(moment: datetime.datetime | None) -> str:
    return f"{date_format(timezone.localtime(moment), 'D j M Y, H:i')} UTC" if moment is not None else "–"
