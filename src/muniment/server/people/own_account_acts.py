"""Acts on one's own account: invitations, tokens, verified accounts, mail, and the export of what is stored."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action, Reach
from muniment.access.authorize import Actor, Resource, Why, somewhere
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Integer, Label, Several, Text
from muniment.server.people import recovery, verifications
from muniment.server.people.account_values import read_account_value
from muniment.server.people.act_fields import (
    AccountKind,
    AccountValue,
    EmailAddress,
    PersonId,
    PersonName,
)
from muniment.server.people.models import (
    LONGEST_TOKEN,
    Account,
    AccountNotice,
    ApiToken,
    Invitation,
    MailFrequency,
    Person,
)
from muniment.server.people.person_acts import refuse_taken_address
from muniment.server.people.privacy import kept_of
from muniment.server.records.demanded_proofs import is_proof_demanded
from muniment.server.records.entering import code
from muniment.server.work import soon

NO_SECOND_FACTOR = "no-second-factor"


def _scopes(actor: Actor) -> tuple[tuple[str, Label], ...]:
    """The actions that a token can be for: those that the actor may do anywhere, with a second factor or without."""
    may = (Why.YES, Why.NO_SECOND_FACTOR)
    rows = [action for action in Action if action.rule.roles]
    own = [row for row in rows if row.rule.reach is Reach.OWN or somewhere(actor, row) in may]
    return tuple((code(action), _(action.rule.text)) for action in own)


def _visible_tokens(actor: Actor) -> "QuerySet[ApiToken]":
    return ApiToken.objects.filter(person=actor.person)


def _visible_invitations(actor: Actor) -> "QuerySet[Invitation]":
    return Invitation.objects.filter(person=actor.person, ended_at=None)


class OwnAct(Act, frozen=True):
    """An act of a person on their own account."""

    actions: ClassVar[tuple[Action, ...]] = (Action.MANAGE_OWN_ACCOUNT,)

    person: PersonId

    def resource(self) -> Resource:
        """What belongs to this person, and to nobody else."""
        return Resource(owner=self.person)

    def subject(self) -> str:
        """The person."""
        return f"person:{self.person}"

    def row(self) -> Person:
        """The person's row."""
        return Person.objects.get(pk=self.person)


class AcceptInvitation(OwnAct, frozen=True):
    """Enter by an invitation: with the name that others see, and a password unless a passkey follows.

    The handle is an administrator's choice: whoever enters could take one that others know somebody else by.
    """

    title: ClassVar[Label] = gettext_lazy("Enter")
    carries_secret: ClassVar[bool] = True  # a `recovery.Entry`

    invitation: Annotated[
        int,
        number_input(
            label=gettext_lazy("Invitation"),
            rows=_visible_invitations,
            missing=gettext_lazy("This link was used already."),
            remedy=gettext_lazy("Ask an administrator for another."),
        ),
    ]
    name: PersonName
    email: EmailAddress = ""

    def summary(self) -> str:
        """That an invitation was used."""
        return _("enter by an invitation")

    def check(self, context: ActContext) -> None:
        """The address is nobody else's, the password is none that others guess, and the link still lets them in."""
        refuse_taken_address(self.email, but=self.person)
        if _entry(context).password is not None:
            _refuse_weak_password(str(_entry(context).password), self.row())
        invitation = Invitation.objects.filter(pk=self.invitation, person=self.person).first()
        if invitation is not None:
            recovery.refuse_old_link(self.row(), invitation)

    def execute(self, context: ActContext) -> None:
        """Use the invitation up, end what let the person in before, and store what was given.

        Raises RefusedError where another used it meanwhile, or for a wrong proof of a second factor.
        """
        invitation = Invitation.objects.get(pk=self.invitation)
        rows = Invitation.objects.filter(pk=self.invitation, person=self.person, ended_at=None)
        if not rows.update(ended_at=timezone.now()):
            raise RefusedError(
                "invitation-used", _("This link was used already."), _("Ask an administrator for another.")
            )
        person, entry = self.row(), _entry(context)
        if invitation.recovers or invitation.by_operator:
            recovery.notify(person, AccountNotice.Kind.RECOVERED, None)
            recovery.recover(person, invitation, entry)
        recovery.end_access(person)
        person.name, person.email = self.name, self.email or None
        person.let_in_by_id = invitation.made_by_id
        if entry.password is not None:
            person.set_password(entry.password)
        person.save()
        soon("reevaluate-all")


