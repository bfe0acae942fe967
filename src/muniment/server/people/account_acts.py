"""Acts of an administrator on the accounts of a person: vouch for one, unlink one."""

from typing import Annotated, ClassVar, Self

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.authorize import Actor
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Label
from muniment.server.people.account_values import account_taken, read_account_value, refuse_taken_account
from muniment.server.people.act_fields import AccountKind, AccountValue, label_of
from muniment.server.people.models import Account
from muniment.server.people.person_acts import PersonAct
from muniment.server.work import soon


def _visible_accounts(actor: Actor) -> "QuerySet[Account]":
    return Account.objects.filter(person__isnull=False)


class VouchForAccount(PersonAct, frozen=True):
    """Link an address, key or login to a person without proof: the administrator vouches for it by name."""

    title: ClassVar[Label] = gettext_lazy("Vouch for account")

    kind: AccountKind
    value: AccountValue

    def normalised(self) -> Self:
        """With the value as it is stored."""
        return structs.replace(self, value=read_account_value(self.kind, self.value))

    def summary(self) -> str:
        """The person, and what kind of account it is."""
        details = {"kind": self.kind.label, "person": label_of(self.person)}
        return _("vouch for an account of %(person)s (%(kind)s)") % details

    def check(self, context: ActContext) -> None:
        """It is linked to nobody."""
        refuse_taken_account(self.kind, self.value)

    def execute(self, context: ActContext) -> None:
        """Add the account, with the administrator who vouches for it."""
        values = {"verification": Account.Verification.VOUCHED, "vouched_by_id": context.requester}
        try:
            with transaction.atomic():
                Account.objects.create(person_id=self.person, kind=self.kind, value=self.value, **values)
        except IntegrityError:  # linked to somebody else at the same moment
            raise account_taken() from None
        soon("reevaluate-all")


class UnlinkAccount(PersonAct, frozen=True):
    """Unlink an account from a person."""

    title: ClassVar[Label] = gettext_lazy("Unlink account")

    account: Annotated[
        int,
        number_input(
            label=gettext_lazy("Account"),
            rows=_visible_accounts,
            missing=gettext_lazy("There is no such account."),
            remedy=gettext_lazy("Choose an account that the page of the person shows."),
        ),
    ]

    def summary(self) -> str:
        """The person, and what kind of account it is."""
        kind = Account.objects.get(pk=self.account).get_kind_display()
        return _("unlink an account of %(person)s (%(kind)s)") % {"person": label_of(self.person), "kind": kind}

    def check(self, context: ActContext) -> None:
        """It is an account of this person."""
        if not Account.objects.filter(pk=self.account, person=self.person).exists():
            raise RefusedError(
                "not-their-account",
                _("This account does not belong to this person."),
                _("Choose an account that the page of the person shows."),
            )

    def execute(self, context: ActContext) -> None:
        """Delete the account."""
        Account.objects.filter(pk=self.account).delete()
        soon("reevaluate-all")
