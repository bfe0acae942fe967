"""Dangerous acts that wait for a second person."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges

DANGEROUS = frozenset(action for action in Action if action.rule.second)


ENDING = ("state", "decided_at", "act")  # columns that withdraw() writes: the worker too, of a person who is erased


class Request(models.Model):
    """What one person asked for. Another of the right role does it or refuses it; the asker may take it back.

    `act` is the whole act as canonical JSON, `digest` its digest, `request_record` the digest of what its record
    holds; `subject` names what it is about. `act` is only kept while it waits.
    """

    privileges = Privileges(
        (READ, ADD),
        (READ,),
        web_changes=(*ENDING, "second_person_id"),
        worker_changes=("summary", "reason", *ENDING),
        confirmation=(READ,),
    )
    written_by = DANGEROUS | {Action.CHANGE_PERSON}  # of whoever leaves, nothing waits on
    free_texts = ("summary", "reason")

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", _("waits")
        APPROVED = "approved", _("done")
        REJECTED = "rejected", _("refused")
        WITHDRAWN = "withdrawn", _("taken back")

    action = models.CharField(max_length=40)
    product = models.ForeignKey("products.Product", models.CASCADE, null=True)
    act = models.TextField(blank=True)
    digest = models.CharField(max_length=71, blank=True)
    request_record = models.CharField(max_length=71, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    summary = models.TextField()  # in one sentence
    reason = models.TextField()
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="requests")
    requested_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    second_person = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        """Those that wait, oldest first."""

        ordering = ("requested_at", "id")
        indexes = [models.Index(fields=["state", "requested_at"], name="request_of_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["digest"], condition=models.Q(state="waiting") & ~models.Q(digest=""), name="request_waits_once"
            )
        ]

    @classmethod
    def withdraw(cls, rows: "models.QuerySet[Request]") -> None:
        """End those of the requests that still wait, as when a person leaves whom they name."""
        now = timezone.now()
        rows.filter(state=cls.State.WAITING).update(state=cls.State.WITHDRAWN, decided_at=now, act="")


class Bootstrap(models.Model):
    """One row, once the bootstrap is over: until then one person sets the service up alone. It is never removed."""

    privileges = Privileges((READ, ADD), (READ,), operator=(ADD,))
    written_by = frozenset(Action)  # any act may be the one that finds enough people

    id = models.SmallIntegerField(primary_key=True)
    finished = models.BooleanField()


class IdempotentResponse(models.Model):
    """What the API answered to a request with an Idempotency-Key: sent again, it is not done again."""

    privileges = Privileges((READ, ADD, CHANGE), (READ, DROP))
    written_by = frozenset(Action)

    token = models.ForeignKey("people.ApiToken", models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    body = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """A key is used once by each token."""

        constraints = [models.UniqueConstraint(fields=["token", "idempotency_key"], name="unique_idempotency_key")]
