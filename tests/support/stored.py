"""A ledger in memory, for tests of what is made of its files."""

from collections.abc import Sequence

from muniment.ledger import checkpoints, ledger_keys, tiles


class Stored:
    """Files by path, and the checkpoint over them."""

    def __init__(self, entries: Sequence[bytes] = ()) -> None:
        self.private, self.public = ledger_keys.generate_key("muniment/shop")
        self.files: dict[str, bytes] = {}
        self.size = 0
        self.root = b""
        self.append(entries)

    def append(self, entries: Sequence[bytes]) -> None:
        growth = tiles.append_to_tree(self.files.get, self.size, entries)
        self.files.update(growth.files)
        for path in list(self.files):
            if ".p/" in path and path not in tiles.list_partial_paths(growth.size):
                del self.files[path]
        self.size, self.root = growth.size, growth.root

    @property
    def checkpoint(self) -> bytes:
        return checkpoints.sign_checkpoint(self.size, self.root, self.private)


def numbered(count: int) -> list[bytes]:
    """Entries that differ, of some length."""
    return [b"entry %d " % number + b"x" * (number % 50) for number in range(count)]
