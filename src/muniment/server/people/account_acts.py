"""Acts of an administrator on the accounts of people: vouch for some, have them confirmed, unlink one."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Self

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.errors import ParseError, RefusedError
from muniment.git.signatures import make_fingerprint
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import InputCode, Label, Text
from muniment.server.job_queue import enqueue
from muniment.server.people.account_values import make_account_taken, read_account_value, refuse_taken_account
from muniment.server.people.act_fields import AccountKind, AccountValue, label_person
from muniment.server.people.authenticators import remove_enrolments
from muniment.server.people.models import Account, EnrolledAuthenticator, Person
from muniment.server.people.person_acts import PersonAct

MOST_AT_ONCE = 1_000  # accounts that one request lists: a person reads them


def _visible_accounts(actor: Actor) -> "QuerySet[Account]":
    return Account.objects.filter(person__isnull=False)


def _describe_account(row: Account) -> str:
    """The person of an account, and the account; a key by its fingerprint."""
    value = make_fingerprint(row.value) if row.kind == Account.Kind.KEY else row.value
    return f"{label_person(str(row.person_id))}: {row.get_kind_display()} {value}"


def _read_lines(text: str) -> Iterator[tuple[str, Account.Kind, str]]:
    """Handle, kind and value of each line. Raises ParseError."""
    for line in filter(None, map(str.strip, text.splitlines())):
        handle, kind, value = (*line.split(None, 2), "", "")[:3]
        if kind not in Account.Kind.values or not value:
            sentence = _("This line names no account: %(line)s") % {"line": line[:80]}
            remedy = _("Write a handle, then email, key or login, then the value.")
            raise ParseError(InputCode.MALFORMED, sentence, remedy, "accounts")
        yield handle, Account.Kind(kind), read_account_value(Account.Kind(kind), value, "accounts")


def _find_person(handle: str) -> Person:
    found = Person.objects.filter(slug=handle).first()
    if found is None:
        sentence = _("Nobody has the handle %(handle)s.") % {"handle": handle}
        raise RefusedError("no-such-person", sentence, _("Write handles that the page People shows."))
    return found


def _add_vouched_account(person: str, kind: str, value: str, context: ActContext) -> int:
    """Add an account that an administrator vouches for; its number. Raises RefusedError if it was linked meanwhile."""
    vouched = {"verification": Account.Verification.VOUCHED, "vouched_by_id": context.requester}
    try:
        with transaction.atomic():
            return Account.objects.create(person_id=person, kind=kind, value=value, **vouched).pk
    except IntegrityError:
        raise make_account_taken() from None


class VouchForAccount(PersonAct, frozen=True):
    """Link an address, key or login to a person without proof: the administrator vouches for it by name.

    It counts once a second person confirmed it: that is requested in the same transaction.
    """

    title: ClassVar[Label] = gettext_lazy("Vouch for account")

    kind: AccountKind
    value: AccountValue

    def normalise_fields(self) -> Self:
        """Act with the value in its stored form."""
        return structs.replace(self, value=read_account_value(self.kind, self.value))

    def describe_act(self) -> str:
        """The person, and what kind of account it is."""
        details = {"kind": self.kind.label, "person": label_person(self.person)}
        return _("vouch for an account of %(person)s (%(kind)s)") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an account that is linked to anybody."""
        refuse_taken_account(self.kind, self.value)

    def carry_out(self, context: ActContext) -> int:
        """Add the account, with the administrator who vouches for it; its number."""
        number = _add_vouched_account(self.person, self.kind, self.value, context)
        enqueue("reevaluate-all")
        return number

    def follow_up(self, result: object) -> Act:
        """Request that a second person confirms the account."""
        return ConfirmAccounts(accounts=str(result))


