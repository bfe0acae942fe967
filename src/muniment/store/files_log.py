"""The ledger of a home in files: `ledger/checkpoint` and `ledger/tile/...`, one writer at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.errors import StoreError
from muniment.ledger import tiles
from muniment.store import durable_files
from muniment.store.durable_files import NewFile
from muniment.store.ledger_log import CHECKPOINT, Log

if TYPE_CHECKING:
    from muniment.store.external_copy import ExternalCopy


class FilesLog(Log):
    """The ledger in a directory. `private` and `public` are its key, as text, None if there is none."""

    def __init__(
        self, directory: Path, private: str | None, public: str | None, outside: "ExternalCopy | None"
    ) -> None:
        super().__init__(private, public, outside)
        self._root = directory
        self._details: Sequence[NewFile] = ()

    def add_details(self, files: Sequence[NewFile]) -> None:
        """Files that the next records name: they are on the disk before the checkpoint that covers these records."""
        self._details = files

    def read_file(self, path: str) -> bytes | None:
        """A file of the ledger, None if there is none. Raises StoreError if it cannot be read."""
        file = f"{self._root}/{path}"  # no Path: a push reads a hundred tiles
        try:
            with open(file, "rb", buffering=0) as stream:
                return stream.readall()
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
            # A lock of the kernel, not the presence of a file: it ends with the process, so none is left behind by a
            # crash.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def write_tiles(self, files: Mapping[str, bytes], checkpoint: bytes) -> None:
        """Write all tiles to the disk, with the details of their records, and the checkpoint last."""
        # It names nobody, and the service's worker may be another account: the home's own mode says who reads it.
        found = [NewFile(self._root / path, data, 0o644, self._root, 0o755) for path, data in files.items()]
        details, self._details = self._details, ()
        durable_files.write_in_steps(
            [*details, *found], [NewFile(self._root / CHECKPOINT, checkpoint, 0o644, self._root, 0o755)]
        )

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