class ChangeMailFrequency(OwnAct, frozen=True):
    """Choose how often messages are mailed; all of them are in the inbox anyway."""

    title: ClassVar[Label] = gettext_lazy("Change mail")

    frequency: Annotated[
        MailFrequency,
        Choice(label=gettext_lazy("Mail me"), options=MailFrequency, labels=lambda one: one.label, recorded=True),
    ]

    def summary(self) -> str:
        """How often."""
        return _("have messages mailed: %(frequency)s") % {"frequency": self.frequency.label}

    def execute(self, context: ActContext) -> None:
        """Change the row."""
        Person.objects.filter(pk=self.person).update(mail_frequency=self.frequency)


class CreateToken(OwnAct, frozen=True):
    """Create a token for a program: it can do no more than its person, and only what it is for."""

    title: ClassVar[Label] = gettext_lazy("Create token")

    name: Annotated[str, Text(label=gettext_lazy("Name"), most=100)]
    days: Annotated[int, Integer(label=gettext_lazy("Days until it expires"), least=1, most=LONGEST_TOKEN.days)]
    scopes: Annotated[tuple[str, ...], Several(label=gettext_lazy("What it may do"), options=_scopes, recorded=True)]

    def summary(self) -> str:
        """How many actions it is for, and how long."""
        details = {"number": len(self.scopes), "days": self.days}
        return _("create a token for %(number)d actions and %(days)d days") % details

    def check(self, context: ActContext) -> None:
        """A token that changes things comes from a session with a second factor."""
        changing = any(action.rule.changes for action in Action if code(action) in self.scopes)
        if changing and not context.second_factor:
            raise RefusedError(
                NO_SECOND_FACTOR,
                _("A token that changes things takes a second factor."),
                _("Sign in with your second factor first."),
            )

    def execute(self, context: ActContext) -> str:
        """Add the token; its text, which is stored nowhere."""
        text, hashed = ApiToken.fresh()
        ApiToken.objects.create(
            person_id=self.person,
            name=self.name,
            token_hash=hashed,
            expires_at=timezone.now() + timedelta(days=self.days),
            scopes=list(self.scopes),
            second_factor=context.second_factor,
        )
        return text


class RevokeToken(OwnAct, frozen=True):
    """Revoke a token of one's own."""

    title: ClassVar[Label] = gettext_lazy("Revoke token")

    token: Annotated[
        int,
        number_input(
            label=gettext_lazy("Token"),
            rows=_visible_tokens,
            missing=gettext_lazy("You have no such token."),
            remedy=gettext_lazy("Choose a token that your page shows."),
        ),
    ]

    def summary(self) -> str:
        """That it is a token."""
        return _("revoke a token")

    def execute(self, context: ActContext) -> None:
        """End it."""
        ApiToken.objects.filter(pk=self.token, person=self.person).update(ended_at=timezone.now())


class StartVerification(OwnAct, frozen=True):
    """Say that an address, key or login is one's own, to verify it next."""

    actions: ClassVar[tuple[Action, ...]] = (Action.LINK_ACCOUNT,)
    title: ClassVar[Label] = gettext_lazy("Verify account")

    kind: AccountKind
    value: AccountValue

    def normalised(self) -> Self:
        """With the value as it is stored."""
        return structs.replace(self, value=read_account_value(self.kind, self.value))

    def summary(self) -> str:
        """What kind of account it is."""
        return _("begin to verify an account (%(kind)s)") % {"kind": self.kind.label}

    def check(self, context: ActContext) -> None:
        """It is nobody else's, and can be verified here."""
        verifications.refuse_unverifiable(self.row(), self.kind, self.value)

    def execute(self, context: ActContext) -> None:
        """Begin, in place of an earlier one."""
        verifications.start_verification(self.row(), self.kind, self.value)


