"""Signatures of outgoing webhooks by the Standard Webhooks specification (symmetric, `v1`).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac

from muniment.errors import ParseError
from muniment.server.text_marks import gettext_noop

KEY_PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64


def read_signing_key(text: str) -> bytes:
    """Bytes of a key such as `whsec_…`. Raises ParseError, which does not repeat the text."""
    try:
        key = base64.b64decode(text.strip().removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ParseError(
            "signing-key",
            gettext_noop("the signing key is not 24 to 64 bytes in base64"),
            gettext_noop("Generate one: openssl rand -base64 32"),
        )
    return key


def sign_delivery(key: bytes, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Headers that prove who sent a body and when: an id that is the same at each attempt, seconds since 1970, and
    the signature over both and the body.
    """
    signed = b".".join((identity.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
