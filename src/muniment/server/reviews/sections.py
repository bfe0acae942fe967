"""Sections of the agenda of a security review, with the data since the last one, in the order of the meeting."""

import datetime
from collections.abc import Mapping
from functools import partial

from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from muniment.calendars.meetings import MeetingKind
from muniment.server.changes.models import Decision
from muniment.server.connections.models import BranchUpdate
from muniment.server.incidents.models import BreachClock, Incident, find_open_incidents
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.agendas import AgendaLine, AgendaSection, LineTone, register_section, show_first_rows
from muniment.server.minutes.models import EntryKind, MinutesEntry
from muniment.server.policies.models import PolicyException
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import ClauseResult, ProductClauseState
from muniment.server.reviews.evidence_sections import read_access, read_deployed_changes, read_sample
from muniment.server.reviews.guest_lines import list_guest_lines
from muniment.server.reviews.models import (
    OPINION_QUESTIONS,
    GuestQuestion,
    MarketRequirement,
    PersonalDataField,
    RequirementState,
    UsabilityOpinion,
)

_MOST_LINES = 40


def register_review_sections() -> None:
    """Register all sections. Places between them are free for findings, updates and designs."""
    for position, read in (
        (10, read_earlier_decisions),
        (20, read_market_requirements),
        (30, read_usability),
        (40, read_changes),
        (50, read_personal_data),
        (60, read_failing_clauses),
        (70, read_exceptions_and_incidents),
        (80, read_deployed_changes),
        (82, read_sample),
        (84, read_access),
        (90, read_own_points),
    ):
        register_section(MeetingKind.REVIEW, position, read)


