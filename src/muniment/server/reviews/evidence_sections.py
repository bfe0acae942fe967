"""Sections of the agenda about deployed changes, the sample of merged changes, and access."""

import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from muniment.server.connections.models import BranchUpdate
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.agendas import AgendaLine, AgendaSection, LineTone
from muniment.server.reviews.deployed_changes import count_deployed_answers
from muniment.server.reviews.models import AccessDecision, AccessEntry, AccessReviewResult, ChangeSample, SampleLook


def read_deployed_changes(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Deployed commits whose security questions were answered: n of m."""
    counts = count_deployed_answers(meeting.product, since)
    lines = []
    if counts.asked:
        details = {"n": counts.answered, "m": counts.asked}
        text = _("Security questions were answered for %(n)d of %(m)d deployed commits with questions") % details
        good = counts.answered == counts.asked
        lines.append(AgendaLine(LineTone.GOOD if good else LineTone.LATE, _("Met") if good else _("Missing"), text))
    if counts.unknown:
        text = ngettext(
            "For %(n)d deployed commit no decision can be read",
            "For %(n)d deployed commits no decision can be read",
            counts.unknown,
        )
        lines.append(AgendaLine(LineTone.UNKNOWN, _("Unknown"), text % {"n": counts.unknown}))
    if counts.deployed and not lines:
        text = ngettext(
            "%(n)d deployed commit had no question", "%(n)d deployed commits had no question", counts.deployed
        )
        lines.append(AgendaLine(LineTone.FACT, _("Fact"), text % {"n": counts.deployed}))
    empty = _("No commit since the last review is known to be in production.")
    return AgendaSection("deployed", _("Security questions of deployed changes"), tuple(lines), empty)


def read_sample(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Changes of the sample, each with the result of looking at it."""
    title = _("Sample of merged changes")
    sample = ChangeSample.objects.filter(meeting=meeting).first()
    if sample is None or not sample.seed:
        return AgendaSection("sample", title, (), _("The sample is drawn three days before the meeting."), minutes=5)
    looks = {each.update_id: each for each in SampleLook.objects.filter(sample=sample)}
    updates = BranchUpdate.objects.filter(pk__in=sample.drawn).order_by("pk")
    lines = [_show_sampled(each, looks.get(each.pk), meeting) for each in updates]
    if lines:
        details = {"n": len(lines), "all": len(sample.population), "size": sample.ledger_size}
        note = _("Drawn by the ledger's state at %(size)d records, after the list was recorded.") % details
        text = _("%(n)d of %(all)d merged changes are in the sample") % details
        link = reverse("review-sample", args=[meeting.pk])
        lines.insert(0, AgendaLine(LineTone.FACT, _("Fact"), text, note, link))
    return AgendaSection("sample", title, tuple(lines), _("No change was merged since the last review."), minutes=5)


def _show_sampled(update: BranchUpdate, look: SampleLook | None, meeting: ProductMeeting) -> AgendaLine:
    text = _("Merged change %(number)d") % {"number": update.pk}
    link = reverse("review-sample", args=[meeting.pk])
    if look is None:
        return AgendaLine(LineTone.OPEN, _("Open"), text, _("Nobody looked at it yet."), link)
    if look.is_sound:
        return AgendaLine(LineTone.GOOD, _("Sound"), text, look.note, link, look.person_id)
    return AgendaLine(LineTone.LATE, _("Defect"), text, look.note, link, look.person_id)


def read_access(meeting: ProductMeeting, since: datetime.date) -> AgendaSection:
    """Numbers of the access review. Who has which access is shown to those who decide, on a page of its own."""
    rows = list(AccessEntry.objects.filter(meeting=meeting).values_list("decision", "is_used"))
    title, link = _("Access review"), reverse("review-access", args=[meeting.pk])
    lines = []
    if rows:
        unused = sum(is_used is False for _decision, is_used in rows)
        details = {"n": unused, "m": len(rows)}
        lines.append(
            AgendaLine(
                LineTone.FACT, _("Fact"), _("%(n)d of %(m)d accesses were not used in 90 days") % details, "", link
            )
        )
        undecided = sum(decision == AccessDecision.OPEN for decision, _is_used in rows)
        removed = sum(decision == AccessDecision.REMOVE for decision, _is_used in rows)
        details = {"kept": len(rows) - undecided - removed, "removed": removed, "open": undecided}
        text = _("%(kept)d are kept, %(removed)d removed, %(open)d not decided") % details
        tone, word = (LineTone.OPEN, _("Open")) if undecided else (LineTone.GOOD, _("Done"))
        lines.append(AgendaLine(tone, word, text, link=link))
    last = AccessReviewResult.objects.filter(meeting__product=meeting.product).order_by("-meeting__held_on").first()
    if last is not None:
        details = {"kept": last.kept_count, "removed": last.removed_count, "open": last.undecided_count}
        text = _("Last time: %(kept)d kept, %(removed)d removed, %(open)d not decided") % details
        lines.append(AgendaLine(LineTone.FACT, _("Before"), text))
    return AgendaSection("access", title, tuple(lines), _("The list is made three days before the meeting."))
