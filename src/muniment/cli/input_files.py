"""Files that a command line names; `-` stands for standard input."""

import os
import stat
import sys
from pathlib import Path

from muniment.errors import UsageError

STANDARD_INPUT = "-"


def read_input(file: str, remedy: str, most: int = -1) -> bytes:
    """Content of a file, at most that many bytes. Raises UsageError with `remedy` if it cannot be read.

    Standard input that gives nothing is refused: it is empty, or the same command line named it twice.
    """
    try:
        if file == STANDARD_INPUT:
            data = sys.stdin.buffer.read(most)
        else:
            with Path(file).open("rb") as opened:
                _require_end(file, opened.fileno(), remedy)
                return opened.read(most)
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})", remedy) from error
    if not data:
        raise UsageError("standard input is empty, or was read already", "Write to it, and name - once.")
    return data


def name_input(file: str) -> str:
    """Name of a file in messages."""
    return "standard input" if file == STANDARD_INPUT else file


def _require_end(file: str, number: int, remedy: str) -> None:
    """Raise UsageError for a device, such as /dev/zero: reading it has no end. Pipes of a shell have one."""
    mode = os.fstat(number).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise UsageError(f"{file} is a device, not a file", remedy)
