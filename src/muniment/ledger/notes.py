"""Signed notes (C2SP signed-note): a text, a blank line, and a line for each signature below it.

Witnesses sign with a moment before the text (C2SP tlog-cosignature, `cosignature/v1`).
"""

import base64
import re

from msgspec import Struct

from muniment.errors import LedgerError, ParseError
from muniment.ledger import keys

_LINE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)")
_LARGEST = 1 << 20
_MOST = 100  # signatures
_MALFORMED = "Take the checkpoint from where it came again."


class Signature(Struct, frozen=True):
    """Signature line: name of the signer, hash of the key (4 bytes), signature."""

    name: str
    hash: bytes
    data: bytes


class Note(Struct, frozen=True):
    """A text (ending with a line end) and its signatures, none of them verified."""

    text: str
    signatures: tuple[Signature, ...]


def parse(data: bytes) -> Note:
    """The note in `data`. Raises LedgerError if it is not one, exactly."""
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise _malformed("it is not UTF-8") from error
    text, blank, signed = whole.rpartition("\n\n")
    lines = signed.split("\n")
    if len(data) > _LARGEST or not blank or not text or lines[-1] != "" or not 1 < len(lines) <= _MOST + 1:
        raise _malformed("it has no signature, or too many")
    return Note(text + "\n", tuple(_signature(line) for line in lines[:-1]))


def sign(text: str, private: str) -> bytes:
    """The note of `text`, signed by the ledger's key. Raises ParseError if that is none, and never shows it."""
    key = keys.read_public(keys.public_of(private))
    return f"{text}\n{_line(key, keys.sign(private, text.encode()))}".encode()


def join(one: bytes, other: bytes) -> bytes:
    """One note with the signatures of two notes of the same text. Raises LedgerError if their texts differ."""
    if parse(one).text != parse(other).text:
        raise LedgerError("these are notes of two texts", "This is a defect: please report it.")
    return with_signatures(one, other.decode().rpartition("\n\n")[2])


def verified(note: Note, public: str) -> bool:
    """Whether the holder of the log key `public` signed the note. Raises ParseError for what is no such key."""
    key = keys.read_public(public)
    if key.kind != keys.LOG:
        raise ParseError("ledger-key", "this is a witness' key, not a ledger's", "Name the file ledger.pub.")
    return any(keys.is_signed(key, note.text.encode(), signature.data) for signature in _by(note, key))


def cosign(note: Note, private: str, seconds: int) -> str:
    """A witness' line below the note, at a POSIX time, with a private key of the same form as a ledger's."""
    key = cosigner(private)
    signature = seconds.to_bytes(8, "big") + keys.sign(private, _message(note.text, seconds))
    return _line(keys.read_public(key), signature)


def cosigner(private: str) -> str:
    """The public key, as a witness', of a private one."""
    own = keys.read_public(keys.public_of(private))
    return keys.public_text(own.name, keys.COSIGNER, own.raw)


def cosigned(note: Note, public: str) -> int | None:
    """When the witness with that key says it saw the note (POSIX time); None if it did not sign it."""
    key = keys.read_public(public)
    for signature in _by(note, key):
        seconds, signed = int.from_bytes(signature.data[:8], "big"), signature.data[8:]
        if key.kind == keys.COSIGNER and keys.is_signed(key, _message(note.text, seconds), signed):
            return seconds
    return None


def with_signatures(data: bytes, lines: str) -> bytes:
    """The note with further signature lines. Raises LedgerError if the outcome is not a note."""
    found = data + lines.encode()
    parse(found)
    return found


def _by(note: Note, key: keys.Key) -> list[Signature]:
    return [signature for signature in note.signatures if (signature.name, signature.hash) == (key.name, key.hash)]


def _message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _line(key: keys.Key, signature: bytes) -> str:
    return f"\u2014 {key.name} {base64.b64encode(key.hash + signature).decode()}\n"


def _signature(line: str) -> Signature:
    match = _LINE.fullmatch(line)
    try:
        raw = base64.b64decode(match[2], validate=True) if match else b""
    except ValueError:
        raw = b""
    if match is None or len(raw) < 5:
        raise _malformed("a signature line is not one")
    return Signature(match[1], raw[:4], raw[4:])


def _malformed(why: str) -> LedgerError:
    return LedgerError(f"this is no signed note: {why}", _MALFORMED)
