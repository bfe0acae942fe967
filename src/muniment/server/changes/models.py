"""Changes, and the decisions on them, which the worker alone writes."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges


class Change(models.Model):
    """A proposed alteration of a protected branch, or a past one. `name` is its branch, or of a past one its commit."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    class Where(models.TextChoices):
        """What became of it."""

        OPEN = "open", _("open")
        PAST = "past", _("on the branch")
        GONE = "gone", _("gone")

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="changes")
    name = models.CharField(max_length=300)
    target = models.CharField(max_length=300)
    where = models.CharField(max_length=8, choices=Where)
    title = models.CharField(max_length=300, blank=True)
    head = models.CharField(max_length=64)
    time = models.DateTimeField()
    decision = models.OneToOneField("Decision", models.PROTECT, null=True, related_name="newest_of")

    class Meta:
        """One of each name; a page shows the newest first."""

        constraints = [models.UniqueConstraint(fields=["repository", "target", "name"], name="change_once")]
        indexes = [models.Index(fields=["repository", "where", "-time", "-id"])]


class Decision(models.Model):
    """One judgement of one state of a change. `entry` records it, None for the supposed ones of the past."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    change = models.ForeignKey(Change, models.CASCADE, related_name="decisions")
    entry = models.OneToOneField("record.Entry", models.PROTECT, null=True, related_name="decision")
    gate = models.OneToOneField("GateEntry", models.PROTECT, null=True, related_name="decision")  # it binds
    head = models.CharField(max_length=64)
    base = models.CharField(max_length=64, blank=True)
    allowed = models.BooleanField()
    time = models.DateTimeField()
    policy = models.CharField(max_length=71)
    inputs = models.CharField(max_length=71)  # digest of all that went in, but for the moment
    account = models.CharField(max_length=71, blank=True)  # the object that tells it, "" if it was not given

    class Meta:
        """The same state, judged from the same facts, is one decision."""

        constraints = [models.UniqueConstraint(fields=["change", "inputs"], name="decision_once")]
        indexes = [models.Index(fields=["change", "-time", "-id"])]


class GateLog(models.Model):
    """The log of a gate on a git server (docs/gate.md), in a folder, and how far it was verified with its key."""

    privileges = Privileges((READ, ADD, DROP), (READ,), worker_changes=("size", "root", "problem", "read"))
    written_by = frozenset({Action.CHANGE_PRODUCT})

    repository = models.OneToOneField("products.Repository", models.CASCADE, related_name="gate_log")
    path = models.CharField(max_length=1000)
    key = models.CharField(max_length=500)
    size = models.BigIntegerField(default=0)
    root = models.CharField(max_length=64, blank=True)
    problem = models.TextField(blank=True)
    read = models.DateTimeField(null=True)


class GateEntry(models.Model):
    """One entry of such a log, as it was signed."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    log = models.ForeignKey(GateLog, models.PROTECT, related_name="entries")
    place = models.BigIntegerField()
    kind = models.CharField(max_length=32)
    time = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        """Each once."""

        constraints = [models.UniqueConstraint(fields=["log", "place"], name="gate_entry_once")]
