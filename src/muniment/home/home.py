"""The one interface of a home: policy, people, exceptions, objects and keys. Every implementation passes one contract.

What is absent is None; what cannot be read raises HomeError. The two are never mixed up.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from muniment.home.log import Log
from muniment.home.settings import Settings


class Home(Protocol):
    """Where an installation keeps what it knows."""

    def policy_text(self) -> str | None:
        """policy.toml, None if there is none."""

    def people_text(self) -> str | None:
        """people.toml, None if there is none."""

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""

    def put(self, data: bytes) -> str:
        """Keep an object, durably; its digest (`sha256:...`)."""

    def put_all(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """The same for several; all are durable when it returns. ErasedError for one that was erased."""

    def get(self, digest: str) -> bytes | None:
        """The object with that digest, None if there is none.

        ErasedError if it was erased, HomeError if what is kept has another digest.
        """

    def objects(self) -> Iterator[str]:
        """The digests of all objects that are kept, in order."""

    def erase(self, digests: Sequence[str], why: str) -> None:
        """Erase objects for good; `why` is what whoever asks for one is told."""

    def settings(self) -> Settings:
        """What the installation decides for itself. HomeFileError if that is wrong."""

    def signing_key(self) -> str | None:
        """The ledger's private key as text, None if there is none. HomeError if others may read it."""

    def public_key(self) -> str | None:
        """The ledger's public key as text, None if there is none."""


class LedgerHome(Home, Protocol):
    """A home with the ledger that it keeps."""

    def log(self) -> Log:
        """The ledger."""
