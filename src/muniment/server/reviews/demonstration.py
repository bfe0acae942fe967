"""Part of the demonstration about security reviews: requirements, personal data, opinions."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.utils import timezone

from muniment.calendars.meetings import MeetingKind
from muniment.server.connections.models import BranchUpdate
from muniment.server.demonstration_story import Demonstration, DemonstrationEvent
from muniment.server.meetings.demonstration import FIRST_MEETING_DAY, find_next_meeting, list_daily_events
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.minutes.taking_part import find_lead
from muniment.server.people.models import Person
from muniment.server.reviews.access_acts import ReviewAccess, is_owner
from muniment.server.reviews.access_collection import collect_due_access, finish_held_access, list_access
from muniment.server.reviews.guest_acts import InviteGuest
from muniment.server.reviews.models import AccessDecision, AccessEntry, ChangeSample, MarketRequirement
from muniment.server.reviews.preparation_acts import DescribePersonalData, GiveOpinion
from muniment.server.reviews.requirement_acts import AddRequirement, AnswerRequirement, ImportRequirements
from muniment.server.reviews.sample_acts import LookAtSample
from muniment.server.reviews.sample_contributors import find_contributors
from muniment.server.reviews.sampling import draw_due_samples

_PRODUCT, _OWNER, _ANALYST, _STAKEHOLDER = "patient-portal", "hana-kim", "erik-lund", "oskar-lind"
_GUEST = "o.brandt@northern-clinics.example"
_CLINICS = "Northern Clinics, questionnaire"
_QUESTIONS = '"Are backups stored in the EU?"\n"Who can read our patients\' data?"\n"Do you train staff each year?"\n'
_FIRST_DATA = (
    ("Name and address of patients", "To identify patients.", "Ten years after the last visit", "Clinic staff"),
    ("Reports that patients export", "Patients show them to other doctors.", "30 days", "The patient"),
)
_NEW_DATA = (
    ("Preferred language of patients", "Letters in their language.", "As long as the account", "Clinic staff"),
)


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about the review of one product."""
    first = FIRST_MEETING_DAY - 1
    yield DemonstrationEvent(company.find_moment(first, 7), "web", partial(_write_requirements, company))
    yield DemonstrationEvent(company.find_moment(first, 7, 20), "web", partial(_answer_requirements, company))
    yield DemonstrationEvent(company.find_moment(first, 7, 40), "web", partial(_describe_data, company, _FIRST_DATA))
    yield DemonstrationEvent(company.find_moment(4, 14), "web", partial(_describe_data, company, _NEW_DATA))
    for minute in (10, 20):  # the ledger grows between population and sample
        yield from list_daily_events(company, 7, minute, _collect_evidence, "worker")
    yield from list_daily_events(company, 8, 30, _decide_evidence)
    yield DemonstrationEvent(company.find_moment(1, 16), "web", partial(_give_opinion, company))
    yield DemonstrationEvent(company.find_moment(1, 16, 30), "web", partial(_invite_guest, company))
    yield DemonstrationEvent(company.find_moment(1, 17, 30), "worker", partial(_prepare_evidence, company))


def _write_requirements(company: Demonstration) -> None:
    law = {"text": "Report exploited weaknesses within 24 hours", "source": "law", "origin": "Cyber Resilience Act"}
    company.perform(_ANALYST, AddRequirement, product=_PRODUCT, **law)
    claim = {"text": "Sign in with a passkey", "source": "competitor", "origin": "Brochure of a competitor"}
    company.perform(_ANALYST, AddRequirement, product=_PRODUCT, **claim)
    standard = {"text": "Two people review each change", "source": "standard", "origin": "ISO 27001, 8.4"}
    company.perform(_ANALYST, AddRequirement, product=_PRODUCT, **standard)
    values = {"source": "customer", "origin": _CLINICS, "table": _QUESTIONS}
    company.perform(_ANALYST, ImportRequirements, product=_PRODUCT, **values)


def _answer_requirements(company: Demonstration) -> None:
    day = (company.now + timedelta(days=20)).date().isoformat()
    rows = {row.text: row.pk for row in MarketRequirement.objects.all()}
    unmet = {"state": "unmet", "reason": "Add passkeys to the sign-in page.", "person": "priya-nair", "due": day}
    company.perform(_OWNER, AnswerRequirement, requirement=rows["Sign in with a passkey"], **unmet)
    met = {"state": "met", "clause": "review.two-reviewers"}
    company.perform(_OWNER, AnswerRequirement, requirement=rows["Two people review each change"], **met)
    waiting = {"state": "open", "person": _OWNER, "due": day}
    company.perform(_OWNER, AnswerRequirement, requirement=rows["Are backups stored in the EU?"], **waiting)


def _describe_data(company: Demonstration, described: tuple[tuple[str, str, str, str], ...]) -> None:
    for name, purpose, period, recipients in described:
        values = {"name": name, "purpose": purpose, "period": period, "recipients": recipients}
        company.perform(_OWNER, DescribePersonalData, product=_PRODUCT, place="Database in Frankfurt", **values)


def _give_opinion(company: Demonstration) -> None:
    seats = MeetingAttendee.objects.filter(meeting=_find_review())
    seat = seats.get(role=MeetingRole.STAKEHOLDER, person__slug=_STAKEHOLDER)
    text = "Clinics complain that the portal signs them out while they write a letter."
    company.perform(_STAKEHOLDER, GiveOpinion, seat=seat.pk, answers={"stopped": text})


def _find_review() -> ProductMeeting:
    found = find_next_meeting(MeetingKind.REVIEW)
    if found is None:
        raise LookupError("the product has no next review")
    return found


def _invite_guest(company: Demonstration) -> None:
    review = _find_review()
    chair = Person.objects.get(pk=find_lead(review)).slug
    values = {"name": "Ottilie Brandt", "organisation": "Northern Clinics", "email": _GUEST}
    company.perform(chair, InviteGuest, meeting=review.pk, **values)


def _prepare_evidence(company: Demonstration) -> None:
    """List the access of the next review, which the service does three days before it."""
    review = _find_review()
    if not review.access_entries.exists():
        AccessEntry.objects.bulk_create(list_access(review), ignore_conflicts=True)


def _collect_evidence(company: Demonstration) -> None:
    """Draw samples, list access, and erase the lists of reviews that were held, as the worker does each minute."""
    draw_due_samples()
    collect_due_access()
    finish_held_access()


def _decide_evidence(company: Demonstration) -> None:
    """Look at the sample, and decide on access, on the day of the review."""
    review = find_next_meeting(MeetingKind.REVIEW)
    if review is None or review.date != timezone.localdate():
        return
    chair = review.attendees.get(role=MeetingRole.CHAIR)
    sample = ChangeSample.objects.filter(meeting=review).first()
    for number in sample.drawn if sample is not None else ():
        people = find_contributors(BranchUpdate.objects.select_related("decision").get(pk=number))
        if people is not None and chair.person_id not in people:
            values = {"seat": chair.pk, "update": number, "sound": "yes"}
            company.perform(chair.person.slug, LookAtSample, note="Input is checked, and errors deny.", **values)
    for entry in AccessEntry.objects.filter(meeting=review).select_related("person", "meeting__product"):
        owns = is_owner(entry.person_id, entry.meeting.product)
        decision = AccessDecision.REMOVE if entry.is_used is False and entry.role == "owner" else AccessDecision.KEEP
        who = chair.person.slug if owns else _OWNER
        if entry.person_id != chair.person_id or not owns:
            company.perform(who, ReviewAccess, entry=entry.pk, decision=decision.value)
