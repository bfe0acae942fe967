"""Signed notes (C2SP signed-note): a text, a blank line, and a line for each signature below it.

Witnesses sign with a moment before the text (C2SP tlog-cosignature, `cosignature/v1`).
"""

import base64
import re

from msgspec import Struct

from muniment.errors import LedgerError, ParseError
from muniment.ledger import ledger_keys

_LINE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)")
_LARGEST = 1 << 20
_MOST = 100  # signatures
_MALFORMED = "Take the checkpoint from where it came again."


class NoteSignature(Struct, frozen=True):
    """Signature line: name of the signer, hash of the key (4 bytes), signature."""

    name: str
    hash: bytes
    data: bytes


class SignedNote(Struct, frozen=True):
    """A text (ending with a line end) and its signatures, none of them verified."""

    text: str
    signatures: tuple[NoteSignature, ...]


def parse_note(data: bytes) -> SignedNote:
    """The note in `data`. Raises LedgerError if it is not one, exactly."""
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise _malformed_error("it is not UTF-8") from error
    text, blank, signed = whole.rpartition("\n\n")
    lines = signed.split("\n")
    if len(data) > _LARGEST or not blank or not text or lines[-1] != "" or not 1 < len(lines) <= _MOST + 1:
        raise _malformed_error("it has no signature, or too many")
    return SignedNote(text + "\n", tuple(_parse_signature(line) for line in lines[:-1]))


def sign_note(text: str, private: str) -> bytes:
    """Note of `text`, signed by the ledger's key. Raises ParseError for an invalid key, and never shows it."""
    key = ledger_keys.parse_public_key(ledger_keys.derive_public_key(private))
    return f"{text}\n{_format_signature(key, ledger_keys.sign_message(private, text.encode()))}".encode()


def join_notes(one: bytes, other: bytes) -> bytes:
    """Join one note with the signatures of two notes of the same text. Raises LedgerError if their texts differ."""
    if parse_note(one).text != parse_note(other).text:
        raise LedgerError("these are notes of two texts", "This is a defect: please report it.")
    return add_signatures(one, other.decode().rpartition("\n\n")[2])


def is_note_signed(note: SignedNote, public: str) -> bool:
    """Whether the holder of the log key `public` signed the note. Raises ParseError for any other key."""
    key = ledger_keys.parse_public_key(public)
    if key.kind != ledger_keys.LOG:
        raise ParseError("ledger-key", "this is a witness' key, not a ledger's", "Name the file ledger.pub.")
    return any(
        ledger_keys.is_signed_with(key, note.text.encode(), signature.data) for signature in _signatures_by(note, key)
    )


def make_cosignature(note: SignedNote, private: str, seconds: int) -> str:
    """A witness' line below the note, at a POSIX time, with a private key of the same form as a ledger's."""
    key = derive_cosigner_key(private)
    signature = seconds.to_bytes(8, "big") + ledger_keys.sign_message(private, _cosigned_message(note.text, seconds))
    return _format_signature(ledger_keys.parse_public_key(key), signature)


def derive_cosigner_key(private: str) -> str:
    """Public key, as a witness', of a private one."""
    own = ledger_keys.parse_public_key(ledger_keys.derive_public_key(private))
    return ledger_keys.format_public_key(own.name, ledger_keys.COSIGNER, own.raw)


def find_cosignature_time(note: SignedNote, public: str) -> int | None:
    """Time at which the witness with that key signed the note (POSIX); None if it did not."""
    key = ledger_keys.parse_public_key(public)
    for signature in _signatures_by(note, key):
        seconds, signed = int.from_bytes(signature.data[:8], "big"), signature.data[8:]
        if key.kind == ledger_keys.COSIGNER and ledger_keys.is_signed_with(
            key, _cosigned_message(note.text, seconds), signed
        ):
            return seconds
    return None


def add_signatures(data: bytes, lines: str) -> bytes:
    """The note with further signature lines. Raises LedgerError if the outcome is not a note."""
    found = data + lines.encode()
    parse_note(found)
    return found


def _signatures_by(note: SignedNote, key: ledger_keys.PublicKey) -> list[NoteSignature]:
    return [signature for signature in note.signatures if (signature.name, signature.hash) == (key.name, key.hash)]


def _cosigned_message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _format_signature(key: ledger_keys.PublicKey, signature: bytes) -> str:
    return f"\u2014 {key.name} {base64.b64encode(key.hash + signature).decode()}\n"


def _parse_signature(line: str) -> NoteSignature:
    match = _LINE.fullmatch(line)
    try:
        raw = base64.b64decode(match[2], validate=True) if match else b""
    except ValueError:
        raw = b""
    if match is None or len(raw) < 5:
        raise _malformed_error("a signature line is not one")
    return NoteSignature(match[1], raw[:4], raw[4:])


def _malformed_error(why: str) -> LedgerError:
    return LedgerError(f"this is no signed note: {why}", _MALFORMED)
