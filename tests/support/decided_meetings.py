"""Reviews and retros that several people held together: what each of them did is not one other person's to change."""

import datetime

from django.utils import timezone

from muniment.calendars.meetings import MeetingKind
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.meetings.seat_acts import NameForMeetings
from muniment.server.minutes.chair_acts import CloseMeeting, ConfirmAttendance, FinishItem, OpenMeeting
from muniment.server.minutes.models import Minutes
from muniment.server.minutes.own_acts import SignMinutes
from muniment.server.products.models import Product
from muniment.server.products.product_acts import AddProduct
from muniment.server.retros.card_acts import AddCard, WriteDpoFeedback
from muniment.server.retros.improvement_acts import DecideImprovement, PlanImprovement, StateHours
from muniment.server.retros.models import Improvement, RetroThreat
from muniment.server.retros.threat_acts import AcceptThreat, AssessThreat
from muniment.server.reviews.models import MarketRequirement
from muniment.server.reviews.preparation_acts import DescribePersonalData, GiveOpinion
from muniment.server.reviews.requirement_acts import AddRequirement, AnswerRequirement
from tests.support.one_person import day, request

REVIEW_SEATS = {"sam": "chair", "ann": "analyst", "dan": "dpo", "stan": "stakeholder", "own": "owner"}
RETRO_SEATS = {"dev": "facilitator", "dex": "member", "own": "owner"}


def hold_shop_meetings() -> None:
    """Add the product `shop`, and hold its meetings."""
    request("ada", AddProduct, id="shop", name="Shop")
    decide_meetings()


def decide_meetings() -> None:
    """Hold a review that everybody confirmed, one that waits for signatures, one that is open, and a retro."""
    for role, someone in (("analyst", "ann"), ("stakeholder", "stan")):
        request("own", NameForMeetings, product="shop", role=role, person=someone)
    request("own", AddRequirement, product="shop", text="Passkeys for administrators", source="law", origin="A law.")
    found = MarketRequirement.objects.get()
    request("ann", AnswerRequirement, requirement=found.pk, state="refused", reason="Nobody asked for it.")
    data = {"purpose": "To send goods", "place": "EU", "period": "A year", "recipients": "Our team"}
    request("own", DescribePersonalData, product="shop", name="Addresses", **data)
    _hold_review(plan_meeting(MeetingKind.REVIEW, 1, REVIEW_SEATS), "sam", "ann", "stan", "dan")
    _hold_review(plan_meeting(MeetingKind.REVIEW, 2, REVIEW_SEATS), "ann")
    plan_meeting(MeetingKind.REVIEW, 3, REVIEW_SEATS)
    _hold_retro(plan_meeting(MeetingKind.RETRO, 1, RETRO_SEATS))
    _prepare_retro(plan_meeting(MeetingKind.RETRO, 2, RETRO_SEATS))


def plan_meeting(kind: MeetingKind, number: int, seats: dict[str, str]) -> ProductMeeting:
    """Meeting of the product `shop` today, as the worker plans one."""
    today = timezone.localdate()
    row = ProductMeeting.objects.create(
        product=Product.objects.get(slug="shop"),
        kind=kind,
        number=number,
        due_on=today,
        date=today,
        time=datetime.time(10),
        dated_on=today,
        sequence=1,
    )
    for person, role in seats.items():
        MeetingAttendee.objects.create(meeting=row, role=role, person_id=person)
    return row


def _seat(meeting: ProductMeeting, person: str) -> int:
    return int(meeting.attendees.get(person=person).pk)


def _hold_review(meeting: ProductMeeting, *signers: str) -> None:
    answers = {"stopped": "Nowhere.", "avoided": "None.", "missing": "Nothing."}
    request("stan", GiveOpinion, seat=_seat(meeting, "stan"), answers=answers)
    _hold("sam", meeting, REVIEW_SEATS)
    minutes = Minutes.objects.get(meeting=meeting)
    for signer in signers:
        statement = "advice" if signer == "dan" else "confirmed"
        request(signer, SignMinutes, seat=_seat(meeting, signer), statement=statement, digest=minutes.digest)


def _hold(lead: str, meeting: ProductMeeting, seats: dict[str, str]) -> None:
    request(lead, OpenMeeting, meeting=meeting.pk)
    for person in seats:
        request(lead, ConfirmAttendance, meeting=meeting.pk, person=person, present="yes")
    for item in Minutes.objects.get(meeting=meeting).items.all():
        request(lead, FinishItem, meeting=meeting.pk, item=item.code)
    request(lead, CloseMeeting, meeting=meeting.pk)


def _prepare_retro(meeting: ProductMeeting) -> None:
    """Fill each subject of a retro: two threats, of which one waits for its owner, and two improvements."""
    seat, threat = _seat(meeting, "dev"), {"stride": "spoofing", "likelihood": "low", "impact": "high"}
    threat |= {"trend": "steady", "residual": "low", "person": "own"}
    request("dev", AddCard, seat=seat, subject="feedback", text="Tests took an hour.")
    request("dan", WriteDpoFeedback, meeting=meeting.pk, text="The register is up to date.")
    accepted = {"treatment": "accept", "review": day(90)}
    request("dev", AssessThreat, seat=seat, text="A stolen laptop", **threat, **accepted)
    request("dev", AssessThreat, seat=seat, text="A second one", **threat, **accepted)
    request("own", AcceptThreat, threat=RetroThreat.objects.get(meeting=meeting, text="A stolen laptop").pk)
    request("dex", StateHours, seat=_seat(meeting, "dex"), hours=8)
    figures = {"before": "5", "target": "0", "start": day(1), "look": day(60), "person": "dex"}
    for kind in ("process", "security"):
        values = {"text": f"Better {kind}", "step": "The checklist", "metric": "Open incidents"}
        request("dev", DecideImprovement, seat=seat, kind=kind, **values, **figures)
    for row in Improvement.objects.filter(meeting=meeting):
        request(
            "dev", PlanImprovement, seat=seat, improvement=row.pk, hours=8, start=day(1), end=day(30), milestone="no"
        )


def _hold_retro(meeting: ProductMeeting) -> None:
    _prepare_retro(meeting)
    _hold("dev", meeting, RETRO_SEATS)
    minutes = Minutes.objects.get(meeting=meeting)
    for signer in ("dev", "own"):
        request(signer, SignMinutes, seat=_seat(meeting, signer), statement="confirmed", digest=minutes.digest)
