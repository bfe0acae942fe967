"""Acts on test runners, whose signed reports of tests can count: two people trust one, one person revokes it."""

from typing import Annotated, ClassVar, Self

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.errors import RefusedError
from muniment.git.signatures import make_fingerprint
from muniment.policy.people_document import PERSON_ID
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Label, Reference, Text
from muniment.server.job_queue import enqueue
from muniment.server.people.account_values import make_account_taken, read_account_value, refuse_taken_account
from muniment.server.people.act_fields import HANDLE_FORM
from muniment.server.people.models import Account, Machine, Person


def find_runner_keys() -> QuerySet[Account]:
    """Keys of machines whose reports are trusted."""
    return Account.objects.filter(machine__isnull=False, kind=Account.Kind.KEY).select_related("machine", "vouched_by")


def _find_runner(slug: str, actor: Actor) -> str | None:
    return slug if find_runner_keys().filter(machine__slug=slug).exists() else None


class TrustTestRunner(Act, frozen=True):
    """Trust the reports that a machine signs with a key. The policy says whether they count."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TRUST_TEST_RUNNER,)
    title: ClassVar[Label] = gettext_lazy("Trust test runner")

    id: Annotated[
        str, Text(label=gettext_lazy("Id, such as ci"), most=64, pattern=PERSON_ID, form=HANDLE_FORM, recorded=True)
    ]
    key: Annotated[str, Text(label=gettext_lazy("SSH public key"), most=2000, multiline=True, monospace=True)]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The keys whose reports of tests are trusted."""
        return GuardedFacts(permitted=frozenset(find_runner_keys().values_list("machine__slug", "value")))

    def normalise_fields(self) -> Self:
        """Act with the key in its stored form."""
        return structs.replace(self, key=read_account_value(Account.Kind.KEY, self.key, "key"))

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"machine:{self.id}"

    def describe_act(self) -> str:
        """The machine, and the key's fingerprint, which the second person compares with the machine's own."""
        details = {"id": self.id, "fingerprint": make_fingerprint(self.key)}
        return _("trust the test runner %(id)s with the key %(fingerprint)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an id or key of another owner."""
        if Person.objects.filter(slug=self.id).exists():
            raise RefusedError("handle-taken", _("A person has this handle."), _("Choose another id."))
        refuse_taken_account(Account.Kind.KEY, self.key)

    def carry_out(self, context: ActContext) -> None:
        """Add the key, and the machine where it is new."""
        machine, _made = Machine.objects.get_or_create(slug=self.id)
        values = {"verification": Account.Verification.VOUCHED, "vouched_by_id": context.requester}
        try:
            with transaction.atomic():
                Account.objects.create(machine=machine, kind=Account.Kind.KEY, value=self.key, **values)
        except IntegrityError:  # linked to somebody else at the same moment
            raise make_account_taken() from None
        enqueue("reevaluate-all")


class RevokeTestRunner(Act, frozen=True):
    """Revoke the trust in a test runner: its reports do not count any more, earlier ones included."""

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

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"machine:{self.runner}"

    def describe_act(self) -> str:
        return _("stop trusting the test runner %(id)s") % {"id": self.runner}

    def carry_out(self, context: ActContext) -> None:
        find_runner_keys().filter(machine__slug=self.runner).delete()
        enqueue("reevaluate-all")
