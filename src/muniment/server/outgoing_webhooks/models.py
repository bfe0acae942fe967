"""Tables of outgoing webhooks and of their deliveries. No address and no key is among them: the vault has both."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

WEBHOOK_SLUG_PATTERN = "[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_SLUG = RegexValidator(rf"^{WEBHOOK_SLUG_PATTERN}\Z", "Small letters, digits and - between them.")


class WebhookFormat(models.TextChoices):
    """Format of what is sent."""

    CLOUDEVENTS = "cloudevents", _("CloudEvents, signed")
    SLACK = "slack", _("Slack")
    TEAMS = "teams", _("Microsoft Teams")
    MATTERMOST = "mattermost", _("Mattermost")


class OutgoingWebhook(RecordedModel):
    """Receiver of the events of a product, or of all of them. Its address and key are in the vault.

    `address_set_at` says since when. `next_position` is the first record of the ledger whose events are not listed yet.
    """

    recorded_columns = ("slug", "format", "product", "ended_at")
    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ,),
        web_changes=("address_set_at", "next_position", "ended_at", "problem"),
        worker_changes=("next_position", "problem", "delivered_at"),
    )
    written_by = frozenset({Action.CHANGE_SETTINGS})

    slug = models.CharField("name", max_length=40, unique=True, validators=[_SLUG])
    format = models.CharField(max_length=12, choices=WebhookFormat)
    product = models.ForeignKey("products.Product", models.PROTECT, null=True, related_name="outgoing_webhooks")
    created_at = models.DateTimeField(default=timezone.now)
    address_set_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    next_position = models.BigIntegerField(default=0)
    problem = models.TextField(blank=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        """In the order of pages."""

        ordering = ("slug",)

    def __str__(self) -> str:
        """The name that pages show."""
        return self.slug


class OutgoingDelivery(models.Model):
    """Event that is sent to a webhook: codes and numbers alone. `link` is a page here, such as `/changes/7`.

    `identity` is the same at each attempt. `next_attempt_at` is None once it was delivered, or given up.
    """

    privileges = Privileges((READ, ADD), (READ, ADD, CHANGE), eraser=(DROP,))
    written_by = frozenset({Action.CHANGE_SETTINGS})

    webhook = models.ForeignKey(OutgoingWebhook, models.CASCADE, related_name="deliveries")
    identity = models.CharField(max_length=64)
    event = models.CharField(max_length=40)
    product = models.ForeignKey("products.Product", models.CASCADE, null=True, related_name="+")
    link = models.CharField(max_length=200)
    details = models.JSONField(default=dict)
    happened_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    delivered_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        """Each event once for a webhook; those that are due are found without reading the rest."""

        constraints = [models.UniqueConstraint(fields=["webhook", "identity"], name="unique_outgoing_event")]
        indexes = [
            models.Index(
                fields=["webhook", "next_attempt_at"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="outgoing_due",
            ),
            models.Index(fields=["happened_at"], name="outgoing_oldest"),
        ]
