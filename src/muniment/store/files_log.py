"""The ledger of a home in files: `ledger/checkpoint` and `ledger/tile/...`, one writer at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from muniment.errors import StoreError
from muniment.ledger import tiles
from muniment.store import durable
from muniment.store.log import CHECKPOINT, Log
from muniment.store.outside import Outside


class FilesLog(Log):
    """The ledger in a directory. `private` and `public` are its key, as text, None if there is none."""

    def __init__(self, directory: Path, private: str | None, public: str | None, outside: Outside | None) -> None:
        super().__init__(private, public, outside)
        self._root = directory

    def read(self, path: str) -> bytes | None:
        """A file of the ledger, None if there is none. Raises StoreError if it cannot be read."""
        file = self._root / path
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"{file} cannot be read ({error.strerror})", "Make it a plain file that this account may read."
            ) from error

    def has_tiles(self) -> bool:
        """Whether there is any."""
        try:
            return any(file.is_file() for file in (self._root / "tile").rglob("*"))
        except OSError as error:
            raise StoreError(
                f"{self._root / 'tile'} cannot be read ({error.strerror})", "Make it readable for this account."
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """For this process alone, by flock."""
        file = self._root / "lock"
        try:
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{file} cannot be opened ({error.strerror})", "Make the home writable for this account."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def write(self, files: Mapping[str, bytes], checkpoint: bytes) -> None:
        """All on the disk when it returns, the checkpoint last."""
        durable.write_all({self._root / path: data for path, data in files.items()}, 0o644, begin_in=self._root)
        durable.write(self._root / CHECKPOINT, checkpoint, 0o644)

    def tidy(self, old: int, new: int) -> None:
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
