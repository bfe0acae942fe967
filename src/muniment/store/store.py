"""The one interface of a home: policy, people, exceptions, objects and keys. Every implementation passes one contract.

What is absent is None; what cannot be read raises StoreError. The two are never mixed up.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from muniment.decision.binding import BoundPolicy
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.store.log import Log
from muniment.store.settings import Settings

if TYPE_CHECKING:
    from muniment.ledger.entries import AnyEntry

LedgerRecord = tuple["AnyEntry", tuple[Any, ...]]  # a record with its details: objects stored outside the ledger


class Store(Protocol):
    """Where an installation keeps what it knows."""

    def policy(self) -> BoundPolicy | None:
        """The policy in force, bound to its controls; None if there is none. PolicyError if it is wrong."""

    def people(self) -> People | None:
        """Everybody, with the roles that they have everywhere; None if nobody wrote that down. PeopleError."""

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""

    def put(self, data: bytes) -> str:
        """Keep an object, durably; its digest (`sha256:...`)."""

    def put_all(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """The same for several; all are durable when it returns. ErasedError for one that was erased."""

    def put_people(self, people: People) -> str:
        """Keep one object for each person and machine, and the list of their digests; the digest of the list.

        Equal people have equal objects: each salt is drawn once, when its content is first stored.
        """

    def get(self, digest: str) -> bytes | None:
        """The object with that digest, None if there is none.

        ErasedError if it was erased, StoreError if what is kept has another digest.
        """

    def get_all(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Those of these objects that are there. StoreError for one that does not match its name."""

    def erased(self, digests: Sequence[str]) -> dict[str, str]:
        """Why those of these objects were erased that were."""

    def objects(self) -> Iterator[str]:
        """The digests of all objects that are kept, in order."""

    def erase(self, digests: Sequence[str], why: str) -> None:
        """Erase objects for good; `why` is what whoever asks for one is told."""

    def settings(self) -> Settings:
        """What the installation decides for itself. HomeFileError if that is wrong."""

    def signing_key(self) -> str | None:
        """The ledger's private key as text, None if there is none. StoreError if others may read it."""

    def public_key(self) -> str | None:
        """The ledger's public key as text, None if there is none."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Let nobody else who asks for this read and append at once: what is read inside still holds at the append.

        Nothing that is done inside is half done: it is undone, or it is a state that denies.
        """

    def append(self, records: Sequence[LedgerRecord]) -> tuple[int, ...]:
        """Append records with their details, which are durable before a record names them; a number for each.

        In files it is the position, at once. In PostgreSQL it is the row's id: the records come in the transaction
        under way, and the sequencer gives them their positions later.
        """

    def read_records(self, kinds: Collection[str]) -> Iterator["AnyEntry"]:
        """The records of these kinds (such as `freeze`), oldest first: in files all, which takes long, in PostgreSQL
        those too that have no position yet.
        """

    def freezes(self) -> tuple[Freeze, ...]:
        """The freezes that are not lifted, oldest first: drills too, and those that begin later or are over.

        Who started one and why may have been erased.
        """

    def lifts(self, freeze: str) -> tuple[str, ...]:
        """Ids of the people who lifted a freeze so far; it takes two. A person who was erased does not count."""

    def reconcile(self, make: Callable[[int, int], LedgerRecord]) -> int:
        """Append a record although the ledger's copy outside says otherwise: a person looked at it. Its position.

        `make` gets the size of the ledger and that of its copy (-1 for none that can be read).
        """

    def exchange_key(self, make: Callable[[str, str], LedgerRecord], *, lost: bool) -> int:
        """Exchange the ledger's key, and record it; the record's position. `make` gets the old public key and the new.

        Stopped half-way, it is run again. Raises StoreError or LedgerError.
        """

    def log(self) -> Log:
        """The ledger."""
