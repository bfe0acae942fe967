"""Cells of anonymous feedback: codes and answers of one round, encrypted anew and reordered at each write.

Every cell has one size, and their number never changes: from a copy of the database, its write-ahead log or a backup
nobody can see how many answers there are, or which of them a write added. The key is a file that no backup has; it is
deleted when the answers are shown.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RefusedError
from muniment.server.guarding.home_keys import read_feedback_key

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # without signs that look alike
_CODE_LENGTH = 16  # 78 bits
_CELL_BYTES = 16 * 1024
_CODES_BYTES = 8 * 1024
_NONCE, _TAG, _LENGTH = 12, 16, 4
_ROUND_UP = 8
_random = secrets.SystemRandom()
T = TypeVar("T")


class AnswerSheet(Struct, frozen=True):
    """Answers of one writer. `to_dpo`: with too few answers they go to the Data Protection Officer in confidence."""

    mood: str
    well: str
    slow: str
    next: str
    to_dpo: bool


class RoundContent(Struct, frozen=True):
    """Content of a round: codes that nobody took, those that were taken and not used, and answers with free places."""

    free_codes: tuple[str, ...]
    taken_codes: tuple[str, ...]
    sheets: tuple[AnswerSheet | None, ...]


class _Codes(Struct, frozen=True):
    free: tuple[str, ...]
    taken: tuple[str, ...]


def make_content(people: int) -> RoundContent:
    """Content of a new round for so many people, with places rounded up."""
    places = -(-max(people, 1) // _ROUND_UP) * _ROUND_UP
    codes = {"".join(_random.choice(_ALPHABET) for _each in range(_CODE_LENGTH)) for _code in range(places)}
    return RoundContent(tuple(codes), (), (None,) * places)


def take_code(content: RoundContent) -> tuple[str, RoundContent]:
    """Code that nobody took, drawn by chance, and the content after. Raises RefusedError without one."""
    if not content.free_codes:
        raise RefusedError("no-codes", _("No code is left."), _("Ask the facilitator: the team has grown."))
    code = _random.choice(content.free_codes)
    free = tuple(each for each in content.free_codes if each != code)
    return code, RoundContent(free, (*content.taken_codes, code), content.sheets)


def use_code(content: RoundContent, code: str, sheet: AnswerSheet) -> RoundContent:
    """Content with the answers of a code. Raises RefusedError for a code that was not taken, or was used."""
    if code not in content.taken_codes:
        raise RefusedError("wrong-code", _("This code is not known, or it was used."), _("Compare it once more."))
    sheets = list(content.sheets)
    sheets[sheets.index(None)] = sheet
    left = tuple(each for each in content.taken_codes if each != code)
    return RoundContent(content.free_codes, left, tuple(sheets))


def list_sheets(content: RoundContent) -> list[AnswerSheet]:
    """Answers that were given, in an order by chance."""
    return shuffle_values([each for each in content.sheets if each is not None])


def shuffle_values(values: Sequence[T]) -> list[T]:
    """Values in an order by chance, from the operating system's source."""
    found = list(values)
    _random.shuffle(found)
    return found


def encrypt_content(home: Path, meeting: int, content: RoundContent) -> bytes:
    """Cells of a round: the codes, then all places in an order by chance. Raises RefusedError without the key."""
    cipher = _load_cipher(home, meeting)
    codes = _Codes(tuple(shuffle_values(content.free_codes)), tuple(shuffle_values(content.taken_codes)))
    cells = [_encrypt_cell(cipher, msgspec.json.encode(codes), _CODES_BYTES)]
    cells += [_encrypt_cell(cipher, msgspec.json.encode(each), _CELL_BYTES) for each in shuffle_values(content.sheets)]
    return b"".join(cells)


def decrypt_content(home: Path, meeting: int, cells: bytes) -> RoundContent:
    """Content of a round. Raises RefusedError without the key, as after the home was restored from a backup."""
    cipher = _load_cipher(home, meeting)
    size, first = _CELL_BYTES + _NONCE + _TAG, _CODES_BYTES + _NONCE + _TAG
    try:
        codes = msgspec.json.decode(_decrypt_cell(cipher, cells[:first]), type=_Codes)
        texts = [_decrypt_cell(cipher, cells[at : at + size]) for at in range(first, len(cells), size)]
    except InvalidTag:
        raise _make_lost_error() from None
    return RoundContent(
        codes.free, codes.taken, tuple(msgspec.json.decode(each, type=AnswerSheet | None) for each in texts)
    )


def _load_cipher(home: Path, meeting: int) -> AESGCM:
    key = read_feedback_key(home, meeting)
    if key is None:
        raise _make_lost_error()
    return AESGCM(key)


def _make_lost_error() -> RefusedError:
    return RefusedError(
        "feedback-lost",
        _("The key of these answers is gone, so nobody can read them."),
        _("Talk in the meeting instead."),
    )


def _encrypt_cell(cipher: AESGCM, data: bytes, size: int) -> bytes:
    """Cell of a fixed size. A fresh nonce each time: the same content never looks the same."""
    padded = len(data).to_bytes(_LENGTH) + data.ljust(size - _LENGTH, b"\0")
    nonce = secrets.token_bytes(_NONCE)
    return nonce + cipher.encrypt(nonce, padded, None)


def _decrypt_cell(cipher: AESGCM, cell: bytes) -> bytes:
    padded = cipher.decrypt(cell[:_NONCE], cell[_NONCE:], None)
    return padded[_LENGTH : _LENGTH + int.from_bytes(padded[:_LENGTH])]
