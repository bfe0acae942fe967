"""How somebody proves that an SSH key is theirs: they sign words that were made for this once."""

import secrets
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from muniment.facts.statements import Signature
from muniment.git import signatures
from muniment.policy.keys import parse_key
from muniment.server.people.models import Account, Claim, Person
from muniment.server.work import soon

NAMESPACE = "muniment-claim"
_LASTS = timedelta(hours=1)
_LARGEST = 20_000  # characters of a signature


def begin(person: Person, text: str) -> Claim:
    """The words to sign. Raises ValueError for what is no key, or is somebody's already."""
    try:
        key = parse_key(text.strip())
    except ValueError as error:
        raise ValueError(f"This is no SSH public key: {error}.") from error
    Claim.objects.filter(person=person).delete()
    words = f"{person.slug} claims this key for Muniment: {secrets.token_hex(16)}"
    return Claim.objects.create(person=person, key=key, words=words)


def finish(person: Person, signature: str) -> None:
    """The key is theirs if the signature holds. Raises ValueError if it does not, or came too late."""
    claim = Claim.objects.filter(person=person, made__gt=timezone.now() - _LASTS).first()
    if claim is None:
        raise ValueError("The words are an hour old: begin again.")
    armored = signature.replace("\r\n", "\n").strip() + "\n"
    data = f"{claim.words}\n".encode()
    if len(armored) > _LARGEST or signatures.verify(data, armored, NAMESPACE, (claim.key,)) is not Signature.VALID:
        raise ValueError("This is not a signature of these words by that key.")
    try:
        with transaction.atomic():
            Account.objects.create(person=person, kind=Account.Kind.KEY, value=claim.key, proof=Account.Proof.SIGNED)
    except IntegrityError:
        raise ValueError("That key belongs to somebody already.") from None
    claim.delete()
    soon("rejudge-all")
