"""Acts on a secret that leaked into code: state that it was rotated, that it is revoked, and take that back."""

from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label
from muniment.server.findings.act_fields import LeakedSecretAct
from muniment.server.findings.models import LeakedSecret
from muniment.server.job_queue import enqueue


class NoteRotation(LeakedSecretAct, frozen=True):
    """State that a new value is in the vault, and that pipelines use it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_FINDING,)
    title: ClassVar[Label] = gettext_lazy("State that it was rotated")

    def describe_act(self) -> str:
        return _("state that the secret at %(place)s of %(product)s was rotated") % self.describe_place()

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a secret that was rotated."""
        if self.load_secret().rotated_at is not None:
            raise RefusedError("rotated-already", _("This is stated already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Store who stated it, and when."""
        rows = LeakedSecret.objects.filter(pk=self.leak)
        rows.update(rotated_at=timezone.now(), rotated_by_id=context.requester)


class ConfirmRevocation(LeakedSecretAct, frozen=True):
    """State that a secret is revoked where it was issued. A second person confirms it; its incident then closes."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CONFIRM_REVOCATION,)
    title: ClassVar[Label] = gettext_lazy("State that it is revoked")

    reason: Annotated[
        str,
        reason_input(
            label=gettext_lazy("Proof"),
            hint=gettext_lazy("Say where it was revoked, and how you know. Never write the value."),
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The secrets that count as revoked."""
        rows = LeakedSecret.objects.filter(revoked_at__isnull=False).select_related("product")
        return GuardedFacts(permitted=frozenset((one.product.slug, one.fingerprint) for one in rows))

    def describe_act(self) -> str:
        return _("confirm that the secret at %(place)s of %(product)s is revoked") % self.describe_place()

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a secret that is revoked."""
        if self.load_secret().revoked_at is not None:
            raise RefusedError("revoked-already", _("This is confirmed already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Store both persons and the proof; the worker closes the incident."""
        LeakedSecret.objects.filter(pk=self.leak).update(
            revoked_at=timezone.now(),
            revoked_by_id=context.requester,
            confirmed_by_id=context.approver,
            proof=self.reason,
        )
        enqueue("close-revoked-secrets")


class RetractRevocation(LeakedSecretAct, frozen=True):
    """Take back that a secret is revoked. Its incident is opened again."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_FINDING,)
    title: ClassVar[Label] = gettext_lazy("It still works: open the incident again")

    def describe_act(self) -> str:
        return _("state that the secret at %(place)s of %(product)s still works") % self.describe_place()

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a secret that does not count as revoked."""
        if self.load_secret().revoked_at is None:
            raise RefusedError("not-revoked", _("It does not count as revoked."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Forget the statement; the worker opens an incident."""
        rows = LeakedSecret.objects.filter(pk=self.leak)
        rows.update(revoked_at=None, revoked_by_id=None, confirmed_by_id=None, proof="")
        enqueue("report-leaked-secret", leak=self.leak)
