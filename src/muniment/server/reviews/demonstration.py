"""Part of the demonstration about security reviews: requirements, personal data, opinions."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from muniment.calendars.meetings import MeetingKind
from muniment.server.demonstration_story import Demonstration, DemonstrationEvent
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.minutes.taking_part import find_lead
from muniment.server.people.models import Person
from muniment.server.reviews.access_collection import list_access
from muniment.server.reviews.guest_acts import InviteGuest
from muniment.server.reviews.models import AccessEntry, MarketRequirement
from muniment.server.reviews.preparation_acts import DescribePersonalData, GiveOpinion
from muniment.server.reviews.requirement_acts import AddRequirement, AnswerRequirement, ImportRequirements

_PRODUCT, _OWNER, _ANALYST, _STAKEHOLDER = "patient-portal", "hana-kim", "erik-lund", "oskar-lind"
_GUEST = "o.brandt@northern-clinics.example"
_CLINICS = "Northern Clinics, questionnaire"
_QUESTIONS = '"Are backups stored in the EU?"\n"Who can read our patients\' data?"\n"Do you train staff each year?"\n'


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about the review of one product."""
    yield DemonstrationEvent(company.find_moment(7, 10), "web", partial(_write_requirements, company))
    yield DemonstrationEvent(company.find_moment(6, 11), "web", partial(_answer_requirements, company))
    yield DemonstrationEvent(company.find_moment(4, 14), "web", partial(_describe_data, company))
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


def _describe_data(company: Demonstration) -> None:
    described = (
        ("Name and address of patients", "To identify patients.", "Ten years after the last visit", "Clinic staff"),
        ("Preferred language of patients", "Letters in their language.", "As long as the account", "Clinic staff"),
    )
    for name, purpose, period, recipients in described:
        values = {"name": name, "purpose": purpose, "period": period, "recipients": recipients}
        company.perform(_OWNER, DescribePersonalData, product=_PRODUCT, place="Database in Frankfurt", **values)


def _give_opinion(company: Demonstration) -> None:
    seats = MeetingAttendee.objects.filter(meeting__product__slug=_PRODUCT, meeting__kind=MeetingKind.REVIEW)
    seat = seats.get(role=MeetingRole.STAKEHOLDER, person__slug=_STAKEHOLDER)
    text = "Clinics complain that the portal signs them out while they write a letter."
    company.perform(_STAKEHOLDER, GiveOpinion, seat=seat.pk, answers={"stopped": text})


def _find_review() -> ProductMeeting:
    rows = ProductMeeting.objects.select_related("product").filter(product__slug=_PRODUCT, kind=MeetingKind.REVIEW)
    return rows.get(held_on=None, cancelled_at=None)


def _invite_guest(company: Demonstration) -> None:
    review = _find_review()
    chair = Person.objects.get(pk=find_lead(review)).slug
    values = {"name": "Ottilie Brandt", "organisation": "Northern Clinics", "email": _GUEST}
    company.perform(chair, InviteGuest, meeting=review.pk, **values)


def _prepare_evidence(company: Demonstration) -> None:
    """List the access of the review, which the service does three days before it."""
    AccessEntry.objects.bulk_create(list_access(_find_review()), ignore_conflicts=True)
