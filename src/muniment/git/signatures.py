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
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from muniment.errors import SignatureError
from muniment.facts.people import Person
from muniment.facts.statements import Signature
from muniment.policy.keys import KINDS, SECURITY_KEYS, blob_fields
from muniment.programs.catalogue import Program
from muniment.programs.command import Option, build_command
from muniment.programs.environment import account_environment, minimal_environment
from muniment.programs.process import Limits, last_line, run
from muniment.programs.temporary import TemporaryFolder

_ARMOR = re.compile(r"\s*-----BEGIN SSH SIGNATURE-----\s([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*")
_MAGIC = b"SSHSIG\x00\x00\x00\x01"
_LARGEST = 16_384  # bytes of an armored signature
_VERIFY = Limits(seconds=10)
_SIGN = Limits(seconds=120)  # for a passphrase, a PIN or a touch
_FEW = 8  # signatures that programs verify in the time that the library takes to be imported
_TOUCHED = 0x01  # the flag of user presence, PROTOCOL.u2f


class _Parsed(Struct, frozen=True):
    """An SSHSIG, taken apart. `key` as people.toml has it; `touched` is true for keys that need no touch."""

    key: str
    namespace: str
    touched: bool
    hash_name: str
    signature: bytes


class SignedData(Struct, frozen=True):
    """What a signature in armor is said to be over, and the key that it has to be by (`type base64`)."""

    data: bytes
    armored: str
    key: str


def embedded_key(armored: str) -> str | None:
    """The public key that a signature says it was made with, as `type base64`; None if it is malformed."""
    parsed = _parse(armored)
    return None if parsed is None else parsed.key


def verify(data: bytes, armored: str, namespace: str, keys: Iterable[str], *, quick: bool = False) -> Signature:
    """What comes of `armored` over `data`, made for `namespace` by one of `keys` (`type base64`).

    No program is started unless the key in the signature is one of `keys`. With `quick`, a signature that is valid by
    `ssh_verification` starts none either. Raises SignatureError if ssh-keygen gives no clear answer.
    """
    parsed = _parse(armored)
    if parsed is None:
        return Signature.MALFORMED
    if parsed.key not in keys:
        return Signature.OTHER_KEY
    if parsed.namespace != namespace:
        return Signature.BAD
    if not (quick and _is_valid(parsed, data)) and not _holds(data, armored, namespace, parsed.key):
        return Signature.BAD
    return Signature.VALID if parsed.touched else Signature.UNTOUCHED


def verify_all(signed: Sequence[SignedData], namespace: str) -> list[Signature]:
    """`verify` for many, in one process where they are more than a few. Raises SignatureError."""
    quick = len(signed) > _FEW
    return [verify(one.data, one.armored, namespace, (one.key,), quick=quick) for one in signed]


def _is_valid(parsed: _Parsed, data: bytes) -> bool:
    from muniment.git import ssh_verification  # a library whose import takes as long as a few programs

    blob = base64.b64decode(parsed.key.split(" ")[1])
    return ssh_verification.is_valid(blob, parsed.signature, parsed.namespace, parsed.hash_name, data)


def by_person(data: bytes, armored: str, namespace: str, person: Person) -> Signature:
    """The same, against that person's keys."""
    return verify(data, armored, namespace, person.keys)


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
        own = f"{kind} {base64.b64encode(key).decode()}"
        return _Parsed(own, namespace.decode(), touched, hashed.decode(), signature)
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
    with TemporaryFolder() as folder:
        allowed, signature = Path(folder, "allowed"), Path(folder, "signature")
        allowed.write_text(f'signer namespaces="{namespace}" {key}\n', encoding="utf-8")
        signature.write_text(armored, encoding="utf-8")
        named = [("-f", str(allowed)), ("-I", "signer"), ("-n", namespace), ("-s", str(signature))]
        command = build_command(Program.SSH_KEYGEN, [("-Y", "verify"), *named], SignatureError)
        done = run(command, minimal_environment(), SignatureError, input=data, limits=_VERIFY)
    good = b'Good "' + namespace.encode() + b'" signature for signer'
    if done.code == 0 and done.out.startswith(good):
        return True
    if done.code == 255 and b"Could not verify signature" in done.out + done.err:
        return False
    if done.code == 255 and b"Signature verification failed" in done.err:
        return False
    raise SignatureError(
        f"ssh-keygen gave no clear answer (exit code {done.code})",
        "Check that OpenSSH 8.9 or newer is installed.",
    )


def fingerprint(key: str) -> str:
    """`SHA256:...` of a public key, as ssh-keygen shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split(" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def sign(data: bytes, namespace: str, key: str) -> str:
    """The armored signature of `data`. `key` is a file (private, or public with the agent holding the other half), or a
    public key line. Raises SignatureError.

    ssh-keygen runs as the person's own: it may ask for a passphrase, a PIN or a touch.
    """
    with TemporaryFolder() as folder:
        file = os.path.abspath(os.path.expanduser(key))
        if key.removeprefix("key::").startswith(KINDS):
            file = os.path.join(folder, "key.pub")
            Path(file).write_text(key.removeprefix("key::") + "\n", encoding="utf-8")
        options: list[Option] = [("-Y", "sign"), "-q", ("-n", namespace), ("-f", file)]
        command = build_command(Program.SSH_KEYGEN, options, SignatureError)
        done = run(command, account_environment(), SignatureError, input=data, limits=_SIGN, interactive=True)
    if done.code or not done.out.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise SignatureError(
            f"ssh-keygen could not sign: {last_line(done.err)}",
            "Name a key with --key FILE, or set git's user.signingKey.",
        )
    return done.out.decode()
