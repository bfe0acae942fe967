"""A passkey, as an authenticator holds one: it signs the challenges that a page of the service shows."""

import hashlib
import json
import secrets
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from muniment.server.people.models import Person
from tests.support.service import as_role

HOST, ORIGIN = "localhost", "http://localhost"
_FLAG = AuthenticatorData.FLAG


class Passkey:
    """A passkey of one person, enrolled in the service under test."""

    def __init__(self, person: Person) -> None:
        self.key, self.id = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(32)
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        credential = AttestedCredentialData.create(bytes(16), self.id, public)
        flags = _FLAG.UP | _FLAG.UV | _FLAG.AT
        response = {
            "clientDataJSON": websafe_encode(CollectedClientData.create("webauthn.create", b"x" * 32, ORIGIN)),
            "attestationObject": websafe_encode(AttestationObject.create("none", self._data(flags, credential), {})),
        }
        stored = {**self._named(), "response": response, "clientExtensionResults": {"credProps": {"rk": True}}}
        with as_role("owner"):
            self.row = Authenticator.objects.create(
                user=person,
                type=Authenticator.Type.WEBAUTHN,
                data={"name": "Key", "credential": stored},
            )

    def answer(self, page: str) -> str:
        """The answer to the challenge that a page shows, as the page's form sends it."""
        visible = page.partition('id="js_data" type="application/json">')[2].partition("</script>")[0]
        challenge = json.loads(visible)["request_options"]["publicKey"]["challenge"]
        client, data = CollectedClientData.create("webauthn.get", challenge, ORIGIN), self._data(_FLAG.UP | _FLAG.UV)
        signed = self.key.sign(data + client.hash, ec.ECDSA(hashes.SHA256()))
        parts = {"clientDataJSON": client, "authenticatorData": data, "signature": signed}
        response = {name: websafe_encode(value) for name, value in parts.items()}
        return json.dumps({**self._named(), "response": response, "clientExtensionResults": {}})

    def _named(self) -> dict[str, Any]:
        return {"type": "public-key", "id": websafe_encode(self.id), "rawId": websafe_encode(self.id)}

    @staticmethod
    def _data(flags: AuthenticatorData.FLAG, credential: bytes = b"") -> AuthenticatorData:
        found: AuthenticatorData = AuthenticatorData.create(
            hashlib.sha256(HOST.encode()).digest(), flags, 1, credential
        )
        return found
