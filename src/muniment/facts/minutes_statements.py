"""The statement that a person signs over the minutes of a meeting: bytes that no other minutes, role or person has.

Signed is SHA-256 of `muniment-minutes-v1` and the canonical JSON of a `MinutesStatement`: it is the challenge of a
passkey. The namespace differs from that of acts: nobody approves an act by signing minutes.
"""

import hashlib
import re

from msgspec import Struct

from muniment.errors import NotCanonicalError
from muniment.facts import canonical
from muniment.facts.act_statements import RANDOM_BYTES

MINUTES_NAMESPACE = "muniment-minutes-v1"

_RANDOM = re.compile(rf"[0-9a-f]{{{2 * RANDOM_BYTES}}}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class MinutesStatement(Struct, frozen=True, forbid_unknown_fields=True):
    """Statement that one person signs.

    `minutes` is the internal id of the minutes, `digest` their fingerprint (sha256:...), `role` that of the signer in
    the meeting, `statement` the code of the words, `signer` the internal id of the person, and `random` 32 random
    bytes in hexadecimal digits.
    """

    minutes: str
    digest: str
    role: str
    statement: str
    signer: str
    random: str


def encode_minutes_statement(statement: MinutesStatement) -> bytes:
    """Encode the statement as canonical JSON. Raises NotCanonicalError."""
    return canonical.encode(statement)


def decode_minutes_statement(data: bytes) -> MinutesStatement:
    """Decode the statement in `data`. Raises NotCanonicalError unless it is in canonical form, with each part whole."""
    found = canonical.decode(data, MinutesStatement)
    whole = all((found.minutes, found.role, found.statement, found.signer))
    if not whole or not _RANDOM.fullmatch(found.random) or not _DIGEST.fullmatch(found.digest):
        raise NotCanonicalError(
            "a part of the statement is missing or has another form", "Open the minutes again, and sign what they show."
        )
    return found


def digest_minutes_statement(data: bytes) -> bytes:
    """Digest of 32 bytes that is signed for the statement with these bytes."""
    return hashlib.sha256(MINUTES_NAMESPACE.encode() + data).digest()
