"""Recovery of an account: a sign-in link for somebody who has a second factor, a role that changes things, or an
account that counts as theirs.

It is an act of two people, or the operator's at the machine. What let the person in before ends, the worker tells them
on every channel they have, and for a day nothing counts that they approve: whoever used the link may be somebody else.
"""

import json
from datetime import timedelta
from typing import NamedTuple

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import complete_authentication, parse_authentication_response
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.people.authenticators import find_enrolled, remove_enrolments
from muniment.server.people.bootstrap import is_finished
from muniment.server.people.models import (
    Account,
    AccountNotice,
    AccountVerification,
    EnrolledAuthenticator,
    Invitation,
    Person,
    in_force,
)
from muniment.server.people.role_acts import changes_things
from muniment.server.people.waiting_requests import waiting_requests
from muniment.server.work import soon

SUSPENDED = timedelta(days=1)
_MOST_CODES = 5  # wrong codes of a second factor, for each link


class Entry(NamedTuple):
    """What accompanies the use of a link, and is stored nowhere: a password, None where a passkey follows, and a proof
    of a second factor that the person had before, "" for none: a code, or a passkey's answer as WebAuthn's JSON.
    """

    password: str | None
    code: str = ""
    passkey: str = ""


def needs_recovery(person: Person) -> bool:
    """Whether letting a person in anew takes two people.

    So it does with an account that identifies them: what they approve by it counts already, and whoever enters as them
    links another one of their own.
    """
    if Authenticator.objects.filter(user=person).exists():
        return True
    if person.accounts.filter(Account.counting()).exists():
        return True
    # Grants as they are in the table: one that differs from the ledger must not make recovery easier.
    if any(changes_things(Role(role)) for role in person.role_grants.filter(in_force()).values_list("role", flat=True)):
        return True
    return waiting_requests().is_about(f"person:{person.pk}", "grant-changing-role")


def count_code(invitation: Invitation) -> None:
    """Count one code that is tried, before it is looked at and whatever comes of it."""
    Invitation.objects.filter(pk=invitation.pk).update(attempt_count=F("attempt_count") + 1)


def end_access(person: Person) -> None:
    """End what lets a person in: password, sessions, tokens, links, company accounts, and what they began to verify."""
    now = timezone.now()
    person.set_unusable_password()  # a new one each time, by which every session ends
    person.api_tokens.filter(ended_at=None).update(ended_at=now)
    person.invitations.filter(ended_at=None).update(ended_at=now)
    AccountVerification.objects.filter(person=person).delete()
    SocialAccount.objects.filter(user=person).delete()


def recover(person: Person, invitation: Invitation, entry: Entry) -> None:
    """End the second factors of before, and suspend what the person approves. A proof of one that they still have keeps
    that one, and suspends nothing unless the operator made the link. Raises RefusedError for a wrong one.
    """
    had_factor = Authenticator.objects.filter(user=person).exists()
    proven = _find_proven(person, invitation, entry)
    ended = Authenticator.objects.filter(user=person)
    if proven is not None and proven.type == Authenticator.Type.TOTP:
        ended = ended.exclude(type__in=(Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES))
    elif proven is not None and proven.type == Authenticator.Type.WEBAUTHN:
        ended = ended.exclude(pk=proven.pk)
    enrolled = [row.pk for row in map(find_enrolled, ended) if row is not None]
    remove_enrolments(EnrolledAuthenticator.objects.filter(pk__in=enrolled))
    ended.delete()
    if (proven is None or invitation.by_operator) and (had_factor or is_finished()):
        person.approvals_suspended_until = timezone.now() + SUSPENDED


def refuse_old_link(person: Person, invitation: Invitation) -> None:
    """Raise RefusedError for a link that one person made, if the person has more to lose by now."""
    if not invitation.recovers and needs_recovery(person):
        raise RefusedError(
            "link-takes-two",
            _(
                "This link is no longer valid, since you now have a second factor, a verified account, or a role that "
                "can change things: a new link takes two people."
            ),
            _("Ask an administrator for another link."),
        )


def notify(person: Person, kind: AccountNotice.Kind, by: str | None) -> None:
    """Have the worker tell a person on every channel that they have now."""
    accounts = person.accounts.filter(kind=Account.Kind.EMAIL).values_list("value", flat=True)
    addresses = dict.fromkeys(one for one in (person.email, *accounts) if one)
    AccountNotice.objects.create(person=person, kind=kind, by_id=by, addresses="\n".join(addresses))
    soon("tell-account-notices")


def make_link_notice(person: Person, by: str | None) -> None:
    """Have the person told that there is a link, and everybody with a role of one that the operator made. Of the
    operator's for a set-up, where nobody has anything to lose, nobody is.
    """
    if by is not None:
        notify(person, AccountNotice.Kind.LINK, by)
    elif is_finished() or Authenticator.objects.filter(user=person).exists():
        notify(person, AccountNotice.Kind.OPERATOR_LINK, None)


def _find_proven(person: Person, invitation: Invitation, entry: Entry) -> Authenticator | None:
    """The second factor that the entry proves; None for an entry without a proof. Raises RefusedError."""
    if entry.passkey:
        return _find_passkey(person, entry.passkey)
    return _find_by_code(person, invitation, entry.code) if entry.code else None


def _find_passkey(person: Person, answer: str) -> Authenticator:
    """The passkey that signed the challenge of this browser's session. Raises RefusedError."""
    try:
        response = json.loads(answer)
        parse_authentication_response(response)
        return complete_authentication(person, response)
    except (ValueError, ValidationError):
        raise RefusedError(
            "wrong-passkey",
            _("This is no passkey that you had."),
            _("Enter without it: what you approve then counts after a day."),
        ) from None


def _find_by_code(person: Person, invitation: Invitation, code: str) -> Authenticator:
    """The second factor of which `code` is one. Raises RefusedError."""
    if invitation.attempt_count > _MOST_CODES:
        raise RefusedError(
            "too-many-attempts", _("That was tried too often."), _("Leave the code empty, or ask for another link.")
        )
    for row in Authenticator.objects.filter(user=person).order_by("pk"):
        if row.type == Authenticator.Type.TOTP and TOTP(row).validate_code(code):
            return row
        if row.type == Authenticator.Type.RECOVERY_CODES and RecoveryCodes(row).validate_code(code):
            return row
    raise RefusedError(
        "wrong-code",
        _("This is no code of a second factor that you had."),
        _("Leave it empty: what you approve then counts after a day."),
    )


def active_with_role() -> "list[Person]":
    """Everybody who has any role now."""
    return list(Person.objects.filter(in_force("role_grants__"), active=True).distinct())
