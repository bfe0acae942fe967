"""Verifies that an address, key or login belongs to a person.

For a key the person signs a challenge made for this purpose; for a login the same, with a key that its forge
publishes; for an address they type a mailed code. An administrator vouches, by name, for accounts that cannot be
proven.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import RefusedError
from muniment.facts.statements import SignatureResult
from muniment.git import signatures
from muniment.server.job_queue import enqueue
from muniment.server.people import messages, published_keys
from muniment.server.people.account_values import make_account_taken
from muniment.server.people.models import Account, AccountVerification, Person

ACCOUNT_NAMESPACE = "muniment-account-verification"
_LASTS = timedelta(hours=1)
LONGEST_SIGNATURE = 20_000  # characters
_MOST_TRIES = 5
_MOST_ATTEMPTS = 6  # an hour: each mails somebody, or asks a forge
_WORK = {Account.Kind.EMAIL: "mail-code", Account.Kind.LOGIN: "read-published-keys"}


def refuse_unverifiable(person: Person, kind: Account.Kind, value: str) -> None:
    """Raise RefusedError for an account of another person, or one that this installation cannot verify."""
    same = Account.objects.filter(identity_hash=Account.hash_identity(kind, value))
    if same.exclude(person=person).exists():
        raise make_account_taken()
    if kind == Account.Kind.LOGIN and value.partition("/")[0] not in published_keys.find_provable_forges():
        raise RefusedError(
            "unknown-forge",
            _("Muniment knows no address of that forge."),
            _("Ask an administrator to vouch for this login."),
        )


def begin_verification(person: Person, kind: Account.Kind, value: str) -> None:
    """Begin to verify an account, in place of an earlier one. Raises RefusedError after too many in an hour."""
    if kind in _WORK and not _is_within_limit(person):
        raise RefusedError(
            "too-many-verifications", _("That was often enough for an hour."), _("Try again in an hour.")
        )
    AccountVerification.objects.filter(person=person).delete()
    words = f"{person.slug} claims this for Muniment: {secrets.token_hex(16)}"
    begun = AccountVerification.objects.create(person=person, kind=kind, value=value, challenge=words)
    if kind in _WORK:
        enqueue(_WORK[kind], claim=begun.pk)


def find_current_verification(person: Person) -> AccountVerification | None:
    """The account that a person is verifying, None once the hour for it is over."""
    return AccountVerification.objects.filter(person=person, created_at__gt=timezone.now() - _LASTS).first()


def count_attempt(person: Person) -> None:
    """Count one attempt to finish, before it is checked and whatever the result."""
    AccountVerification.objects.filter(person=person).update(attempt_count=F("attempt_count") + 1)


def prove_account(person: Person, *, signature: str, code: str) -> tuple[AccountVerification, Account.Verification]:
    """Verification that the signature or code completes, and its method. Raises RefusedError for a wrong one."""
    begun = find_current_verification(person)
    if begun is None:
        raise RefusedError(
            "no-verification", _("That is more than an hour old, or was never begun."), _("Begin again.")
        )
    by_code = begun.kind == Account.Kind.EMAIL
    return begun, _check_code(begun, code) if by_code else _check_signature(begun, signature)


def link_account(person: Person, kind: str, value: str, proof: Account.Verification) -> Account:
    """Link an account to a person, as proven. Raises RefusedError if it is linked to another."""
    same = Account.objects.filter(identity_hash=Account.hash_identity(kind, value)).first()
    if same is not None and same.person_id == person.pk:
        same.verification, same.vouched_by, same.linked_at = proof, None, timezone.now()
        same.save()
        return same
    try:
        # A savepoint: two people may prove one account at the same moment, and the constraint of the table decides.
        with transaction.atomic():
            return Account.objects.create(person=person, kind=kind, value=value, verification=proof)
    except IntegrityError:
        raise make_account_taken() from None


def send_verification_code(begun: AccountVerification) -> None:
    """Mail a new code to the address; only its hash is stored. For the worker. Raises OSError."""
    code = f"{secrets.randbelow(10**8):08}"
    # Stored before it is mailed: a code that arrives must be valid, also if the process ends after the mail.
    AccountVerification.objects.filter(pk=begun.pk).update(code_hash=_hash_code(begun, code))
    body = f"{begun.person.name} wants to add this address to their account in Muniment.\n\n"
    body += f"If that is you, type this code there: {code}\nIt is valid for one hour. If it is not you, do nothing.\n\n"
    body += f"{settings.URL}/me"
    problem = (
        ""
        if messages.send_mail_to(begun.value, "Muniment: code to verify this address", body)
        else _("No mail is set up here.")
    )
    AccountVerification.objects.filter(pk=begun.pk).update(problem=problem, prepared_at=timezone.now())


def fetch_published_keys(begun: AccountVerification) -> None:
    """Fetch the keys that the forge publishes for the login. For the worker. Raises OSError."""
    forge, _slash, login = begun.value.partition("/")
    keys = published_keys.fetch_keys(published_keys.find_provable_forges()[forge], login)
    problem = "" if keys else _("The forge shows no SSH key for that login.")
    AccountVerification.objects.filter(pk=begun.pk).update(
        published_keys="\n".join(keys), problem=problem, prepared_at=timezone.now()
    )


def _check_code(begun: AccountVerification, code: str) -> Account.Verification:
    if begun.attempt_count > _MOST_TRIES:
        raise RefusedError("too-many-attempts", _("That was tried too often."), _("Begin again."))
    typed = "".join(code.split())
    if not begun.code_hash or not hmac.compare_digest(begun.code_hash, _hash_code(begun, typed)):
        remedy = _("Type the newest code that was mailed to this address.")
        raise RefusedError("wrong-code", _("This is not the code that was mailed."), remedy)
    return Account.Verification.EMAIL_CODE


def _check_signature(begun: AccountVerification, signature: str) -> Account.Verification:
    login = begun.kind == Account.Kind.LOGIN
    keys = tuple(begun.published_keys.splitlines()) if login else (begun.value,)
    armored = signature.replace("\r\n", "\n").strip() + "\n"
    data = f"{begun.challenge}\n".encode()
    if not keys or signatures.verify_signature(data, armored, ACCOUNT_NAMESPACE, keys) is not SignatureResult.VALID:
        raise RefusedError(
            "wrong-signature",
            _("This is not a signature of these words by a key that the forge shows.")
            if login
            else _("This is not a signature of these words by that key."),
            _("Run the command that the page shows, and paste the whole of its output."),
        )
    return Account.Verification.PUBLISHED_KEY if login else Account.Verification.SIGNATURE


def _is_within_limit(person: Person) -> bool:
    """Whether this attempt is within the limit of an hour; counts it."""
    key = f"account-verifications:{person.pk}"
    cache.add(key, 0, timeout=_LASTS.total_seconds())
    return cache.incr(key) <= _MOST_ATTEMPTS


def _hash_code(begun: AccountVerification, code: str) -> str:
    return hashlib.sha256(f"{begun.challenge}:{code}".encode()).hexdigest()
