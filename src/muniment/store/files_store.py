"""A home in files: policy.toml, people.toml, exceptions/, objects/, ledger/ and keys/ in one directory."""

import contextlib
import fcntl
import os
import stat
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from muniment.decision.binding import BoundPolicy
from muniment.errors import ErasedError, LedgerError, StoreError, UsageError
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.policy.people_document import parse_people
from muniment.store import durable_files
from muniment.store.files_log import FilesLog
from muniment.store.object_files import decompress_object, is_digest, object_path
from muniment.store.people_objects import make_people_objects
from muniment.store.settings import Settings, read_settings
from muniment.store.store import LedgerRecord

if TYPE_CHECKING:
    from muniment.ledger.record_kinds import AnyEntry
    from muniment.store.external_copy import ExternalCopy
    from muniment.store.ledger_log import LockedLog
    from muniment.store.push_index import PushIndex

STORE_FOLDERS = ("exceptions", "objects", "ledger", "keys")
PRIVATE, PUBLIC = "keys/ledger.key", "keys/ledger.pub"
SETTINGS = "home.toml"
REPOSITORIES = "repositories.json"  # git directories of those that have the hook of this home
INDEX_CACHE = "ledger-index.sqlite"  # `store.index`
PEOPLE_CACHE = "people.json"  # the object of each person, by the digest of the content without its salt
_PEOPLE_LOCK = "people.lock"

_EXCEPTION = ".json"
_ERASED = ".erased"


