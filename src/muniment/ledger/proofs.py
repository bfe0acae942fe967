"""Proofs that an entry is in a ledger, and that a ledger grew out of an older one: RFC 6962, section 2.1.

They are checked as RFC 9162 says (2.1.3.2 and 2.1.4.2), with nothing but hashes.
"""

from muniment.ledger import merkle_tree
from muniment.ledger.tiles import ReadFile, read_subtree_root, split_into_subtrees


def prove_inclusion(read: ReadFile, size: int, index: int) -> tuple[bytes, ...]:
    """Audit path of entry `index` in a log of `size`, from the leaf up. IndexError if there is no such entry."""
    if not 0 <= index < size:
        raise IndexError(f"there is no entry {index} in a ledger of {size}")
    read = _cache_reads(read)
    return tuple(_hash_range(read, size, start, stop) for start, stop in _audit_ranges(index, 0, size))


def prove_consistency(read: ReadFile, size: int, old: int) -> tuple[bytes, ...]:
    """Proof that the first `old` entries of a log of `size` are the whole of an older one."""
    if not 0 <= old <= size:
        raise IndexError(f"a ledger of {size} has no state of {old}")
    if old in (0, size):
        return ()
    read = _cache_reads(read)
    return tuple(_hash_range(read, size, start, stop) for start, stop in _consistency_ranges(old, 0, size, whole=True))


def is_included(leaf: bytes, index: int, size: int, proof: tuple[bytes, ...], root: bytes) -> bool:
    """Whether `proof` shows that the hash `leaf` is at place `index` of the tree with `root` and `size`."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = merkle_tree.node_hash(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = merkle_tree.node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, proof: tuple[bytes, ...]) -> bool:
    """Whether `proof` shows that the tree with `root` and `size` begins with the one with `old_root` and `old`."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == merkle_tree.EMPTY
    path = (old_root, *proof) if old & (old - 1) == 0 else proof
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = merkle_tree.node_hash(sibling, first), merkle_tree.node_hash(sibling, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = merkle_tree.node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root


def _split_width(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _audit_ranges(index: int, start: int, stop: int) -> list[tuple[int, int]]:
    """PATH of section 2.1.1: the ranges next to the way to an entry, from the leaf up."""
    found: list[tuple[int, int]] = []
    while stop - start > 1:
        middle = start + _split_width(stop - start)
        if index < middle:
            found.append((middle, stop))
            stop = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def _consistency_ranges(old: int, start: int, stop: int, *, whole: bool) -> list[tuple[int, int]]:
    """SUBPROOF of section 2.1.2: the ranges that show both trees. `whole`: the old tree is just this range."""
    if old == stop:
        return [] if whole else [(start, stop)]
    middle = start + _split_width(stop - start)
    if old <= middle:
        return [*_consistency_ranges(old, start, middle, whole=whole), (middle, stop)]
    return [*_consistency_ranges(old, middle, stop, whole=False), (start, middle)]


def _hash_range(read: ReadFile, size: int, start: int, stop: int) -> bytes:
    return merkle_tree.fold_roots(
        tuple(read_subtree_root(read, size, level, index) for level, index in split_into_subtrees(start, stop))
    )


def _cache_reads(read: ReadFile) -> ReadFile:
    """Cached reader: each file is read once."""
    cache: dict[str, bytes | None] = {}

    def read_cached(path: str) -> bytes | None:
        if path not in cache:
            cache[path] = read(path)
        return cache[path]

    return read_cached
