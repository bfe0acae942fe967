"""Recovery of an account: a sign-in link for a person who has a second factor, a role that changes things, or an
account that counts as theirs.

It requires two people, or the operator at the machine. All earlier access ends, the worker notifies the person on
every channel, and for a day approvals by the person do not count: another person may have used the link.
"""

import json
from datetime import timedelta
from typing import NamedTuple

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import complete_authentication, parse_authentication_response
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.job_queue import enqueue
from muniment.server.people.authenticators import find_enrolled, remove_enrolments
from muniment.server.people.bootstrap import is_bootstrap_finished
from muniment.server.people.models import (
    Account,
    AccountNotice,
    AccountVerification,
    EnrolledAuthenticator,
    Invitation,
    Person,
    build_in_force_condition,
)
from muniment.server.people.role_acts import is_changing_role
from muniment.server.people.waiting_requests import waiting_requests

SUSPENDED = timedelta(days=1)
_MOST_CODES = 5  # wrong codes of a second factor, for each link


class EntryCredentials(NamedTuple):
    """Credentials that accompany the use of a link, stored nowhere: a password, None if a passkey follows, and a proof
    of an earlier second factor, "" for none: a code, or a passkey's response as JSON of WebAuthn.
    """

    password: str | None
    code: str = ""
    passkey: str = ""


def needs_recovery(person: Person) -> bool:
    """Whether two people are required to let a person in again.

    True also for an account that identifies them: approvals by it count already, and an impostor could link another
    one.
    """
    if Authenticator.objects.filter(user=person).exists():
        return True
    if person.accounts.filter(Account.counting_condition()).exists():
        return True
    # Grants as they are in the table: one that differs from the ledger must not make recovery easier.
    if any(
        is_changing_role(Role(role))
        for role in person.role_grants.filter(build_in_force_condition()).values_list("role", flat=True)
    ):
        return True
    return waiting_requests().is_about(f"person:{person.pk}", "grant-changing-role")


def count_code(invitation: Invitation) -> None:
    """Count one attempt with a code, before it is checked and whatever the result."""
    Invitation.objects.filter(pk=invitation.pk).update(attempt_count=F("attempt_count") + 1)


def end_access(person: Person) -> None:
    """End all access of a person: password, sessions, tokens, links, company accounts, and pending verifications."""
    now = timezone.now()
    person.set_unusable_password()  # a new one each time, by which every session ends
    person.api_tokens.filter(ended_at=None).update(ended_at=now)
    person.invitations.filter(ended_at=None).update(ended_at=now)
    AccountVerification.objects.filter(person=person).delete()
    SocialAccount.objects.filter(user=person).delete()


def recover_account(person: Person, invitation: Invitation, entry: EntryCredentials) -> None:
    """End the earlier second factors, and suspend approvals by the person. A proof of a factor that they still have
    keeps that one, and suspends nothing unless the operator made the link. Raises RefusedError for a wrong proof.

    The people of a demonstration are invented: their links are how everybody signs in there, and end nothing.
    """
    if settings.DEMONSTRATION:
        return
    had_factor = Authenticator.objects.filter(user=person).exists()
    proven = _find_proven_factor(person, invitation, entry)
    ended = Authenticator.objects.filter(user=person)
    if proven is not None and proven.type == Authenticator.Type.TOTP:
        ended = ended.exclude(type__in=(Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES))
    elif proven is not None and proven.type == Authenticator.Type.WEBAUTHN:
        ended = ended.exclude(pk=proven.pk)
    enrolled = [row.pk for row in map(find_enrolled, ended) if row is not None]
    remove_enrolments(EnrolledAuthenticator.objects.filter(pk__in=enrolled))
    ended.delete()
    if (proven is None or invitation.by_operator) and (had_factor or is_bootstrap_finished()):
        person.approvals_suspended_until = timezone.now() + SUSPENDED


def refuse_old_link(person: Person, invitation: Invitation) -> None:
    """Raise RefusedError for a link that one person made, if two people are required by now."""
    if not invitation.recovers and needs_recovery(person):
        raise RefusedError(
            "link-takes-two",
            _(
                "This link is no longer valid, since you now have a second factor, a verified account, or a role that "
                "can change things: a new link takes two people."
            ),
            _("Ask an administrator for another link."),
        )


def create_account_notice(person: Person, kind: AccountNotice.Kind, by: str | None) -> None:
    """Have the worker notify a person on every channel that they have now; nobody in a demonstration."""
    if settings.DEMONSTRATION:
        return
    accounts = person.accounts.filter(kind=Account.Kind.EMAIL).values_list("value", flat=True)
    addresses = dict.fromkeys(one for one in (person.email, *accounts) if one)
    AccountNotice.objects.create(person=person, kind=kind, by_id=by, addresses="\n".join(addresses))
    enqueue("tell-account-notices")


def create_link_notice(person: Person, by: str | None) -> None:
    """Notify the person of a new link, and everybody with a role of one that the operator made; nobody of the
    operator's link during the set-up.
    """
    if by is not None:
        create_account_notice(person, AccountNotice.Kind.LINK, by)
    elif is_account_in_use(person):
        create_account_notice(person, AccountNotice.Kind.OPERATOR_LINK, None)


def is_account_in_use(person: Person) -> bool:
    """Whether a link of the operator can take an account over: during the set-up, the first link only opens it."""
    return is_bootstrap_finished() or Authenticator.objects.filter(user=person).exists()


def _find_proven_factor(person: Person, invitation: Invitation, entry: EntryCredentials) -> Authenticator | None:
    """Second factor that the credentials prove; None without a proof. Raises RefusedError."""
    if entry.passkey:
        return _find_passkey(person, entry.passkey)
    return _find_by_code(person, invitation, entry.code) if entry.code else None


def _find_passkey(person: Person, answer: str) -> Authenticator:
    """Passkey that signed the challenge of this browser's session. Raises RefusedError."""
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
    """Second factor that `code` belongs to. Raises RefusedError."""
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


def list_role_holders() -> "list[Person]":
    """Active persons who hold any role now."""
    return list(Person.objects.filter(build_in_force_condition("role_grants__"), active=True).distinct())
