"""The one interface of a home: policy, people, exceptions, objects and keys. Every implementation passes one contract.

An absent document is None; an unreadable one raises StoreError. The two are never confused.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from muniment.decision.binding import BoundPolicy
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.store.ledger_log import Log
from muniment.store.settings import Settings

if TYPE_CHECKING:
    from muniment.ledger.record_kinds import AnyEntry

LedgerRecord = tuple["AnyEntry", tuple[Any, ...]]  # a record with its details: objects stored outside the ledger


class Store(Protocol):
    """Storage of an installation."""

    def load_policy(self) -> BoundPolicy | None:
        """The policy in force, bound to its controls; None if there is none. PolicyError if it is invalid."""

    def load_people(self) -> People | None:
        """Load all people, with the roles that they have everywhere; None if there is no list. PeopleError."""

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""

    def put_object(self, data: bytes) -> str:
        """Store an object, durably; its digest (`sha256:...`)."""

    def put_objects(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """Store several objects; all are durable when it returns. ErasedError for one that was erased."""

    def put_people(self, people: People) -> str:
        """Store one object for each person and machine, and the list of their digests; the digest of the list.

        Equal people have equal objects: each salt is drawn once, when its content is first stored.
        """

    def get_object(self, digest: str) -> bytes | None:
        """Object with that digest, None if there is none.

        ErasedError if it was erased, StoreError if the stored data has another digest.
        """

    def get_objects(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Content by digest of these objects, as far as they exist. StoreError for one that does not match its name."""

    def read_erasure_reasons(self, digests: Sequence[str]) -> dict[str, str]:
        """Reasons of those of these objects that were erased."""

    def list_object_digests(self) -> Iterator[str]:
        """Digests of all stored objects, in order."""

    def erase_objects(self, digests: Sequence[str], why: str) -> None:
        """Erase objects for good; `why` is the reason that later readers get."""

    def load_settings(self) -> Settings:
        """Settings of the installation. HomeFileError if they are invalid."""

    def signing_key(self) -> str | None:
        """Private key of the ledger as text, None if there is none. StoreError if others may read it."""

    def public_key(self) -> str | None:
        """Public key of the ledger as text, None if there is none."""

    def lock_ledger(self) -> AbstractContextManager[None]:
        """Exclusive lock on reading and appending: what is read inside is still true at the append.

        An interrupted block is undone, or leaves a state that denies.
        """

    def append_records(self, records: Sequence[LedgerRecord]) -> tuple[int, ...]:
        """Append records with their details, which are durable before a record names them; a number for each.

        In files it is the position, at once. In PostgreSQL it is the row's id: the records come in the transaction
        under way, and the sequencer gives them their positions later.
        """

    def read_records(self, kinds: Collection[str]) -> Iterator["AnyEntry"]:
        """Records of these kinds (such as `freeze`), oldest first.

        In files every record is read for that. In PostgreSQL records without a position are included.
        """

    def list_freezes(self) -> tuple[Freeze, ...]:
        """Freezes that are not lifted, oldest first: drills too, and those that begin later or are over.

        Their person and reason may have been erased.
        """

    def list_lifts(self, freeze: str) -> tuple[str, ...]:
        """Ids of the people who lifted a freeze so far; two are needed. A person who was erased does not count."""

    def append_reconciliation(self, make: Callable[[int, int], LedgerRecord]) -> int:
        """Append a record although the ledger's external copy contradicts: a person looked at it. Its position.

        `make` gets the size of the ledger and that of its copy (-1 for none that can be read).
        """

    def exchange_key(self, make: Callable[[str, str], LedgerRecord], *, lost: bool) -> int:
        """Exchange the ledger's key, and record it; the record's position. `make` gets the old public key and the new.

        Stopped half-way, it is run again. Raises StoreError or LedgerError.
        """

    def open_log(self) -> Log:
        """The ledger of this store."""
