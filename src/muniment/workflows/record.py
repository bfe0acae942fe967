"""The record of one home: what happens is written here, entry by entry, each with what lies beside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from muniment.errors import HomeError
from muniment.facts import canonical
from muniment.home.files import FilesHome
from muniment.home.index import Index
from muniment.home.log import Held
from muniment.ledger import entries

CACHE = "gate.sqlite"

Entry = tuple[entries.AnyEntry, tuple[Any, ...]]  # with the objects that lie beside it


class Record:
    """Ledger, objects and the cache over them: `with Record(home) as record`."""

    def __init__(self, home: FilesHome) -> None:
        self.home = home
        self.log = home.log()
        self.index = Index(home, self.log, home.cache(CACHE))

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it."""
        self.index.close()

    @contextmanager
    def held(self) -> Iterator[Held]:
        """The ledger for this process alone, and the cache as new as it. Raises HomeError or LedgerError."""
        with self.log.held() as held:
            self.index.catch_up(held)
            yield held

    def append(self, held: Held, found: Sequence[Entry]) -> int:
        """Write entries; the place of the first. Objects come first: an entry never names what is not there."""
        self.home.put_all([canonical.encode(kept) for _, beside in found for kept in beside])
        first = held.append([entries.encode(entry) for entry, _ in found])
        self.index.catch_up(held)
        return first


def forget(home: FilesHome) -> None:
    """Delete the cache, and whatever is left of it on the disk: the next to come makes it again from the ledger."""
    for suffix in ("", "-wal", "-shm"):
        file = home.cache(CACHE + suffix)
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise HomeError(f"{file} cannot be deleted ({error.strerror})", "Delete it, then go on.") from error
