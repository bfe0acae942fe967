"""Lines of retros and reviews from the design: threats without an answer, and the draft of the processing record."""

import datetime
from functools import partial

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from muniment.calendars.meetings import MeetingKind
from muniment.server.designs.models import DesignThreat, PersonalDataDraft
from muniment.server.designs.threat_lists import filter_open_threats
from muniment.server.designs.threat_texts import HIGH_SCORE, describe_threat
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.agendas import AgendaLine, AgendaSection, LineTone, register_section, show_first_rows
from muniment.server.retros.sections import register_threat_source

_MOST_LINES = 20
_POSITION = 52  # after the personal data that the owner describes


def register_design_sections() -> None:
    """Register what designs add to retros and reviews."""
    register_threat_source(read_design_threats)
    register_section(MeetingKind.REVIEW, _POSITION, read_processing_record)


def read_design_threats(meeting: ProductMeeting, since: datetime.date) -> tuple[AgendaLine, ...]:
    """Threats of the design that nobody answered, the highest score first."""
    rows = filter_open_threats(DesignThreat.objects.filter(product=meeting.product))
    lines = []
    for row in rows[:_MOST_LINES]:
        is_new = timezone.localtime(row.first_found_at).date() >= since
        tone, word = (LineTone.NEW, _("New")) if is_new else (LineTone.OPEN, _("From the design"))
        if row.score >= HIGH_SCORE:
            tone = LineTone.LATE
        guards = ", ".join(row.mitigations)
        note = _("Guards of the design: %(guards)s.") % {"guards": guards} if guards else _("No guard acts against it.")
        text = describe_threat(row.kind, row.element)
        lines.append(AgendaLine(tone, word, text, note, f"/design-threats/{row.pk}"))
    return tuple(lines)


def read_processing_record(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Personal data of the design, as the draft of the record of processing, with what changed."""
    moment = timezone.make_aware(datetime.datetime.combine(since, datetime.time()))
    rows = PersonalDataDraft.objects.filter(product=meeting.product)
    of_name = rows.filter(name=OuterRef("name"))
    current = rows.filter(ended_at=None).annotate(is_former=Exists(of_name.filter(described_at__lt=moment)))
    lines = show_first_rows(current, partial(_show_draft, moment), _MOST_LINES)
    ended = rows.filter(~Exists(of_name.filter(ended_at=None)), ended_at__gte=moment)
    lines += show_first_rows(ended.order_by("name", "-ended_at").distinct("name"), _show_ended_draft, _MOST_LINES)
    title = _("Draft of the processing record, from the design")
    return AgendaSection("processing-record", title, tuple(lines), _("The design names no personal data."), minutes=3)


def _show_draft(moment: datetime.datetime, row: PersonalDataDraft) -> AgendaLine:
    if row.described_at < moment:
        return AgendaLine(LineTone.FACT, _("Same"), row.name, describe_entry(row))
    is_former = getattr(row, "is_former", False)  # a column of the query
    return AgendaLine(LineTone.NEW, _("Changed") if is_former else _("New"), row.name, describe_entry(row))


def _show_ended_draft(row: PersonalDataDraft) -> AgendaLine:
    return AgendaLine(LineTone.GOOD, _("Ended"), row.name, _("The design no longer has it."))


def describe_entry(row: PersonalDataDraft) -> str:
    """Purpose, period, places and recipients of a kind of data. What the design does not say is unknown."""
    unknown = _("unknown")
    days = unknown
    if row.keep_days is not None:
        days = ngettext("%(n)d day", "%(n)d days", row.keep_days) % {"n": row.keep_days}
    return _("Why: %(why)s. How long: %(long)s. Where: %(where)s. Who: %(who)s.") % {
        "why": row.purpose.rstrip(" .") or unknown,
        "long": days,
        "where": ", ".join(row.places) or unknown,
        "who": ", ".join(row.recipients) or unknown,
    }
