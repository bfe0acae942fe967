"""Contributions of the retros."""

from datetime import date

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, authorize
from muniment.server.people.privacy import drop_rows
from muniment.server.registration import (
    AppContributions,
    InboxKind,
    MenuEntry,
    MenuGroup,
    PersonalData,
    RetentionRule,
)
from muniment.server.remembered_sql import remember_instances
from muniment.server.retros.card_acts import (
    AddCard,
    AnswerWorth,
    FinishPhase,
    GoToPhase,
    GroupCards,
    RemoveCard,
    UngroupCard,
    VoteForCard,
    WithdrawVote,
    WriteDpoFeedback,
)
from muniment.server.retros.feedback_acts import ShowFeedback
from muniment.server.retros.improvement_acts import (
    CarryOverImprovement,
    DecideImprovement,
    NoteResult,
    PlanImprovement,
    StateHours,
)
from muniment.server.retros.models import (
    ConfidentialAnswer,
    FeedbackCodeTaken,
    FeedbackRound,
    FinishedPhase,
    Improvement,
    OwnerHours,
    RetroBoard,
    RetroCard,
    RetroThreat,
    RetroVote,
    Treatment,
    WorthAnswer,
    WorthPool,
    WorthRespondent,
)
from muniment.server.retros.sections import register_retro_sections
from muniment.server.retros.threat_acts import AcceptThreat, AssessThreat

_SHOWN = 20


def find_improvements_to_look_at(actor: Actor) -> list[Improvement]:
    """Improvements of a person whose day has come and that have no result."""
    return _read_improvements(actor.person, timezone.localdate())


@remember_instances
def _read_improvements(person: str, today: date) -> "QuerySet[Improvement]":
    rows = Improvement.objects.filter(owner=person, result="", look_on__lte=today)
    return rows.filter(carried_to=None).select_related("meeting__product").order_by("look_on", "pk")[:_SHOWN]


def find_threats_to_accept(actor: Actor) -> list[RetroThreat]:
    """Threats that wait for the acceptance of a person, as the owner of the product."""
    rows = _read_unaccepted()
    allowed = (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
    found = [each for each in rows if authorize(actor, Action.ACCEPT_THREAT, each.meeting.product_resource) in allowed]
    return found[:_SHOWN]


@remember_instances
def _read_unaccepted() -> "QuerySet[RetroThreat]":
    return RetroThreat.objects.filter(treatment=Treatment.ACCEPT, accepted_on=None).select_related("meeting__product")


register_retro_sections()  # here: contributions are loaded once, by every process that shows or freezes an agenda

CONTRIBUTIONS = AppContributions(
    urls="muniment.server.retros.urls",
    api=("muniment.server.retros.api",),
    acts=(
        AddCard,
        WriteDpoFeedback,
        GroupCards,
        UngroupCard,
        VoteForCard,
        WithdrawVote,
        FinishPhase,
        AnswerWorth,
        GoToPhase,
        RemoveCard,
        ShowFeedback,
        AssessThreat,
        AcceptThreat,
        DecideImprovement,
        CarryOverImprovement,
        NoteResult,
        StateHours,
        PlanImprovement,
    ),
    menu=(
        MenuEntry(MenuGroup.IMPROVE, 20, "retros", _("Retros"), "messages", Action.SEE_MEETINGS),
        MenuEntry(MenuGroup.IMPROVE, 30, "improvements", _("Improvements"), "trending-up", Action.SEE_MEETINGS),
    ),
    inbox=(
        InboxKind(23, "retros/to_accept.html", find_threats_to_accept, _("Threats to accept")),
        InboxKind(24, "retros/to_look_at.html", find_improvements_to_look_at, _("Improvements to look at")),
    ),
    personal_data=(
        PersonalData(
            "retro_cards", lambda person: list(RetroCard.objects.filter(author=person).values("subject", "text"))
        ),
        PersonalData("retro_votes", lambda person: list(RetroVote.objects.filter(person=person).values("card__text"))),
        PersonalData(
            "retro_phases",
            lambda person: list(FinishedPhase.objects.filter(person=person).values("meeting__date", "phase")),
        ),
        PersonalData(
            "retro_answers",
            lambda person: list(WorthRespondent.objects.filter(person=person).values("meeting__date")),
        ),
        PersonalData(
            "feedback_codes_taken",
            lambda person: list(FeedbackCodeTaken.objects.filter(person=person).values("feedback__meeting__date")),
        ),
        PersonalData(
            "threats",
            lambda person: list(
                RetroThreat.objects.filter(owner=person).values("text", "treatment", "review_on", "accepted_on")
            ),
        ),
        PersonalData(
            "improvements",
            lambda person: list(Improvement.objects.filter(owner=person).values("text", "look_on", "result", "note")),
        ),
        PersonalData(
            "hours_for_improvements",
            lambda person: list(OwnerHours.objects.filter(person=person).values("meeting__date", "hours")),
        ),
    ),
    retention=(
        RetentionRule(
            _("cards and votes of retros"),
            _("to compare quarters"),
            "retro_days",
            lambda moment: sum(
                drop_rows(model.objects.filter(**{f"{path}__date__lt": moment.date()}))
                for model, path in (
                    (RetroVote, "card__meeting"),
                    (FinishedPhase, "meeting"),
                    (WorthRespondent, "meeting"),
                    (WorthAnswer, "meeting"),
                    (WorthPool, "meeting"),
                    (OwnerHours, "meeting"),
                    (RetroBoard, "meeting"),
                    (ConfidentialAnswer, "meeting"),
                    (FeedbackRound, "meeting"),
                    (RetroCard, "meeting"),
                )
            ),
        ),
    ),
    demonstration="muniment.server.retros.demonstration",
)
