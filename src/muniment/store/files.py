"""A home in files: policy.toml, people.toml, exceptions/, objects/, ledger/ and keys/ in one directory."""

import contextlib
import fcntl
import os
import re
import stat
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from muniment.decision.binding import BoundPolicy
from muniment.errors import ErasedError, LedgerError, StoreError, UsageError
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.policy.people import read_people
from muniment.store import durable
from muniment.store.files_log import FilesLog
from muniment.store.outside import outside
from muniment.store.people_objects import make_objects
from muniment.store.settings import Settings, read_settings
from muniment.store.store import LedgerRecord

if TYPE_CHECKING:
    from muniment.ledger.entries import AnyEntry
    from muniment.store.index import Index
    from muniment.store.log import Held

FOLDERS = ("exceptions", "objects", "ledger", "keys")
PRIVATE, PUBLIC = "keys/ledger.key", "keys/ledger.pub"
SETTINGS = "home.toml"
REPOSITORIES = "repositories.json"  # git directories of those that have the hook of this home
INDEX_CACHE = "ledger-index.sqlite"  # `store.index`
PEOPLE_CACHE = "people.json"  # the object of each person, by the digest of the content without its salt
_PEOPLE_LOCK = "people.lock"

_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")
_EXCEPTION = ".json"
_ERASED = ".erased"
_LARGEST = 256 << 20  # bytes of an object


