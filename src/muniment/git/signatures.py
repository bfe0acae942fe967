"""SSH signatures, made and verified by `ssh-keygen`; details that it does not print are read from the signature.

The form is OpenSSH's SSHSIG (PROTOCOL.sshsig). A result comes only from a clear answer: a program that is missing,
hangs or crashes raises SignatureError.
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
from muniment.facts.statements import SignatureResult
from muniment.policy.ssh_keys import KEY_TYPES, SECURITY_KEYS, split_key_blob
from muniment.programs.catalogue import Program
from muniment.programs.command import ProgramOption, build_command
from muniment.programs.environment import account_environment, minimal_environment
from muniment.programs.process import ProcessLimits, find_last_line, run_program
from muniment.programs.temporary_files import TemporaryFolder

_ARMOR = re.compile(r"\s*-----BEGIN SSH SIGNATURE-----\s([A-Za-z0-9+/=\s]+)-----END SSH SIGNATURE-----\s*")
_MAGIC = b"SSHSIG\x00\x00\x00\x01"
_LARGEST = 16_384  # bytes of an armored signature
_VERIFY = ProcessLimits(seconds=10)
_SIGN = ProcessLimits(seconds=120)  # for a passphrase, a PIN or a touch
_FEW = 8  # signatures that programs verify in the time that the library takes to be imported
_TOUCHED = 0x01  # the flag of user presence, PROTOCOL.u2f


class _ParsedSignature(Struct, frozen=True):
    """An SSHSIG, taken apart. `key` as people.toml has it; `touched` is true for keys that need no touch."""

    key: str
    namespace: str
    touched: bool
    hash_name: str
    signature: bytes


class SignedData(Struct, frozen=True):
    """Data, its armored signature, and the key that must have made it (`type base64`)."""

    data: bytes
    armored: str
    key: str


def read_embedded_key(armored: str) -> str | None:
    """Public key that a signature claims to be made with, as `type base64`; None if it is malformed."""
    parsed = _parse_signature(armored)
    return None if parsed is None else parsed.key


def verify_signature(
    data: bytes, armored: str, namespace: str, keys: Iterable[str], *, quick: bool = False
) -> SignatureResult:
    """Result of verifying `armored` over `data`, made for `namespace` by one of `keys` (`type base64`).

    No program is started unless the key in the signature is one of `keys`. With `quick`, a signature that is valid by
    `ssh_verification` starts none either. Raises SignatureError if ssh-keygen gives no clear answer.
    """
    parsed = _parse_signature(armored)
    if parsed is None:
        return SignatureResult.MALFORMED
    if parsed.key not in keys:
        return SignatureResult.OTHER_KEY
    if parsed.namespace != namespace:
        return SignatureResult.BAD
    if not (quick and _is_valid(parsed, data)) and not _verify_by_program(data, armored, namespace, parsed.key):
        return SignatureResult.BAD
    return SignatureResult.VALID if parsed.touched else SignatureResult.UNTOUCHED


def verify_signatures(signed_data: Sequence[SignedData], namespace: str) -> list[SignatureResult]:
    """Results for many signatures, in one process where they are more than a few. Raises SignatureError."""
    quick = len(signed_data) > _FEW
    return [verify_signature(one.data, one.armored, namespace, (one.key,), quick=quick) for one in signed_data]


def _is_valid(parsed: _ParsedSignature, data: bytes) -> bool:
    from muniment.git import ssh_verification  # a library whose import takes as long as a few programs

    blob = base64.b64decode(parsed.key.split(" ")[1])
    return ssh_verification.is_valid_signature(blob, parsed.signature, parsed.namespace, parsed.hash_name, data)


def verify_by_person(data: bytes, armored: str, namespace: str, person: Person) -> SignatureResult:
    """Result of verifying a signature against that person's keys."""
    return verify_signature(data, armored, namespace, person.keys)


def _parse_signature(armored: str) -> _ParsedSignature | None:
    match = _ARMOR.fullmatch(armored) if len(armored) <= _LARGEST else None
    if match is None:
        return None
    try:
        blob = base64.b64decode("".join(match[1].split()), validate=True)
        if not blob.startswith(_MAGIC):
            return None
        key, namespace, reserved, hashed, signature = split_key_blob(blob[len(_MAGIC) :])
        kind = split_key_blob(key)[0].decode()
        if kind not in KEY_TYPES or reserved or hashed not in (b"sha256", b"sha512"):
            return None
        touched = kind not in SECURITY_KEYS or _is_touched(signature)
        own = f"{kind} {base64.b64encode(key).decode()}"
        return _ParsedSignature(own, namespace.decode(), touched, hashed.decode(), signature)
    except (ValueError, IndexError, struct.error, binascii.Error):
        return None


def _is_touched(signature: bytes) -> bool:
    """Whether a security key's signature (type, raw signature, flags, counter) has the flag of a touch."""
    at = 0
    for _ in range(2):
        (length,) = struct.unpack_from(">I", signature, at)
        at += 4 + length
    flags, _ = struct.unpack_from(">BI", signature, at)
    if at + 5 != len(signature):
        raise ValueError("a security key's signature has a flag and a counter at its end")
    return bool(flags & _TOUCHED)


def _verify_by_program(data: bytes, armored: str, namespace: str, key: str) -> bool:
    with TemporaryFolder() as folder:
        allowed, signature = Path(folder, "allowed"), Path(folder, "signature")
        allowed.write_text(f'signer namespaces="{namespace}" {key}\n', encoding="utf-8")
        signature.write_text(armored, encoding="utf-8")
        named = [("-f", str(allowed)), ("-I", "signer"), ("-n", namespace), ("-s", str(signature))]
        command = build_command(Program.SSH_KEYGEN, [("-Y", "verify"), *named], SignatureError)
        done = run_program(command, minimal_environment(), SignatureError, input=data, limits=_VERIFY)
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


def make_fingerprint(key: str) -> str:
    """Fingerprint (`SHA256:...`) of a public key, as ssh-keygen shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split(" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def make_signature(data: bytes, namespace: str, key: str) -> str:
    """The armored signature of `data`.

    `key` is a file (private, or public with the agent holding the other half), or a public key line. Raises
    SignatureError. ssh-keygen runs as the person's own: it may ask for a passphrase, a PIN or a touch.
    """
    with TemporaryFolder() as folder:
        file = os.path.abspath(os.path.expanduser(key))
        if key.removeprefix("key::").startswith(KEY_TYPES):
            file = os.path.join(folder, "key.pub")
            Path(file).write_text(key.removeprefix("key::") + "\n", encoding="utf-8")
        options: list[ProgramOption] = [("-Y", "sign"), "-q", ("-n", namespace), ("-f", file)]
        command = build_command(Program.SSH_KEYGEN, options, SignatureError)
        done = run_program(command, account_environment(), SignatureError, input=data, limits=_SIGN, interactive=True)
    if done.code or not done.out.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise SignatureError(
            f"ssh-keygen could not sign: {find_last_line(done.err)}",
            "Name a key with --key FILE, or set git's user.signingKey.",
        )
    return done.out.decode()
