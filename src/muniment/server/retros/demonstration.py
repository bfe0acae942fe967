"""Part of the demonstration about retros: what the team and the Data Protection Officer prepared for the next one."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.utils import timezone

from muniment.calendars.meetings import MeetingKind
from muniment.server.demonstration_story import Demonstration, DemonstrationEvent
from muniment.server.meetings.models import MeetingAttendee, MeetingRole, ProductMeeting
from muniment.server.retros.card_acts import AddCard, WriteDpoFeedback
from muniment.server.retros.improvement_acts import DecideImprovement, PlanImprovement, StateHours
from muniment.server.retros.models import Improvement
from muniment.server.retros.threat_acts import AssessThreat

_PRODUCT, _DPO = "patient-portal", "lena-fischer"
_CARDS = (
    ("feedback", "Review of sensitive files waits up to a day."),
    ("threats", "Takeover of an npm package that we use."),
    ("process", "A second security reviewer for holidays."),
)


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about the retro of one product, yesterday."""
    yield DemonstrationEvent(company.find_moment(1, 18), "web", partial(_prepare_retro, company))


def _prepare_retro(company: Demonstration) -> None:
    retro = ProductMeeting.objects.get(product__slug=_PRODUCT, kind=MeetingKind.RETRO, held_on=None, cancelled_at=None)
    seats = list(retro.attendees.filter(role=MeetingRole.MEMBER).select_related("person").order_by("pk"))
    for at, (subject, text) in enumerate(_CARDS):
        seat = seats[at % len(seats)]
        company.perform(seat.person.slug, AddCard, seat=seat.pk, subject=subject, text=text)
    company.perform(_DPO, WriteDpoFeedback, meeting=retro.pk, text="Exported reports are kept without an end.")
    _decide_improvement(company, seats[0])


def _decide_improvement(company: Demonstration, seat: MeetingAttendee) -> None:
    today, who = timezone.localdate(), seat.person.slug
    company.perform(
        who,
        AssessThreat,
        seat=seat.pk,
        text="Stolen session on a shared clinic computer",
        stride="spoofing",
        likelihood="high",
        impact="high",
        trend="rising",
        treatment="mitigate",
        mitigation="Sessions end after 10 idle minutes",
        residual="medium",
        person=who,
    )
    start, end = today + timedelta(14), today + timedelta(52)
    company.perform(
        who,
        DecideImprovement,
        seat=seat.pk,
        kind="security",
        text="Sessions end on shared computers",
        person=who,
        start=start.isoformat(),
        metric="Sessions over 10 idle minutes",
        before="412",
        target="0",
        look=(end + timedelta(14)).isoformat(),
    )
    company.perform(who, StateHours, seat=seat.pk, hours=8)
    number = Improvement.objects.latest("pk").pk
    plan = {"start": start.isoformat(), "end": end.isoformat(), "milestone": "yes"}
    company.perform(who, PlanImprovement, seat=seat.pk, improvement=number, hours=40, **plan)
