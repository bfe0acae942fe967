"""Acts on test runners, whose signed reports of tests can count: two people trust one, one person revokes it."""

from typing import Annotated, ClassVar, Self

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Resource
from muniment.errors import RefusedError
from muniment.git.signatures import fingerprint
from muniment.policy.people import ID
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label, Reference, Text
from muniment.server.people.account_values import account_taken, read_account_value, refuse_taken_account
from muniment.server.people.act_fields import HANDLE_FORM
from muniment.server.people.models import Account, Machine, Person
from muniment.server.work import soon


def runner_keys() -> QuerySet[Account]:
    """Every key of a machine whose reports are trusted."""
    return Account.objects.filter(machine__isnull=False, kind=Account.Kind.KEY).select_related("machine", "vouched_by")


def _find_runner(slug: str, actor: Actor) -> str | None:
    return slug if runner_keys().filter(machine__slug=slug).exists() else None


class TrustTestRunner(Act, frozen=True):
    """Trust the reports that a machine signs with a key. Whether they count, the policy says."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TRUST_TEST_RUNNER,)
    title: ClassVar[Label] = gettext_lazy("Trust test runner")

    id: Annotated[str, Text(label=gettext_lazy("Id, such as ci"), most=64, pattern=ID, form=HANDLE_FORM, recorded=True)]
    key: Annotated[str, Text(label=gettext_lazy("SSH public key"), most=2000, multiline=True, monospace=True)]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The keys whose reports of tests are trusted."""
        return GuardedFacts(permitted=frozenset(runner_keys().values_list("machine__slug", "value")))

    def normalised(self) -> Self:
        """With the key as it is stored."""
        return structs.replace(self, key=read_account_value(Account.Kind.KEY, self.key, "key"))

    def resource(self) -> Resource:
        """The organisation."""
        return ORGANISATION

    def subject(self) -> str:
        """The machine."""
        return f"machine:{self.id}"

    def summary(self) -> str:
        """The machine, and the key's fingerprint, which the second person compares with the machine's own."""
        details = {"id": self.id, "fingerprint": fingerprint(self.key)}
        return _("trust the test runner %(id)s with the key %(fingerprint)s") % details

    def check(self, context: ActContext) -> None:
        """Neither its id nor its key is somebody else's."""
        if Person.objects.filter(slug=self.id).exists():
            raise RefusedError("handle-taken", _("A person has this handle."), _("Choose another id."))
        refuse_taken_account(Account.Kind.KEY, self.key)

    def execute(self, context: ActContext) -> None:
        """Add the key, and the machine where it is new."""
        machine, _made = Machine.objects.get_or_create(slug=self.id)
        values = {"verification": Account.Verification.VOUCHED, "vouched_by_id": context.requester}
        try:
            with transaction.atomic():
                Account.objects.create(machine=machine, kind=Account.Kind.KEY, value=self.key, **values)
        except IntegrityError:  # linked to somebody else at the same moment
            raise account_taken() from None
        soon("reevaluate-all")


class RevokeTestRunner(Act, frozen=True):
    """Stop trusting a test runner: its reports count no more, those of before included."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVOKE_TEST_RUNNER,)
    title: ClassVar[Label] = gettext_lazy("Stop trusting test runner")

    runner: Annotated[
        str,
        Reference(
            label=gettext_lazy("Test runner"),
            find=_find_runner,
            name=str,
            missing=gettext_lazy("No test runner of this id is trusted."),
            remedy=gettext_lazy("Choose one that the page of builders shows."),
            recorded=True,
            most=64,
        ),
    ]

    def resource(self) -> Resource:
        """The organisation."""
        return ORGANISATION

    def subject(self) -> str:
        """The machine."""
        return f"machine:{self.runner}"

    def summary(self) -> str:
        """The machine."""
        return _("stop trusting the test runner %(id)s") % {"id": self.runner}

    def execute(self, context: ActContext) -> None:
        """Delete its keys."""
        runner_keys().filter(machine__slug=self.runner).delete()
        soon("reevaluate-all")
