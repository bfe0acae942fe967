"""How people verify that an address, key or login is theirs: begun first, then proven, never guessed.

Of a key they sign words that were made for this once; of a login the same, with a key that its forge shows for it;
of an address they type a code that was mailed to it. What nobody can prove an administrator vouches for, by name.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import RefusedError
from muniment.facts.statements import Signature
from muniment.git import signatures
from muniment.server.people import messages, published
from muniment.server.people.account_values import account_taken
from muniment.server.people.models import Account, AccountVerification, Person
from muniment.server.work import soon

NAMESPACE = "muniment-account-verification"
_LASTS = timedelta(hours=1)
LONGEST_SIGNATURE = 20_000  # characters
_MOST_TRIES = 5
_MOST_ATTEMPTS = 6  # an hour: each mails somebody, or asks a forge
_WORK = {Account.Kind.EMAIL: "mail-code", Account.Kind.LOGIN: "read-published-keys"}


def refuse_unverifiable(person: Person, kind: Account.Kind, value: str) -> None:
    """Raise RefusedError for an account that is somebody else's, or that this installation cannot verify."""
    same = Account.objects.filter(identity_hash=Account.hash_identity(kind, value))
    if same.exclude(person=person).exists():
        raise account_taken()
    if kind == Account.Kind.LOGIN and value.partition("/")[0] not in published.provable():
        raise RefusedError(
            "unknown-forge",
            _("Muniment knows no address of that forge."),
            _("Ask an administrator to vouch for this login."),
        )


def start_verification(person: Person, kind: Account.Kind, value: str) -> None:
    """Begin to verify an account, in place of an earlier one. Raises RefusedError after too many in an hour."""
    if kind in _WORK and not _few_enough(person):
        raise RefusedError(
            "too-many-verifications", _("That was often enough for an hour."), _("Try again in an hour.")
        )
    AccountVerification.objects.filter(person=person).delete()
    words = f"{person.slug} claims this for Muniment: {secrets.token_hex(16)}"
    begun = AccountVerification.objects.create(person=person, kind=kind, value=value, challenge=words)
    if kind in _WORK:
        soon(_WORK[kind], claim=begun.pk)


def current_verification(person: Person) -> AccountVerification | None:
    """The account that a person is verifying, None once the hour for it is over."""
    return AccountVerification.objects.filter(person=person, created_at__gt=timezone.now() - _LASTS).first()


def count_attempt(person: Person) -> None:
    """Count one attempt to finish, before it is looked at and whatever comes of it."""
    AccountVerification.objects.filter(person=person).update(attempt_count=F("attempt_count") + 1)


def prove_account(person: Person, *, signature: str, code: str) -> tuple[AccountVerification, Account.Verification]:
    """What is proven by the signature or code, and how. Raises RefusedError if nothing is."""
    begun = current_verification(person)
    if begun is None:
        raise RefusedError(
            "no-verification", _("That is more than an hour old, or was never begun."), _("Begin again.")
        )
    by_code = begun.kind == Account.Kind.EMAIL
    return begun, _by_code(begun, code) if by_code else _by_signature(begun, signature)


def link_account(person: Person, kind: str, value: str, proof: Account.Verification) -> Account:
    """Link an account to a person, as proven. Raises RefusedError if it is somebody else's."""
    same = Account.objects.filter(identity_hash=Account.hash_identity(kind, value)).first()
    if same is not None and same.person_id == person.pk:
        same.verification, same.vouched_by, same.linked_at = proof, None, timezone.now()
        same.save()
        return same
    try:
        with transaction.atomic():
            return Account.objects.create(person=person, kind=kind, value=value, verification=proof)
    except IntegrityError:
        raise account_taken() from None


def mail_code(begun: AccountVerification) -> None:
    """Mail a fresh code to the address; only its hash is kept. For the worker. Raises OSError."""
    code = f"{secrets.randbelow(10**8):08}"
    AccountVerification.objects.filter(pk=begun.pk).update(code_hash=_hash(begun, code))
    told = f"{begun.person.name} says in Muniment that this address is theirs.\n\n"
    told += f"If that is you, type this code there: {code}\nIt holds for an hour. If it is not you, do nothing."
    problem = "" if messages.mail_to(begun.value, "Muniment: a code", told) else _("No mail is set up here.")
    AccountVerification.objects.filter(pk=begun.pk).update(problem=problem, prepared_at=timezone.now())


def fetch_published(begun: AccountVerification) -> None:
    """Ask the forge for the keys that it shows for the login. For the worker. Raises OSError."""
    forge, _slash, login = begun.value.partition("/")
    keys = published.fetch(published.provable()[forge], login)
    problem = "" if keys else _("The forge shows no SSH key for that login.")
    AccountVerification.objects.filter(pk=begun.pk).update(
        published_keys="\n".join(keys), problem=problem, prepared_at=timezone.now()
    )


def _by_code(begun: AccountVerification, code: str) -> Account.Verification:
    if begun.attempt_count > _MOST_TRIES:
        raise RefusedError("too-many-attempts", _("That was tried too often."), _("Begin again."))
    typed = "".join(code.split())
    if not begun.code_hash or not hmac.compare_digest(begun.code_hash, _hash(begun, typed)):
        remedy = _("Type the newest code that was mailed to this address.")
        raise RefusedError("wrong-code", _("This is not the code that was mailed."), remedy)
    return Account.Verification.EMAIL_CODE


def _by_signature(begun: AccountVerification, signature: str) -> Account.Verification:
    login = begun.kind == Account.Kind.LOGIN
    keys = tuple(begun.published_keys.splitlines()) if login else (begun.value,)
    armored = signature.replace("\r\n", "\n").strip() + "\n"
    data = f"{begun.challenge}\n".encode()
    if not keys or signatures.verify(data, armored, NAMESPACE, keys) is not Signature.VALID:
        raise RefusedError(
            "wrong-signature",
            _("This is not a signature of these words by a key that the forge shows.")
            if login
            else _("This is not a signature of these words by that key."),
            _("Run the command that the page shows, and paste the whole of its output."),
        )
    return Account.Verification.PUBLISHED_KEY if login else Account.Verification.SIGNATURE


def _few_enough(person: Person) -> bool:
    """Whether this one more is within an hour's number, counted here."""
    key = f"account-verifications:{person.pk}"
    cache.add(key, 0, timeout=_LASTS.total_seconds())
    return cache.incr(key) <= _MOST_ATTEMPTS


def _hash(begun: AccountVerification, code: str) -> str:
    return hashlib.sha256(f"{begun.challenge}:{code}".encode()).hexdigest()
