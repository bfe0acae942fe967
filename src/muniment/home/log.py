"""The ledger of a home in files: `ledger/checkpoint` and `ledger/tile/...`, one writer at a time.

Tiles are written before the checkpoint that speaks of them; what lies beyond the checkpoint is not in the ledger, and
is written over. So whatever kills a writer leaves the ledger as it was, or as it was to be.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from muniment.errors import HomeError, LedgerError
from muniment.home import durable
from muniment.home.outside import Outside
from muniment.ledger import tiles, tree
from muniment.ledger.checkpoints import Checkpoint, read_checkpoint, signed
from muniment.ledger.keys import public_of

LARGEST = 4096  # bytes of an entry
CHECKPOINT = "checkpoint"

_RECONCILE = "Find out why, restore the newest copy if there is one, then run: muniment ledger reconcile"
_INIT = "Restore keys/ from a backup. A new home gets its key from: muniment init --home DIR"


class Held:
    """The ledger while this process alone may write to it."""

    def __init__(self, log: "FilesLog", head: Checkpoint) -> None:
        self._log = log
        self._head = head

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self._head.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self._head.root

    def append(self, entries: Sequence[bytes]) -> int:
        """Add entries; they are on the disk and signed for when this returns. The index of the first.

        Raises HomeError or LedgerError, and then none of them is in the ledger, or all are and the copy outside lags.
        """
        first = self._head.size
        if entries:
            self._head = self._log.extend(self._head, entries)
        return first


class FilesLog:
    """The ledger in a directory. `private` and `public` are its key, as text, None if there is none."""

    def __init__(self, directory: Path, private: str | None, public: str | None, outside: Outside | None) -> None:
        self._root = directory
        self._private = private
        self._public = public
        self._outside = outside

    def read(self, path: str) -> bytes | None:
        """A file of the ledger, None if there is none. Raises HomeError if it cannot be read."""
        file = self._root / path
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HomeError(
                f"{file} cannot be read ({error.strerror})", "Make it a plain file that this account may read."
            ) from error

    def checkpoint(self) -> bytes | None:
        """The newest checkpoint as a signed note, None if nothing was ever recorded."""
        return self.read(CHECKPOINT)

    def head(self) -> Checkpoint:
        """What the newest checkpoint says; size 0 if nothing was ever recorded. Raises HomeError or LedgerError."""
        public = self._key()[1]
        data = self.checkpoint()
        if data is not None:
            return read_checkpoint(data, public)
        if self._has_tiles():
            raise LedgerError("the ledger has entries and no checkpoint", _RECONCILE)
        return Checkpoint(public.partition("+")[0], 0, tree.EMPTY)

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Entries by index, each of them what its hash says. Raises HomeError or LedgerError."""
        return tiles.entries(self.read, self.head().size, start, stop)

    @contextlib.contextmanager
    def held(self) -> Iterator[Held]:
        """The ledger for this process alone. Waits for others.

        Raises LedgerError for a ledger that is damaged at its edge, older than the copy outside, or forked from it.
        """
        with self._locked():
            head = self._sound()
            self._compare(head)
            yield Held(self, head)

    def reconcile(self, entry: bytes) -> int:
        """Go on from what is here, whatever the copy outside says: a person looked at it. The index of `entry`."""
        with self._locked():
            head = self._sound()
            self.extend(head, [entry])
            return head.size

    def seen_outside(self) -> int:
        """How many entries the copy outside speaks of; -1 if it speaks of none that can be read, or is nowhere."""
        try:
            data = self._outside.read() if self._outside is not None else None
            return -1 if data is None else read_checkpoint(data, self._key()[1]).size
        except LedgerError:
            return -1

    def extend(self, head: Checkpoint, entries: Sequence[bytes]) -> Checkpoint:
        """Write entries behind `head`. Only for who holds the lock."""
        if any(len(entry) > LARGEST for entry in entries):
            raise ValueError(f"an entry has more than {LARGEST} bytes")
        private = self._key()[0]
        growth = tiles.grow(self.read, head.size, entries)
        durable.write_all({self._root / path: data for path, data in growth.files.items()}, 0o644)
        checkpoint = signed(growth.size, growth.root, private)
        durable.write(self._root / CHECKPOINT, checkpoint, 0o644)
        if self._outside is not None:
            self._outside.write(checkpoint)
        self._tidy(head.size, growth.size)
        return Checkpoint(head.origin, growth.size, growth.root)

    def _key(self) -> tuple[str, str]:
        if self._private is None or self._public is None:
            raise LedgerError("the ledger has no key", _INIT)
        try:
            own = public_of(self._private)
        except ValueError as error:
            raise LedgerError(f"the ledger's key cannot be used: {error}", _INIT) from None
        if own != self._public.strip():
            raise LedgerError("keys/ledger.pub does not belong to keys/ledger.key", _INIT)
        return self._private, own

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        file = self._root / "lock"
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(
                f"{file} cannot be opened ({error.strerror})", "Make the home writable for this account."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _sound(self) -> Checkpoint:
        """The checkpoint, after a look at whether the tiles at the edge are those that it speaks of."""
        head = self.head()
        if tiles.root(self.read, head.size, head.size) != head.root:
            raise LedgerError(
                "the tiles of the ledger do not give the root of its checkpoint", "See: muniment ledger verify"
            )
        return head

    def _compare(self, head: Checkpoint) -> None:
        """Raises LedgerError unless this ledger is the one that the copy outside speaks of, or grew out of it."""
        if self._outside is None:
            return
        data = self._outside.read()
        if data is None:
            if head.size:
                raise LedgerError("the ledger has entries, but its copy outside the home has no checkpoint", _RECONCILE)
            return
        try:
            seen = read_checkpoint(data, self._key()[1])
        except LedgerError as error:
            raise LedgerError(f"the copy outside the home is not ours: {error.message}", _RECONCILE) from error
        if seen.size > head.size:
            raise LedgerError(
                f"the ledger is older than its copy outside the home: {head.size} entries, not {seen.size}", _RECONCILE
            )
        if tiles.root(self.read, head.size, seen.size) != seen.root:
            raise LedgerError(
                f"the ledger is not the one whose copy lies outside the home (at {seen.size})", _RECONCILE
            )

    def _has_tiles(self) -> bool:
        try:
            return any(file.is_file() for file in (self._root / "tile").rglob("*"))
        except OSError as error:
            raise HomeError(
                f"{self._root / 'tile'} cannot be read ({error.strerror})", "Make it readable for this account."
            ) from error

    def _tidy(self, old: int, new: int) -> None:
        """Drops files that are not full and that neither the last checkpoint nor this one needs."""
        needed = tiles.partial_paths(old) | tiles.partial_paths(new)
        around = needed | tiles.partial_paths(max(new - new % tiles.WIDTH - 1, 0))
        for folder in {(self._root / path).parent for path in around}:
            with contextlib.suppress(OSError):  # they harm nobody, and the entries are safe
                for name in os.listdir(folder):
                    if str((folder / name).relative_to(self._root)) not in needed:
                        os.unlink(folder / name)
                if not os.listdir(folder):
                    os.rmdir(folder)