class FilesStore:
    """The home in a directory. Raises UsageError if there is no such directory."""

    def __init__(self, directory: str) -> None:
        self._root = Path(directory)
        self._index: PushIndex | None = None
        self._held: tuple[FilesLog, LockedLog] | None = None  # the ledger while this store has its lock
        try:
            there = stat.S_ISDIR(self._root.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            there = False
        except OSError as error:
            raise _unreadable_error(self._root, error) from error
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

    def load_policy(self) -> BoundPolicy | None:
        """Policy of policy.toml, None if there is none. Raises PolicyError."""
        text = self._read_text("policy.toml")
        if text is None:
            return None
        from muniment.decision.bound_policies import (
            read_policy_in_force,  # every control: most commands evaluate nothing
        )

        return read_policy_in_force(text, "policy.toml of the home")

    def load_people(self) -> People | None:
        """People of people.toml, None if there is none. Raises PeopleError."""
        text = self._read_text("people.toml")
        return None if text is None else parse_people(text, "people.toml of the home")

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every file `exceptions/<id>.json`, by id."""
        folder = self._root / "exceptions"
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise _unreadable_error(folder, error) from error
        read = ((name, self._read_file(f"exceptions/{name}")) for name in names if name.endswith(_EXCEPTION))
        return tuple((name.removesuffix(_EXCEPTION), data) for name, data in read if data is not None)

    def load_settings(self) -> Settings:
        """Settings of home.toml, or the defaults without it. Raises HomeFileError."""
        return read_settings(self._read_text(SETTINGS), str(self._root / SETTINGS), self._root)

    def list_hooked_repositories(self) -> tuple[str, ...]:
        """Git directories of the repositories that have the hook of this home. Raises StoreError."""
        data = self._read_file(REPOSITORIES)
        try:
            return () if data is None else msgspec.json.decode(data, type=tuple[str, ...])
        except msgspec.MsgspecError as error:
            file = self._root / REPOSITORIES
            raise StoreError(
                f"{file} cannot be read", f"Delete {file}, then run: muniment hook install --home {self._root}"
            ) from error

    def add_repository(self, git_dir: str) -> None:
        """Record that a repository has the hook of this home."""
        known = self.list_hooked_repositories()
        if git_dir not in known:
            durable_files.write_file(self._root / REPOSITORIES, msgspec.json.encode((*known, git_dir)), 0o644)

    def put_object(self, data: bytes) -> str:
        """Store an object; it is on the disk, with its name, when this returns."""
        return self.put_objects([data])[0]

    def put_objects(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """Store objects; all are on the disk when this returns. StoreError for one that was erased."""
        digests = tuple(canonical.digest_bytes(data) for data in datas)
        durable_files.write_in_steps(self._list_new_objects(dict(zip(digests, datas, strict=True))))
        return digests

    def _list_new_objects(self, objects: Mapping[str, bytes]) -> list[durable_files.NewFile]:
        """Files of those objects that are not there yet."""
        return [
            durable_files.NewFile(
                self._root / object_path(digest), zlib.compress(data, 6), 0o600, self._root / "objects"
            )
            for digest, data in objects.items()
            if self.get_object(digest) is None
        ]

    def put_people(self, people: People) -> str:
        """Store one object a person and the list of them; the digest of the list. The cache maps people to objects."""
        made = make_people_objects(people, self._read_people_cache())
        if not made.new and self._has_object(made.reference):
            return made.reference
        with self._lock_people_cache():  # of processes that store the same new person, one draws the salt
            remembered = self._read_people_cache()
            there = {content: digest for content, digest in remembered.items() if self._has_object(digest)}
            made = make_people_objects(people, there)
            self.put_objects([*made.new.values(), made.listing])
            if made.new:
                contents = {**remembered, **made.contents}
                durable_files.write_file(self.cache_file(PEOPLE_CACHE), msgspec.json.encode(contents), 0o600)
        return made.reference

    @contextlib.contextmanager
    def _lock_people_cache(self) -> Iterator[None]:
        """Lock on changing the cache of people's objects."""
        handle = os.open(self.cache_file(_PEOPLE_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _has_object(self, digest: str) -> bool:
        return (self._root / object_path(digest)).exists()

    def _read_people_cache(self) -> dict[str, str]:
        """Objects of people by content digest; none if the cache was lost: new salts are drawn then."""
        data = self._read_file(f"cache/{PEOPLE_CACHE}")
        try:
            return {} if data is None else msgspec.json.decode(data, type=dict[str, str])
        except msgspec.MsgspecError:
            return {}

    def get_object(self, digest: str) -> bytes | None:
        """Object with that digest. Raises ErasedError if it was erased."""
        name = object_path(digest)
        data = self._read_file(name)
        if data is None:
            tombstone = self._read_file(name + _ERASED)
            if tombstone is not None:
                raise ErasedError(
                    f"{digest} was erased: {tombstone.decode('utf-8', 'replace')}", "It cannot come back."
                )
            return None
        found = decompress_object(data)
        if found is None or canonical.digest_bytes(found) != digest:
            raise StoreError(f"{self._root / name} does not match its name", "Restore it from a backup.")
        return found

    def get_objects(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Content by digest of these objects, as far as they exist."""
        found: dict[str, bytes] = {}
        for digest in digests:
            with contextlib.suppress(ErasedError):
                data = self.get_object(digest)
                if data is not None:
                    found[digest] = data
        return found

    def read_erasure_reasons(self, digests: Sequence[str]) -> dict[str, str]:
        """Reasons of those of these objects that were erased."""
        whys = {digest: self._read_file(object_path(digest) + _ERASED) for digest in digests}
        return {digest: why.decode("utf-8", "replace") for digest, why in whys.items() if why is not None}

    def list_object_digests(self) -> Iterator[str]:
        """Digests of all stored objects, in order."""
        folder = self._root / "objects"
        try:
            for group in sorted(
                name for name in os.listdir(folder) if not name.startswith(durable_files.UNFINISHED_PREFIX)
            ):
                for name in sorted(os.listdir(folder / group)):
                    digest = f"sha256:{group}{name}"
                    if is_digest(digest):
                        yield digest
        except OSError as error:
            raise _unreadable_error(folder, error) from error

    def erase_objects(self, digests: Sequence[str], why: str) -> None:
        """Erase objects for good. `why` stays in their place, and is durable before any of them is deleted."""
        files = [self._root / object_path(digest) for digest in digests]
        durable_files.write_files({file.with_name(file.name + _ERASED): why.encode() for file in files}, 0o600)
        try:
            for file in files:
                file.unlink(missing_ok=True)
            for folder in {file.parent for file in files}:
                durable_files.sync_folder(folder)
            self._remove_from_people_cache(digests)
            self._delete_index()
        except OSError as error:
            raise StoreError(f"an object cannot be erased ({error.strerror})", "Make objects/ writable.") from error

    def _remove_from_people_cache(self, digests: Sequence[str]) -> None:
        with self._lock_people_cache():
            remembered = self._read_people_cache()
            left = {content: digest for content, digest in remembered.items() if digest not in digests}
            if left != remembered:
                durable_files.write_file(self.cache_file(PEOPLE_CACHE), msgspec.json.encode(left), 0o600)

    @property
    def push_index(self) -> "PushIndex":
        """Cache over the ledger, as new as it was when this store last had the ledger's lock."""
        if self._index is None:
            from muniment.store.push_index import PushIndex  # SQLite: most commands read no push

            self._index = PushIndex(self, self.open_log(), self.cache_file(INDEX_CACHE))
        return self._index

    def explain_index_mismatch(self, size: int) -> str:
        """Reason why a ledger of `size` entries did not grow out of the one in the cache; "" if it did."""
        if not (self._root / "cache" / INDEX_CACHE).is_file():
            return ""
        try:
            self.push_index.check_growth(size)
        except LedgerError as error:
            return error.message
        finally:
            self.close()
        return ""

    @contextlib.contextmanager
    def lock_ledger(self) -> Iterator[None]:
        """The ledger for this process alone, and the cache as new as it. Raises StoreError or LedgerError."""
        log = self.open_log()
        with log.lock_and_verify() as held:
            self._remove_unfinished()
            self.push_index.catch_up(held)
            self._held = (log, held)
            try:
                yield
            finally:
                self._held = None

    def _remove_unfinished(self) -> None:
        """Delete unfinished files of processes that were killed."""
        try:
            durable_files.remove_unfinished(self._root / name for name in ("", *STORE_FOLDERS, "cache"))
        except OSError as error:
            raise _unreadable_error(self._root, error) from error

    def append_records(self, records: Sequence[LedgerRecord]) -> tuple[int, ...]:
        """Append records with their details; their positions. Details come first: no record names a missing object."""
        if self._held is None:
            with self.lock_ledger():
                return self.append_records(records)
        from muniment.ledger import record_kinds

        details = (canonical.encode(detail) for _, listed in records for detail in listed)
        log, held = self._held
        log.add_details(self._list_new_objects({canonical.digest_bytes(data): data for data in details}))
        first = held.append_entries([record_kinds.encode_record(entry) for entry, _ in records])
        self.push_index.catch_up(held)
        return tuple(range(first, first + len(records)))

    def read_records(self, kinds: Collection[str]) -> "Iterator[AnyEntry]":
        """Records of these kinds, oldest first; every record is read for that."""
        from muniment.ledger import record_kinds, record_text

        log = self.open_log()
        for position, data in enumerate(log.read_entries(0, log.read_head().size)):
            record = record_kinds.decode_record(data, position)
            if record_text.record_kind(record) in kinds:
                yield record

    def list_freezes(self) -> tuple[Freeze, ...]:
        """Freezes that are not lifted, oldest first, as new as the cache over the ledger."""
        return self.push_index.list_freezes()

    def list_lifts(self, freeze: str) -> tuple[str, ...]:
        """Ids of the people who lifted a freeze so far, as new as the cache over the ledger."""
        return self.push_index.list_lifts(freeze)

    def append_reconciliation(self, make: Callable[[int, int], LedgerRecord]) -> int:
        """Append a record although the external copy, or the cache, contradicts; its position."""
        from muniment.ledger import record_kinds

        log = self.open_log()
        entry, details = make(log.read_head().size, log.read_copy_size())
        self.put_objects([canonical.encode(detail) for detail in details])
        position = log.append_despite_copy(record_kinds.encode_record(entry))
        self._delete_index()
        return position

    def exchange_key(self, make: Callable[[str, str], LedgerRecord], *, lost: bool) -> int:
        """Exchange the ledger's key, and record it; the record's position. `make` gets both public keys.

        Stopped half-way, it is run again. Raises StoreError or LedgerError.
        """
        from muniment.ledger import record_kinds
        from muniment.ledger.ledger_keys import derive_public_key, parse_public_key
        from muniment.store import key_files

        log = self.open_log()
        if not key_files.is_exchanged(self._root, log.load_checkpoint()):
            old = (self.public_key() or "").strip()
            private = key_files.make_next_key(self._root, parse_public_key(old).name)
            entry, details = make(old, derive_public_key(private))
            self.put_objects([canonical.encode(detail) for detail in details])
            log.exchange_key(private, record_kinds.encode_record(entry), lost=lost)
        key_files.install_next_key(self._root)
        return self.open_log().read_head().size - 1

    def _delete_index(self) -> None:
        """Delete the cache over the ledger, with all of its files: it is made again from the ledger."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            file = self._root / "cache" / (INDEX_CACHE + suffix)
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"{file} cannot be deleted ({error.strerror})", "Delete it, then go on.") from error

    def open_log(self) -> FilesLog:
        """The ledger of this home."""
        where = self.load_settings().external_copy
        outside: ExternalCopy | None = None
        if where:
            from muniment.store.external_copy import open_external_copy  # few have one, and pushers wait for imports

            outside = open_external_copy(where, self._root)
        return FilesLog(self._root / "ledger", self.signing_key(), self.public_key(), outside)

    def cache_file(self, name: str) -> Path:
        """File for data that can be made again from the rest; its folder exists."""
        file = self._root / "cache" / name
        try:
            durable_files.make_folder(file.parent)
        except OSError as error:
            raise _unreadable_error(file.parent, error) from error
        return file

    def signing_key(self) -> str | None:
        """Private key of the ledger. StoreError unless it is a plain file that only its owner may read."""
        return self.read_private_key(PRIVATE)

    def read_private_key(self, name: str) -> str | None:
        """A private key, None if there is none. StoreError unless it is a plain file that only its owner may read."""
        file = self._root / name
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as stream:
                mode = os.fstat(handle).st_mode  # of what was opened: the name may lead elsewhere a moment later
                if not stat.S_ISREG(mode) or mode & 0o077:
                    raise StoreError(f"{file} may be read by others", f"Make it yours alone: chmod 600 {file}")
                return _decode_text(file, stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable_error(file, error) from error

    def public_key(self) -> str | None:
        """Public key of the ledger."""
        return self._read_text(PUBLIC)

    def _read_text(self, name: str) -> str | None:
        data = self._read_file(name)
        return None if data is None else _decode_text(self._root / name, data)

    def _read_file(self, name: str) -> bytes | None:
        file = f"{self._root}/{name}"  # no Path: a push reads a hundred files
        try:
            with open(file, "rb", buffering=0) as stream:
                return stream.readall()
        except FileNotFoundError:
            if os.path.islink(file):
                raise StoreError(f"{file} is a link to nothing", "Put the file itself there.") from None
            return None
        except OSError as error:
            raise _unreadable_error(Path(file), error) from error


def _decode_text(file: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{file} is not UTF-8 text", "Save it as UTF-8.") from error


def _unreadable_error(file: Path, error: OSError) -> StoreError:
    return StoreError(f"{file} cannot be read ({error.strerror})", "Make it a plain file that this account may read.")
