"""Files of a working copy: read without following links, each unreadable one named."""

import os
import stat

import msgspec

from muniment.facts.paths import decode_path
from muniment.scanners.findings import CoverageState, FileCoverage, SourceFile

MOST_SCANNED_FILES = 100_000
MOST_FILE_BYTES = 50_000_000
MOST_TREE_BYTES = 400_000_000
_NOT_CODE = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox", ".mypy_cache"})


class WorkingCopy(msgspec.Struct, frozen=True):
    """Files that were read, and coverage of those that were not."""

    files: tuple[SourceFile, ...]
    unread: tuple[FileCoverage, ...]


def read_working_copy(root: str) -> WorkingCopy:
    """Read the files below a folder, or one file. Links are not followed, installed packages not read."""
    files: list[SourceFile] = []
    unread: list[FileCoverage] = []
    left = MOST_TREE_BYTES
    paths = [root] if os.path.isfile(root) else _list_paths(root)
    base = os.path.dirname(root) if os.path.isfile(root) else root
    for path in paths:
        name = decode_path(os.fsencode(os.path.relpath(path, base)))
        if len(files) + len(unread) >= MOST_SCANNED_FILES:
            unread.append(FileCoverage(name, CoverageState.FAILED, f"there are more than {MOST_SCANNED_FILES} files"))
            break
        if os.path.islink(path):
            because = "it is a link: a file of this folder is scanned at its own place, another is not part of it"
            unread.append(FileCoverage(name, CoverageState.SKIPPED, because))
            continue
        outcome = _read_file(path, left)
        if isinstance(outcome, bytes):
            files.append(SourceFile(name, outcome))
            left -= len(outcome)
        else:
            unread.append(FileCoverage(name, CoverageState.FAILED, outcome))
    return WorkingCopy(tuple(files), tuple(unread))


def _list_paths(root: str) -> list[str]:
    found = []
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in _NOT_CODE)
        found += [os.path.join(folder, name) for name in sorted(names)]
    return found


def _read_file(path: str, left: int) -> bytes | str:
    """Read a file of at most `left` bytes, or say why not."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "it is a link, or cannot be opened"
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            return "it is no regular file"
        if state.st_size > MOST_FILE_BYTES:
            return f"it is larger than {MOST_FILE_BYTES} bytes"
        if state.st_size > left:
            return f"the folder has more than {MOST_TREE_BYTES} bytes"
        return file.read(MOST_FILE_BYTES)
