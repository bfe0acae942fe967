"""Sections of the agenda of a retro: what became of last time's improvements, and the six subjects.

They are read until the meeting ends: its minutes hold them as they are then.
"""

import datetime
from collections.abc import Callable
from functools import partial

from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.agendas import (
    AgendaLine,
    AgendaSection,
    LineTone,
    register_closing,
    register_content_check,
    register_section,
    show_first_rows,
)
from muniment.server.retros.closing import close_retro
from muniment.server.retros.models import (
    Improvement,
    ImprovementKind,
    ImprovementResult,
    RetroCard,
    RetroThreat,
    Subject,
)
from muniment.server.retros.schedule import find_schedule_problems, list_improvements

FOLLOW_UP = "earlier"
_MOST_LINES = 60
_RESULTS = {
    ImprovementResult.WORKED.value: LineTone.GOOD,
    ImprovementResult.FAILED.value: LineTone.LATE,
    ImprovementResult.UNCLEAR.value: LineTone.UNKNOWN,
}


ThreatSource = Callable[[ProductMeeting, datetime.date], tuple[AgendaLine, ...]]
_threat_sources: list[ThreatSource] = []


def register_threat_source(read: ThreatSource) -> None:
    """Have threats that are known already stand below those that a retro assesses. Called at the start."""
    _threat_sources.append(read)


def list_known_threats(meeting: ProductMeeting, since: datetime.date) -> tuple[AgendaLine, ...]:
    """Threats of all sources that a retro may assess."""
    return tuple(line for read in _threat_sources for line in read(meeting, since))


def register_retro_sections() -> None:
    """Register all sections, what each needs before it is done, and what the end of a retro does."""
    register_closing(MeetingKind.RETRO, close_retro)
    for position, read in (
        (10, read_follow_up),
        (20, partial(_read_cards, Subject.FEEDBACK)),
        (30, partial(_read_cards, Subject.DPO)),
        (40, read_threats),
        (50, partial(_read_improvements, Subject.PROCESS)),
        (60, partial(_read_improvements, Subject.SECURITY)),
        (70, read_schedule),
    ):
        register_section(MeetingKind.RETRO, position, read)
    register_content_check(MeetingKind.RETRO, find_missing_subject_content)


def find_earlier_improvements(meeting: ProductMeeting) -> "list[Improvement]":
    """Improvements of earlier retros of the product that were not carried over, or have a result since the last one."""
    rows = Improvement.objects.filter(meeting__product=meeting.product, meeting__number__lt=meeting.number)
    rows = rows.filter(Q(carried_to=None) | Q(carried_to__meeting=meeting)).select_related("owner", "meeting")
    return list(rows.exclude(looked_on__lt=_find_former_day(meeting)))


def find_missing_subject_content(meeting: ProductMeeting, code: str) -> str:
    """Sentence that says what a section lacks before it is done, "" for nothing."""
    if code == FOLLOW_UP:
        open_ones = [row for row in find_earlier_improvements(meeting) if not row.result]
        left = [row for row in open_ones if not hasattr(row, "carried_to") and row.look_on <= meeting.date]
        return _("“%(text)s” has no result yet.") % {"text": left[0].text} if left else ""
    if code == Subject.SCHEDULE:
        if not list_improvements(meeting):
            return _("There is nothing to plan.")
        return " ".join(find_schedule_problems(meeting))
    has_content = {
        Subject.FEEDBACK.value: _list_cards(meeting, Subject.FEEDBACK).exists(),
        Subject.DPO.value: _list_cards(meeting, Subject.DPO).exists(),
        Subject.THREATS.value: RetroThreat.objects.filter(meeting=meeting).exists(),
        Subject.PROCESS.value: _has_improvement(meeting, ImprovementKind.PROCESS),
        Subject.SECURITY.value: _has_improvement(meeting, ImprovementKind.SECURITY),
    }
    return "" if has_content[code] else _("This subject has no content.")