class FinishVerification(OwnAct, frozen=True):
    """Prove the account that one verifies, by a signature or a mailed code."""

    actions: ClassVar[tuple[Action, ...]] = (Action.LINK_ACCOUNT,)
    title: ClassVar[Label] = gettext_lazy("Verify")

    signature: Annotated[
        str,
        Text(
            label=gettext_lazy("Signature"),
            most=verifications.LONGEST_SIGNATURE,
            multiline=True,
            monospace=True,
        ),
    ] = ""
    code: Annotated[str, Text(label=gettext_lazy("Code"), most=20)] = ""

    def summary(self) -> str:
        """What kind of account it is."""
        begun = verifications.current_verification(self.row())
        return _("verify an account (%(kind)s)") % {"kind": begun.get_kind_display() if begun is not None else "–"}

    def check(self, context: ActContext) -> None:
        """The signature or code proves it."""
        verifications.prove_account(self.row(), signature=self.signature, code=self.code)

    def execute(self, context: ActContext) -> None:
        """Link the account, as proven."""
        person = self.row()
        begun, proof = verifications.prove_account(person, signature=self.signature, code=self.code)
        verifications.link_account(person, begun.kind, begun.value, proof)
        begun.delete()
        soon("reevaluate-all")


def _claimed_accounts(actor: Actor) -> "QuerySet[Account]":
    return Account.objects.filter(person=actor.person).exclude(Account.counting())


class ConfirmOwnAccount(OwnAct, frozen=True):
    """Confirm that an account is one's own, for which an administrator vouched: it counts from then on."""

    actions: ClassVar[tuple[Action, ...]] = (Action.LINK_ACCOUNT,)
    title: ClassVar[Label] = gettext_lazy("Confirm account")

    account: Annotated[
        int,
        number_input(
            label=gettext_lazy("Account"),
            rows=_claimed_accounts,
            missing=gettext_lazy("No such account waits for you to confirm it."),
            remedy=gettext_lazy("Choose an account that your page shows."),
        ),
    ]

    def summary(self) -> str:
        """What kind of account it is."""
        kind = Account.objects.get(pk=self.account).get_kind_display()
        return _("confirm an account of one's own (%(kind)s)") % {"kind": kind}

    def check(self, context: ActContext) -> None:
        """Another person vouched for it: whoever vouches for an account of their own is one person."""
        row = Account.objects.filter(pk=self.account, person=self.person).first()
        if row is None or row.counts:
            raise RefusedError(
                "account-changed",
                _("It was unlinked or confirmed meanwhile."),
                _("Look at your page again."),
            )
        if is_proof_demanded(Action.CONFIRM_ACCOUNT):
            raise RefusedError(
                "signature-missing",
                _("The policy demands signatures of two persons for this, and a session makes none."),
                _("Verify the account, or have two persons confirm it."),
            )
        if row.vouched_by_id is not None and row.vouched_by_id == self.row().let_in_by_id:
            raise RefusedError(
                "vouched-by-inviter",
                _("%(name)s vouched for it, and alone made the link by which you entered.")
                % {"name": Person.objects.get(pk=row.vouched_by_id).name},
                _("Verify it, or have a second person approve the request."),
            )
        if row.vouched_by_id == self.person:
            raise RefusedError(
                "vouched-oneself",
                _("You vouched for it yourself."),
                _("Verify it, or have a second person approve the request."),
            )

    def execute(self, context: ActContext) -> None:
        """Note who confirmed it, and evaluate again what counts on it."""
        Account.objects.filter(pk=self.account).update(confirmed_at=timezone.now(), confirmed_by_id=self.person)
        soon("reevaluate-all")


class ExportOwnData(OwnAct, frozen=True):
    """Export what is stored about oneself."""

    title: ClassVar[Label] = gettext_lazy("Export own data")

    def summary(self) -> str:
        """That it is one's own."""
        return _("export what is stored about oneself")

    def execute(self, context: ActContext) -> dict[str, Any]:
        """All that is stored, as JSON values."""
        return kept_of(self.row())


def _entry(context: ActContext) -> recovery.Entry:
    return context.secret if isinstance(context.secret, recovery.Entry) else recovery.Entry(None)


def _refuse_weak_password(password: str, person: Person) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise RefusedError("weak-password", " ".join(error.messages), _("Choose another password.")) from None
