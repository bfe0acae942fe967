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
_EXCEPTION = ".json"


class FilesHome:
    """The home in a directory. Raises UsageError if there is no such directory."""

    def __init__(self, directory: str) -> None:
        self._root = Path(directory)
        try:
            there = stat.S_ISDIR(self._root.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError as error:
            raise _unreadable(self._root, error) from error
        if not there:
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
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise _unreadable(folder, error) from error
        read = ((name, self._read(f"exceptions/{name}")) for name in names if name.endswith(_EXCEPTION))
        return tuple((name.removesuffix(_EXCEPTION), data) for name, data in read if data is not None)

    def put(self, data: bytes) -> str:
        """Keep an object; it is on the disk, with its name, when this returns."""
        digest = canonical.digest(data)
        if self.get(digest) is None:
            write_durably(self._root / _object(digest), data, 0o600)
        return digest

    def get(self, digest: str) -> bytes | None:
        """The object with that digest."""
        name = _object(digest)
        data = self._read(name)
        if data is not None and canonical.digest(data) != digest:
            raise HomeError(f"{self._root / name} does not hold what its name says", "Restore it from a backup.")
        return data

    def signing_key(self) -> str | None:
        """The ledger's private key. HomeError unless it is a file of its own that its owner alone may read."""
        file = self._root / PRIVATE
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as stream:
                mode = os.fstat(handle).st_mode  # of what was opened: the name may lead elsewhere a moment later
                if not stat.S_ISREG(mode) or mode & 0o077:
                    raise HomeError(f"{file} may be read by others", f"Make it yours alone: chmod 600 {file}")
                return _decoded(file, stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(file, error) from error

    def public_key(self) -> str | None:
        """The ledger's public key."""
        return self._text(PUBLIC)

    def _text(self, name: str) -> str | None:
        data = self._read(name)
        return None if data is None else _decoded(self._root / name, data)

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
    """Write a file so that it is there whole or not at all, also after a power cut. Raises HomeError."""
    try:
        _make_folder(file.parent)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fchmod(handle, mode)
                os.fsync(handle)
            os.rename(name, file)
        except OSError:
            os.unlink(name)
            raise
        _sync(file.parent)
    except OSError as error:
        raise HomeError(
            f"{file} cannot be written ({error.strerror})", "Free some space, or make the directory writable."
        ) from error


def _make_folder(folder: Path) -> None:
    """A folder is only as durable as its name in the folder above."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _object(digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise HomeError(f"{digest!r} is not a digest", "A digest is sha256: and 64 hexadecimal digits.")
    return f"objects/{match[1]}/{match[2]}"


def _decoded(file: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise HomeError(f"{file} is not UTF-8 text", "Save it as UTF-8.") from error


def _unreadable(file: Path, error: OSError) -> HomeError:
    return HomeError(f"{file} cannot be read ({error.strerror})", "Make it a plain file that this account may read.")
