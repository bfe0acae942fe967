"""Proofs that an entry is in a ledger, and that a ledger grew out of an older one: RFC 6962, section 2.1.

They are checked as RFC 9162 says (2.1.3.2 and 2.1.4.2), with nothing but hashes.
"""

from muniment.ledger import tree
from muniment.ledger.tiles import Read, decomposed, subtree


def inclusion(read: Read, size: int, index: int) -> tuple[bytes, ...]:
    """The audit path of entry `index` in a log of `size`, from the leaf up. IndexError if there is no such entry."""
    if not 0 <= index < size:
        raise IndexError(f"there is no entry {index} in a ledger of {size}")
    read = _once(read)
    return tuple(_range(read, size, start, stop) for start, stop in _path(index, 0, size))


def consistency(read: Read, size: int, old: int) -> tuple[bytes, ...]:
    """The proof that the first `old` entries of a log of `size` are the whole of an older one."""
    if not 0 <= old <= size:
        raise IndexError(f"a ledger of {size} has no state of {old}")
    if old in (0, size):
        return ()
    read = _once(read)
    return tuple(_range(read, size, start, stop) for start, stop in _grown(old, 0, size, whole=True))


def check_inclusion(leaf: bytes, index: int, size: int, proof: tuple[bytes, ...], root: bytes) -> bool:
    """Whether `proof` shows that the hash `leaf` is at place `index` of the tree with `root` and `size`."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = tree.node_hash(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = tree.node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: tuple[bytes, ...]) -> bool:
    """Whether `proof` shows that the tree with `root` and `size` begins with the one with `old_root` and `old`."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == tree.EMPTY
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
            first, second = tree.node_hash(sibling, first), tree.node_hash(sibling, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = tree.node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _path(index: int, start: int, stop: int) -> list[tuple[int, int]]:
    """PATH of section 2.1.1: the ranges beside the way to an entry, from the leaf up."""
    found: list[tuple[int, int]] = []
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            found.append((middle, stop))
            stop = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def _grown(old: int, start: int, stop: int, *, whole: bool) -> list[tuple[int, int]]:
    """SUBPROOF of section 2.1.2: the ranges that show both trees. `whole`: the old tree is just this range."""
    if old == stop:
        return [] if whole else [(start, stop)]
    middle = start + _split(stop - start)
    if old <= middle:
        return [*_grown(old, start, middle, whole=whole), (middle, stop)]
    return [*_grown(old, middle, stop, whole=False), (start, middle)]


def _range(read: Read, size: int, start: int, stop: int) -> bytes:
    return tree.folded(tuple(subtree(read, size, level, index) for level, index in decomposed(start, stop)))


def _once(read: Read) -> Read:
    """Cached reader: each file is read once."""
    kept: dict[str, bytes | None] = {}

    def again(path: str) -> bytes | None:
        if path not in kept:
            kept[path] = read(path)
        return kept[path]

    return again
