"""The ledger of a home, wherever its tiles and its checkpoint are kept: one writer at a time.

Tiles are written before the checkpoint that speaks of them, or with it in one step; what lies beyond the checkpoint is
not in the ledger, and is written over. So whatever kills a writer leaves the ledger as it was, or as it was to be.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from muniment.errors import LedgerError, ParseError, StoreError
from muniment.ledger import notes, tiles, tree
from muniment.ledger.checkpoints import Checkpoint, read_checkpoint, signed
from muniment.ledger.key_exchanges import exchange_path, exchange_paths, find_older_keys
from muniment.ledger.keys import public_of
from muniment.store.outside import Outside

LARGEST = 4096  # bytes of an entry
CHECKPOINT = "checkpoint"

_RECONCILE = (
    "Find out why, restore the newest copy if there is one, "
    "then run: muniment ledger reconcile --home DIR --reason TEXT"
)
_INIT = "Restore keys/ from a backup. A new home gets its key from: muniment init --home DIR"


class Held:
    """The ledger while this process alone may write to it."""

    def __init__(self, log: "Log", head: Checkpoint) -> None:
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

        Raises StoreError or LedgerError, and then none of them is in the ledger, or all are and the copy outside lags.
        """
        first = self._head.size
        if entries:
            self._head = self._log.extend(self._head, entries)
        return first


class Log(ABC):
    """A ledger. `private` and `public` are its key, as text, None if there is none."""

    def __init__(self, private: str | None, public: str | None, outside: Outside | None) -> None:
        self._private = private
        self._public = public
        self._outside = outside

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """A file of the ledger, None if there is none. Raises StoreError if it cannot be read."""

    @abstractmethod
    def has_tiles(self) -> bool:
        """Whether there is any tile."""

    @abstractmethod
    def locked(self) -> contextlib.AbstractContextManager[None]:
        """The ledger for this process alone. Waits for others."""

    @abstractmethod
    def write(self, files: Mapping[str, bytes], checkpoint: bytes) -> None:
        """Write tiles, then the checkpoint; all durable when it returns, or, in a transaction, when that ends."""

    @abstractmethod
    def tidy(self, old: int, new: int) -> None:
        """Drop what neither the checkpoint of `old` entries nor that of `new` needs, if that is easy."""

    def publish(self, checkpoint: bytes) -> None:
        """Keep the checkpoint outside the home as well."""
        if self._outside is not None:
            self._outside.write(checkpoint)

    def checkpoint(self) -> bytes | None:
        """The newest checkpoint as a signed note, None if nothing was ever recorded."""
        return self.read(CHECKPOINT)

    def head(self, public: str | None = None) -> Checkpoint:
        """What the newest checkpoint says; size 0 if nothing was ever recorded. Raises StoreError or LedgerError.

        `public` where the private key is not there to be compared with.
        """
        public = self.known() if public is None else public
        data = self.checkpoint()
        if data is not None:
            return read_checkpoint(data, public)
        if self.has_tiles():
            raise LedgerError("the ledger has entries and no checkpoint", _RECONCILE)
        return Checkpoint(public.partition("+")[0], 0, tree.EMPTY)

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Entries by index, each of them what its hash says. Raises StoreError or LedgerError."""
        return tiles.entries(self.read, self.head().size, start, stop)

    @contextlib.contextmanager
    def held(self) -> Iterator[Held]:
        """The ledger for this process alone. Waits for others.

        Raises LedgerError for a ledger that is damaged at its edge, older than the copy outside, or forked from it.
        """
        with self.locked():
            yield Held(self, self.check())

    def check(self) -> Checkpoint:
        """The newest checkpoint, after the look that `held` takes: for whoever may not write. Raises LedgerError."""
        head = self._sound()
        self._compare(head)
        return head

    def reconcile(self, entry: bytes) -> int:
        """Go on from what is here, whatever the copy outside says: a person looked at it. The index of `entry`."""
        with self.locked():
            head = self._sound()
            self.extend(head, [entry])
            return head.size

    def exchange_key(self, private: str, entry: bytes, *, lost: bool) -> int:
        """Add `entry`, which names the key `private` as the next, and sign with that from now on; its index.

        The old key signs this checkpoint too, unless it is lost. Raises StoreError or LedgerError, and then nothing was
        written. After it, this object has the old key: use another one.
        """
        with self.locked():
            head = self._sound(self._own_public() if lost else None)
            growth = tiles.grow(self.read, head.size, [entry])
            checkpoint = signed(growth.size, growth.root, private)
            vouched = signed(growth.size, growth.root, self._key_pair[0]) if not lost else checkpoint
            both = checkpoint if lost else notes.join(vouched, checkpoint)
            path = exchange_path(len(exchange_paths(self.read)) + 1)
            self.write({**growth.files, path: both}, checkpoint)
            self.publish(checkpoint)
            self.tidy(head.size, growth.size)
            return head.size

    def seen_outside(self) -> int:
        """How many entries the copy outside speaks of; -1 if it speaks of none that can be read, or is nowhere."""
        try:
            data = self._outside.read() if self._outside is not None else None
            return -1 if data is None else read_checkpoint(data, self._key_pair[1]).size
        except LedgerError:
            return -1

    def problem_outside(self) -> str:
        """Why this ledger is not the one that the copy outside speaks of, nor grew out of it; "" if it is."""
        try:
            self._compare(self.head())
        except (LedgerError, StoreError) as error:
            return error.message
        return ""

    def extend(self, head: Checkpoint, entries: Sequence[bytes]) -> Checkpoint:
        """Write entries behind `head`. Only for who holds the lock."""
        if any(len(entry) > LARGEST for entry in entries):
            raise ValueError(f"an entry has more than {LARGEST} bytes")
        private = self._key_pair[0]
        growth = tiles.grow(self.read, head.size, entries)
        checkpoint = signed(growth.size, growth.root, private)
        self.write(growth.files, checkpoint)
        self.publish(checkpoint)
        self.tidy(head.size, growth.size)
        return Checkpoint(head.origin, growth.size, growth.root)

    def known(self) -> str:
        """The public key, which belongs to the private one. Raises LedgerError without either."""
        return self._key_pair[1]

    @cached_property
    def _key_pair(self) -> tuple[str, str]:
        """The private and the public key, which belong together. Raises LedgerError without them."""
        if self._private is None or self._public is None:
            raise LedgerError("the ledger has no key", _INIT)
        try:
            own = public_of(self._private)
        except ParseError as error:
            raise LedgerError(f"the ledger's key cannot be used: {error}", _INIT) from None
        if own != self._public.strip():
            raise LedgerError("keys/ledger.pub does not belong to keys/ledger.key", _INIT)
        return self._private, own

    def _own_public(self) -> str:
        """The public key, without the private one. Raises LedgerError."""
        if self._public is None:
            raise LedgerError("the ledger has no public key", _INIT)
        return self._public.strip()

    def _sound(self, public: str | None = None) -> Checkpoint:
        """The checkpoint, after a look at whether the tiles at the edge are those that it speaks of."""
        head = self.head(public)
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
            seen = self._read_outside(data, head.size)
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

    def _read_outside(self, data: bytes, size: int) -> Checkpoint:
        """What the copy outside says, signed by this ledger's key, or by one that was its key before."""
        for key in reversed(find_older_keys(self.read, size)):
            try:
                return read_checkpoint(data, key)
            except LedgerError:
                continue
        return read_checkpoint(data, self.known())
