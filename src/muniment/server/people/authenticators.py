"""Authenticators with which people sign dangerous acts: which of them a person can enrol, and which are in force."""

from datetime import datetime, timedelta
from typing import NamedTuple

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestedCredentialData, AuthenticatorData
from msgspec import Struct

from muniment.errors import ParseError, RefusedError
from muniment.git.signatures import make_fingerprint
from muniment.policy.ssh_keys import parse_ssh_key
from muniment.server.people.models import Account, Bootstrap, EnrolledAuthenticator, Person
from muniment.server.records.installation import open_store

_PASSKEY = f"{EnrolledAuthenticator.Kind.PASSKEY.value} "


class AuthenticatorKey(Struct, frozen=True):
    """A passkey or SSH key. `public_key` is the attested credential data (base64url), or the key in one line."""

    kind: EnrolledAuthenticator.Kind
    identifier: str
    public_key: str

    @property
    def name(self) -> str:
        """Kind and id, as people choose it."""
        return f"{self.kind.value} {self.identifier}"

    @property
    def stored_text(self) -> str:
        """Text with the whole key, as an act stores it."""
        return f"{_PASSKEY}{self.public_key}" if self.kind == EnrolledAuthenticator.Kind.PASSKEY else self.public_key


def parse_stored(stored: str) -> AuthenticatorKey:
    """The key that an act has as text. Raises RefusedError."""
    try:
        if stored.startswith(_PASSKEY):
            return _read_passkey(stored.removeprefix(_PASSKEY))
        key = parse_ssh_key(stored)
    except (ParseError, ValueError):
        raise RefusedError(
            "no-authenticator", _("This is no passkey or SSH key."), _("Choose one that your page shows.")
        ) from None
    return AuthenticatorKey(EnrolledAuthenticator.Kind.SSH_KEY, make_fingerprint(key), key)


def _read_passkey(text: str) -> AuthenticatorKey:
    """A passkey, by its attested credential data in base64url. Raises ValueError."""
    data = AttestedCredentialData(websafe_decode(text))
    return AuthenticatorKey(EnrolledAuthenticator.Kind.PASSKEY, websafe_encode(data.credential_id), text)


def find_candidates(person: str) -> list[AuthenticatorKey]:
    """Authenticators that a person can enrol: passkeys they added, SSH keys they signed with; none enrolled before."""
    passkeys = Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN).order_by("pk")
    found = [_read_passkey(websafe_encode(bytes(data))) for data in map(_read_credential, passkeys) if data is not None]
    proven = {"kind": Account.Kind.KEY, "verification": Account.Verification.SIGNATURE}
    keys = Account.objects.filter(person=person, **proven).order_by("pk").values_list("value", flat=True)
    found += [AuthenticatorKey(EnrolledAuthenticator.Kind.SSH_KEY, make_fingerprint(key), key) for key in keys]
    known = set(EnrolledAuthenticator.objects.values_list("identifier", flat=True))
    return [one for one in found if one.identifier not in known]


def _read_credential(row: Authenticator) -> AttestedCredentialData | None:
    """Credential of a passkey as it was added; None for one without a credential."""
    data: AuthenticatorData = row.wrap().authenticator_data
    return data.credential_data


def find_enrolled(factor: Authenticator) -> EnrolledAuthenticator | None:
    """The enrolment of a passkey that signs somebody in, None for one that was never enrolled, or removed."""
    if factor.type != Authenticator.Type.WEBAUTHN or "credential" not in factor.data:
        return None  # one without a credential signs nobody in, and nobody could enrol it
    data = _read_credential(factor)
    if data is None:
        return None
    identifier = _read_passkey(websafe_encode(bytes(data))).identifier
    return EnrolledAuthenticator.objects.filter(person=factor.user_id, identifier=identifier, removed_at=None).first()


def remove_enrolments(rows: "QuerySet[EnrolledAuthenticator]") -> None:
    """End enrolments from now on, in the act that is under way. Those that ended before stay as they are."""
    rows.filter(removed_at=None).update(removed_at=timezone.now())


def find_in_force(person: str, at: datetime) -> list[EnrolledAuthenticator]:
    """The authenticators with which a person can sign at a moment."""
    rows = EnrolledAuthenticator.objects.filter(person=person)
    return [row for row in rows if is_in_force(row, at)]


def is_in_force(row: EnrolledAuthenticator, at: datetime) -> bool:
    """Whether an authenticator counts at a moment: it is old enough then, and was not removed before."""
    return find_start(row) <= at and (row.removed_at is None or at < row.removed_at)


def find_start(row: EnrolledAuthenticator) -> datetime:
    """Moment from which an authenticator counts: the policy's delay after the worker notified its person; at once
    during the bootstrap.

    The time of the row does not suffice: whoever has the web's login can write it, and commit a day later.
    """
    finished = Bootstrap.objects.filter(finished=True).values_list("finished_at", flat=True).first()
    if finished is None or row.enrolled_at <= finished:
        return row.enrolled_at
    policy = open_store().load_policy()
    hours = policy.policy.confirmation.delay_hours if policy is not None else _LONGEST_HOURS
    notice = row.notices.filter(removal=False).values_list("notified_at", flat=True).first()
    return max(row.enrolled_at, notice or timezone.now()) + timedelta(hours=hours)


_LONGEST_HOURS = 720  # where no policy says: nothing counts before the longest delay that one can have


class ShownAuthenticator(NamedTuple):
    """An enrolled authenticator as the person's page shows it: `counts_from` is None for one that counts now."""

    row: EnrolledAuthenticator
    counts_from: datetime | None


def list_authenticators(person: Person) -> list[ShownAuthenticator]:
    """Enrolled authenticators of a person, without removed ones."""
    now = timezone.now()
    rows = EnrolledAuthenticator.objects.filter(person=person, removed_at=None)
    return [ShownAuthenticator(row, None if is_in_force(row, now) else find_start(row)) for row in rows]