def read_follow_up(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Read the results of earlier improvements, by their metric before and after."""
    lines = [_show_result(row) for row in find_earlier_improvements(meeting)[:_MOST_LINES]]
    return AgendaSection(
        FOLLOW_UP, _("Earlier improvements"), tuple(lines), _("There is no improvement from an earlier retro."), 5
    )


def read_threats(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Threats as they were assessed in this retro, and earlier ones whose day of review has come."""
    lines = show_first_rows(RetroThreat.objects.filter(meeting=meeting), _show_threat, _MOST_LINES)
    due = RetroThreat.objects.filter(meeting__product=meeting.product, review_on__lte=meeting.date).exclude(
        meeting=meeting
    )
    lines += show_first_rows(due, _show_due_threat, _MOST_LINES)
    lines += list_known_threats(meeting, since)
    return AgendaSection(Subject.THREATS.value, str(Subject.THREATS.label), tuple(lines), _("No threat yet."), 10)


def read_schedule(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Improvements in the order of their work, and why the schedule is not feasible."""
    lines = []
    for row in list_improvements(meeting)[:_MOST_LINES]:
        if row.ends_on is None:
            continue
        details = {"start": _format_day(row.starts_on), "end": _format_day(row.ends_on), "hours": row.hours}
        note = _("%(start)s to %(end)s, %(hours)d hours.") % details
        word = _("Milestone") if row.is_milestone else _("Planned")
        lines.append(AgendaLine(LineTone.OPEN, word, row.text, note, person=row.owner_id))
    lines += [AgendaLine(LineTone.UNKNOWN, _("Open"), each) for each in find_schedule_problems(meeting)]
    return AgendaSection(Subject.SCHEDULE.value, str(Subject.SCHEDULE.label), tuple(lines), _("Nothing is planned."), 5)


def _read_cards(subject: Subject, meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    lines = show_first_rows(_list_cards(meeting, subject), _show_card, _MOST_LINES)
    return AgendaSection(subject.value, str(subject.label), tuple(lines), _("No card yet."), 5)


def _show_card(row: RetroCard) -> AgendaLine:
    word = _("Card") if row.author_id else _("Answer")
    return AgendaLine(LineTone.FACT, word, row.text, person=row.author_id or "")


def _read_improvements(subject: Subject, meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    lines = []
    for row in list_improvements(meeting)[:_MOST_LINES]:
        if row.kind == subject.value:
            details = {"metric": row.metric, "before": row.before, "target": row.target}
            note = _("%(metric)s: %(before)s today, target %(target)s.") % details
            day = _("Looked at on %(day)s.") % {"day": _format_day(row.look_on)}
            step = _("Changes: %(step)s.") % {"step": row.step} if row.step else ""
            lines.append(
                AgendaLine(
                    LineTone.NEW, _("New"), row.text, " ".join(filter(None, (step, note, day))), "", row.owner_id
                )
            )
    return AgendaSection(subject.value, str(subject.label), tuple(lines), _("No improvement yet."), 8)


def _show_result(row: Improvement) -> AgendaLine:
    if not row.result:
        note = _("Looked at on %(day)s.") % {"day": _format_day(row.look_on)}
        tone, word = (LineTone.LATE, _("Late")) if row.is_late else (LineTone.OPEN, _("Open"))
        return AgendaLine(tone, word, row.text, note, person=row.owner_id)
    details = {"metric": row.metric, "before": row.before, "after": row.after or "–", "target": row.target}
    note = _("%(metric)s: %(before)s before, %(after)s now, target %(target)s.") % details
    word = str(ImprovementResult(row.result).label)
    return AgendaLine(_RESULTS[row.result], word, row.text, f"{note} {row.note}".strip(), person=row.owner_id)


def _show_due_threat(row: RetroThreat) -> AgendaLine:
    note = _("Accepted until %(day)s.") % {"day": _format_day(row.review_on)}
    return AgendaLine(LineTone.LATE, _("Review"), row.text, note, person=row.owner_id)


def _show_threat(row: RetroThreat) -> AgendaLine:
    details = {
        "likelihood": row.get_likelihood_display(),
        "impact": row.get_impact_display(),
        "trend": row.get_trend_display(),
        "left": row.get_residual_display(),
    }
    note = _("Likelihood %(likelihood)s, impact %(impact)s, %(trend)s. Risk left: %(left)s.") % details
    note = f"{note} {row.mitigation}".strip()
    if row.waits_for_owner:
        return AgendaLine(LineTone.UNKNOWN, _("Waits"), row.text, note, person=row.owner_id)
    return AgendaLine(LineTone.FACT, str(row.get_treatment_display()), row.text, note, person=row.owner_id)


def _list_cards(meeting: ProductMeeting, subject: Subject) -> "QuerySet[RetroCard]":
    """Cards of a subject: those of the product, and anonymous ones, which all retros held together share."""
    shared = Q(meeting=meeting.find_main()) & ~Q(question="")
    return RetroCard.objects.filter(Q(meeting=meeting) | shared, subject=subject, removed_at=None)


def _has_improvement(meeting: ProductMeeting, kind: ImprovementKind) -> bool:
    return Improvement.objects.filter(meeting=meeting, kind=kind).exists()


def _find_former_day(meeting: ProductMeeting) -> datetime.date:
    """Day of the retro before, the first of all days if there was none: results since then are shown."""
    rows = ProductMeeting.objects.filter(product=meeting.product, kind=meeting.kind, held_on__isnull=False)
    last = rows.filter(number__lt=meeting.number).order_by("-held_on").values_list("held_on", flat=True).first()
    return last or datetime.date.min


def _format_day(day: datetime.date | None) -> str:
    return date_format(day, "D j M Y") if day is not None else ""
