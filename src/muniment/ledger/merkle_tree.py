"""The Merkle tree's two hashes: RFC 6962, section 2.1. Nothing else is ever hashed into it."""

from hashlib import sha256

HASH_SIZE = 32
EMPTY = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry, as a leaf."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two hashes, as the node above them."""
    return sha256(b"\1" + left + right).digest()


def hash_next_level(hashes: bytes) -> bytes:
    """Level above an even number of hashes."""
    data = memoryview(hashes)
    step = 2 * HASH_SIZE
    return b"".join([sha256(b"\1" + data[at : at + step]).digest() for at in range(0, len(hashes), step)])


def hash_levels(hashes: bytes, levels: int) -> bytes:
    """The single hash `levels` levels above 2 ** levels hashes."""
    for _ in range(levels):
        hashes = hash_next_level(hashes)
    return hashes


def hash_perfect_subtrees(hashes: bytes) -> tuple[bytes, ...]:
    """Roots of the perfect subtrees that any number of hashes falls into, from the left, largest first."""
    found: list[bytes] = []
    while hashes:
        levels = (len(hashes) // HASH_SIZE).bit_length() - 1
        width = HASH_SIZE << levels
        found.append(hash_levels(hashes[:width], levels))
        hashes = hashes[width:]
    return tuple(found)


def fold_roots(roots: tuple[bytes, ...]) -> bytes:
    """Root over perfect subtrees given from the left, largest first."""
    if not roots:
        return EMPTY
    *rest, root = roots
    for left in reversed(rest):
        root = node_hash(left, root)
    return root
