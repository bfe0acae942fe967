"""SSH signatures, made and verified by `ssh-keygen`; what it is silent about is read from the signature itself.

The form is OpenSSH's SSHSIG (PROTOCOL.sshsig). A verdict comes only from a clear answer: a program that
is missing, hangs or crashes raises SignatureError.
"""

import base64
import binascii
import hashlib
import os
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from muniment.errors import SignatureError
from muniment.facts.people import Person
from muniment.facts.statements import Signature
from muniment.policy.keys import KINDS, SECURITY_KEYS, blob_fields

_ARMOR = re.compile(r"\s*-----BEGIN SSH SIGNATURE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END SSH SIGNATURE-----\s*")
_MAGIC = b"SSHSIG\x00\x00\x00\x01"
_LARGEST = 16_384  # bytes of an armored signature
_TIMEOUT = 10  # seconds
_TOUCHED = 0x01  # the flag of user presence, PROTOCOL.u2f


class _Parsed(Struct, frozen=True):
    """An SSHSIG, taken apart. `key` as people.toml has it; `touched` is true for keys that need no touch."""

    key: str
    namespace: str
    touched: bool


def embedded_key(armored: str) -> str | None:
    """The public key that a signature says it was made with, as `type base64`; None if it is malformed."""
    parsed = _parse(armored)
    return None if parsed is None else parsed.key


def verify(data: bytes, armored: str, namespace: str, keys: Iterable[str]) -> Signature:
    """What comes of `armored` over `data`, made for `namespace` by one of `keys` (`type base64`).

    No program is started unless the key in the signature is one of `keys`. Raises SignatureError if ssh-keygen gives no
    clear answer.
    """
    parsed = _parse(armored)
    if parsed is None:
        return Signature.MALFORMED
    if parsed.key not in keys:
        return Signature.OTHER_KEY
    if parsed.namespace != namespace or not _holds(data, armored, namespace, parsed.key):
        return Signature.BAD
    return Signature.VALID if parsed.touched else Signature.UNTOUCHED


def by_person(data: bytes, armored: str, namespace: str, person: Person) -> Signature:
    """The same, against that person's keys."""
    return verify(data, armored, namespace, person.keys)


def verify_with_key(data: bytes, armored: str, namespace: str, key: str) -> Signature:
    """`verify` with one key."""
    return verify(data, armored, namespace, (key,))


def _parse(armored: str) -> _Parsed | None:
    match = _ARMOR.fullmatch(armored) if len(armored) <= _LARGEST else None
    if match is None:
        return None
    try:
        blob = base64.b64decode("".join(match[1].split()), validate=True)
        if not blob.startswith(_MAGIC):
            return None
        key, namespace, reserved, hashed, signature = blob_fields(blob[len(_MAGIC) :])
        kind = blob_fields(key)[0].decode()
        if kind not in KINDS or reserved or hashed not in (b"sha256", b"sha512"):
            return None
        touched = kind not in SECURITY_KEYS or _is_touched(signature)
        return _Parsed(f"{kind} {base64.b64encode(key).decode()}", namespace.decode(), touched)
    except (ValueError, IndexError, struct.error, binascii.Error):
        return None


def _is_touched(signature: bytes) -> bool:
    """Whether a security key's signature (type, raw signature, flags, counter) tells of a touch."""
    at = 0
    for _ in range(2):
        (length,) = struct.unpack_from(">I", signature, at)
        at += 4 + length
    flags, _ = struct.unpack_from(">BI", signature, at)
    if at + 5 != len(signature):
        raise ValueError("a security key's signature has a flag and a counter at its end")
    return bool(flags & _TOUCHED)


def _holds(data: bytes, armored: str, namespace: str, key: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        allowed, signature = Path(folder, "allowed"), Path(folder, "signature")
        allowed.write_text(f'signer namespaces="{namespace}" {key}\n', encoding="utf-8")
        signature.write_text(armored, encoding="utf-8")
        done = _ssh_keygen(
            ["-Y", "verify", "-f", str(allowed), "-I", "signer", "-n", namespace, "-s", str(signature)],
            data,
            {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/nonexistent"},
        )
    good = b'Good "' + namespace.encode() + b'" signature for signer'
    if done.returncode == 0 and done.stdout.startswith(good):
        return True
    if done.returncode == 255 and b"Could not verify signature" in done.stdout + done.stderr:
        return False
    if done.returncode == 255 and b"Signature verification failed" in done.stderr:
        return False
    raise SignatureError(
        f"ssh-keygen gave no clear answer (exit code {done.returncode})",
        "Check that OpenSSH 8.9 or newer is installed.",
    )


def fingerprint(key: str) -> str:
    """`SHA256:...` of a public key, as ssh-keygen shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split(" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def sign(data: bytes, namespace: str, key: str) -> str:
    """The armored signature of `data`. `key` is a file (private, or public with the agent holding the other half), or a
    public key line. Raises SignatureError.

    ssh-keygen runs with the person's own environment: it may ask for a passphrase, a PIN or a touch.
    """
    with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
        file = os.path.expanduser(key)
        if key.removeprefix("key::").startswith(KINDS):
            file = os.path.join(folder, "key.pub")
            Path(file).write_text(key.removeprefix("key::") + "\n", encoding="utf-8")
        done = _ssh_keygen(["-Y", "sign", "-q", "-n", namespace, "-f", file], data, dict(os.environ), timeout=120)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gave no reason"]
        raise SignatureError(
            f"ssh-keygen could not sign: {said[-1]}",
            "Name a key with --key FILE, or set git's user.signingKey.",
        )
    return done.stdout.decode()


def _ssh_keygen(
    arguments: list[str], data: bytes, environment: dict[str, str], timeout: float = _TIMEOUT
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            input=data,
            env=environment,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise SignatureError("ssh-keygen is not installed", "Install OpenSSH's client programs.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignatureError(
            f"ssh-keygen did not answer ({type(error).__name__})", "Try it by hand, then try again."
        ) from error
