"""A home in files: policy.toml, people.toml, exceptions/, objects/, ledger/ and keys/ in one directory."""

import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from muniment.errors import ErasedError, HomeError, UsageError
from muniment.facts import canonical
from muniment.home import durable
from muniment.home.files_log import FilesLog
from muniment.home.outside import outside
from muniment.home.settings import Settings, read_settings

FOLDERS = ("exceptions", "objects", "ledger", "keys")
PRIVATE, PUBLIC = "keys/ledger.key", "keys/ledger.pub"
SETTINGS = "home.toml"

_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")
_EXCEPTION = ".json"
_ERASED = ".erased"
_LARGEST = 256 << 20  # bytes of an object


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

    def settings(self) -> Settings:
        """What home.toml says, or what holds without it. Raises HomeFileError."""
        return read_settings(self._text(SETTINGS), str(self._root / SETTINGS))

    def put(self, data: bytes) -> str:
        """Keep an object; it is on the disk, with its name, when this returns."""
        return self.put_all([data])[0]

    def put_all(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """Keep objects; all are on the disk when this returns. What was erased stays so: HomeError."""
        digests = tuple(canonical.digest(data) for data in datas)
        new = {
            self._root / _object(digest): zlib.compress(data, 6)
            for digest, data in zip(digests, datas, strict=True)
            if self.get(digest) is None
        }
        if new:
            durable.write_all(new, 0o600)
        return digests

    def get(self, digest: str) -> bytes | None:
        """The object with that digest. Raises ErasedError if it was erased."""
        name = _object(digest)
        data = self._read(name)
        if data is None:
            tombstone = self._read(name + _ERASED)
            if tombstone is not None:
                raise ErasedError(
                    f"{digest} was erased: {tombstone.decode('utf-8', 'replace')}", "It cannot come back."
                )
            return None
        found = inflated(data)
        if found is None or canonical.digest(found) != digest:
            raise HomeError(f"{self._root / name} does not hold what its name says", "Restore it from a backup.")
        return found

    def objects(self) -> Iterator[str]:
        """The digests of all objects that are kept, in order."""
        folder = self._root / "objects"
        try:
            for group in sorted(os.listdir(folder)):
                for name in sorted(os.listdir(folder / group)):
                    digest = f"sha256:{group}{name}"
                    if _DIGEST.fullmatch(digest):
                        yield digest
        except OSError as error:
            raise _unreadable(folder, error) from error

    def erase(self, digests: Sequence[str], why: str) -> None:
        """Erase objects for good. `why` stays in their place, and is durable before anything goes."""
        files = [self._root / _object(digest) for digest in digests]
        durable.write_all({file.with_name(file.name + _ERASED): why.encode() for file in files}, 0o600)
        try:
            for file in files:
                file.unlink(missing_ok=True)
            for folder in {file.parent for file in files}:
                durable.sync(folder)
        except OSError as error:
            raise HomeError(f"an object cannot be erased ({error.strerror})", "Make objects/ writable.") from error

    def log(self) -> FilesLog:
        """The ledger."""
        where = self.settings().outside
        return FilesLog(self._root / "ledger", self.signing_key(), self.public_key(), outside(where) if where else None)

    def cache(self, name: str) -> Path:
        """A file for what can be made again from the rest; its folder is there."""
        file = self._root / "cache" / name
        try:
            durable.make_folder(file.parent)
        except OSError as error:
            raise _unreadable(file.parent, error) from error
        return file

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


def check_digest(digest: str) -> re.Match[str]:
    """Its first two digits, and the others. Raises HomeError if it is none."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise HomeError(f"{digest!r} is not a digest", "A digest is sha256: and 64 hexadecimal digits.")
    return match


def _object(digest: str) -> str:
    match = check_digest(digest)
    return f"objects/{match[1]}/{match[2]}"


def inflated(data: bytes) -> bytes | None:
    """What was compressed, None if it is damaged or larger than any object."""
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(data, _LARGEST)
    except zlib.error:
        return None
    return found if reader.eof and not reader.unused_data else None


def _decoded(file: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise HomeError(f"{file} is not UTF-8 text", "Save it as UTF-8.") from error


def _unreadable(file: Path, error: OSError) -> HomeError:
    return HomeError(f"{file} cannot be read ({error.strerror})", "Make it a plain file that this account may read.")
