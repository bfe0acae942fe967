"""Contributions of the security reviews."""

from collections.abc import Iterable

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.acts.system_actors import SystemActor
from muniment.server.people.privacy import drop_rows
from muniment.server.registration import (
    AppContributions,
    MenuEntry,
    MenuGroup,
    PersonalData,
    ProductTab,
    RetentionRule,
    SearchKind,
)
from muniment.server.reviews.access_acts import ReviewAccess
from muniment.server.reviews.guest_acts import EndGuestInvitation, InviteGuest
from muniment.server.reviews.models import (
    AccessEntry,
    MarketRequirement,
    OpinionDraft,
    PersonalDataField,
    ReviewGuest,
    SampleLook,
    UsabilityOpinion,
)
from muniment.server.reviews.preparation_acts import DescribePersonalData, EndPersonalData, GiveOpinion
from muniment.server.reviews.requirement_acts import (
    AddRequirement,
    AnswerRequirement,
    ImportRequirements,
    visible_requirements,
)
from muniment.server.reviews.sample_acts import LookAtSample
from muniment.server.reviews.sampling import DrawSample, RecordPopulation
from muniment.server.reviews.sections import register_review_sections


def find_requirements(actor: Actor, text: str) -> Iterable[object]:
    """Requirements of the market with a text in their sentence or origin."""
    words = Q(text__icontains=text) | Q(origin__icontains=text)
    return visible_requirements(actor).filter(words).order_by("-pk")


register_review_sections()  # here: contributions are loaded once, by every process that shows or freezes an agenda

CONTRIBUTIONS = AppContributions(
    urls="muniment.server.reviews.urls",
    api=("muniment.server.reviews.api",),
    acts=(
        AddRequirement,
        ImportRequirements,
        AnswerRequirement,
        DescribePersonalData,
        EndPersonalData,
        GiveOpinion,
        InviteGuest,
        EndGuestInvitation,
        LookAtSample,
        ReviewAccess,
    ),
    system_acts={SystemActor.PLANNING: (RecordPopulation, DrawSample)},
    menu=(
        MenuEntry(
            MenuGroup.ASSURE, 20, "market-requirements", _("Market requirements"), "list-check", Action.SEE_MEETINGS
        ),
        MenuEntry(MenuGroup.IMPROVE, 10, "reviews", _("Security reviews"), "clipboard-check", Action.SEE_MEETINGS),
    ),
    search=(SearchKind(70, "reviews/found.html", find_requirements),),
    product_tabs=(ProductTab(82, "personal-data", _("Personal data"), Action.SEE_MEETINGS),),
    personal_data=(
        PersonalData(
            "market_requirements",
            lambda person: list(
                MarketRequirement.objects.filter(Q(owner=person) | Q(added_by=person) | Q(answered_by=person)).values(
                    "text", "state", "reason", "added_at", "answered_at", "due_on"
                )
            ),
        ),
        PersonalData(
            "personal_data_descriptions",
            lambda person: list(
                PersonalDataField.objects.filter(described_by=person).values("product__slug", "name", "described_at")
            ),
        ),
        PersonalData(
            "usability_opinions",
            lambda person: list(
                UsabilityOpinion.objects.filter(person=person).values("question", "text", "written_at")
            ),
        ),
        PersonalData(
            "opinion_drafts",
            lambda person: list(OpinionDraft.objects.filter(person=person).values("question", "text", "written_at")),
        ),
        PersonalData(
            "invited_guests",
            lambda person: list(ReviewGuest.objects.filter(invited_by=person).values("meeting__date", "invited_at")),
        ),
        PersonalData(
            "sample_results",
            lambda person: list(SampleLook.objects.filter(person=person).values("is_sound", "note", "looked_at")),
        ),
        PersonalData(
            "access_entries",
            lambda person: list(
                AccessEntry.objects.filter(Q(person=person) | Q(decided_by=person)).values("place", "role", "is_used")
            ),
        ),
    ),
    retention=(
        RetentionRule(
            _("drafts of answers before a review"),
            _("so that nothing typed is lost"),
            "opinion_days",
            lambda moment: drop_rows(OpinionDraft.objects.filter(written_at__lt=moment)),
        ),
        RetentionRule(
            _("guests of reviews and their answers"),
            _("to compare reviews"),
            "opinion_days",
            lambda moment: drop_rows(ReviewGuest.objects.filter(expires_at__lt=moment)),
        ),
        RetentionRule(
            _("opinions on how easy security is to use"),
            _("to compare reviews"),
            "opinion_days",
            lambda moment: drop_rows(UsabilityOpinion.objects.filter(written_at__lt=moment)),
        ),
    ),
    demonstration="muniment.server.reviews.demonstration",
)
