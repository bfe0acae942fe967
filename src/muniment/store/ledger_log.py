"""The ledger of a home, in any storage for its tiles and its checkpoint: one writer at a time.

Tiles are written before the checkpoint that covers them, or with it in one step; tiles beyond the checkpoint are not
in the ledger, and are overwritten. So a killed writer leaves the ledger in its old or in its new state.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from muniment.errors import LedgerError, ParseError, StoreError
from muniment.ledger import merkle_tree, signed_notes, tiles
from muniment.ledger.checkpoints import Checkpoint, read_checkpoint, sign_checkpoint
from muniment.ledger.key_exchanges import exchange_path, find_older_keys, list_exchange_paths
from muniment.ledger.ledger_keys import derive_public_key

if TYPE_CHECKING:
    from muniment.store.external_copy import ExternalCopy

LARGEST_OBJECT = 4096  # bytes of an entry
CHECKPOINT = "checkpoint"

_RECONCILE = (
    "Find out why, restore the newest copy if there is one, "
    "then run: muniment ledger reconcile --home DIR --reason TEXT"
)
_INIT = "Restore keys/ from a backup. A new home gets its key from: muniment init --home DIR"


class LockedLog:
    """The ledger while this process alone may write to it."""

    def __init__(self, log: "Log", head: Checkpoint) -> None:
        self._log = log
        self._head = head

    @property
    def size(self) -> int:
        """Number of entries in it."""
        return self._head.size

    @property
    def root(self) -> bytes:
        """Root hash over the entries."""
        return self._head.root

    def append_entries(self, entries: Sequence[bytes]) -> int:
        """Add entries; they are on the disk and signed when this returns. The index of the first.

        Raises StoreError or LedgerError, and then none of them is in the ledger, or all are and the external copy lags.
        """
        first = self._head.size
        if entries:
            self._head = self._log.extend_ledger(self._head, entries)
        return first


class Log(ABC):
    """A ledger. `private` and `public` are its key, as text, None if there is none."""

    def __init__(self, private: str | None, public: str | None, outside: "ExternalCopy | None") -> None:
        self._private = private
        self._public = public
        self._outside = outside

    @abstractmethod
    def read_file(self, path: str) -> bytes | None:
        """A file of the ledger, None if there is none. Raises StoreError if it cannot be read."""

    @abstractmethod
    def has_tiles(self) -> bool:
        """Whether there is any tile."""

    @abstractmethod
    def lock_for_writing(self) -> contextlib.AbstractContextManager[None]:
        """Lock the ledger for this process alone. Waits for others."""

    @abstractmethod
    def write_tiles(self, files: Mapping[str, bytes], checkpoint: bytes) -> None:
        """Write tiles, then the checkpoint; all durable when it returns, or, in a transaction, when that ends."""

    @abstractmethod
    def remove_partial_tiles(self, old: int, new: int) -> None:
        """Delete tiles that neither the checkpoint of `old` entries nor that of `new` needs, if that is easy."""

    def publish_checkpoint(self, checkpoint: bytes) -> None:
        """Write the checkpoint to the external copy."""
        if self._outside is not None:
            self._outside.write_copy(checkpoint)

    def load_checkpoint(self) -> bytes | None:
        """The newest checkpoint as a signed note, None if nothing was ever recorded."""
        return self.read_file(CHECKPOINT)

    def read_head(self, public: str | None = None) -> Checkpoint:
        """The newest checkpoint, verified; size 0 if nothing was ever recorded. Raises StoreError or LedgerError.

        `public` where the private key is not available for a comparison.
        """
        public = self.known_public_key() if public is None else public
        data = self.load_checkpoint()
        if data is not None:
            return read_checkpoint(data, public)
        # A missing checkpoint with tiles is a deleted one: an empty ledger would begin anew over the old entries.
        if self.has_tiles():
            raise LedgerError("the ledger has entries and no checkpoint", _RECONCILE)
        return Checkpoint(public.partition("+")[0], 0, merkle_tree.EMPTY)

    def read_entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Entries by index, each verified by its hash. Raises StoreError or LedgerError."""
        return tiles.read_entries(self.read_file, self.read_head().size, start, stop)

    @contextlib.contextmanager
    def lock_and_verify(self) -> Iterator[LockedLog]:
        """The ledger for this process alone. Waits for others.

        Raises LedgerError for a ledger that is damaged at its edge, older than the external copy, or forked from it.
        """
        with self.lock_for_writing():
            yield LockedLog(self, self.verify_head())

    def verify_head(self) -> Checkpoint:
        """The newest checkpoint, verified as by `lock_and_verify`, without the lock. Raises LedgerError."""
        head = self._verify_edge()
        self._compare_with_copy(head)
        return head

    def append_despite_copy(self, entry: bytes) -> int:
        """Add an entry although the external copy contradicts: a person looked at it. The index of `entry`."""
        with self.lock_for_writing():
            head = self._verify_edge()
            self.extend_ledger(head, [entry])
            return head.size

    def exchange_key(self, private: str, entry: bytes, *, lost: bool) -> int:
        """Add `entry`, which names the key `private` as the next, and sign with that from now on; its index.

        The old key signs this checkpoint too, unless it is lost. Raises StoreError or LedgerError, and then nothing was
        written. After it, this object has the old key: use another one.
        """
        with self.lock_for_writing():
            head = self._verify_edge(self._require_public_key() if lost else None)
            growth = tiles.append_to_tree(self.read_file, head.size, [entry])
            checkpoint = sign_checkpoint(growth.size, growth.root, private)
            vouched = sign_checkpoint(growth.size, growth.root, self._key_pair[0]) if not lost else checkpoint
            both = checkpoint if lost else signed_notes.join_notes(vouched, checkpoint)
            path = exchange_path(len(list_exchange_paths(self.read_file)) + 1)
            # The exchange is written with the tiles, before the checkpoint: a reader never sees a checkpoint of the new
            # key without the file that names it.
            self.write_tiles({**growth.files, path: both}, checkpoint)
            self.publish_checkpoint(checkpoint)
            self.remove_partial_tiles(head.size, growth.size)
            return head.size

    def read_copy_size(self) -> int:
        """Number of entries in the external copy; -1 if it has none that can be read, or does not exist."""
        try:
            data = self._outside.read_copy() if self._outside is not None else None
            return -1 if data is None else read_checkpoint(data, self._key_pair[1]).size
        except LedgerError:
            return -1

    def explain_copy_mismatch(self) -> str:
        """Reason why this ledger did not grow out of the external copy's; "" if it did."""
        try:
            self._compare_with_copy(self.read_head())
        except (LedgerError, StoreError) as error:
            return error.message
        return ""

    def extend_ledger(self, head: Checkpoint, entries: Sequence[bytes]) -> Checkpoint:
        """Write entries behind `head`. Only while the lock is held."""
        if any(len(entry) > LARGEST_OBJECT for entry in entries):
            raise ValueError(f"an entry has more than {LARGEST_OBJECT} bytes")
        private = self._key_pair[0]
        growth = tiles.append_to_tree(self.read_file, head.size, entries)
        checkpoint = sign_checkpoint(growth.size, growth.root, private)
        # In this order: the copy outside never has what is not written here, and no tile goes before its successor is
        # there.
        self.write_tiles(growth.files, checkpoint)
        self.publish_checkpoint(checkpoint)
        self.remove_partial_tiles(head.size, growth.size)
        return Checkpoint(head.origin, growth.size, growth.root)

    def known_public_key(self) -> str:
        """The public key, which belongs to the private one. Raises LedgerError without either."""
        return self._key_pair[1]

    @cached_property
    def _key_pair(self) -> tuple[str, str]:
        """The private and the public key, which belong together. Raises LedgerError without them."""
        if self._private is None or self._public is None:
            raise LedgerError("the ledger has no key", _INIT)
        try:
            own = derive_public_key(self._private)
        except ParseError as error:
            raise LedgerError(f"the ledger's key cannot be used: {error}", _INIT) from None
        if own != self._public.strip():
            raise LedgerError("keys/ledger.pub does not belong to keys/ledger.key", _INIT)
        return self._private, own

    def _require_public_key(self) -> str:
        """The public key, without the private one. Raises LedgerError."""
        if self._public is None:
            raise LedgerError("the ledger has no public key", _INIT)
        return self._public.strip()

    def _verify_edge(self, public: str | None = None) -> Checkpoint:
        """The checkpoint, after a check that the tiles at the edge have its root."""
        head = self.read_head(public)
        if tiles.compute_root(self.read_file, head.size, head.size) != head.root:
            raise LedgerError(
                "the tiles of the ledger do not give the root of its checkpoint", "See: muniment ledger verify"
            )
        return head

    def _compare_with_copy(self, head: Checkpoint) -> None:
        """Raises LedgerError unless this ledger is the external copy's, or grew out of it."""
        if self._outside is None:
            return
        data = self._outside.read_copy()
        if data is None:
            if head.size:
                raise LedgerError("the ledger has entries, but its copy outside the home has no checkpoint", _RECONCILE)
            return
        try:
            seen = self._read_copy(data, head.size)
        except LedgerError as error:
            raise LedgerError(f"the copy outside the home is not ours: {error.message}", _RECONCILE) from error
        # A longer copy means that this ledger was rolled back, as by restoring an old disk: nobody may sign a fork of
        # it.
        if seen.size > head.size:
            raise LedgerError(
                f"the ledger is older than its copy outside the home: {head.size} entries, not {seen.size}", _RECONCILE
            )
        if tiles.compute_root(self.read_file, head.size, seen.size) != seen.root:
            raise LedgerError(
                f"the ledger is not the one whose copy lies outside the home (at {seen.size})", _RECONCILE
            )

    def _read_copy(self, data: bytes, size: int) -> Checkpoint:
        """Checkpoint in the external copy, signed by this ledger's key, or by one of its former keys."""
        for key in reversed(find_older_keys(self.read_file, size)):
            try:
                return read_checkpoint(data, key)
            except LedgerError:
                continue
        return read_checkpoint(data, self.known_public_key())