class FilesStore:
    """The home in a directory. Raises UsageError if there is no such directory."""

    def __init__(self, directory: str) -> None:
        self._root = Path(directory)
        self._index: Index | None = None
        self._held: Held | None = None  # the ledger while this store has its lock
        try:
            there = stat.S_ISDIR(self._root.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError as error:
            raise _unreadable(self._root, error) from error
        if not there:
            raise UsageError(f"there is no home at {directory}", f"Make it with: muniment init --home {directory}")

    def __enter__(self) -> "FilesStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the cache over the ledger, if it was opened."""
        if self._index is not None:
            self._index.close()
            self._index = None

    def policy(self) -> BoundPolicy | None:
        """The policy of policy.toml, None if there is none. Raises PolicyError."""
        text = self._text("policy.toml")
        if text is None:
            return None
        from muniment.decision.policies import read_bound_policy  # every control: most commands evaluate nothing

        return read_bound_policy(text, "policy.toml of the home")

    def people(self) -> People | None:
        """The people of people.toml, None if there is none. Raises PeopleError."""
        text = self._text("people.toml")
        return None if text is None else read_people(text, "people.toml of the home")

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
        return read_settings(self._text(SETTINGS), str(self._root / SETTINGS), self._root)

    def repositories(self) -> tuple[str, ...]:
        """The git directories of the repositories that have the hook of this home. Raises StoreError."""
        data = self._read(REPOSITORIES)
        try:
            return () if data is None else msgspec.json.decode(data, type=tuple[str, ...])
        except msgspec.MsgspecError as error:
            file = self._root / REPOSITORIES
            raise StoreError(
                f"{file} cannot be read", f"Delete {file}, then run: muniment hook install --home {self._root}"
            ) from error

    def add_repository(self, git_dir: str) -> None:
        """Remember that a repository has the hook of this home."""
        known = self.repositories()
        if git_dir not in known:
            durable.write(self._root / REPOSITORIES, msgspec.json.encode((*known, git_dir)), 0o644)

    def put(self, data: bytes) -> str:
        """Keep an object; it is on the disk, with its name, when this returns."""
        return self.put_all([data])[0]

    def put_all(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """Keep objects; all are on the disk when this returns. What was erased stays so: StoreError."""
        digests = tuple(canonical.digest(data) for data in datas)
        new = {
            self._root / _object(digest): zlib.compress(data, 6)
            for digest, data in zip(digests, datas, strict=True)
            if self.get(digest) is None
        }
        if new:
            durable.write_all(new, 0o600, begin_in=self._root / "objects")
        return digests

    def put_people(self, people: People) -> str:
        """Keep one object a person and the list of them; the digest of the list. Which is whose is in the cache."""
        made = make_objects(people, self._remembered_people())
        if not made.new and self._has(made.reference):
            return made.reference
        with self._people_alone():  # of processes that store the same new person, one draws the salt
            remembered = self._remembered_people()
            there = {content: digest for content, digest in remembered.items() if self._has(digest)}
            made = make_objects(people, there)
            self.put_all([*made.new.values(), made.listing])
            if made.new:
                kept = {**remembered, **made.contents}
                durable.write(self.cache(PEOPLE_CACHE), msgspec.json.encode(kept), 0o600)
        return made.reference

    @contextlib.contextmanager
    def _people_alone(self) -> Iterator[None]:
        """The cache of people's objects, for this process alone to change."""
        handle = os.open(self.cache(_PEOPLE_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _has(self, digest: str) -> bool:
        return (self._root / _object(digest)).exists()

    def _remembered_people(self) -> dict[str, str]:
        """Objects of people by content digest; none if that was lost: new salts are drawn then."""
        data = self._read(f"cache/{PEOPLE_CACHE}")
        try:
            return {} if data is None else msgspec.json.decode(data, type=dict[str, str])
        except msgspec.MsgspecError:
            return {}

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
            raise StoreError(f"{self._root / name} does not match its name", "Restore it from a backup.")
        return found

    def get_all(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Those of these objects that are there."""
        found: dict[str, bytes] = {}
        for digest in digests:
            with contextlib.suppress(ErasedError):
                data = self.get(digest)
                if data is not None:
                    found[digest] = data
        return found

    def erased(self, digests: Sequence[str]) -> dict[str, str]:
        """Why those of these objects were erased that were."""
        whys = {digest: self._read(_object(digest) + _ERASED) for digest in digests}
        return {digest: why.decode("utf-8", "replace") for digest, why in whys.items() if why is not None}

    def objects(self) -> Iterator[str]:
        """The digests of all objects that are kept, in order."""
        folder = self._root / "objects"
        try:
            for group in sorted(name for name in os.listdir(folder) if not name.startswith(durable.NEW)):
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
            self._forget_people(digests)
            self._forget_index()
        except OSError as error:
            raise StoreError(f"an object cannot be erased ({error.strerror})", "Make objects/ writable.") from error

    def _forget_people(self, digests: Sequence[str]) -> None:
        with self._people_alone():
            remembered = self._remembered_people()
            left = {content: digest for content, digest in remembered.items() if digest not in digests}
            if left != remembered:
                durable.write(self.cache(PEOPLE_CACHE), msgspec.json.encode(left), 0o600)

    @property
    def index(self) -> "Index":
        """The cache over the ledger, as new as it was when this store last had the ledger's lock."""
        if self._index is None:
            from muniment.store.index import Index  # SQLite: most commands read no push

            self._index = Index(self, self.log(), self.cache(INDEX_CACHE))
        return self._index

    def problem_remembered(self, size: int) -> str:
        """Why a ledger of `size` entries did not grow out of the one that this home remembers; "" if it did."""
        if not (self._root / "cache" / INDEX_CACHE).is_file():
            return ""
        try:
            self.index.compare(size)
        except LedgerError as error:
            return error.message
        finally:
            self.close()
        return ""

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """The ledger for this process alone, and the cache as new as it. Raises StoreError or LedgerError."""
        with self.log().held() as held:
            self._remove_unfinished()
            self.index.catch_up(held)
            self._held = held
            try:
                yield
            finally:
                self._held = None

    def _remove_unfinished(self) -> None:
        """Delete what processes that were killed had begun to write."""
        try:
            durable.remove_unfinished(self._root / name for name in ("", *FOLDERS, "cache"))
        except OSError as error:
            raise _unreadable(self._root, error) from error

    def append(self, records: Sequence[LedgerRecord]) -> tuple[int, ...]:
        """Append records with their details; their positions. Details come first: no record names what is not there."""
        if self._held is None:
            with self.exclusive():
                return self.append(records)
        from muniment.ledger import entries

        self.put_all([canonical.encode(detail) for _, details in records for detail in details])
        first = self._held.append([entries.encode(entry) for entry, _ in records])
        self.index.catch_up(self._held)
        return tuple(range(first, first + len(records)))

    def read_records(self, kinds: Collection[str]) -> "Iterator[AnyEntry]":
        """The records of these kinds, oldest first; every record is read for that."""
        from muniment.ledger import entries, told

        log = self.log()
        for position, data in enumerate(log.entries(0, log.head().size)):
            record = entries.decode(data, position)
            if told.kind(record) in kinds:
                yield record

    def freezes(self) -> tuple[Freeze, ...]:
        """The freezes that are not lifted, oldest first, as new as the cache over the ledger."""
        return self.index.freezes()

    def lifts(self, freeze: str) -> tuple[str, ...]:
        """Ids of the people who lifted a freeze so far, as new as the cache over the ledger."""
        return self.index.lifts(freeze)

    def reconcile(self, make: Callable[[int, int], LedgerRecord]) -> int:
        """Append a record although the copy outside, or the cache, says otherwise; its position."""
        from muniment.ledger import entries

        log = self.log()
        entry, details = make(log.head().size, log.seen_outside())
        self.put_all([canonical.encode(detail) for detail in details])
        position = log.reconcile(entries.encode(entry))
        self._forget_index()
        return position

    def exchange_key(self, make: Callable[[str, str], LedgerRecord], *, lost: bool) -> int:
        """Exchange the ledger's key, and record it; the record's position. `make` gets both public keys.

        Stopped half-way, it is run again. Raises StoreError or LedgerError.
        """
        from muniment.ledger import entries
        from muniment.ledger.keys import public_of, read_public
        from muniment.store import key_files

        log = self.log()
        if not key_files.is_exchanged(self._root, log.checkpoint()):
            old = (self.public_key() or "").strip()
            private = key_files.draw_next_key(self._root, read_public(old).name)
            entry, details = make(old, public_of(private))
            self.put_all([canonical.encode(detail) for detail in details])
            log.exchange_key(private, entries.encode(entry), lost=lost)
        key_files.install_next_key(self._root)
        return self.log().head().size - 1

    def _forget_index(self) -> None:
        """Delete the cache over the ledger, and what is left of it on the disk: it is made again from the ledger."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            file = self._root / "cache" / (INDEX_CACHE + suffix)
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"{file} cannot be deleted ({error.strerror})", "Delete it, then go on.") from error

    def log(self) -> FilesLog:
        """The ledger."""
        where = self.settings().external_copy
        return FilesLog(
            self._root / "ledger", self.signing_key(), self.public_key(), outside(where, self._root) if where else None
        )

    def cache(self, name: str) -> Path:
        """A file for what can be made again from the rest; its folder is there."""
        file = self._root / "cache" / name
        try:
            durable.make_folder(file.parent)
        except OSError as error:
            raise _unreadable(file.parent, error) from error
        return file

    def signing_key(self) -> str | None:
        """The ledger's private key. StoreError unless it is a file of its own that its owner alone may read."""
        return self.read_private(PRIVATE)

    def read_private(self, name: str) -> str | None:
        """A private key, None if there is none. StoreError unless it is a file that its owner alone may read."""
        file = self._root / name
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as stream:
                mode = os.fstat(handle).st_mode  # of what was opened: the name may lead elsewhere a moment later
                if not stat.S_ISREG(mode) or mode & 0o077:
                    raise StoreError(f"{file} may be read by others", f"Make it yours alone: chmod 600 {file}")
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
                raise StoreError(f"{file} is a link to nothing", "Put the file itself there.") from None
            return None
        except OSError as error:
            raise _unreadable(file, error) from error


def check_digest(digest: str) -> re.Match[str]:
    """Its first two digits, and the others. Raises StoreError if it is none."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise StoreError(f"{digest!r} is not a digest", "A digest is sha256: and 64 hexadecimal digits.")
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
        raise StoreError(f"{file} is not UTF-8 text", "Save it as UTF-8.") from error


def _unreadable(file: Path, error: OSError) -> StoreError:
    return StoreError(f"{file} cannot be read ({error.strerror})", "Make it a plain file that this account may read.")
