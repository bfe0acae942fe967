"""A Sigstore of our own, made anew for a test: certificate authority, certificate log, transparency log, bundles."""

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

IDENTITY = "https://github.example.test/acme/shop/.github/workflows/build.yml@refs/heads/main"
ISSUER = "https://token.actions.example.test"
SIGNED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

_SCTS, _ISSUER, _SOURCE_DIGEST = (
    ObjectIdentifier(f"1.3.6.1.4.1.{end}") for end in ("11129.2.4.2", "57264.1.8", "57264.1.13")
)
_PAYLOAD = "application/vnd.in-toto+json"
_Key = ec.EllipticCurvePrivateKey


class Sigstore:
    """The services of one installation, by their keys."""

    def __init__(self) -> None:
        self._authority, self._certificates, self._log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self._root = self._build_root()

    def trusted_root(self) -> dict[str, Any]:
        """The trusted root, as JSON has it."""
        since = {"validFor": {"start": "2025-01-01T00:00:00Z"}}
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log_of(self._log, "https://rekor.example.test", since)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": "example"},
                    "uri": "https://fulcio.example.test",
                    "certChain": {"certificates": [{"rawBytes": _text(_der(self._root))}]},
                    **since,
                }
            ],
            "ctlogs": [_log_of(self._certificates, "https://ct.example.test", since)],
        }

    def bundle(
        self,
        statement: bytes,
        *,
        identity: str = IDENTITY,
        issuer: str = ISSUER,
        source_digest: str = "",
        logged_at: datetime = SIGNED_AT,
    ) -> dict[str, Any]:
        """A bundle of a statement, signed by `identity` with a certificate of ten minutes, as JSON has it."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certify(key, identity, issuer, source_digest)
        encoded = b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD), _PAYLOAD.encode(), len(statement), statement)
        signature = _sign(key, encoded)
        entry = {"payload": statement, "signature": signature, "certificate": certificate}
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": _text(_der(certificate))},
                "tlogEntries": [self._enter(entry, logged_at)],
            },
            "dsseEnvelope": {
                "payload": _text(statement),
                "payloadType": _PAYLOAD,
                "signatures": [{"sig": _text(signature)}],
            },
        }

    def _build_root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example")])
        since = datetime(2025, 1, 1, tzinfo=UTC)
        key = self._authority
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = x509.CertificateBuilder(name, name, key.public_key(), 1, since, since + timedelta(days=3650))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made = made.add_extension(usage, critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return made.sign(key, hashes.SHA256())

    def _certify(self, key: _Key, identity: str, issuer: str, source_digest: str) -> x509.Certificate:
        """A certificate with the one timestamp of the certificate log that Sigstore asks for."""
        until = SIGNED_AT + timedelta(minutes=10)
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        authority = self._authority.public_key()
        made = x509.CertificateBuilder(
            self._root.subject, x509.Name([]), key.public_key(), x509.random_serial_number(), SIGNED_AT, until
        )
        made = made.add_extension(usage, critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)])
        made = made.add_extension(names, critical=True)
        for kind, text in ((_ISSUER, issuer), (_SOURCE_DIGEST, source_digest)):
            if text:
                value = b"\x0c" + _length(len(text)) + text.encode()  # an UTF8String in DER
                made = made.add_extension(x509.UnrecognizedExtension(kind, value), critical=False)
        before = made.sign(self._authority, hashes.SHA256()).tbs_certificate_bytes
        times = self._timestamp(before)
        return made.add_extension(x509.UnrecognizedExtension(_SCTS, times), critical=False).sign(
            self._authority, hashes.SHA256()
        )

    def _timestamp(self, certificate: bytes) -> bytes:
        """A list of one signed certificate timestamp (RFC 6962), in DER."""
        when = int(SIGNED_AT.timestamp() * 1000)
        issuer = hashlib.sha256(_public(self._authority)).digest()
        entry = issuer + struct.pack("!I", len(certificate))[1:] + certificate
        signature = _sign(self._certificates, struct.pack("!BBQH", 0, 0, when, 1) + entry + b"\0\0")
        log = hashlib.sha256(_public(self._certificates)).digest()
        one = b"\0" + log + struct.pack("!QH", when, 0) + b"\x04\x03" + struct.pack("!H", len(signature)) + signature
        listed = struct.pack("!HH", len(one) + 2, len(one)) + one
        return b"\x04" + _length(len(listed)) + listed

    def _enter(self, entry: dict[str, Any], when: datetime) -> dict[str, Any]:
        """An entry of the transparency log, with the proof that it is in it, and the log's promise."""
        pem = entry["certificate"].public_bytes(serialization.Encoding.PEM)
        signature = {"signature": _text(entry["signature"]), "verifier": _text(pem)}
        digest = hashlib.sha256(entry["payload"]).hexdigest()
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": digest},
            "payloadHash": {"algorithm": "sha256", "value": digest},
            "signatures": [signature],
        }
        body = _canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        log = hashlib.sha256(_public(self._log)).digest()
        root = hashlib.sha256(b"\0" + body).digest()
        note = f"rekor.example.test\n1\n{_text(root)}\n"
        signed_note = _text(log[:4] + _sign(self._log, note.encode()))
        seconds = int(when.timestamp())
        promise = {"body": _text(body), "integratedTime": seconds, "logID": log.hex(), "logIndex": 0}
        return {
            "logIndex": "0",
            "logId": {"keyId": _text(log)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": _text(_sign(self._log, _canonical(promise)))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _text(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n— rekor.example.test {signed_note}\n"},
            },
            "canonicalizedBody": _text(body),
        }


def _log_of(key: _Key, url: str, since: dict[str, Any]) -> dict[str, Any]:
    public = {"rawBytes": _text(_public(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", **since}
    identifier = {"keyId": _text(hashlib.sha256(_public(key)).digest())}
    return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": identifier}


def _public(key: _Key) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, kind)


def _sign(key: _Key, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _length(number: int) -> bytes:
    """A length in DER."""
    if number < 128:
        return bytes([number])
    size = (number.bit_length() + 7) // 8
    return bytes([0x80 | size]) + number.to_bytes(size, "big")
