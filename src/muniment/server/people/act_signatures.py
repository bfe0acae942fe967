"""Verifies one signature over a statement: of an SSH key, or of a passkey at the confirmation origin.

The confirmation process and the worker use the same check. It reads no table.
"""

import json
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    UserVerificationRequirement,
)
from msgspec import Struct

from muniment.errors import RefusedError, SignatureError
from muniment.facts.act_statements import ACT_NAMESPACE, digest_to_sign
from muniment.facts.statements import SignatureResult
from muniment.git import signatures

PASSKEY, SSH_KEY = "passkey", "ssh-key"  # the values of EnrolledAuthenticator.Kind, whose table is not needed here
LONGEST_ACT_SIGNATURE = 16_384  # characters


class PasskeyOrigin(Struct, frozen=True):
    """Origin where passkeys sign acts: `address` is the whole origin of the confirmation process, `rp_id` the host
    name for which passkeys were added.
    """

    address: str
    rp_id: str


class SigningKey(Struct, frozen=True):
    """Enrolled authenticator, as far as a signature needs it."""

    kind: str
    public_key: str


def find_confirmation_origin() -> PasskeyOrigin:
    """Origin where passkeys sign acts of this installation: its confirmation process, for the host name of its
    service.
    """
    parts = urlsplit(settings.CONFIRMATION_URL)
    return PasskeyOrigin(f"{parts.scheme}://{parts.netloc}", urlsplit(settings.URL).hostname or "")


def require_valid_signature(key: SigningKey, statement: bytes, signature: str, origin: PasskeyOrigin) -> None:
    """Raise RefusedError unless `signature` is one of `key` over the statement of an act.

    A passkey must have signed at exactly the confirmation origin, for the host name of the service, with user
    verification (WebAuthn level 2, section 7.2).
    """
    if len(signature) > LONGEST_ACT_SIGNATURE:
        raise _make_invalid_error(_("it is too long"))
    if key.kind == PASSKEY:
        require_passkey_signature(key, digest_to_sign(statement), signature, origin)
    elif key.kind == SSH_KEY:
        _require_ssh_key(key, digest_to_sign(statement), signature)
    else:
        raise _make_invalid_error(_("the kind of the authenticator is unknown"))


def _require_ssh_key(key: SigningKey, digest: bytes, signature: str) -> None:
    try:
        found = signatures.verify_signature(digest, signature, ACT_NAMESPACE, (key.public_key,))
    except SignatureError as error:
        raise _make_invalid_error(error.message) from error
    if found is not SignatureResult.VALID:
        raise _make_invalid_error(found.value)


def require_passkey_signature(key: SigningKey, digest: bytes, signature: str, origin: PasskeyOrigin) -> None:
    """Raise RefusedError unless `signature` is one of a passkey over a digest of 32 bytes, made at this origin."""
    if len(signature) > LONGEST_ACT_SIGNATURE:
        raise _make_invalid_error(_("it is too long"))
    server = Fido2Server(
        PublicKeyCredentialRpEntity(name="Muniment", id=origin.rp_id),
        verify_origin=lambda found: found == origin.address,
    )
    state = {
        "challenge": websafe_encode(digest),
        "user_verification": UserVerificationRequirement.REQUIRED,
    }
    try:
        credential = AttestedCredentialData(websafe_decode(key.public_key))
        answer = AuthenticationResponse.from_dict(json.loads(signature))
        server.authenticate_complete(state, [credential], answer)
    except (ValueError, TypeError, KeyError, AttributeError):  # what the library raises for answers of any wrong kind
        why = _("it is no passkey's, verified by its person, for this statement at the confirmation address")
        raise _make_invalid_error(why) from None
    if answer.response.client_data.cross_origin:
        raise _make_invalid_error(_("it was made inside a page of another origin"))


def _make_invalid_error(why: str) -> RefusedError:
    return RefusedError(
        "signature-invalid",
        _("The signature is not valid: %(why)s.") % {"why": why.rstrip(".")},
        _("Open the request at the confirmation address again, and sign what it shows."),
    )
