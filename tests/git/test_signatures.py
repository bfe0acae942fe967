"""Real ssh-keygen signatures, and those of security keys built by hand after PROTOCOL.u2f."""

import base64
import hashlib
import os
import struct
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.errors import SignatureError
from muniment.facts.statements import SignatureResult
from muniment.git import signatures
from muniment.policy.ssh_keys import parse_ssh_key

NAMESPACE = "muniment-approval"
DATA = b"what is signed"
KINDS = (("ed25519", "0"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048"))
SECURITY_KEY = b"sk-ssh-ed25519@openssh.com"


def make(folder: Path, kind: str = "ed25519", bits: str = "0") -> tuple[str, str]:
    """Create a key file; return it with its public key as written in people.toml."""
    file = folder / f"{kind}{bits}"
    size = ["-b", bits] if bits != "0" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-f", str(file)], check=True)
    return str(file), parse_ssh_key(file.with_suffix(".pub").read_text().strip())


def field(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def sign_with_security_key(flags: int, namespace: str = NAMESPACE) -> tuple[str, str]:
    """Signature of DATA by a security key with these flags, and its public key."""
    private = Ed25519PrivateKey.generate()
    blob = field(SECURITY_KEY) + field(private.public_key().public_bytes_raw()) + field(b"ssh:")
    inner = field(namespace.encode()) + field(b"") + field(b"sha512")
    message = b"SSHSIG" + inner + field(hashlib.sha512(DATA).digest())
    signed = private.sign(
        hashlib.sha256(b"ssh:").digest() + struct.pack(">BI", flags, 7) + hashlib.sha256(message).digest()
    )
    signature = field(SECURITY_KEY) + field(signed) + struct.pack(">BI", flags, 7)
    whole = b"SSHSIG" + struct.pack(">I", 1) + field(blob) + inner + field(signature)
    armored = "\n".join(
        ["-----BEGIN SSH SIGNATURE-----", base64.b64encode(whole).decode(), "-----END SSH SIGNATURE-----", ""]
    )
    return armored, f"{SECURITY_KEY.decode()} {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_every_key_type_signs_and_verifies(tmp_path: Path, kind: str, bits: str) -> None:
    file, public = make(tmp_path, kind, bits)
    armored = signatures.make_signature(DATA, NAMESPACE, file)
    assert signatures.read_embedded_key(armored) == public
    assert signatures.verify_signature(DATA, armored, NAMESPACE, (public,)) is SignatureResult.VALID
    assert signatures.verify_signature(DATA + b"!", armored, NAMESPACE, (public,)) is SignatureResult.BAD
    assert signatures.verify_signature(DATA, armored, "git", (public,)) is SignatureResult.BAD


def test_other_key_is_refused_without_starting_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, _ = make(tmp_path)
    armored = signatures.make_signature(DATA, NAMESPACE, file)
    monkeypatch.setenv("PATH", "")
    assert signatures.verify_signature(DATA, armored, NAMESPACE, ()) is SignatureResult.OTHER_KEY


def test_refuses_security_key_signature_without_touch() -> None:
    for flags, expected in (
        (0x01, SignatureResult.VALID),
        (0x05, SignatureResult.VALID),
        (0x00, SignatureResult.UNTOUCHED),
    ):
        armored, public = sign_with_security_key(flags)
        assert signatures.verify_signature(DATA, armored, NAMESPACE, (public,)) is expected


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"])
def test_refuses_malformed_signature(text: str) -> None:
    assert signatures.verify_signature(DATA, text, NAMESPACE, ("ssh-ed25519 AAAA",)) is SignatureResult.MALFORMED


def test_refuses_signature_with_any_flipped_byte(tmp_path: Path) -> None:
    file, public = make(tmp_path)
    lines = signatures.make_signature(DATA, NAMESPACE, file).split("\n")
    blob = base64.b64decode("".join(lines[1:-2]))
    for at in range(0, len(blob), 7):
        broken = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        armored = "\n".join([lines[0], base64.b64encode(broken).decode(), lines[-2], ""])
        try:
            result = signatures.verify_signature(DATA, armored, NAMESPACE, (public,))
        except SignatureError:
            continue  # no clear answer is no yes either
        assert result is not SignatureResult.VALID


@pytest.mark.parametrize("script", ["exit 0", "exit 1", "echo Good; exit 0", "kill -9 $$"])
def test_unclear_answer_of_ssh_keygen_is_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    file, public = make(tmp_path)
    armored = signatures.make_signature(DATA, NAMESPACE, file)
    fake = tmp_path / "bin" / "ssh-keygen"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(SignatureError):
        signatures.verify_signature(DATA, armored, NAMESPACE, (public,))


def test_missing_ssh_keygen_is_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, public = make(tmp_path)
    armored = signatures.make_signature(DATA, NAMESPACE, file)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignatureError, match="not installed"):
        signatures.verify_signature(DATA, armored, NAMESPACE, (public,))


def test_signing_with_missing_key_is_error(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match="could not sign"):
        signatures.make_signature(DATA, NAMESPACE, str(tmp_path / "none"))
