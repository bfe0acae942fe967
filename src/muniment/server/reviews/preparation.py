"""Short list of each person before a review: what their role is asked for, and what of it is done."""

from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from muniment.server.meetings.models import MeetingRole, ProductMeeting
from muniment.server.minutes.models import EntryKind, MinutesEntry
from muniment.server.reviews.models import (
    AccessDecision,
    AccessEntry,
    ChangeSample,
    MarketRequirement,
    PersonalDataField,
    RequirementState,
    SampleLook,
    UsabilityOpinion,
)


class PreparationTask(NamedTuple):
    """Task of a person before a review, with the page on which it is done."""

    text: str
    note: str
    link: str
    is_done: bool


def list_preparation(meeting: ProductMeeting, person: str) -> list[PreparationTask]:
    """Tasks of a person before a review, by the roles of their seats; none for somebody without a seat."""
    roles = set(meeting.attendees.filter(person=person).values_list("role", flat=True))
    tasks: list[PreparationTask] = []
    if MeetingRole.ANALYST in roles:
        tasks.append(_ask_for_requirements(meeting))
    if MeetingRole.OWNER in roles:
        tasks += [_ask_for_personal_data(meeting), _ask_for_answers(meeting), _ask_for_access(meeting, person)]
    if MeetingRole.DPO in roles:
        tasks.append(_ask_for_advice(meeting, person))
    if roles & {MeetingRole.STAKEHOLDER, MeetingRole.ANALYST, MeetingRole.OWNER}:
        tasks.append(_ask_for_opinion(meeting, person))
    if MeetingRole.CHAIR in roles:
        tasks.append(_ask_for_sample(meeting))
    if roles:
        given = meeting.answers.filter(person=person).exists()
        tasks.append(PreparationTask(_("Answer the invitation"), "", reverse("meeting", args=[meeting.pk]), given))
    return tasks


def _ask_for_requirements(meeting: ProductMeeting) -> PreparationTask:
    count = MarketRequirement.objects.filter(product=meeting.product, state=RequirementState.OPEN).count()
    note = _("%(n)d are not decided.") % {"n": count} if count else ""
    link = f"{reverse('market-requirements')}?product={meeting.product.slug}"
    return PreparationTask(_("Bring the market requirements up to date"), note, link, not count)


def _ask_for_personal_data(meeting: ProductMeeting) -> PreparationTask:
    described = PersonalDataField.objects.filter(product=meeting.product, ended_at=None).exists()
    is_done = described or meeting.product.holds_personal_data is False
    link = reverse("personal-data", args=[meeting.product.slug])
    return PreparationTask(_("Describe the personal data"), _("What, why, where, how long, who."), link, is_done)


def _ask_for_answers(meeting: ProductMeeting) -> PreparationTask:
    rows = MinutesEntry.objects.filter(meeting__product=meeting.product, kind=EntryKind.ADVICE, is_followed=None)
    count = rows.count()
    note = _("%(n)d wait for your answer.") % {"n": count} if count else ""
    return PreparationTask(_("Answer advice"), note, reverse("held-meeting", args=[meeting.pk]), not count)


def _ask_for_access(meeting: ProductMeeting, person: str) -> PreparationTask:
    rows = AccessEntry.objects.filter(meeting=meeting).exclude(person=person)
    count = rows.filter(decision=AccessDecision.OPEN).count()
    note = _("%(n)d are not decided.") % {"n": count} if count else _("The list is made three days before the meeting.")
    is_done = rows.exists() and not count
    return PreparationTask(
        _("Decide who keeps access"), "" if is_done else note, reverse("review-access", args=[meeting.pk]), is_done
    )


def _ask_for_advice(meeting: ProductMeeting, person: str) -> PreparationTask:
    written = MinutesEntry.objects.filter(meeting=meeting, kind=EntryKind.ADVICE, author=person).exists()
    return PreparationTask(
        _("Read the facts, and write advice"),
        _("You advise, and approve nothing."),
        reverse("held-meeting", args=[meeting.pk]),
        written,
    )


def _ask_for_opinion(meeting: ProductMeeting, person: str) -> PreparationTask:
    given = UsabilityOpinion.objects.filter(meeting=meeting, person=person).exists()
    return PreparationTask(
        _("Say how easy the product is to use"),
        _("Three questions, saved while you type."),
        reverse("opinion-form", args=[meeting.pk]),
        given,
    )


def _ask_for_sample(meeting: ProductMeeting) -> PreparationTask:
    sample = ChangeSample.objects.filter(meeting=meeting).first()
    drawn = len(sample.drawn) if sample is not None else 0
    looked = SampleLook.objects.filter(sample=sample).count() if sample is not None else 0
    note = _("%(n)d of %(m)d were looked at.") % {"n": looked, "m": drawn} if drawn else ""
    is_done = sample is not None and bool(sample.seed) and looked >= drawn
    return PreparationTask(
        _("Have the sample of changes looked at"), note, reverse("review-sample", args=[meeting.pk]), is_done
    )
