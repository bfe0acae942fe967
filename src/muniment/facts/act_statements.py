"""The statement that a person signs to request or approve an act: bytes that no other act, request or person has.

Signed is SHA-256 of `muniment-act-v1` and the canonical JSON of an `ActStatement`: by a passkey as its challenge, by an
SSH key as its message in the namespace `muniment-act-v1`.
"""

import hashlib
import re
from enum import StrEnum

from msgspec import Struct

from muniment.errors import NotCanonicalError
from muniment.facts import canonical

ACT_NAMESPACE = "muniment-act-v1"
RANDOM_BYTES = 32

_RANDOM = re.compile(rf"[0-9a-f]{{{2 * RANDOM_BYTES}}}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ActStep(StrEnum):
    """Role of the signer's statement for the act."""

    REQUEST = "request"
    APPROVE = "approve"


class ActStatement(Struct, frozen=True, forbid_unknown_fields=True):
    """Statement that one person signs.

    `origin` is that of the ledger, `request` the internal id of the request, `act` the whole act as canonical JSON,
    `shown` the digest of what the signer was shown (sha256:...), `signer` the internal id of the person, and `random`
    32 random bytes in hexadecimal digits.
    """

    origin: str
    request: str
    act: str
    shown: str
    step: ActStep
    signer: str
    random: str


def encode_act_statement(statement: ActStatement) -> bytes:
    """Encode the statement as canonical JSON. Raises NotCanonicalError."""
    return canonical.encode(statement)


def decode_act_statement(data: bytes) -> ActStatement:
    """Decode the statement in `data`. Raises NotCanonicalError unless it is in canonical form, with each part whole."""
    found = canonical.decode(data, ActStatement)
    whole = all((found.origin, found.request, found.act, found.signer))
    if not whole or not _RANDOM.fullmatch(found.random) or not _DIGEST.fullmatch(found.shown):
        raise NotCanonicalError(
            "a part of the statement is missing or has another form", "Open the request again, and sign what it shows."
        )
    return found


def digest_to_sign(data: bytes) -> bytes:
    """Digest of 32 bytes that is signed for the statement with these bytes."""
    return hashlib.sha256(ACT_NAMESPACE.encode() + data).digest()