def read_earlier_decisions(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Actions of earlier meetings that are open or were done since, and advice that waits or was not followed."""
    rows = MinutesEntry.objects.filter(meeting__product=meeting.product).exclude(meeting=meeting)
    actions = rows.filter(Q(done_on=None) | Q(done_on__gte=since), kind=EntryKind.ACTION)
    advice = rows.filter(Q(is_followed=None) | Q(is_followed=False), kind=EntryKind.ADVICE)
    lines = show_first_rows(actions.order_by("due_on", "pk"), _show_action, _MOST_LINES)
    lines += show_first_rows(advice, _show_advice, _MOST_LINES)
    return AgendaSection(
        "earlier", _("Earlier decisions"), tuple(lines), _("There is nothing from an earlier meeting."), minutes=5
    )


def _show_action(row: MinutesEntry) -> AgendaLine:
    due, owner = _format_day(row.due_on), row.owner_id or ""
    if row.done_on is not None:
        note = _("Done on %(day)s. %(note)s") % {"day": _format_day(row.done_on), "note": row.note}
        return AgendaLine(LineTone.GOOD, _("Done"), row.text, note.strip(), person=owner)
    if row.is_late:
        note = _("Was due on %(day)s. %(note)s") % {"day": due, "note": row.note}
        return AgendaLine(LineTone.LATE, _("Late"), row.text, note.strip(), person=owner)
    return AgendaLine(LineTone.OPEN, _("Open"), row.text, _("Due on %(day)s.") % {"day": due}, person=owner)


def _show_advice(row: MinutesEntry) -> AgendaLine:
    if row.is_followed is None:
        note = _("Advice that the product owner has not answered yet.")
        return AgendaLine(LineTone.UNKNOWN, _("Waits"), row.text, note, person=row.author_id)
    note = _("Advice that is not followed: %(why)s") % {"why": row.note}
    return AgendaLine(LineTone.FACT, _("Refused"), row.text, note, person=row.author_id)


def read_market_requirements(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Requirements that wait for something, those that were answered since, and how many are met."""
    rows = MarketRequirement.objects.filter(product=meeting.product)
    counts = dict(rows.values_list("state").annotate(Count("pk")))
    lines = []
    if met := counts.get(RequirementState.MET, 0):
        total = sum(counts.values())
        text = _("Requirements that our policy meets: %(met)d of %(total)d") % {"met": met, "total": total}
        lines.append(AgendaLine(LineTone.GOOD, _("Met"), text, link=_find_requirements_page(meeting)))
    waiting = rows.filter(state__in=(RequirementState.OPEN, RequirementState.UNMET)).order_by("due_on", "pk")
    lines += show_first_rows(waiting, _show_requirement, _MOST_LINES)
    refused = rows.filter(state=RequirementState.REFUSED, answered_at__date__gte=since)
    lines += show_first_rows(refused, _show_refused_requirement, _MOST_LINES)
    lines += list_guest_lines(meeting, (GuestQuestion.LAW,))
    return AgendaSection(
        "market", _("Market requirements"), tuple(lines), _("The analyst wrote down no requirement yet."), minutes=5
    )


def _show_refused_requirement(row: MarketRequirement) -> AgendaLine:
    note = _("Refused: %(why)s") % {"why": row.reason}
    return AgendaLine(LineTone.FACT, _("Refused"), row.text, note, person=row.answered_by_id or "")


def _find_requirements_page(meeting: ProductMeeting) -> str:
    return f"{reverse('market-requirements')}?product={meeting.product.slug}"


def _show_requirement(row: MarketRequirement) -> AgendaLine:
    source = row.origin or str(row.get_source_display())
    due = _("Due on %(day)s.") % {"day": _format_day(row.due_on)} if row.due_on is not None else ""
    note = " ".join(part for part in (f"{source}.", row.reason, due) if part)
    owner = row.owner_id or ""
    if row.is_late:
        return AgendaLine(LineTone.LATE, _("Late"), row.text, note, person=owner)
    if row.state == RequirementState.UNMET:
        return AgendaLine(LineTone.OPEN, _("Unmet"), row.text, note, person=owner)
    return AgendaLine(LineTone.UNKNOWN, _("Open"), row.text, note, person=owner)


def read_usability(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Friction of our own checks, and opinions of people who take part. No feed of the product is connected."""
    moment = _begin_day(since)
    decisions = Decision.objects.filter(change__repository__product=meeting.product, decided_at__gte=moment)
    total, denied = decisions.count(), decisions.filter(allowed=False).count()
    lines = []
    if total:
        text = _("Our checks denied %(denied)d of %(total)d decisions") % {"denied": denied, "total": total}
        lines.append(AgendaLine(LineTone.FACT, _("Fact"), text, _("Each denial names what is missing.")))
    questions = {code: str(text) for code, text in OPINION_QUESTIONS}
    for each in UsabilityOpinion.objects.filter(meeting=meeting).order_by("question", "pk")[:_MOST_LINES]:
        question = questions.get(each.question, each.question)
        lines.append(AgendaLine(LineTone.FACT, _("Opinion"), each.text, question, person=each.person_id))
    lines += list_guest_lines(meeting, (GuestQuestion.SIGN_IN, GuestQuestion.IN_THE_WAY, GuestQuestion.CHANGE))
    text = _("No figures of sign-ins and complaints are connected, and nobody answered the questions.")
    return AgendaSection("usability", _("Is the solution user-friendly?"), tuple(lines), text, minutes=5)


def read_changes(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Merged changes since the last review, and new kinds of personal data."""
    updates = BranchUpdate.objects.filter(repository__product=meeting.product, seen_at__gte=_begin_day(since))
    total = updates.count()
    bypasses = updates.exclude(bypass_reason="").count()
    lines = []
    if total:
        text = ngettext("%(n)d change was merged", "%(n)d changes were merged", total) % {"n": total}
        lines.append(AgendaLine(LineTone.FACT, _("Fact"), text, _("Since %(day)s.") % {"day": _format_day(since)}))
    if bypasses:
        text = ngettext("%(n)d of them bypassed the rules", "%(n)d of them bypassed the rules", bypasses)
        lines.append(AgendaLine(LineTone.LATE, _("Bypass"), text % {"n": bypasses}))
    new = PersonalDataField.objects.filter(product=meeting.product, ended_at=None, described_at__gte=_begin_day(since))
    if count := new.count():
        text = ngettext("%(n)d kind of personal data is new or changed", "%(n)d kinds are new or changed", count)
        lines.append(
            AgendaLine(LineTone.NEW, _("New"), text % {"n": count}, _("Section Personal data has the details."))
        )
    title = _("Changes of product, data, users and threats")
    return AgendaSection("changes", title, tuple(lines), _("No change was seen since the last review."))


def read_personal_data(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Personal data as the owner describes it: what is new, what ended, and how many are unchanged."""
    rows = PersonalDataField.objects.filter(product=meeting.product)
    moment = _begin_day(since)
    lines = show_first_rows(rows.filter(ended_at=None, described_at__gte=moment), _show_data_field, _MOST_LINES)
    current = Exists(rows.filter(ended_at=None, name=OuterRef("name")))
    ended = rows.filter(~current, ended_at__gte=moment).order_by("name", "-ended_at").distinct("name")
    lines += show_first_rows(ended, _show_ended_data, _MOST_LINES)
    if same := rows.filter(ended_at=None, described_at__lt=moment).count():
        text = ngettext("%(n)d other kind of data, unchanged", "%(n)d other kinds of data, unchanged", same)
        lines.append(AgendaLine(LineTone.FACT, _("Same"), text % {"n": same}))
    if not rows.exists() and meeting.product.holds_personal_data is not False:
        text = _("The product owner described no personal data yet")
        lines.append(AgendaLine(LineTone.UNKNOWN, _("Unknown"), text, _("It counts as holding personal data.")))
    return AgendaSection("personal-data", _("Personal data"), tuple(lines), _("It holds none."), minutes=5)


def _show_data_field(row: PersonalDataField) -> AgendaLine:
    details = {"why": row.purpose, "long": row.period, "who": row.recipients, "where": row.place}
    details = {name: text.rstrip(" .") for name, text in details.items()}
    note = _("Why: %(why)s. How long: %(long)s. Who: %(who)s. Where: %(where)s.") % details
    return AgendaLine(LineTone.NEW, _("New"), row.name, note)


def _show_ended_data(row: PersonalDataField) -> AgendaLine:
    return AgendaLine(LineTone.GOOD, _("Ended"), row.name, _("No longer stored."))


def read_failing_clauses(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Clauses of the policy that are not met, or not known."""
    names = {one.id: one.name for one in current_clauses()}
    wanted = (ClauseResult.VIOLATED, ClauseResult.UNKNOWN)
    rows = ProductClauseState.objects.filter(product=meeting.product, state__in=wanted).order_by("-state", "clause")
    lines = []
    for each in rows[:_MOST_LINES]:
        failing = each.state == ClauseResult.VIOLATED
        tone, word = (LineTone.LATE, _("Failing")) if failing else (LineTone.UNKNOWN, _("Unknown"))
        note = _("Since %(day)s.") % {"day": _format_day(timezone.localtime(each.changed_at).date())}
        lines.append(AgendaLine(tone, word, names.get(each.clause, each.clause), note))
    return AgendaSection(
        "requirements", _("Requirements not met"), tuple(lines), _("Every evaluated clause is met."), minutes=8
    )


def read_exceptions_and_incidents(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Exceptions in force, and incidents and bypasses that are open, the overdue ones marked."""
    names = {one.id: one.name for one in current_clauses()}
    exceptions = PolicyException.find_in_force().filter(repository__product=meeting.product)
    lines = show_first_rows(exceptions, partial(_show_exception, names), _MOST_LINES)
    lines += show_first_rows(find_open_incidents().filter(product=meeting.product), _show_incident, _MOST_LINES)
    lines += _list_breaches(meeting, since)
    title = _("Exceptions, bypasses and incidents")
    return AgendaSection("incidents", title, tuple(lines), _("No exception is in force, and no incident is open."))


def _show_exception(names: Mapping[str, str], row: PolicyException) -> AgendaLine:
    text = _("Exception: %(clause)s, until %(day)s") % {
        "clause": names.get(row.clause, row.clause),
        "day": _format_day(timezone.localtime(row.expires_at).date()),
    }
    return AgendaLine(LineTone.OPEN, _("Exception"), text, row.reason, person=row.requester_id)


def _show_incident(row: Incident) -> AgendaLine:
    tone, word = (LineTone.LATE, _("Late")) if row.overdue else (LineTone.OPEN, _("Open"))
    note = _("Due on %(day)s.") % {"day": _format_day(timezone.localtime(row.due_at).date())}
    return AgendaLine(tone, word, row.summary, note, reverse("incident", args=[row.pk]), row.owner_id or "")


def _list_breaches(meeting: ProductMeeting, since: datetime.date) -> list[AgendaLine]:
    """Records of possible breaches since a day. The review shows them; they are decided on their incident."""
    rows = BreachClock.objects.filter(incident__product=meeting.product, aware_at__gte=_begin_day(since))
    return show_first_rows(rows, _show_breach, _MOST_LINES)


def _show_breach(row: BreachClock) -> AgendaLine:
    text = _("Possible breach: %(regime)s") % {"regime": row.get_regime_display()}
    link = reverse("incident", args=[row.incident_id])
    if row.is_notified is None:
        tone, word = (LineTone.LATE, _("Late")) if row.is_late else (LineTone.OPEN, _("Open"))
        return AgendaLine(tone, word, text, "", link)
    word = _("Notified") if row.is_notified else _("Not notified")
    return AgendaLine(LineTone.FACT, word, text, row.reason, link, row.decided_by_id or "")


def read_own_points(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Advice that was written before the meeting, and room for everything else."""
    rows = MinutesEntry.objects.filter(meeting=meeting, kind=EntryKind.ADVICE)
    lines = [AgendaLine(LineTone.NEW, _("Advice"), each.text, person=each.author_id) for each in rows[:_MOST_LINES]]
    lines += list_guest_lines(meeting, (GuestQuestion.TOPIC,))
    return AgendaSection("further", _("Advice and further points"), tuple(lines), _("Nobody added a point."))


def _begin_day(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time()))


def _format_day(day: datetime.date | None) -> str:
    return date_format(day, "D j M Y") if day is not None else ""
