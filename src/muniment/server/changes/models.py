"""Changes, and the decisions on them, which the worker alone writes."""

from django.db import models

from muniment.access.actions import Action
from muniment.server.privileges import ADD, CHANGE, READ, Privileges


class Change(models.Model):
    """A proposed alteration of a protected branch, or a past one. `name` is its branch, or of a past one its commit."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    class Where(models.TextChoices):
        """What became of it."""

        OPEN = "open", "open"
        PAST = "past", "on the branch"
        GONE = "gone", "gone"

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
    head = models.CharField(max_length=64)
    base = models.CharField(max_length=64, blank=True)
    allowed = models.BooleanField()
    time = models.DateTimeField()
    policy = models.CharField(max_length=71)
    inputs = models.CharField(max_length=71)  # digest of all that went in, but for the moment
    account = models.CharField(max_length=71)  # the object that tells it

    class Meta:
        """The same state, judged from the same facts, is one decision."""

        constraints = [models.UniqueConstraint(fields=["change", "inputs"], name="decision_once")]
        indexes = [models.Index(fields=["change", "-time", "-id"])]
