"""The ledger of a home in files: `ledger/checkpoint` and `ledger/tile/...`, one writer at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from muniment.errors import StoreError
from muniment.ledger import tiles
from muniment.store import durable_files
from muniment.store.external_copy import ExternalCopy
from muniment.store.ledger_log import CHECKPOINT, Log


class FilesLog(Log):
    """The ledger in a directory. `private` and `public` are its key, as text, None if there is none."""

    def __init__(self, directory: Path, private: str | None, public: str | None, outside: ExternalCopy | None) -> None:
        super().__init__(private, public, outside)
        self._root = directory

    def read_file(self, path: str) -> bytes | None:
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
        try:
            return any(file.is_file() for file in (self._root / "tile").rglob("*"))
        except OSError as error:
            raise StoreError(
                f"{self._root / 'tile'} cannot be read ({error.strerror})", "Make it readable for this account."
            ) from error

    @contextlib.contextmanager
    def lock_for_writing(self) -> Iterator[None]:
        """Lock by flock, for this process alone."""
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

    def write_tiles(self, files: Mapping[str, bytes], checkpoint: bytes) -> None:
        """Write all tiles to the disk, the checkpoint last."""
        found = {self._root / path: data for path, data in files.items()}
        # It names nobody, and the service's worker may be another account: the home's own mode says who reads it.
        durable_files.write_files(found, 0o644, begin_in=self._root, folder_mode=0o755)
        durable_files.write_file(self._root / CHECKPOINT, checkpoint, 0o644)

    def remove_partial_tiles(self, old: int, new: int) -> None:
        """Delete files that are not full and that neither the last checkpoint nor this one needs."""
        needed = tiles.list_partial_paths(old) | tiles.list_partial_paths(new)
        around = needed | tiles.list_partial_paths(max(new - new % tiles.WIDTH - 1, 0))
        for folder in {(self._root / path).parent for path in around}:
            with contextlib.suppress(OSError):  # they harm nobody, and the entries are safe
                for name in os.listdir(folder):
                    if str((folder / name).relative_to(self._root)) not in needed:
                        os.unlink(folder / name)
                if not os.listdir(folder):
                    os.rmdir(folder)
