"""Looks a password up in a local list of breached passwords; no service is asked.

MUNIMENT_BREACHED names the list, as "Have I Been Pwned" offers it for download: one file in the order of the
hashes, each line a SHA-1 in hexadecimal, a colon and a count; or a folder of its ranges, each a file named by the
first five digits (`00ABC` or `00ABC.txt`) with the other thirty-five. A list that cannot be read refuses.
"""

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

_PREFIX = 5
_DIGITS = 40
_LONGEST = 120  # bytes of a line
_LINE = re.compile(rb"([0-9A-F]+)(?::\d+)?\s*\Z", re.IGNORECASE)


class UnreadableListError(Exception):
    """Raised when the list is missing or malformed."""


def is_breached(path: str, password: str) -> bool:
    """Whether the list at `path` has the password. Raises UnreadableList."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    try:
        if Path(path).is_dir():
            return _is_in_range_file(Path(path), digest)
        with open(path, "rb") as file:
            return _is_in_file(file, digest)
    except OSError as error:
        raise UnreadableListError(str(error)) from error


def find_list_problem(path: str) -> str:
    """Problem of the list, "" if there is none: only its first and last lines are read."""
    try:
        is_breached(path, "")
        if Path(path).is_dir():
            return "" if _find_range_file(Path(path), b"00000") else "it has no file for 00000"
        with open(path, "rb") as file:
            return _find_file_problem(file)
    except (OSError, UnreadableListError) as error:
        return str(error)


def _find_file_problem(file: BinaryIO) -> str:
    first = _parse_hash(file.readline(_LONGEST), _DIGITS)
    size = file.seek(0, 2)
    file.seek(max(0, size - 2 * _LONGEST))
    lines = file.read().splitlines()
    return "" if first <= _parse_hash(lines[-1], _DIGITS) else "it is not in the order of the hashes"


def _is_in_file(file: BinaryIO, wanted: bytes) -> bool:
    """Bisect the file: the line of the hash, if it is there, begins at `low` or later and before `high`."""
    low, high = 0, file.seek(0, 2)
    if not high:
        raise UnreadableListError("it is empty")
    while low < high:
        middle = (low + high) // 2
        start = _seek_next_line(file, middle)
        line = file.readline(_LONGEST)
        if start >= high or not line:
            high = middle
            continue
        found = _parse_hash(line, _DIGITS)
        if found == wanted:
            return True
        if found < wanted:
            low = start + len(line)
        else:
            high = middle
    return False


def _seek_next_line(file: BinaryIO, at: int) -> int:
    """Move to the first line that begins at `at` or later; its offset."""
    file.seek(max(0, at - 1))
    if at:
        file.readline()
    return file.tell()


def _is_in_range_file(folder: Path, digest: bytes) -> bool:
    file = _find_range_file(folder, digest[:_PREFIX])
    if file is None:
        raise UnreadableListError(f"it has no file for {digest[:_PREFIX].decode()}")
    rest = digest[_PREFIX:]
    return any(_parse_hash(line, _DIGITS - _PREFIX) == rest for line in file.read_bytes().splitlines() if line.strip())


def _find_range_file(folder: Path, prefix: bytes) -> Path | None:
    names = (prefix.decode(), f"{prefix.decode()}.txt")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _parse_hash(line: bytes, digits: int) -> bytes:
    match = _LINE.match(line.strip(b"\xef\xbb\xbf\r\n "))
    if match is None or len(match[1]) != digits:
        raise UnreadableListError("it holds a line that is no hash")
    return match[1].upper()
