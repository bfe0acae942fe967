"""Verifies a whole ledger: every entry, every tile, the root and its signature, from the files and the public key.

Damage never raises an error: it is named. Where an entry and its hash differ, the tile above shows which of the two
was altered, up to the root, which is signed.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256

from msgspec import Struct

from muniment.errors import LedgerError, MunimentError
from muniment.ledger import merkle_tree
from muniment.ledger.checkpoints import read_checkpoint
from muniment.ledger.merkle_tree import HASH_SIZE
from muniment.ledger.tiles import LEVELS, WIDTH, ReadFile, bundle_path, hash_path

_MOST = 20  # problems that one verification lists
_WHOLE = WIDTH * HASH_SIZE

FindEntryProblem = Callable[[int, bytes], str]  # place, entry: what is wrong with it, "" if nothing is


class Verification(Struct, frozen=True):
    """Result of a verification. `root` in hexadecimal, as signed; `first_bad` the place of the first entry that cannot
    be trusted, None if there is none; `problems`, at most 20, name file and entry: none means that all is well.
    """

    size: int
    root: str
    first_bad: int | None
    problems: tuple[str, ...]


class _Problems:
    """Problems of a ledger, with the first entry that cannot be trusted."""

    def __init__(self) -> None:
        self.first_bad: int | None = None
        self.problems: list[str] = []

    def add_problem(self, problem: str, entry: int | None = None) -> None:
        if entry is not None and (self.first_bad is None or entry < self.first_bad):
            self.first_bad = entry
        self.problems.append(problem)


def verify_ledger(
    read: ReadFile, data: bytes, public: str, find_entry_problem: FindEntryProblem | None = None
) -> Verification:
    """Verify a whole ledger through `read`.

    `data` is its checkpoint, `public` its key, `find_entry_problem` checks entries. Only the key is trusted: the root
    of all entries is computed anew.
    """
    found = _Problems()
    try:
        head = read_checkpoint(data, public)
    except LedgerError as error:
        return Verification(0, "", None, (f"checkpoint: {error.message}",))
    own = _compute_levels(_hash_entries(read, head.size, find_entry_problem, found))
    levels = [_read_level(read, level, hashes, found) for level, hashes in enumerate(own)]
    if _compute_root(own) != head.root:
        found.add_problem("the entries do not give the root that was signed")
        _find_altered(own, levels, head.root, found)
    return Verification(head.size, head.root.hex(), found.first_bad, tuple(found.problems[:_MOST]))


def _hash_entries(read: ReadFile, size: int, find_entry_problem: FindEntryProblem | None, found: _Problems) -> bytes:
    """Hash of every entry as it stands in its bundle, each 32 bytes; zeros for those that are missing."""
    hashes: list[bytes] = []
    for number in range(-(-size // WIDTH)):
        width = min(WIDTH, size - number * WIDTH)
        hashes += _hash_bundle(read, number, width, find_entry_problem, found)
    return b"".join(hashes)


def _hash_bundle(
    read: ReadFile, number: int, width: int, find_entry_problem: FindEntryProblem | None, found: _Problems
) -> list[bytes]:
    path, first = bundle_path(number, width), number * WIDTH
    data = _read_file(read, path, first, found)
    hashes: list[bytes] = []
    at = 0
    while data is not None and len(hashes) < width:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data) or start > len(data):
            found.add_problem(f"{path} ends in the middle of entry {first + len(hashes)}", first + len(hashes))
            break
        entry = data[start:at]
        if find_entry_problem is not None and (problem := find_entry_problem(first + len(hashes), entry)):
            found.add_problem(f"entry {first + len(hashes)} in {path}: {problem}", first + len(hashes))
        hashes.append(sha256(b"\0" + entry).digest())
    else:
        if data is not None and at != len(data):
            found.add_problem(f"{path} has {len(data) - at} bytes after its last entry")
    return hashes + [bytes(HASH_SIZE)] * (width - len(hashes))


def _compute_levels(hashes: bytes) -> list[bytes]:
    """Hashes of every level of tiles: at level n, of 256 ** n entries each."""
    found = [hashes]
    while len(hashes) >= _WHOLE:
        full = len(hashes) // _WHOLE
        hashes = b"".join(
            [merkle_tree.hash_levels(hashes[at * _WHOLE : (at + 1) * _WHOLE], LEVELS) for at in range(full)]
        )
        found.append(hashes)
    return found


def _compute_root(levels: list[bytes]) -> bytes:
    """Root, from the tiles that are not full."""
    edges = [
        merkle_tree.hash_perfect_subtrees(hashes[len(hashes) - len(hashes) % _WHOLE :]) for hashes in reversed(levels)
    ]
    return merkle_tree.fold_roots(tuple(root for edge in edges for root in edge))


def _read_level(read: ReadFile, level: int, computed: bytes, found: _Problems) -> bytes:
    """Stored tiles of one level, compared with `computed`, which the entries give; zeros where a tile is missing."""
    pieces: list[bytes] = []
    for index in range(-(-len(computed) // _WHOLE)):
        expected = computed[index * _WHOLE : (index + 1) * _WHOLE]
        path = hash_path(level, index, len(expected) // HASH_SIZE)
        data = _read_file(read, path, None, found)
        if data is not None and len(data) != len(expected):
            found.add_problem(f"{path} has {len(data)} bytes, not {len(expected)}")
            data = None
        if data is not None and data != expected:
            first = (index * WIDTH + next(_find_differences(data, expected))) * WIDTH**level
            found.add_problem(f"{path} does not have the hash of what is under it, from entry {first} on")
        pieces.append(data if data is not None else bytes(len(expected)))
    return b"".join(pieces)


def _find_altered(computed: list[bytes], stored: list[bytes], root: bytes, found: _Problems) -> None:
    """Entries that are not those that were signed: from the root down, through tiles that match the level above."""
    if _compute_root(stored) != root:
        found.add_problem("neither do the tiles, so it is unknown which of the two was altered", found.first_bad or 0)
        return
    for level in range(len(computed)):
        start = len(computed[level]) // _WHOLE * WIDTH  # the edge of each level is under the root itself
        _compare_level(computed, stored, level, range(start, len(computed[level]) // HASH_SIZE), found)


def _compare_level(computed: list[bytes], stored: list[bytes], level: int, places: range, found: _Problems) -> None:
    """Compare the trusted hashes at `places` of a level with those of the entries, and go down where they differ."""
    for place in places:
        signed = _hash_at(stored[level], place)
        if signed == _hash_at(computed[level], place):
            continue
        first, last = place * WIDTH**level, (place + 1) * WIDTH**level - 1
        if level == 0:
            number = first // WIDTH
            path = bundle_path(number, min(WIDTH, len(computed[0]) // HASH_SIZE - number * WIDTH))
            found.add_problem(f"entry {first} in {path} is not the one that was signed", first)
        elif merkle_tree.hash_levels(stored[level - 1][place * _WHOLE : (place + 1) * _WHOLE], LEVELS) != signed:
            found.add_problem(f"one of the entries {first} to {last} is not the one that was signed", first)
        else:
            _compare_level(computed, stored, level - 1, range(place * WIDTH, (place + 1) * WIDTH), found)


def _hash_at(hashes: bytes, place: int) -> bytes:
    return hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]


def _find_differences(one: bytes, other: bytes) -> Iterator[int]:
    """Places of the hashes that differ."""
    for at in range(0, max(len(one), len(other)), HASH_SIZE):
        if one[at : at + HASH_SIZE] != other[at : at + HASH_SIZE]:
            yield at // HASH_SIZE


def _read_file(read: ReadFile, path: str, entry: int | None, found: _Problems) -> bytes | None:
    data, problem = _try_read(read, path)
    if problem:
        found.add_problem(problem, entry)
    return data


def _try_read(read: ReadFile, path: str) -> tuple[bytes | None, str]:
    """A file, or the problem with it."""
    try:
        data = read(path)
    except MunimentError as error:
        return None, f"{path}: {error.message}"
    return data, "" if data is not None else f"{path} is missing"