class ImportAccounts(Act, frozen=True):
    """Link many addresses, keys and logins to people without proof; one request then asks a second person for all."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_PERSON,)
    title: ClassVar[Label] = gettext_lazy("Import accounts")

    accounts: Annotated[
        str,
        Text(
            label=gettext_lazy("Accounts"),
            hint=gettext_lazy(
                "One a line: handle, kind (email, key or login) and value, such as: ada login github/ada"
            ),
            most=100_000,
            multiline=True,
            monospace=True,
        ),
    ]

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for a line without an account, and for more lines than a request can
        list.
        """
        count = len(list(_read_lines(self.accounts)))
        if count > MOST_AT_ONCE:
            raise ParseError(
                InputCode.TOO_LONG,
                _("These are more than %(most)d accounts.") % {"most": MOST_AT_ONCE},
                _("Import them in parts."),
                "accounts",
            )
        return self

    def find_resource(self) -> Resource:
        """The organisation: people belong to no product."""
        return ORGANISATION

    def format_subject(self) -> str:
        return "organisation:"

    def describe_act(self) -> str:
        """Number of the accounts."""
        return _("vouch for %(number)d accounts") % {"number": len(list(_read_lines(self.accounts)))}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse unknown handles, and accounts that are linked to anybody."""
        for handle, kind, value in _read_lines(self.accounts):
            _find_person(handle)
            refuse_taken_account(kind, value)

    def carry_out(self, context: ActContext) -> tuple[int, ...]:
        """Add the accounts; their numbers. Raises RefusedError for one that is in the list twice."""
        rows = list(_read_lines(self.accounts))
        numbers = tuple(
            _add_vouched_account(_find_person(handle).pk, kind, value, context) for handle, kind, value in rows
        )
        enqueue("reevaluate-all")
        return numbers

    def follow_up(self, result: object) -> Act:
        """Request that a second person confirms all accounts at once."""
        return ConfirmAccounts(accounts=" ".join(map(str, result if isinstance(result, tuple) else ())))


class ConfirmAccounts(Act, frozen=True):
    """Confirm that accounts which an administrator vouched for are their persons': by two people, in one request."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CONFIRM_ACCOUNT,)
    title: ClassVar[Label] = gettext_lazy("Confirm accounts")

    accounts: Annotated[
        str,
        Text(
            label=gettext_lazy("Accounts"),
            most=20_000,
            pattern=rf"[0-9]{{1,18}}(?: [0-9]{{1,18}}){{0,{MOST_AT_ONCE - 1}}}",
            form=gettext_lazy("Write the numbers of accounts with spaces between them."),
            recorded=True,
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The accounts that nobody proved and two people confirmed, each with its person."""
        rows = Account.objects.filter(person__isnull=False, verification=Account.Verification.VOUCHED)
        by_owner = Q(confirmed_by=F("person")) & ~Q(vouched_by=F("person__let_in_by"))
        rows = rows.exclude(confirmed_at=None).exclude(by_owner)
        return GuardedFacts(permitted=frozenset(rows.values_list("kind", "value", "person")))

    def find_resource(self) -> Resource:
        """The organisation: people belong to no product."""
        return ORGANISATION

    def format_subject(self) -> str:
        """The person, if all accounts belong to one: the request then ends when that person leaves."""
        owners = {row.person_id for row in self._load_accounts()}
        return f"person:{owners.pop()}" if len(owners) == 1 else "organisation:"

    def describe_act(self) -> str:
        """Sentence that lists each account with its person, for the person who approves."""
        accounts = "; ".join(_describe_account(row) for row in self._load_accounts())
        return _("confirm that these accounts are their persons': %(accounts)s") % {"accounts": accounts}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse accounts that were unlinked or confirmed meanwhile."""
        rows = self._load_accounts()
        if len(rows) != len(self.accounts.split()) or any(row.counts for row in rows):
            raise RefusedError(
                "account-changed",
                _("One of these accounts was unlinked or confirmed meanwhile."),
                _("Request it anew for the accounts that still wait."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Note the second person, and evaluate again what counts on the accounts."""
        rows = Account.objects.filter(pk__in=self.accounts.split(), person__isnull=False)
        rows.update(confirmed_at=timezone.now(), confirmed_by=context.approver)
        enqueue("reevaluate-all")

    def _load_accounts(self) -> list[Account]:
        rows = Account.objects.filter(pk__in=self.accounts.split(), person__isnull=False)
        return list(rows.select_related("person").order_by("pk"))


class UnlinkAccount(PersonAct, frozen=True):
    """Unlink an account from a person. A key that is unlinked confirms no acts any more."""

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

    def describe_act(self) -> str:
        """The person, and what kind of account it is."""
        kind = Account.objects.get(pk=self.account).get_kind_display()
        return _("unlink an account of %(person)s (%(kind)s)") % {"person": label_person(self.person), "kind": kind}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an account of another person."""
        if not Account.objects.filter(pk=self.account, person=self.person).exists():
            raise RefusedError(
                "not-their-account",
                _("This account does not belong to this person."),
                _("Choose an account that the page of the person shows."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Delete the account, and end the enrolment of its key."""
        row = Account.objects.get(pk=self.account)
        if row.kind == Account.Kind.KEY:
            enrolled = EnrolledAuthenticator.objects.filter(person=self.person, identifier=make_fingerprint(row.value))
            remove_enrolments(enrolled)
        row.delete()
        enqueue("reevaluate-all")
