"""Signatures of passkeys over minutes: the newest valid one of a seat, and whether a stored one is still valid."""

from enum import StrEnum

from django.conf import settings
from django.utils import timezone

from muniment.errors import NotCanonicalError, RefusedError
from muniment.facts.minutes_statements import decode_minutes_statement, digest_minutes_statement
from muniment.server.meetings.models import MeetingAttendee
from muniment.server.minutes.models import Minutes, MinutesProof, MinutesSignature
from muniment.server.people.act_signatures import (
    PASSKEY,
    SigningKey,
    find_confirmation_origin,
    require_passkey_signature,
)
from muniment.server.people.authenticators import find_in_force, is_in_force


class SignatureMethod(StrEnum):
    """Method by which minutes were confirmed. `INVALID`: the proof that the row names is none over these minutes."""

    PASSKEY = "passkey"
    SIGN_IN = "sign-in"
    INVALID = "invalid"


def find_proof(minutes: Minutes, seat: MeetingAttendee, statement: str) -> MinutesProof | None:
    """Newest valid signature of a passkey of this person over the minutes, for this role and statement."""
    rows = MinutesProof.objects.filter(minutes=minutes, signer=seat.person_id).select_related("authenticator")
    return next((row for row in rows.order_by("-pk") if _is_valid(row, minutes, seat.role, statement)), None)


def find_signature_method(signature: MinutesSignature, minutes: Minutes) -> SignatureMethod:
    """Method of a stored signature. The signature of a passkey is verified anew, until its key is erased."""
    proof = signature.proof
    if proof is None:
        return SignatureMethod.SIGN_IN
    is_own = proof.signer_id == signature.person_id and signature.digest == minutes.digest
    if is_own and _is_valid(proof, minutes, signature.role, signature.statement):
        return SignatureMethod.PASSKEY
    return SignatureMethod.INVALID


def find_signing_address(minutes: Minutes, seat: MeetingAttendee) -> str:
    """Address at which a person signs with a passkey, but for the code of the statement; "" if they cannot."""
    if not settings.CONFIRMATION_URL:
        return ""
    keys = find_in_force(seat.person_id, timezone.now())
    if not any(key.kind == PASSKEY for key in keys):
        return ""
    return f"{settings.CONFIRMATION_URL}/minutes/{minutes.internal_id}/{seat.person_id}/{seat.role}"


def _is_valid(proof: MinutesProof, minutes: Minutes, role: str, statement: str) -> bool:
    """Whether a signature is one over these minutes, by an authenticator that was in force when it was made."""
    if proof.minutes_id != minutes.pk or proof.authenticator.person_id != proof.signer_id:
        return False
    try:
        found = decode_minutes_statement(proof.statement.encode())
    except NotCanonicalError:
        return False
    signed = (found.minutes, found.digest, found.role, found.statement, found.signer)
    if signed != (minutes.internal_id, minutes.digest, role, statement, proof.signer_id):
        return False
    key = proof.authenticator
    if not is_in_force(key, proof.made_at):
        return False
    if not key.public_key:  # of a person who was erased since: only the eraser empties it
        return True
    try:
        require_passkey_signature(
            SigningKey(key.kind, key.public_key),
            digest_minutes_statement(proof.statement.encode()),
            proof.signature,
            find_confirmation_origin(),
        )
    except RefusedError:
        return False
    return True
