"""Changes, and the decisions on them, which the worker alone writes."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel


class Change(models.Model):
    """Proposed alteration of a protected branch, or a past one. `name` is its branch, or of a past one its commit."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE), eraser_changes=("name", "title"))
    written_by: frozenset[Action] = frozenset()

    class State(models.TextChoices):
        """State of a change."""

        OPEN = "open", _("open")
        MERGED = "merged", _("on the branch")
        CLOSED = "closed", _("gone")

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="changes")
    name = models.CharField(max_length=300)
    target = models.CharField(max_length=300)
    state = models.CharField(max_length=8, choices=State)
    title = models.CharField(max_length=300, blank=True)
    head = models.CharField(max_length=64)
    updated_at = models.DateTimeField()
    decision = models.OneToOneField("Decision", models.PROTECT, null=True, related_name="latest_of")

    class Meta:
        """Unique by name; the newest first on pages."""

        constraints = [models.UniqueConstraint(fields=["repository", "target", "name"], name="unique_change")]
        indexes = [
            models.Index(fields=["repository", "state", "-updated_at", "-id"], name="change_newest"),
            models.Index(fields=["-updated_at", "-id"], name="open_change", condition=models.Q(state="open")),
        ]


class SecurityQuestions(models.TextChoices):
    """State of the security questions on a change, as its decision says."""

    UNKNOWN = "", _("unknown")
    NONE = "none", _("no question")
    ANSWERED = "answered", _("answered")
    OPEN = "open", _("not answered")


class Decision(models.Model):
    """Result of evaluating one state of a change. `entry` records it, None for the supposed ones of the past."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    change = models.ForeignKey(Change, models.CASCADE, related_name="decisions")
    record = models.OneToOneField("records.Record", models.PROTECT, null=True, related_name="decision")
    hook_record = models.OneToOneField(
        "ServerHookRecord", models.PROTECT, null=True, related_name="decision"
    )  # it binds
    head = models.CharField(max_length=64)
    base = models.CharField(max_length=64, blank=True)
    allowed = models.BooleanField()
    decided_at = models.DateTimeField()
    policy_digest = models.CharField(max_length=71)
    inputs_digest = models.CharField(max_length=71)  # digest of all that went in, but for the moment
    explanation_digest = models.CharField(max_length=71, blank=True)  # the object that tells it, "" if it was not given
    security_questions = models.CharField(max_length=8, choices=SecurityQuestions, blank=True, default="")

    class Meta:
        """Unique by state and facts: the same evaluation is one decision."""

        constraints = [models.UniqueConstraint(fields=["change", "inputs_digest"], name="unique_decision")]
        indexes = [models.Index(fields=["change", "-decided_at", "-id"], name="decision_newest")]


class ServerHookLog(RecordedModel):
    """Log of a server hook (docs/guides/server-hook.md): a folder, and the position up to which its key verified
    it.
    """

    recorded_columns = ("repository", "path", "public_key")
    privileges = Privileges(
        (READ, ADD, DROP), (READ,), worker_changes=("verified_size", "verified_root", "problem", "read_at")
    )
    written_by = frozenset({Action.CHANGE_PRODUCT})

    repository = models.OneToOneField("products.Repository", models.CASCADE, related_name="hook_log")
    path = models.CharField(max_length=1000)
    public_key = models.CharField(max_length=500)
    verified_size = models.BigIntegerField(default=0)
    verified_root = models.CharField(max_length=64, blank=True)
    problem = models.TextField(blank=True)
    read_at = models.DateTimeField(null=True)


class ServerHookRecord(models.Model):
    """Record of a server hook's log, as it was signed."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    log = models.ForeignKey(ServerHookLog, models.PROTECT, related_name="records")
    position = models.BigIntegerField()
    kind = models.CharField(max_length=32)
    recorded_at = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        """Unique by log and position."""

        constraints = [models.UniqueConstraint(fields=["log", "position"], name="unique_hook_record")]
