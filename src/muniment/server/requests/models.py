"""Requests that wait for a second person, the signatures over them, and rows compared with signatures."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.facts.act_statements import ActStep
from muniment.server.guarding.privileges import ADD, CHANGE, READ, Privileges
from muniment.server.people.models import new_person_id

SIGNATURE_LASTS = timedelta(days=7)  # from the signature until the request is carried out
DANGEROUS = frozenset(action for action in Action if action.rule.second)


# Columns that withdraw() writes: the eraser too, of a person who is erased.
ENDING = ("state", "decided_at", "act", "shown")


class Request(models.Model):
    """Request of one person. Another of the required role approves or rejects it; the requester may withdraw it.

    `act` is the whole act as canonical JSON, `digest` its digest, `request_record` the digest of its record's
    object; `subject` names its resource. `shown` is the text for the person who confirms it, as canonical JSON.
    `act` and `shown` are only stored while it waits. `internal_id` is random: it is the address of the request at
    the confirmation origin, where nobody signs in. `confirmed_at` is None while an API token alone requested it.
    """

    privileges = Privileges(
        (READ, ADD),
        (READ,),
        web_changes=(*ENDING, "second_person_id", "confirmed_at", "decision_reason"),
        eraser_changes=ENDING,
    )
    written_by = DANGEROUS | {Action.CHANGE_PERSON}  # of whoever leaves, nothing waits on
    free_texts = ("summary", "reason", "decision_reason")

    class State(models.TextChoices):
        """State of a request."""

        WAITING = "waiting", _("Waiting")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    internal_id = models.CharField(max_length=26, unique=True, default=new_person_id, editable=False)
    action = models.CharField(max_length=40)
    product = models.ForeignKey("products.Product", models.CASCADE, null=True)
    act = models.TextField(blank=True)
    digest = models.CharField(max_length=71, blank=True)
    shown = models.TextField(blank=True)
    request_record = models.CharField(max_length=71, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    summary = models.TextField()  # in one sentence
    reason = models.TextField()
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="requests")
    requested_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True, default=timezone.now)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    second_person = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(blank=True, db_default="")  # of the second person

    class Meta:
        """Waiting ones are found without reading the rest, oldest first."""

        ordering = ("requested_at", "id")
        indexes = [models.Index(fields=["state", "requested_at"], name="request_of_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["digest"], condition=models.Q(state="waiting") & ~models.Q(digest=""), name="request_waits_once"
            )
        ]

    @classmethod
    def withdraw_waiting(cls, rows: "models.QuerySet[Request]") -> None:
        """End those of the requests that still wait, as when a person leaves whom they name."""
        now = timezone.now()
        rows.filter(state=cls.State.WAITING).update(state=cls.State.WITHDRAWN, decided_at=now, act="", shown="")


class ActProof(models.Model):
    """Signature of a person over a request, made at the confirmation origin. The web cannot add one.

    `statement` is the signed text, as canonical JSON (`facts/act_statements.py`); `signature` an SSH signature in
    armor, or the answer of a passkey as JSON. `authenticator` is the one that signed. `made_at` is the database's
    own time.
    """

    privileges = Privileges(
        (READ,),
        (READ,),
        confirmation=(ADD,),
        confirmation_adds=("request_id", "step", "signer_id", "authenticator_id", "statement", "signature"),
    )
    written_by: frozenset[Action] = frozenset()
    free_texts = ("statement",)

    request = models.ForeignKey(Request, models.PROTECT, related_name="proofs")
    step = models.CharField(max_length=8, choices=[(step.value, step.value) for step in ActStep])
    signer = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    authenticator = models.ForeignKey("people.EnrolledAuthenticator", models.PROTECT, related_name="+")
    statement = models.TextField()
    signature = models.TextField()
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        """In the order in which they were made."""

        ordering = ("id",)

    def is_expired(self, at: datetime) -> bool:
        """Whether the signature counts no longer at a moment."""
        return at - self.made_at > SIGNATURE_LASTS


class ProofVerification(models.Model):
    """Verification of the signatures over a request by the worker, before it is carried out.

    There are two signatures, of both persons. An enrolment has one of them, for a person who enrols the first
    authenticator has none. `statement_digest` is that of the statement which the act is read from: an erasure may empty
    its text, and nothing replaces it. `carried_out_at` is the moment at which the worker saw that the request was
    carried out: by its own clock, so that the web cannot date it back.
    """

    privileges = Privileges((READ,), (READ, ADD), worker_changes=("carried_out_at",))
    written_by: frozenset[Action] = frozenset()

    request = models.OneToOneField(Request, models.PROTECT, related_name="verification")
    request_proof = models.ForeignKey(ActProof, models.PROTECT, null=True, related_name="+")
    approval_proof = models.ForeignKey(ActProof, models.PROTECT, null=True, related_name="+")
    statement_digest = models.CharField(max_length=71, blank=True)
    verified_at = models.DateTimeField(default=timezone.now)
    carried_out_at = models.DateTimeField(null=True)

    def is_expired(self) -> bool:
        """Whether a signature was too old when the request was carried out, or is now where it was not."""
        at = self.carried_out_at or timezone.now()
        return any(proof.is_expired(at) for proof in (self.request_proof, self.approval_proof) if proof is not None)


class RequestExecution(models.Model):
    """Record of the act that carried a request out. There is one for each request, and nobody changes it."""

    privileges = Privileges((READ, ADD), (READ,))
    written_by = DANGEROUS

    request = models.OneToOneField(Request, models.PROTECT, related_name="execution")
    record = models.OneToOneField("records.Record", models.PROTECT, related_name="+")


class ProvenRow(models.Model):
    """Row that the worker found to be as two persons signed, as the record made it: the signed text may be erased
    later.
    """

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    record = models.ForeignKey("records.Record", models.PROTECT, related_name="+")
    table = models.CharField(max_length=63)
    key = models.CharField(max_length=64)

    class Meta:
        """Unique by table, key and record."""

        constraints = [models.UniqueConstraint(fields=["record", "table", "key"], name="unique_proven_row")]


class AcceptedRow(models.Model):
    """Two-person state of a row, as the worker accepted it last: a later state that is weaker needs signatures
    where the policy demands them. `facts` holds no text of a person; `record` made the row what it was.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    table = models.CharField(max_length=63)
    key = models.CharField(max_length=64)
    record = models.ForeignKey("records.Record", models.PROTECT, related_name="+")
    facts = models.JSONField()

    class Meta:
        """Unique by table and key."""

        constraints = [models.UniqueConstraint(fields=["table", "key"], name="unique_accepted_row")]
