"""Acts on one's own account: invitations, tokens, verified accounts, mail, and the export of what is stored."""

from datetime import timedelta
from typing import Annotated, ClassVar, Self

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action, Reach
from muniment.access.authorization import AccessResult, Actor, Resource, authorize_anywhere
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Integer, Label, MultipleChoice, Text
from muniment.server.job_queue import enqueue
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
from muniment.server.people.privacy import collect_personal_data
from muniment.server.people.scope_groups import find_scope_group
from muniment.server.records.demanded_proofs import is_proof_demanded
from muniment.server.records.record_writing import action_code

NO_SECOND_FACTOR = "no-second-factor"


def _offer_scopes(actor: Actor) -> tuple[tuple[str, Label], ...]:
    """Actions that a token can be for: those that the actor may do anywhere, with a second factor or without.

    Each with its name too, by which commands and documents say what a token needs.
    """
    may = (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
    rows = [action for action in Action if action.rule.roles]
    own = [row for row in rows if row.rule.reach is Reach.OWN or authorize_anywhere(actor, row) in may]
    return tuple((action_code(action), f"{_(action.rule.text)} ({action_code(action)})") for action in own)


def _visible_tokens(actor: Actor) -> "QuerySet[ApiToken]":
    return ApiToken.objects.filter(person=actor.person)


def _visible_invitations(actor: Actor) -> "QuerySet[Invitation]":
    return Invitation.objects.filter(person=actor.person, ended_at=None)


class OwnAct(Act, frozen=True):
    """An act of a person on their own account."""

    actions: ClassVar[tuple[Action, ...]] = (Action.MANAGE_OWN_ACCOUNT,)

    person: PersonId

    def find_resource(self) -> Resource:
        """Resource of this person alone."""
        return Resource(owner=self.person)

    def format_subject(self) -> str:
        return f"person:{self.person}"

    def load_person(self) -> Person:
        return Person.objects.get(pk=self.person)


class AcceptInvitation(OwnAct, frozen=True):
    """Enter by an invitation: with the name that others see, and a password unless a passkey follows.

    The handle is an administrator's choice: a user of the link could take one by which others know another person.
    """

    title: ClassVar[Label] = gettext_lazy("Enter")
    carries_secret: ClassVar[bool] = True  # a `recovery.EntryCredentials`

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

    def describe_act(self) -> str:
        """Sentence that an invitation was used."""
        return _("enter by an invitation")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an address of another person, a weak password, and a link that is no longer valid."""
        refuse_taken_address(self.email, but=self.person)
        if _read_credentials(context).password is not None:
            _refuse_weak_password(str(_read_credentials(context).password), self.load_person())
        invitation = Invitation.objects.filter(pk=self.invitation, person=self.person).first()
        if invitation is not None:
            recovery.refuse_old_link(self.load_person(), invitation)

    def carry_out(self, context: ActContext) -> None:
        """Use the invitation up, end all earlier access of the person, and store what was entered.

        Raises RefusedError if the invitation was used meanwhile, or for a wrong proof of a second factor.
        """
        invitation = Invitation.objects.get(pk=self.invitation)
        rows = Invitation.objects.filter(pk=self.invitation, person=self.person, ended_at=None)
        if not rows.update(ended_at=timezone.now()):
            raise RefusedError(
                "invitation-used", _("This link was used already."), _("Ask an administrator for another.")
            )
        person, entry = self.load_person(), _read_credentials(context)
        if invitation.recovers or invitation.by_operator:
            if not invitation.by_operator or recovery.is_account_in_use(person):
                recovery.create_account_notice(person, AccountNotice.Kind.RECOVERED, None)
            recovery.recover_account(person, invitation, entry)
        recovery.end_access(person)
        person.name, person.email = self.name, self.email or None
        person.let_in_by_id = invitation.made_by_id
        if entry.password is not None:
            person.set_password(entry.password)
        person.save()
        enqueue("reevaluate-all")


class ChangeMailFrequency(OwnAct, frozen=True):
    """Choose how often messages are mailed; all of them are in the inbox anyway."""

    title: ClassVar[Label] = gettext_lazy("Change mail")

    frequency: Annotated[
        MailFrequency,
        Choice(label=gettext_lazy("Mail me"), options=MailFrequency, labels=lambda one: one.label, recorded=True),
    ]

    def describe_act(self) -> str:
        return _("have messages mailed: %(frequency)s") % {"frequency": self.frequency.label}

    def carry_out(self, context: ActContext) -> None:
        Person.objects.filter(pk=self.person).update(mail_frequency=self.frequency)


class CreateToken(OwnAct, frozen=True):
    """Create a token for a program: it can do no more than its person, and only what it is for."""

    title: ClassVar[Label] = gettext_lazy("Create token")

    name: Annotated[str, Text(label=gettext_lazy("Name"), most=100)]
    days: Annotated[int, Integer(label=gettext_lazy("Days until it expires"), least=1, most=LONGEST_TOKEN.days)]
    scopes: Annotated[
        tuple[str, ...],
        MultipleChoice(
            label=gettext_lazy("What it may do"), options=_offer_scopes, group=find_scope_group, recorded=True
        ),
    ]

    def describe_act(self) -> str:
        """How many actions it is for, and how long."""
        details = {"number": len(self.scopes), "days": self.days}
        return _("create a token for %(number)d actions and %(days)d days") % details

    def check_preconditions(self, context: ActContext) -> None:
        """A token that changes things comes from a session with a second factor."""
        changing = any(action.rule.changes for action in Action if action_code(action) in self.scopes)
        if changing and not context.second_factor:
            raise RefusedError(
                NO_SECOND_FACTOR,
                _("A token that changes things takes a second factor."),
                _("Sign in with your second factor first."),
            )

    def carry_out(self, context: ActContext) -> str:
        """Add the token; its text, which is stored nowhere."""
        text, hashed = ApiToken.make_token()
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

    def describe_act(self) -> str:
        """Sentence without the token's name."""
        return _("revoke a token")

    def carry_out(self, context: ActContext) -> None:
        ApiToken.objects.filter(pk=self.token, person=self.person).update(ended_at=timezone.now())


class StartVerification(OwnAct, frozen=True):
    """Say that an address, key or login is one's own, to verify it next."""

    actions: ClassVar[tuple[Action, ...]] = (Action.LINK_ACCOUNT,)
    title: ClassVar[Label] = gettext_lazy("Verify account")

    kind: AccountKind
    value: AccountValue

    def normalise_fields(self) -> Self:
        """Act with the value in its stored form."""
        return structs.replace(self, value=read_account_value(self.kind, self.value))

    def describe_act(self) -> str:
        """Sentence with the kind of the account."""
        return _("begin to verify an account (%(kind)s)") % {"kind": self.kind.label}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an account of another person, and one that cannot be verified here."""
        verifications.refuse_unverifiable(self.load_person(), self.kind, self.value)

    def carry_out(self, context: ActContext) -> None:
        """Begin, in place of an earlier one."""
        verifications.begin_verification(self.load_person(), self.kind, self.value)


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

    def describe_act(self) -> str:
        """Sentence with the kind of the account."""
        begun = verifications.find_current_verification(self.load_person())
        return _("verify an account (%(kind)s)") % {"kind": begun.get_kind_display() if begun is not None else "–"}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a wrong signature or code."""
        verifications.prove_account(self.load_person(), signature=self.signature, code=self.code)

    def carry_out(self, context: ActContext) -> None:
        """Link the account, as proven."""
        person = self.load_person()
        begun, proof = verifications.prove_account(person, signature=self.signature, code=self.code)
        verifications.link_account(person, begun.kind, begun.value, proof)
        begun.delete()
        enqueue("reevaluate-all")


def _unconfirmed_accounts(actor: Actor) -> "QuerySet[Account]":
    return Account.objects.filter(person=actor.person).exclude(Account.counting_condition())


class ConfirmOwnAccount(OwnAct, frozen=True):
    """Confirm that an account is one's own, for which an administrator vouched: it counts from then on."""

    actions: ClassVar[tuple[Action, ...]] = (Action.LINK_ACCOUNT,)
    title: ClassVar[Label] = gettext_lazy("Confirm account")

    account: Annotated[
        int,
        number_input(
            label=gettext_lazy("Account"),
            rows=_unconfirmed_accounts,
            missing=gettext_lazy("No such account waits for you to confirm it."),
            remedy=gettext_lazy("Choose an account that your page shows."),
        ),
    ]

    def describe_act(self) -> str:
        """Sentence with the kind of the account."""
        kind = Account.objects.get(pk=self.account).get_kind_display()
        return _("confirm an account of one's own (%(kind)s)") % {"kind": kind}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse unless another person vouched for the account: two people are required."""
        context.refuse_token()
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
        if row.vouched_by_id is not None and row.vouched_by_id == self.load_person().let_in_by_id:
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

    def carry_out(self, context: ActContext) -> None:
        """Note who confirmed it, and evaluate again what counts on it."""
        Account.objects.filter(pk=self.account).update(confirmed_at=timezone.now(), confirmed_by_id=self.person)
        enqueue("reevaluate-all")


class ExportOwnData(OwnAct, frozen=True):
    """Export what is stored about oneself."""

    title: ClassVar[Label] = gettext_lazy("Export own data")

    def describe_act(self) -> str:
        """Sentence that the data is one's own."""
        return _("export what is stored about oneself")

    def carry_out(self, context: ActContext) -> dict[str, object]:
        """Return all stored data, as JSON values."""
        return collect_personal_data(self.load_person())


def _read_credentials(context: ActContext) -> recovery.EntryCredentials:
    return context.secret if isinstance(context.secret, recovery.EntryCredentials) else recovery.EntryCredentials(None)


def _refuse_weak_password(password: str, person: Person) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise RefusedError("weak-password", " ".join(error.messages), _("Choose another password.")) from None
