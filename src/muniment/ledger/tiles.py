"""The tree and its entries in files: C2SP tlog-tiles. Which bytes stand in which file, and nothing of disks.

A tile of level L holds up to 256 hashes, each the root of 256 ** L entries. An entry bundle holds up to 256 entries,
each with its length before it. A file that is not full yet has its width in its name (`.p/5`).

`read` gives the content of a file by its path (`tile/0/000.p/5`), None if there is no such file.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from msgspec import Struct

from muniment.errors import LedgerError
from muniment.facts.counting import count_entries
from muniment.ledger import merkle_tree
from muniment.ledger.merkle_tree import HASH_SIZE

WIDTH = 256
LEVELS = 8  # of the tree in one tile
LARGEST_TILE = 65_535  # bytes of an entry that a bundle can hold

ReadFile = Callable[[str], bytes | None]

_VERIFY = "See what else is wrong with: muniment ledger verify"


class TreeGrowth(Struct, frozen=True):
    """Log after appending: its size, its root, and every new or changed file with its whole content."""

    size: int
    root: bytes
    files: dict[str, bytes]


def hash_path(level: int, index: int, width: int = WIDTH) -> str:
    """Path of a tile of hashes."""
    return f"tile/{level}/{_format_number(index)}{_format_width(width)}"


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Path of an entry bundle."""
    return f"tile/entries/{_format_number(index)}{_format_width(width)}"


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Entries packed as a bundle. ValueError for one that is too large."""
    if any(len(entry) > LARGEST_TILE for entry in entries):
        raise ValueError(f"an entry has more than {LARGEST_TILE} bytes")
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def unpack_entries(data: bytes, path: str) -> tuple[bytes, ...]:
    """Entries of the bundle at `path`. Raises LedgerError if it does not end with one."""
    found: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > end or at > end:
            raise LedgerError(f"{path} ends in the middle of an entry", _VERIFY)
        found.append(data[start:at])
    return tuple(found)


def append_to_tree(read: ReadFile, size: int, entries: Sequence[bytes]) -> TreeGrowth:
    """Append `entries` to a log of `size`. Only its right edge is read.

    Raises LedgerError if that is damaged.
    """
    files: dict[str, bytes] = {}
    new_size = size + len(entries)
    _grow_bundles(read, size, entries, files)
    hashes = b"".join([sha256(b"\0" + entry).digest() for entry in entries])
    level, first = 0, size  # `hashes` are those of this level from place `first` on
    edge: list[tuple[bytes, ...]] = []
    while True:
        start = first - first % WIDTH
        hashes = _read_tile(read, level, start // WIDTH, first % WIDTH) + hashes
        count = len(hashes) // HASH_SIZE
        for at in range(0, count, WIDTH):
            width = min(WIDTH, count - at)
            if start + at + width > first:
                files[hash_path(level, (start + at) // WIDTH, width)] = hashes[
                    at * HASH_SIZE : (at + width) * HASH_SIZE
                ]
        full = count // WIDTH
        edge.append(merkle_tree.hash_perfect_subtrees(hashes[full * WIDTH * HASH_SIZE :]))
        if new_size < WIDTH ** (level + 1):
            break
        step = WIDTH * HASH_SIZE
        hashes = b"".join([merkle_tree.hash_levels(hashes[at * step : (at + 1) * step], LEVELS) for at in range(full)])
        level, first = level + 1, start // WIDTH
    return TreeGrowth(
        new_size, merkle_tree.fold_roots(tuple(root for roots in reversed(edge) for root in roots)), files
    )


def compute_root(read: ReadFile, size: int, count: int) -> bytes:
    """Root of the first `count` entries of a log of `size`. Raises LedgerError if a tile is missing or cut off."""
    return merkle_tree.fold_roots(
        tuple(read_subtree_root(read, size, level, index) for level, index in split_into_subtrees(0, count))
    )


def split_into_subtrees(start: int, stop: int) -> list[tuple[int, int]]:
    """(level, index) of the perfect subtrees that make up the entries from `start` to `stop`, from the left.

    Only for a `start` that divides by the largest of them, as in RFC 6962's own divisions.
    """
    found: list[tuple[int, int]] = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def read_subtree_root(read: ReadFile, size: int, level: int, index: int) -> bytes:
    """Root of the perfect subtree of 2 ** level entries that begins at entry index * 2 ** level."""
    below = level % LEVELS
    width = 1 << below
    tile, at = divmod(index * width, WIDTH)
    hashes = _read_tile_of(read, size, level // LEVELS, tile)
    return merkle_tree.hash_levels(hashes[at * HASH_SIZE : (at + width) * HASH_SIZE], below)


def read_entry(read: ReadFile, size: int, index: int) -> bytes:
    """Read one entry. Raises LedgerError if its file is missing or wrong, IndexError beyond the end of the log."""
    return next(read_entries(read, size, index, index + 1))


def read_entries(read: ReadFile, size: int, start: int, stop: int) -> Iterator[bytes]:
    """Entries from `start` to `stop`, each verified by its hash. Raises LedgerError, IndexError."""
    if not 0 <= start <= stop <= size:
        raise IndexError(f"there is no entry {stop - 1} in a log of {size}")
    for number in range(start // WIDTH, -(-stop // WIDTH)):
        first = number * WIDTH
        width = min(WIDTH, size - first)
        path = bundle_path(number, width)
        found = unpack_entries(_require_file(read, path), path)
        hashes = _read_tile_of(read, size, 0, number)
        if len(found) != width:
            raise LedgerError(f"{path} holds {count_entries(len(found))}, not {width}", _VERIFY)
        for at in range(max(start - first, 0), min(stop - first, width)):
            if merkle_tree.leaf_hash(found[at]) != hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE]:
                raise LedgerError(f"entry {first + at} in {path} is not the one that was signed", _VERIFY)
            yield found[at]


def list_file_paths(size: int) -> Iterator[str]:
    """Paths of all files of a log of `size`, except its checkpoint."""
    level, count = 0, size
    while count:
        for index in range(-(-count // WIDTH)):
            width = min(WIDTH, count - index * WIDTH)
            yield hash_path(level, index, width)
            if level == 0:
                yield bundle_path(index, width)
        level, count = level + 1, count // WIDTH


def list_partial_paths(size: int) -> frozenset[str]:
    """Paths of all files of a log of `size` that are not full."""
    found: set[str] = set()
    level, count = 0, size
    while count:
        tile, width = divmod(count, WIDTH)
        if width:
            found.add(hash_path(level, tile, width))
            if level == 0:
                found.add(bundle_path(tile, width))
        level, count = level + 1, tile
    return frozenset(found)


def _grow_bundles(read: ReadFile, size: int, entries: Sequence[bytes], files: dict[str, bytes]) -> None:
    number, width = divmod(size, WIDTH)
    path = bundle_path(number, width)
    given = list(unpack_entries(_require_file(read, path), path)) if width else []
    if len(given) != width:
        raise LedgerError(f"{path} holds {count_entries(len(given))}, not {width}", _VERIFY)
    if b"".join(map(merkle_tree.leaf_hash, given)) != _read_tile(read, 0, number, width):
        raise LedgerError(f"{path} does not hold the entries that were signed", _VERIFY)
    given += entries
    for at in range(0, len(given), WIDTH):
        part = given[at : at + WIDTH]
        if number * WIDTH + at + len(part) > size:
            files[bundle_path(number + at // WIDTH, len(part))] = pack_entries(part)


def _read_tile_of(read: ReadFile, size: int, level: int, index: int) -> bytes:
    """Tile as a log of `size` has it."""
    there = size // WIDTH**level - index * WIDTH
    return _read_tile(read, level, index, min(WIDTH, there))


def _read_tile(read: ReadFile, level: int, index: int, width: int) -> bytes:
    if width <= 0:
        return b""
    path = hash_path(level, index, width)
    data = _require_file(read, path)
    if len(data) != width * HASH_SIZE:
        raise LedgerError(f"{path} has {len(data)} bytes, not {width * HASH_SIZE}", _VERIFY)
    return data


def _require_file(read: ReadFile, path: str) -> bytes:
    data = read(path)
    if data is None:
        raise LedgerError(f"{path} is missing", _VERIFY)
    return data


def _format_number(index: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*("x" + part for part in parts[:-1]), parts[-1]])


def _format_width(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"
