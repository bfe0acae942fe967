"""Dangerous acts that wait for a second person."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges

DANGEROUS = frozenset(action for action in Action if action.rule.second)


class Proposal(models.Model):
    """What one person asked for. Another of the right role does it or refuses it; the asker may take it back.

    `what` is only kept while it waits.
    """

    privileges = Privileges((READ, ADD, CHANGE), (READ,), worker_changes=("told", "reason"))
    written_by = DANGEROUS | {Action.CHANGE_PERSON}  # of whoever leaves, nothing waits on
    free_texts = ("told", "reason")

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", _("waits")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("taken back")

    action = models.CharField(max_length=40)
    product = models.ForeignKey("products.Product", models.CASCADE, null=True)
    what = models.JSONField()
    told = models.TextField()  # in one sentence
    reason = models.TextField()
    asker = models.ForeignKey("people.Person", models.PROTECT, related_name="proposals")
    asked = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    second = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    decided = models.DateTimeField(null=True)

    class Meta:
        """Those that wait, oldest first."""

        ordering = ("asked", "id")
        indexes = [models.Index(fields=["state", "asked"])]


class Beginning(models.Model):
    """One row: whether the time is over in which the first administrator gives roles alone."""

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.GRANT_CHANGING_ROLE})

    id = models.SmallIntegerField(primary_key=True)
    over = models.BooleanField()


class Answer(models.Model):
    """What the API answered to a request with an Idempotency-Key: sent again, it is not done again."""

    privileges = Privileges((READ, ADD, CHANGE), (READ, DROP))
    written_by = frozenset(Action)

    token = models.ForeignKey("people.Token", models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request = models.CharField(max_length=64)
    body = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """A key is used once by each token."""

        constraints = [models.UniqueConstraint(fields=["token", "key"], name="answer_once")]
