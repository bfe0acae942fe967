"""Authenticators of people under test: a passkey in software, and an SSH key in a file."""

import hashlib
import json
import struct
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestedCredentialData

from muniment.facts.act_statements import ACT_NAMESPACE, digest_to_sign
from muniment.git.signatures import make_signature

PRESENT, VERIFIED = 0x01, 0x04
SERVICE, CONFIRMATION = "http://localhost:8000", "http://localhost:8001"


class Passkey:
    """A passkey for `localhost`, which signs whatever challenge a page gives it, as browsers have it do."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = hashlib.sha256(name.encode()).digest()
        public = ES256.from_cryptography_key(self._key.public_key())  # type: ignore[no-untyped-call]
        self.credential = AttestedCredentialData.create(b"\0" * 16, self.credential_id, public)

    @property
    def identifier(self) -> str:
        return websafe_encode(self.credential_id)

    @property
    def public_key(self) -> str:
        return websafe_encode(bytes(self.credential))

    def answer(
        self,
        challenge: bytes,
        origin: str = CONFIRMATION,
        *,
        rp_id: str = "localhost",
        flags: int = PRESENT | VERIFIED,
        kind: str = "webauthn.get",
        cross_origin: bool = False,
    ) -> str:
        """Sign a challenge as the browser would, as JSON for the page at `origin`."""
        content = {"type": kind, "challenge": websafe_encode(challenge), "origin": origin, "crossOrigin": cross_origin}
        client_data = json.dumps(content).encode()
        data = hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, 1)
        signature = self._key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": client_data, "authenticatorData": data, "signature": signature}
        return json.dumps(
            {
                "id": self.identifier,
                "rawId": self.identifier,
                "type": "public-key",
                "clientExtensionResults": {},
                "response": {name: websafe_encode(value) for name, value in response.items()},
            }
        )

    def sign(self, statement: str) -> str:
        """The signature over a statement, at the confirmation origin."""
        return self.answer(digest_to_sign(statement.encode()))


class SshKey:
    """An SSH key whose private half is a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        key = Ed25519PrivateKey.generate()
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        file.chmod(0o600)
        self.public_key = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def sign(self, statement: str) -> str:
        """The signature over a statement."""
        return make_signature(digest_to_sign(statement.encode()), ACT_NAMESPACE, str(self.file))
