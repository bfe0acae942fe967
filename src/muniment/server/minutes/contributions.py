"""Contributions of the minutes."""

from collections.abc import Iterable, Iterator, Mapping

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.acts.system_actors import SystemActor
from muniment.server.minutes.chair_acts import (
    AddAction,
    AddCorrection,
    CloseMeeting,
    ConfirmAttendance,
    DeferItem,
    FinishItem,
    FinishUnchanged,
    OpenMeeting,
    RecordDecision,
)
from muniment.server.minutes.management_advice import AdviseManagement
from muniment.server.minutes.meeting_facts import MeetingSupplier
from muniment.server.minutes.models import (
    AgendaItem,
    Attendance,
    ManagementAdvice,
    Minutes,
    MinutesComment,
    MinutesEntry,
    MinutesProof,
    MinutesSignature,
    find_open_actions,
)
from muniment.server.minutes.objections import EndObjections
from muniment.server.minutes.own_acts import (
    AnswerAdvice,
    FinishAction,
    MoveAction,
    ObjectToMinutes,
    RecordDissent,
    SignMinutes,
    WriteAdvice,
)
from muniment.server.minutes.taking_part import list_signers
from muniment.server.people.privacy import drop_rows
from muniment.server.registration import (
    AppContributions,
    InboxKind,
    MenuEntry,
    MenuGroup,
    Metric,
    PersonalData,
    ProductTab,
    RetentionRule,
)
from muniment.server.remembered_sql import remember_instances

_SHOWN = 20


def find_actions(actor: Actor) -> list[MinutesEntry]:
    """Open actions of a person, the first due on top."""
    return _read_actions(actor.person)


@remember_instances
def _read_actions(person: str) -> "QuerySet[MinutesEntry]":
    return find_open_actions().filter(owner=person)[:_SHOWN]


def find_minutes_to_sign(actor: Actor) -> list[Minutes]:
    """Minutes that wait for the signature of a person."""
    waiting = _read_unsigned(actor.person)
    return [each for each in waiting if any(one.seat.person_id == actor.person for one in list_signers(each))]


@remember_instances
def _read_unsigned(person: str) -> "QuerySet[Minutes]":
    rows = Minutes.objects.filter(closed_at__isnull=False, meeting__attendees__person=person)
    found = rows.exclude(signatures__person=person).select_related("meeting__product").distinct()
    return found.order_by("closed_at")[:_SHOWN]


def measure_actions() -> Iterator[Metric]:
    """Actions of meetings that are past their due date."""
    late = find_open_actions().filter(due_on__lt=timezone.localdate()).count()
    yield Metric("muniment_overdue_meeting_actions", "Actions of reviews and retros past their due date.", late)


def read_minutes_entries(person: str) -> Iterable[Mapping[str, object]]:
    """Words that a person wrote into minutes, and actions that they own."""
    rows = MinutesEntry.objects.filter(author=person) | MinutesEntry.objects.filter(owner=person)
    return list(rows.values("kind", "text", "written_at", "due_on", "done_on", "note"))


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.minutes.urls",
    api=("muniment.server.minutes.api",),
    acts=(
        OpenMeeting,
        FinishItem,
        FinishUnchanged,
        DeferItem,
        RecordDecision,
        AddAction,
        ConfirmAttendance,
        CloseMeeting,
        AddCorrection,
        WriteAdvice,
        RecordDissent,
        SignMinutes,
        ObjectToMinutes,
        FinishAction,
        MoveAction,
        AnswerAdvice,
        AdviseManagement,
    ),
    system_acts={SystemActor.EXPIRY: (EndObjections,)},
    menu=(MenuEntry(MenuGroup.IMPROVE, 40, "actions", _("Your actions"), "flag", Action.MANAGE_OWN_ACCOUNT),),
    inbox=(
        InboxKind(21, "minutes/to_sign.html", find_minutes_to_sign, _("Minutes to confirm")),
        InboxKind(22, "minutes/inbox.html", find_actions, _("Your actions")),
    ),
    product_tabs=(ProductTab(81, "product-advice", _("Advice"), Action.SEE_MEETINGS),),
    metrics=(measure_actions,),
    personal_data=(
        PersonalData("minutes_entries", read_minutes_entries),
        PersonalData(
            "attendance",
            lambda person: list(Attendance.objects.filter(person=person).values("meeting__date", "is_present")),
        ),
        PersonalData(
            "minutes_signatures",
            lambda person: list(
                MinutesSignature.objects.filter(person=person).values("role", "statement", "digest", "signed_at")
            ),
        ),
        PersonalData(
            "minutes_passkey_signatures",
            lambda person: list(MinutesProof.objects.filter(signer=person).values("statement", "made_at")),
        ),
        PersonalData(
            "management_advice",
            lambda person: list(ManagementAdvice.objects.filter(person=person).values("text", "sent_at")),
        ),
        PersonalData(
            "minutes_comments",
            lambda person: list(MinutesComment.objects.filter(person=person).values("text", "written_at")),
        ),
    ),
    retention=(
        RetentionRule(
            _("entries and comments of minutes"),
            _("to see what became of decisions"),
            "minutes_days",
            lambda moment: (
                drop_rows(MinutesEntry.objects.filter(written_at__lt=moment))
                + drop_rows(ManagementAdvice.objects.filter(sent_at__lt=moment))
                + drop_rows(MinutesComment.objects.filter(written_at__lt=moment))
                + drop_rows(AgendaItem.objects.filter(minutes__opened_at__lt=moment))
            ),
        ),
    ),
    fact_suppliers=(MeetingSupplier(),),
    demonstration="muniment.server.minutes.demonstration",
)
