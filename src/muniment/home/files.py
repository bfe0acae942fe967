"""A home in files: policy.toml, people.toml, exceptions/, objects/, ledger/ and keys/ in one directory."""

import os
import re
import stat
import tempfile
from pathlib import Path

from muniment.errors import HomeError, UsageError
from muniment.facts import canonical

FOLDERS = ("exceptions", "objects", "ledger", "keys")
PRIVATE, PUBLIC = "keys/ledger.key", "keys/ledger.pub"
_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")


class FilesHome:
    """The home in a directory. Raises UsageError if there is no such directory."""

    def __init__(self, directory: str) -> None:
        self._root = Path(directory)
        if not self._root.is_dir():
            raise UsageError(f"there is no home at {directory}", f"Make it with: muniment init --home {directory}")

    def policy_text(self) -> str | None:
        """policy.toml, None if there is none."""
        return self._text("policy.toml")

    def people_text(self) -> str | None:
        """people.toml, None if there is none."""
        return self._text("people.toml")

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every file `exceptions/<id>.json`, by id."""
        folder = self._root / "exceptions"
        try:
            names = sorted(os.listdir(folder)) if folder.exists() else []
        except OSError as error:
            raise _unreadable(folder, error) from error
        found: list[tuple[str, bytes]] = []
        for name in names:
            data = self._read(f"exceptions/{name}") if name.endswith(".json") else None
            if data is not None:
                found.append((name.removesuffix(".json"), data))
        return tuple(found)

    def put(self, data: bytes) -> str:
        """Keep an object; it is on the disk, with its name, when this returns."""
        digest = canonical.digest(data)
        file = self._object(digest)
        if not file.exists():
            write_durably(file, data, 0o600)
        return digest

    def get(self, digest: str) -> bytes | None:
        """The object with that digest."""
        file = self._object(digest)
        data = self._read(str(file.relative_to(self._root)))
        if data is not None and canonical.digest(data) != digest:
            raise HomeError(f"{file} does not hold what its name says", "Restore it from a backup.")
        return data

    def signing_key(self) -> str | None:
        """The ledger's private key."""
        file = self._root / PRIVATE
        try:
            mode = file.lstat().st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(file, error) from error
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise HomeError(f"{file} may be read by others", f"Make it yours alone: chmod 600 {file}")
        return self._text(PRIVATE)

    def public_key(self) -> str | None:
        """The ledger's public key."""
        return self._text(PUBLIC)

    def _object(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise HomeError(f"{digest!r} is not a digest", "A digest is sha256: and 64 hexadecimal digits.")
        return self._root / "objects" / match[1] / match[2]

    def _text(self, name: str) -> str | None:
        data = self._read(name)
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError as error:
            raise HomeError(f"{self._root / name} is not UTF-8 text", "Save it as UTF-8.") from error

    def _read(self, name: str) -> bytes | None:
        file = self._root / name
        try:
            return file.read_bytes()
        except FileNotFoundError:
            if file.is_symlink():
                raise HomeError(f"{file} is a link to nothing", "Put the file itself there.") from None
            return None
        except OSError as error:
            raise _unreadable(file, error) from error


def write_durably(file: Path, data: bytes, mode: int) -> None:
    """Write a new file so that it is there whole or not at all, also after a power cut. Raises HomeError."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.rename(name, file)
        except OSError:
            os.unlink(name)
            raise
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise HomeError(
            f"{file} cannot be written ({error.strerror})", "Free some space, or make the directory writable."
        ) from error


def _unreadable(file: Path, error: OSError) -> HomeError:
    return HomeError(f"{file} cannot be read ({error.strerror})", "Make it readable for this account.")
