"""Acts on machine accounts, such as bots and coding agents: two people declare one, one person removes it.

The work of a machine makes no person a contributor. So nobody declares an account a machine alone: neither one that
belongs to a person, which is refused, nor one whose owner is unknown.
"""

from typing import Annotated, ClassVar, Self

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.errors import ParseError, RefusedError
from muniment.policy.people_document import PERSON_ID
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Flag, InputCode, Label, Text
from muniment.server.job_queue import enqueue
from muniment.server.people.account_values import make_account_taken, read_account_value, refuse_taken_account
from muniment.server.people.act_fields import HANDLE_FORM, AccountKind, AccountValue
from muniment.server.people.models import Account, ForgeMachine, Machine, Person


def find_machine_accounts() -> QuerySet[Account]:
    """Addresses and logins of all machines. Keys belong to test runners."""
    rows = Account.objects.filter(machine__isnull=False).exclude(kind=Account.Kind.KEY)
    return rows.select_related("machine", "vouched_by").order_by("machine__slug", "kind", "value")


def find_proposed_machines() -> list[ForgeMachine]:
    """Accounts that forges call machines, and that are linked to nobody."""
    rows = list(ForgeMachine.objects.all())
    names = {row.pk: [f"{row.forge}/{name}" for name in (row.login, f"#{row.number}")] for row in rows}
    hashes = {Account.hash_identity(Account.Kind.LOGIN, name): pk for pk, both in names.items() for name in both}
    known = Account.objects.filter(identity_hash__in=list(hashes)).values_list("identity_hash", flat=True)
    taken = {hashes[identity] for identity in known}
    return [row for row in rows if row.pk not in taken]


def _visible_machine_accounts(actor: Actor) -> QuerySet[Account]:
    return find_machine_accounts()


class DeclareMachine(Act, frozen=True):
    """Declare an address or a login the account of a machine."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DECLARE_MACHINE,)
    title: ClassVar[Label] = gettext_lazy("Declare machine account")

    id: Annotated[
        str,
        Text(label=gettext_lazy("Id, such as renovate"), most=64, pattern=PERSON_ID, form=HANDLE_FORM, recorded=True),
    ]
    kind: AccountKind
    value: AccountValue
    acts_on_request: Annotated[
        bool,
        Flag(
            label=gettext_lazy("People ask it to write code"),
            hint=gettext_lazy(
                "Then each of its commits has to tell who asked. Say no only for a machine that nobody asks."
            ),
            ask=True,
            recorded=True,
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Accounts whose work makes no person a contributor, and whether they act on request."""
        rows = find_machine_accounts().values_list("kind", "value", "machine__slug", "machine__acts_on_request")
        return GuardedFacts(permitted=frozenset((kind, value, slug, str(asked)) for kind, value, slug, asked in rows))

    def normalise_fields(self) -> Self:
        """Act with the value in its stored form. Raises ParseError for a key."""
        if self.kind == Account.Kind.KEY:
            remedy = _("Trust the machine as a test runner instead, on the page of builders.")
            raise ParseError(InputCode.MALFORMED, _("A machine is known by an address or a login."), remedy, "kind")
        return structs.replace(self, value=read_account_value(self.kind, self.value))

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"machine:{self.id}"

    def describe_act(self) -> str:
        """Sentence with the account, the machine, and whether its commits must name the requester."""
        details = {"value": self.value, "id": self.id}
        if self.acts_on_request:
            return (
                _("add the account %(value)s of the machine %(id)s, which writes code at the request of people")
                % details
            )
        return _("add the account %(value)s of the machine %(id)s, which writes code only by itself") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an id or account of a person, and a machine that differs from its earlier declaration."""
        if Person.objects.filter(slug=self.id).exists():
            raise RefusedError("handle-taken", _("A person has this handle."), _("Choose another id."))
        known = Machine.objects.filter(slug=self.id).first()
        if known is not None and known.acts_on_request != self.acts_on_request:
            raise RefusedError(
                "machine-declared-otherwise",
                _("This machine was declared otherwise: whether people ask it to write code is said once."),
                _("Say the same as before, or choose another id."),
            )
        refuse_taken_account(self.kind, self.value)

    def carry_out(self, context: ActContext) -> None:
        """Add the account, and the machine where it is new."""
        values = {"verification": Account.Verification.VOUCHED, "vouched_by_id": context.requester}
        try:
            with transaction.atomic():
                machine, _made = Machine.objects.get_or_create(
                    slug=self.id, defaults={"acts_on_request": self.acts_on_request}
                )
                Account.objects.create(machine=machine, kind=self.kind, value=self.value, **values)
        except IntegrityError:  # linked to somebody else at the same moment
            raise make_account_taken() from None
        enqueue("reevaluate-all")


class RemoveMachineAccount(Act, frozen=True):
    """Remove an address or a login from a machine: its owner is unknown then, and unknown denies."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PERSON,)
    title: ClassVar[Label] = gettext_lazy("Remove machine account")

    account: Annotated[
        int,
        number_input(
            label=gettext_lazy("Account"),
            rows=_visible_machine_accounts,
            missing=gettext_lazy("There is no such machine account."),
            remedy=gettext_lazy("Choose one that the page People shows."),
            recorded=True,
        ),
    ]

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        slug = find_machine_accounts().filter(pk=self.account).values_list("machine__slug", flat=True).first()
        return f"machine:{slug or ''}"

    def describe_act(self) -> str:
        """The account and the machine."""
        row = find_machine_accounts().get(pk=self.account)
        details = {"value": row.value, "id": row.machine.slug if row.machine is not None else ""}
        return _("remove the account %(value)s from the machine %(id)s") % details

    def carry_out(self, context: ActContext) -> None:
        find_machine_accounts().filter(pk=self.account).delete()
        enqueue("reevaluate-all")
