"""The Merkle tree's two hashes: RFC 6962, section 2.1. Nothing else is ever hashed into it."""

from hashlib import sha256

HASH_SIZE = 32
EMPTY = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, as a leaf."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two hashes, as the node above them."""
    return sha256(b"\1" + left + right).digest()


def above(hashes: bytes) -> bytes:
    """The level above an even number of hashes."""
    data = memoryview(hashes)
    step = 2 * HASH_SIZE
    return b"".join([sha256(b"\1" + data[at : at + step]).digest() for at in range(0, len(hashes), step)])


def height_of(hashes: bytes, levels: int) -> bytes:
    """The single hash `levels` levels above 2 ** levels hashes."""
    for _ in range(levels):
        hashes = above(hashes)
    return hashes


def perfect(hashes: bytes) -> tuple[bytes, ...]:
    """The roots of the perfect subtrees that any number of hashes falls into, from the left, largest first."""
    found: list[bytes] = []
    while hashes:
        levels = (len(hashes) // HASH_SIZE).bit_length() - 1
        width = HASH_SIZE << levels
        found.append(height_of(hashes[:width], levels))
        hashes = hashes[width:]
    return tuple(found)


def folded(roots: tuple[bytes, ...]) -> bytes:
    """The root over perfect subtrees given from the left, largest first."""
    if not roots:
        return EMPTY
    *rest, root = roots
    for left in reversed(rest):
        root = node_hash(left, root)
    return root
