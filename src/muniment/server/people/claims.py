"""How somebody proves that an address, key or login is theirs: claimed first, then proven, never guessed.

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

from muniment.facts.statements import Signature
from muniment.git import signatures
from muniment.server.people import messages, published
from muniment.server.people.acts import account_value
from muniment.server.people.models import Account, Claim, Person
from muniment.server.work import soon

NAMESPACE = "muniment-claim"
_LASTS = timedelta(hours=1)
_LARGEST = 20_000  # characters of a signature
_MOST_TRIES = 5
_MOST_CLAIMS = 6  # an hour: each mails somebody, or asks a forge
_WORK = {Account.Kind.EMAIL: "mail-code", Account.Kind.LOGIN: "read-published-keys"}


def begin(person: Person, kind: str, text: str) -> Claim:
    """What is to be proven, and how. Raises ValueError for what cannot be, or is somebody else's already."""
    kind, value = account_value(kind, text)
    owner = Account.objects.filter(same=Account.sameness(kind, value)).exclude(person=person)
    if owner.exists():
        raise ValueError(_("That belongs to somebody already. If it is yours, ask an administrator."))
    if kind == Account.Kind.LOGIN and value.partition("/")[0] not in published.known():
        raise ValueError(_("Muniment knows no address of that forge, so only an administrator can vouch for it."))
    if kind in _WORK and not _few_enough(person):
        raise ValueError(_("That was often enough for an hour. Try again later."))
    Claim.objects.filter(person=person).delete()
    words = f"{person.slug} claims this for Muniment: {secrets.token_hex(16)}"
    claim = Claim.objects.create(person=person, kind=kind, value=value, words=words)
    if kind in _WORK:
        soon(_WORK[Account.Kind(kind)], claim=claim.pk)
    return claim


def current(person: Person) -> Claim | None:
    """What they are about to prove."""
    return Claim.objects.filter(person=person, made__gt=timezone.now() - _LASTS).first()


def count_try(person: Person) -> None:
    """A code is tried: counted before it is looked at, whatever comes of it."""
    Claim.objects.filter(person=person).update(tries=F("tries") + 1)


def finish(person: Person, *, signature: str = "", code: str = "") -> Account:
    """It is theirs if that proves it. Raises ValueError if it does not, or came too late."""
    claim = current(person)
    if claim is None:
        raise ValueError(_("That is more than an hour old: begin again."))
    proof = _by_code(claim, code) if claim.kind == Account.Kind.EMAIL else _by_signature(claim, signature)
    account = keep(person, claim.kind, claim.value, proof)
    claim.delete()
    soon("rejudge-all")
    return account


def keep(person: Person, kind: str, value: str, proof: Account.Proof) -> Account:
    """It is theirs, proven so from now on. Raises ValueError if it is somebody else's."""
    same = Account.objects.filter(same=Account.sameness(kind, value)).first()
    if same is not None and same.person_id == person.pk:
        same.proof, same.by, same.since = proof, None, timezone.now()
        same.save()
        return same
    try:
        with transaction.atomic():
            return Account.objects.create(person=person, kind=kind, value=value, proof=proof)
    except IntegrityError:
        raise ValueError(_("That belongs to somebody already. If it is yours, ask an administrator.")) from None


def mail_code(claim: Claim) -> None:
    """Mail a fresh code to the address; only its hash is kept. For the worker. Raises OSError."""
    code = f"{secrets.randbelow(10**8):08}"
    Claim.objects.filter(pk=claim.pk).update(code=_hash(claim, code))
    told = f"{claim.person.name} says in Muniment that this address is theirs.\n\n"
    told += f"If that is you, type this code there: {code}\nIt holds for an hour. If it is not you, do nothing."
    problem = "" if messages.mail_to(claim.value, "Muniment: a code", told) else _("No mail is set up here.")
    Claim.objects.filter(pk=claim.pk).update(problem=problem, ready=timezone.now())


def fetch_published(claim: Claim) -> None:
    """Ask the forge for the keys that it shows for the login. For the worker. Raises OSError."""
    forge, _slash, login = claim.value.partition("/")
    keys = published.fetch(published.known()[forge], login)
    problem = "" if keys else _("The forge shows no SSH key for that login.")
    Claim.objects.filter(pk=claim.pk).update(published="\n".join(keys), problem=problem, ready=timezone.now())


def _by_code(claim: Claim, code: str) -> Account.Proof:
    if claim.tries > _MOST_TRIES:
        raise ValueError(_("That was tried too often: begin again."))
    typed = "".join(code.split())
    if not claim.code or not hmac.compare_digest(claim.code, _hash(claim, typed)):
        raise ValueError(_("This is not the code that was mailed."))
    return Account.Proof.MAILED


def _by_signature(claim: Claim, signature: str) -> Account.Proof:
    login = claim.kind == Account.Kind.LOGIN
    keys = tuple(claim.published.splitlines()) if login else (claim.value,)
    armored = signature.replace("\r\n", "\n").strip() + "\n"
    data = f"{claim.words}\n".encode()
    if not keys or len(armored) > _LARGEST or signatures.verify(data, armored, NAMESPACE, keys) is not Signature.VALID:
        raise ValueError(
            _("This is not a signature of these words by a key that the forge shows.")
            if login
            else _("This is not a signature of these words by that key.")
        )
    return Account.Proof.PUBLISHED if login else Account.Proof.SIGNED


def _few_enough(person: Person) -> bool:
    """Whether this one more is within an hour's number, counted here."""
    key = f"claims:{person.pk}"
    cache.add(key, 0, timeout=_LASTS.total_seconds())
    return cache.incr(key) <= _MOST_CLAIMS


def _hash(claim: Claim, code: str) -> str:
    return hashlib.sha256(f"{claim.words}:{code}".encode()).hexdigest()
