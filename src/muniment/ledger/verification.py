"""Is a ledger whole? Every entry, every tile, the root and its signature, from the files and the public key alone.

It never raises for damage: it names it. Where an entry and its hash disagree, the tile above tells which of the two
was altered, up to the root, which is signed.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256

from msgspec import Struct

from muniment.errors import LedgerError, MunimentError
from muniment.ledger import tree
from muniment.ledger.checkpoints import read_checkpoint
from muniment.ledger.tiles import LEVELS, WIDTH, Read, bundle_path, hash_path
from muniment.ledger.tree import HASH_SIZE

_MOST = 20  # problems told
_WHOLE = WIDTH * HASH_SIZE

Wrong = Callable[[int, bytes], str]  # place, entry: what is wrong with it, "" if nothing is


class Verification(Struct, frozen=True):
    """Result of a verification. `root` in hexadecimal, as signed; `first_bad` the place of the first entry that cannot
    be trusted, None if there is none; `problems`, at most 20, name file and entry: none means that all is well.
    """

    size: int
    root: str
    first_bad: int | None
    problems: tuple[str, ...]


class _Found:
    """Problems that were found."""

    def __init__(self) -> None:
        self.first_bad: int | None = None
        self.problems: list[str] = []

    def add(self, problem: str, entry: int | None = None) -> None:
        if entry is not None and (self.first_bad is None or entry < self.first_bad):
            self.first_bad = entry
        self.problems.append(problem)


def verify(read: Read, data: bytes, public: str, wrong: Wrong | None = None) -> Verification:
    """Look at a whole ledger through `read`. `data` is its checkpoint, `public` its key, `wrong` judges entries.

    Nothing is trusted but the key: the root of all entries is computed anew.
    """
    found = _Found()
    try:
        head = read_checkpoint(data, public)
    except LedgerError as error:
        return Verification(0, "", None, (f"checkpoint: {error.message}",))
    own = _levels(_entries(read, head.size, wrong, found))
    kept = [_kept(read, level, hashes, found) for level, hashes in enumerate(own)]
    if _root(own) != head.root:
        found.add("the entries do not give the root that was signed")
        _blame(own, kept, head.root, found)
    return Verification(head.size, head.root.hex(), found.first_bad, tuple(found.problems[:_MOST]))


def _entries(read: Read, size: int, wrong: Wrong | None, found: _Found) -> bytes:
    """The hash of every entry as it stands in its bundle, each 32 bytes; zeros for those that are not there."""
    hashes: list[bytes] = []
    for number in range(-(-size // WIDTH)):
        width = min(WIDTH, size - number * WIDTH)
        hashes += _bundle(read, number, width, wrong, found)
    return b"".join(hashes)


def _bundle(read: Read, number: int, width: int, wrong: Wrong | None, found: _Found) -> list[bytes]:
    path, first = bundle_path(number, width), number * WIDTH
    data = _file(read, path, first, found)
    hashes: list[bytes] = []
    at = 0
    while data is not None and len(hashes) < width:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data) or start > len(data):
            found.add(f"{path} ends in the middle of entry {first + len(hashes)}", first + len(hashes))
            break
        entry = data[start:at]
        if wrong is not None and (problem := wrong(first + len(hashes), entry)):
            found.add(f"entry {first + len(hashes)} in {path}: {problem}", first + len(hashes))
        hashes.append(sha256(b"\0" + entry).digest())
    else:
        if data is not None and at != len(data):
            found.add(f"{path} has {len(data) - at} bytes after its last entry")
    return hashes + [bytes(HASH_SIZE)] * (width - len(hashes))


def _levels(hashes: bytes) -> list[bytes]:
    """The hashes of every level of tiles: at level n, of 256 ** n entries each."""
    found = [hashes]
    while len(hashes) >= _WHOLE:
        full = len(hashes) // _WHOLE
        hashes = b"".join([tree.height_of(hashes[at * _WHOLE : (at + 1) * _WHOLE], LEVELS) for at in range(full)])
        found.append(hashes)
    return found


def _root(levels: list[bytes]) -> bytes:
    """The root, from the tiles that are not full."""
    edges = [tree.perfect(hashes[len(hashes) - len(hashes) % _WHOLE :]) for hashes in reversed(levels)]
    return tree.folded(tuple(root for edge in edges for root in edge))


def _kept(read: Read, level: int, own: bytes, found: _Found) -> bytes:
    """The tiles of one level as they are kept, held against `own`, which the entries give; zeros where none is."""
    pieces: list[bytes] = []
    for index in range(-(-len(own) // _WHOLE)):
        expected = own[index * _WHOLE : (index + 1) * _WHOLE]
        path = hash_path(level, index, len(expected) // HASH_SIZE)
        data = _file(read, path, None, found)
        if data is not None and len(data) != len(expected):
            found.add(f"{path} has {len(data)} bytes, not {len(expected)}")
            data = None
        if data is not None and data != expected:
            first = (index * WIDTH + next(_differing(data, expected))) * WIDTH**level
            found.add(f"{path} does not have the hash of what is under it, from entry {first} on")
        pieces.append(data if data is not None else bytes(len(expected)))
    return b"".join(pieces)


def _blame(own: list[bytes], kept: list[bytes], root: bytes, found: _Found) -> None:
    """Which entries are not those that were signed: from the root down, through tiles that are what is above them."""
    if _root(kept) != root:
        found.add("neither do the tiles, so it is unknown which of the two was altered", found.first_bad or 0)
        return
    for level in range(len(own)):
        start = len(own[level]) // _WHOLE * WIDTH  # the edge of each level is under the root itself
        _descend(own, kept, level, range(start, len(own[level]) // HASH_SIZE), found)


def _descend(own: list[bytes], kept: list[bytes], level: int, places: range, found: _Found) -> None:
    """Compares what is trusted at `places` of a level with what the entries give, and goes down where they differ."""
    for place in places:
        signed = _at(kept[level], place)
        if signed == _at(own[level], place):
            continue
        first, last = place * WIDTH**level, (place + 1) * WIDTH**level - 1
        if level == 0:
            number = first // WIDTH
            path = bundle_path(number, min(WIDTH, len(own[0]) // HASH_SIZE - number * WIDTH))
            found.add(f"entry {first} in {path} is not the one that was signed", first)
        elif tree.height_of(kept[level - 1][place * _WHOLE : (place + 1) * _WHOLE], LEVELS) != signed:
            found.add(f"one of the entries {first} to {last} is not the one that was signed", first)
        else:
            _descend(own, kept, level - 1, range(place * WIDTH, (place + 1) * WIDTH), found)


def _at(hashes: bytes, place: int) -> bytes:
    return hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]


def _differing(one: bytes, other: bytes) -> Iterator[int]:
    """Places of the hashes that differ."""
    for at in range(0, max(len(one), len(other)), HASH_SIZE):
        if one[at : at + HASH_SIZE] != other[at : at + HASH_SIZE]:
            yield at // HASH_SIZE


def _file(read: Read, path: str, entry: int | None, found: _Found) -> bytes | None:
    data, problem = _read(read, path)
    if problem:
        found.add(problem, entry)
    return data


def _read(read: Read, path: str) -> tuple[bytes | None, str]:
    """A file, or what is wrong with it."""
    try:
        data = read(path)
    except MunimentError as error:
        return None, f"{path}: {error.message}"
    return data, "" if data is not None else f"{path} is missing"
