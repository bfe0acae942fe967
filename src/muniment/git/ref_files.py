"""Reads the refs of a bare copy of ours from its files: a git that is started for each question costs more than both.

Only copies that we made are read so: their refs lie in files (`refs/...` and `packed-refs`), and nobody else writes
there. Whatever has another form is left to git.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock
from types import MappingProxyType

_VALUE = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_LARGEST = 100  # bytes of a loose ref that has a value of its own
_MOST_COPIES = 64
_GLOB = re.compile(r"[*?\[\\]")

Packed = Mapping[str, str]

_packed: dict[str, tuple[tuple[int, int, int], Packed]] = {}
_changing = Lock()


class _OtherForm(Exception):
    """Raised for a file that is no ref with a value of its own."""


def read_refs(folder: str, patterns: Sequence[str]) -> dict[str, str] | None:
    """Targets of the refs that match `patterns` (as for-each-ref, without wildcards), by name; None to ask git.

    Loose files are read first: git writes a value to `packed-refs` before it removes its file.
    """
    if not patterns or any(_GLOB.search(pattern) or not pattern.startswith("refs/") for pattern in patterns):
        return None
    try:
        loose = {name: value for pattern in patterns for name, value in _loose(folder, pattern.rstrip("/"))}
        packed = _read_packed(os.path.join(folder, "packed-refs"))
    except (_OtherForm, OSError, UnicodeDecodeError):
        return None
    found = {name: value for name, value in packed.items() if _matches(name, patterns)} if packed else {}
    chosen = {name: value for name, value in loose.items() if _matches(name, patterns)}
    return dict(sorted((found | chosen).items()))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(name == one or name.startswith(one if one.endswith("/") else f"{one}/") for one in patterns)


def _loose(folder: str, name: str) -> Iterator[tuple[str, str]]:
    """The refs that lie in files of their own: one, or all below a folder."""
    path = os.path.join(folder, name)
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISREG(mode):
        try:
            yield name, _value(path)
        except FileNotFoundError:
            return  # it was packed or deleted meanwhile
    elif stat.S_ISDIR(mode):
        try:
            names = os.listdir(path)
        except FileNotFoundError:
            return
        for one in names:
            if not one.endswith(".lock"):
                yield from _loose(folder, f"{name}/{one}")
    else:
        raise _OtherForm


def _value(path: str) -> str:
    with open(path, "rb") as file:
        text = file.read(_LARGEST).decode("ascii").strip()
    if not _VALUE.fullmatch(text):
        raise _OtherForm
    return text


def _read_packed(path: str) -> Packed:
    """The values in `packed-refs`, parsed once for each version of the file: git replaces it as a whole."""
    try:
        with open(path, "rb") as file:
            now = os.fstat(file.fileno())
            version = (now.st_ino, now.st_mtime_ns, now.st_size)
            with _changing:
                known = _packed.get(path)
            if known is not None and known[0] == version:
                return known[1]
            text = file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return MappingProxyType({})
    found: dict[str, str] = {}
    for line in text.split("\n"):
        value, _, name = line.partition(" ")
        if name and _VALUE.fullmatch(value):
            found[name] = value
        elif line and line[0] not in "#^":
            raise _OtherForm
    with _changing:
        _packed[path] = (version, MappingProxyType(found))
        while len(_packed) > _MOST_COPIES:
            del _packed[next(iter(_packed))]
    return found
