"""Contributions of the connections to forges, and of what branches there took."""

from collections.abc import Iterable, Mapping

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.changes.models import Change
from muniment.server.connections.bypass_acts import RevertBypass, ReviewBypass
from muniment.server.connections.change_acts import (
    ApproveChange,
    AttestContributor,
    AttestOpenChanges,
    MergeChange,
    RequestReview,
    WithdrawApproval,
)
from muniment.server.connections.connection_acts import (
    AddConnection,
    EndConnection,
    RefreshConnection,
    RenewWebhookSecret,
    StoreCredential,
)
from muniment.server.connections.first_push_store import erase_pusher_accounts
from muniment.server.connections.models import (
    BypassReview,
    CachedResponse,
    Connection,
    FirstPush,
    PostedStatus,
    ReviewStatement,
    WebhookDelivery,
)
from muniment.server.connections.personal_data import delete_copies, erase_comments
from muniment.server.connections.proxy_acts import SetConnectionProxy
from muniment.server.connections.repository_acts import ConnectRepository
from muniment.server.connections.setup_steps import PROTECTION, REPOSITORY
from muniment.server.guarding.mediation import is_action_allowed
from muniment.server.people.privacy import drop_recorded_rows, drop_rows
from muniment.server.registration import (
    AppContributions,
    MenuEntry,
    MenuGroup,
    OverviewCard,
    PersonalData,
    RetentionRule,
)


def read_reviews(person: str) -> Iterable[Mapping[str, object]]:
    """The statements of a person about changes."""
    rows = ReviewStatement.objects.filter(person=person)
    return list(rows.values("head", "target", "kind", "answers", "stated_at"))


def read_bypass_reviews(person: str) -> Iterable[Mapping[str, object]]:
    """The reviews of bypasses by a person."""
    rows = BypassReview.objects.filter(reviewer=person)
    return list(rows.values("branch_update__commit", "reason", "reviewed_at"))


def read_troubled(request: HttpRequest) -> dict[str, object] | None:
    """The connections that need somebody, for who may change them."""
    rows = list(Connection.find_in_trouble()) if is_action_allowed(request, Action.CHANGE_CONNECTION) else []
    return {"connections": rows} if rows else None


CONTRIBUTIONS = AppContributions(
    setup=(
        REPOSITORY,
        PROTECTION,
    ),
    urls="muniment.server.connections.urls",
    acts=(
        ApproveChange,
        WithdrawApproval,
        AttestContributor,
        AttestOpenChanges,
        RequestReview,
        MergeChange,
        ReviewBypass,
        RevertBypass,
        AddConnection,
        StoreCredential,
        RenewWebhookSecret,
        RefreshConnection,
        EndConnection,
        ConnectRepository,
        SetConnectionProxy,
    ),
    menu=(MenuEntry(MenuGroup.ADMIN, 10, "connections", _("Connections"), "plug", Action.SEE_CONNECTIONS),),
    overview=(OverviewCard(110, "connections/overview.html", read_troubled),),
    retention=(
        RetentionRule(
            _("Events that forges reported, by number"),
            _("To process each event once"),
            "webhook_delivery_days",
            lambda moment: drop_rows(WebhookDelivery.objects.filter(received_at__lt=moment)),
        ),
        RetentionRule(
            _("Answers of forges"),
            _("To ask the forge less often"),
            "forge_response_days",
            lambda moment: drop_rows(CachedResponse.objects.filter(cached_at__lt=moment)),
        ),
        RetentionRule(
            _("Who pushed each commit first"),
            _("To know who contributed to a pull request"),
            "first_push_days",
            lambda moment: erase_pusher_accounts(FirstPush.objects.filter(recorded_at__lt=moment)),
        ),
        RetentionRule(
            _("Decisions shown at forges"),
            _("To detect decisions that others post in Muniment's name"),
            "posted_status_days",
            lambda moment: drop_rows(PostedStatus.objects.filter(posted_at__lt=moment)),
        ),
        RetentionRule(
            _("Answers to review questions"),
            _("To show how a pull request was approved"),
            "review_answer_days",
            lambda moment: drop_rows(
                ReviewStatement.objects.filter(stated_at__lt=moment).exclude(change__state=Change.State.OPEN)
            ),
        ),
        RetentionRule(
            _("Reviewers of bypasses, and their reasons"),
            _("To show auditors who accepted a bypass"),
            "bypass_review_days",
            lambda moment: drop_recorded_rows(
                BypassReview.objects.filter(reviewed_at__lt=moment, branch_update__incident__closed_at__isnull=False)
            ),
        ),
    ),
    personal_data=(
        PersonalData("reviews", read_reviews),
        PersonalData("bypass_reviews", read_bypass_reviews),
    ),
    text_erasures=(erase_comments, delete_copies),
    demonstration="muniment.server.connections.demonstration",
)
