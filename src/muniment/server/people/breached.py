"""Whether a password stands on a list of those that were found in breaches; looked up here, never asked of anybody.

MUNIMENT_BREACHED names the list, as "Have I Been Pwned" gives it out for download: one file in the order of the
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


class UnreadableList(Exception):
    """The list is not there, or is not one."""


def stands_on(path: str, password: str) -> bool:
    """Whether the list at `path` has the password. Raises UnreadableList."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    try:
        if Path(path).is_dir():
            return _in_range(Path(path), digest)
        with open(path, "rb") as file:
            return _in_file(file, digest)
    except OSError as error:
        raise UnreadableList(str(error)) from error


def problem(path: str) -> str:
    """What is wrong with the list, "" if nothing is: its first and last lines are looked at, not all of it."""
    try:
        stands_on(path, "")
        if Path(path).is_dir():
            return "" if _range(Path(path), b"00000") else "it has no file for 00000"
        with open(path, "rb") as file:
            return _problem(file)
    except (OSError, UnreadableList) as error:
        return str(error)


def _problem(file: BinaryIO) -> str:
    first = _hash(file.readline(_LONGEST), _DIGITS)
    size = file.seek(0, 2)
    file.seek(max(0, size - 2 * _LONGEST))
    lines = file.read().splitlines()
    return "" if first <= _hash(lines[-1], _DIGITS) else "it is not in the order of the hashes"


def _in_file(file: BinaryIO, wanted: bytes) -> bool:
    """By bisection: its line, if it is there, begins at `low` or later, and before `high`."""
    low, high = 0, file.seek(0, 2)
    if not high:
        raise UnreadableList("it is empty")
    while low < high:
        middle = (low + high) // 2
        start = _next_line(file, middle)
        line = file.readline(_LONGEST)
        if start >= high or not line:
            high = middle
            continue
        found = _hash(line, _DIGITS)
        if found == wanted:
            return True
        if found < wanted:
            low = start + len(line)
        else:
            high = middle
    return False


def _next_line(file: BinaryIO, at: int) -> int:
    """Where the first line begins that begins at `at` or later; there the file is read on."""
    file.seek(max(0, at - 1))
    if at:
        file.readline()
    return file.tell()


def _in_range(folder: Path, digest: bytes) -> bool:
    file = _range(folder, digest[:_PREFIX])
    if file is None:
        raise UnreadableList(f"it has no file for {digest[:_PREFIX].decode()}")
    rest = digest[_PREFIX:]
    return any(_hash(line, _DIGITS - _PREFIX) == rest for line in file.read_bytes().splitlines() if line.strip())


def _range(folder: Path, prefix: bytes) -> Path | None:
    names = (prefix.decode(), f"{prefix.decode()}.txt")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _hash(line: bytes, digits: int) -> bytes:
    match = _LINE.match(line.strip(b"\xef\xbb\xbf\r\n "))
    if match is None or len(match[1]) != digits:
        raise UnreadableList("it holds a line that is no hash")
    return match[1].upper()
