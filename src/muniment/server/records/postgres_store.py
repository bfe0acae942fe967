"""Home in PostgreSQL: documents, objects and exceptions are rows; the ledger's key alone is a file."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import read_policy_in_force
from muniment.errors import ErasedError, LedgerError, StoreError
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.ledger import record_kinds, record_text
from muniment.ledger.ledger_keys import derive_public_key, parse_public_key
from muniment.server.records.models import (
    Document,
    ErasedObject,
    ExceptionFile,
    PersonObject,
    RecordPosition,
    StoredObject,
)
from muniment.server.records.postgres_log import PostgresLog
from muniment.store import freezes, key_files
from muniment.store.external_copy import open_external_copy
from muniment.store.files_store import FilesStore
from muniment.store.object_files import decompress_object, split_digest
from muniment.store.people_objects import make_people_objects
from muniment.store.settings import Settings, read_settings
from muniment.store.store import LedgerRecord

POLICY, SETTINGS = "policy.toml", "home.toml"
_MOST_REFERENCES = 16
_EXCLUSIVE = 0x6D756E69  # the key of the advisory lock
_INSERT = """
    INSERT INTO records_record (kind, recorded_at, details_digest, data) VALUES (%s, %s, %s, %s) RETURNING id
"""  # without `writer`: PostgreSQL fills it in, and no process may name it
_READ = """
    SELECT record.id, record.data, place.position FROM records_record AS record
        LEFT JOIN records_recordposition AS place ON place.record_id = record.id
    WHERE record.kind = ANY (%s) AND NOT EXISTS (SELECT FROM records_refusedrecord WHERE record_id = record.id)
    ORDER BY record.id
"""
_STORED = """
    SELECT (SELECT count(*) FROM records_erasedobject), EXISTS (SELECT FROM records_storedobject WHERE digest = %s)
"""
_FIND = """
    SELECT digest, NULL, reason FROM records_erasedobject WHERE digest = ANY (%s)
    UNION ALL SELECT digest, data, NULL FROM records_storedobject WHERE digest = ANY (%s)
"""

_OBJECTS = "SELECT digest, data FROM records_storedobject WHERE digest = ANY (%s)"
_REASONS = "SELECT digest, reason FROM records_erasedobject WHERE digest = ANY (%s)"
_DOCUMENT = "SELECT data FROM records_document WHERE name = %s"


class _LiftCheck:
    """Check of signatures over the lift of a freeze, which a higher app provides (`requests/lifted_freezes.py`)."""

    is_proven: Callable[[record_kinds.FreezeLiftRecord], bool] = staticmethod(lambda _entry: True)


def register_lift_check(is_proven: Callable[[record_kinds.FreezeLiftRecord], bool]) -> None:
    """Have each complete lift of a freeze compared with signatures. Called once, at the start."""
    _LiftCheck.is_proven = staticmethod(is_proven)


def _is_lift_of(entry: record_kinds.AnyEntry, freeze: str) -> bool:
    return isinstance(entry, record_kinds.FreezeLiftRecord) and entry.freeze == freeze


class PostgresStore:
    """Store in the database; `folder` has `keys/`, `people` builds all people from the tables."""

    def __init__(self, folder: Path, people: Callable[[], People]) -> None:
        self._folder = folder
        self._people = people

    def load_policy(self) -> BoundPolicy | None:
        """The policy in force, None if there is none. Raises PolicyError."""
        text = self._read_text(POLICY)
        return None if text is None else read_policy_in_force(text, POLICY)

    def load_people(self) -> People | None:
        """People, with the roles that they hold for the organisation. Raises PeopleError."""
        return self._people()

    def load_exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""
        return tuple(
            (name, bytes(data)) for name, data in ExceptionFile.objects.order_by("name").values_list("name", "data")
        )

    def load_settings(self) -> Settings:
        """Settings of home.toml, or the defaults without it. Raises HomeFileError."""
        return read_settings(self._read_text(SETTINGS), SETTINGS, self._folder)

    def settings_text(self) -> str | None:
        """Text of home.toml, None if there is none."""
        return self._read_text(SETTINGS)

    def put_object(self, data: bytes) -> str:
        """Store an object, in the current transaction."""
        return self.put_objects([data])[0]

    def put_objects(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """Store objects, in the current transaction. Raises ErasedError for one that was erased."""
        digests = tuple(map(canonical.digest_bytes, datas))
        with connection.cursor() as cursor:  # for each evaluation: in one query, and without models
            cursor.execute(_FIND, [list(digests), list(digests)])
            found = cursor.fetchall()
        # Refusals first: an erased object must not come back, even if another row still has its content.
        for digest, data, reason in sorted(found, key=lambda row: row[2] is None):
            if reason is not None:
                raise _make_erased_error(digest, reason)
            _decompress_checked(digest, bytes(data))
        there = {digest for digest, _, _ in found}
        new = {d: zlib.compress(data, 6) for d, data in zip(digests, datas, strict=True) if d not in there}
        if new:
            StoredObject.objects.bulk_create(
                [StoredObject(digest=d, data=data) for d, data in new.items()], ignore_conflicts=True
            )
        return digests

    def put_people(self, people: People) -> str:
        """Store one object for each person and their list; the digest of the list."""
        known = _references.newest(people)
        with connection.cursor() as cursor:  # for each evaluation: in one query
            cursor.execute(_STORED, [known])
            erasures, stored = cursor.fetchone() or (0, False)
        reference = _references.get_reference(people, erasures)
        # Stored, as the database says it now: a cached reference alone may be of a transaction that was rolled back.
        if reference is not None and reference == known and stored:
            return reference
        with transaction.atomic():
            made = make_people_objects(people, self._load_person_objects(people))
            drawn = made.new
            if drawn:
                rows = [PersonObject(content=content, object=made.contents[content]) for content in sorted(drawn)]
                PersonObject.objects.bulk_create(rows, ignore_conflicts=True)
                # Who stores the same person at once waits above for the other's end, and takes the other's object.
                made = make_people_objects(people, self._load_person_objects(people))
            own = [data for content, data in drawn.items() if canonical.digest_bytes(data) == made.contents[content]]
            self.put_objects([*own, made.listing])
        _references.put_reference(people, made.reference, erasures)
        return made.reference

    def _load_person_objects(self, people: People) -> dict[str, str]:
        """Stored objects of these people, by content."""
        rows = PersonObject.objects.filter(content__in=people.content_digests)
        return dict(rows.values_list("content", "object"))

    def get_object(self, digest: str) -> bytes | None:
        """Object with that digest. Raises ErasedError if it was erased."""
        split_digest(digest)
        found = StoredObject.objects.filter(digest=digest).values_list("data", flat=True).first()
        if found is None:
            self._refuse_erased((digest,))
            return None
        return _decompress_checked(digest, bytes(found))

    def get_objects(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Stored ones of these objects, in one query. StoreError for one that does not match its digest."""
        return {digest: _decompress_checked(digest, bytes(data)) for digest, data in _read_pairs(_OBJECTS, digests)}

    def read_erasure_reasons(self, digests: Sequence[str]) -> dict[str, str]:
        """Reasons of those of these objects that were erased, in one query."""
        return dict(_read_pairs(_REASONS, digests))

    def list_object_digests(self) -> Iterator[str]:
        """Digests of all stored objects, in order."""
        return StoredObject.objects.order_by("digest").values_list("digest", flat=True).iterator()

    def erase_objects(self, digests: Sequence[str], why: str) -> None:
        """Erase objects; this cannot be undone."""
        for digest in digests:
            split_digest(digest)
        with transaction.atomic():
            # The reason is stored in the same transaction: a missing object without a reason is reported as damage.
            ErasedObject.objects.bulk_create(
                [ErasedObject(digest=d, reason=why) for d in digests], ignore_conflicts=True
            )
            StoredObject.objects.filter(digest__in=digests).delete()
            PersonObject.objects.filter(object__in=digests).delete()

    @contextmanager
    def lock_ledger(self) -> Iterator[None]:
        """Open one transaction; any other that requests the same lock waits until it ends."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                # Released by the end of the transaction, however it ends: no process can leave it behind.
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_EXCLUSIVE])
            yield

    def append_records(self, records: Sequence[LedgerRecord]) -> tuple[int, ...]:
        """Append records with their details, in the current transaction; the ids of their rows."""
        self.put_objects([canonical.encode(detail) for _, details in records for detail in details])
        return self._insert_records([entry for entry, _ in records])

    def _insert_records(self, records: Sequence[record_kinds.AnyEntry]) -> tuple[int, ...]:
        numbers: list[int] = []
        with connection.cursor() as cursor:
            for entry in records:
                cursor.execute(
                    _INSERT,
                    [record_text.record_kind(entry), entry.time, entry.object, record_kinds.encode_record(entry)],
                )
                numbers.extend(number for (number,) in cursor.fetchall())
        return tuple(numbers)

    def read_records(self, kinds: Collection[str]) -> Iterator[record_kinds.AnyEntry]:
        """Records of these kinds, oldest first, also those without a position; none that was refused.

        A malformed record without a position is skipped: the sequencer will refuse it. Raises LedgerError for a
        malformed one that has a position.
        """
        with connection.cursor() as cursor:  # for each evaluation, and there are few: without models
            cursor.execute(_READ, [list(kinds)])
            found = cursor.fetchall()
        for number, data, position in found:
            try:
                yield record_kinds.decode_record(bytes(data), number)
            except LedgerError:
                if position is not None:
                    raise

    def list_freezes(self) -> tuple[Freeze, ...]:
        """The freezes that are not lifted, oldest first."""
        found = freezes.select_freezes_in_force(self._read_freeze_records())
        return tuple(freezes.read_freeze(self, freezes.make_freeze_row(one)) for one in found)

    def list_lifts(self, freeze: str) -> tuple[str, ...]:
        """Ids of the people who lifted a freeze so far."""
        lifts = freezes.select_lifts(self._read_freeze_records(), freeze)
        return freezes.read_lifting_people(self, lifts)

    def _read_freeze_records(self) -> list[record_kinds.AnyEntry]:
        """Records of freezes and their lifts. A lift without its signatures does not count, nor do the earlier
        statements that it completes.
        """
        found: list[record_kinds.AnyEntry] = []
        for one in self.read_records(freezes.FREEZE_KINDS):
            if isinstance(one, record_kinds.FreezeLiftRecord) and one.complete and not _LiftCheck.is_proven(one):
                found = [each for each in found if not _is_lift_of(each, one.freeze)]
            else:
                found.append(one)
        return found

    def append_reconciliation(self, make: Callable[[int, int], LedgerRecord]) -> int:
        """Append a record although the copy outside contradicts, with its position at once."""
        with transaction.atomic():
            log = self.open_log(signs=True)
            entry, details = make(log.read_head().size, log.read_copy_size())
            self.put_objects([canonical.encode(detail) for detail in details])
            data = record_kinds.encode_record(entry)
            position = log.append_despite_copy(data)
            (number,) = self._insert_records([entry])
            RecordPosition.objects.filter(pk=number).update(position=position)
        return position

    def exchange_key(self, make: Callable[[str, str], LedgerRecord], *, lost: bool) -> int:
        """Exchange the ledger's key, and record it, with its position at once, as FilesStore does."""
        log = self.open_log(signs=True)
        if not key_files.is_exchanged(self._folder, log.load_checkpoint()):
            old = (self.public_key() or "").strip()
            private = key_files.make_next_key(self._folder, parse_public_key(old).name)
            with transaction.atomic():
                entry, details = make(old, derive_public_key(private))
                self.put_objects([canonical.encode(detail) for detail in details])
                position = log.exchange_key(private, record_kinds.encode_record(entry), lost=lost)
                (number,) = self._insert_records([entry])
                RecordPosition.objects.filter(pk=number).update(position=position)
        # After the commit: a process that ends in between leaves the next key in the folder, and the ledger names it.
        # The next call then only installs it. In the other order, a rollback would leave a key that the ledger does not
        # know.
        key_files.install_next_key(self._folder)
        return self.open_log().read_head().size - 1

    def signing_key(self) -> str | None:
        """The ledger's private key, from the folder."""
        return FilesStore(str(self._folder)).signing_key()

    def public_key(self) -> str | None:
        """The ledger's public key, from the folder."""
        return FilesStore(str(self._folder)).public_key()

    def open_log(self, *, signs: bool = False, compares: bool = False) -> PostgresLog:
        """Ledger. Only the sequencer signs; other processes do not even read the private key.

        `compares`: also open the copy outside, to compare it.
        """
        where = self.load_settings().external_copy if signs or compares else ""
        private = self.signing_key() if signs else None
        return PostgresLog(private, self.public_key(), open_external_copy(where, self._folder) if where else None)

    def write_document(self, name: str, data: bytes) -> None:
        """Store a document of the home."""
        Document.objects.update_or_create(name=name, defaults={"data": data})

    def _read_text(self, name: str) -> str | None:
        with connection.cursor() as cursor:  # the policy, for nearly each page: plain SQL takes a fifth of the time
            cursor.execute(_DOCUMENT, [name])
            found = cursor.fetchone()
        if found is None:
            return None
        try:
            return bytes(found[0]).decode()
        except UnicodeDecodeError as error:
            raise StoreError(_("%(name)s is not UTF-8 text") % {"name": name}, _("Save it as UTF-8.")) from error

    def _refuse_erased(self, digests: Sequence[str]) -> None:
        gone = ErasedObject.objects.filter(digest__in=digests).first()
        if gone is not None:
            raise _make_erased_error(gone.digest, gone.reason)


def _read_pairs(statement: str, digests: Sequence[str]) -> list[tuple[str, Any]]:
    """Rows of two columns for some digests. Lists of records need them for each page, so without models."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(digests)])
        found: list[tuple[str, Any]] = cursor.fetchall()
    return found


class _ReferenceCache:
    """Newest stored references of people, each with the number of erased objects at that time.

    After an erasure none is returned: an object may be gone. Whether the list is stored is checked each time, since the
    transaction that stored it may have been rolled back.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[People, tuple[str, int]] = OrderedDict()

    def newest(self, people: People) -> str:
        """The reference of equal people that was stored last, "" for none, whatever was erased since."""
        return self._found.get(people, ("", 0))[0]

    def get_reference(self, people: People, erasures: int) -> str | None:
        """Reference of equal people, None if it is unknown or there were erasures since."""
        reference, then = self._found.get(people, (None, 0))
        return reference if then == erasures else None

    def put_reference(self, people: People, reference: str, erasures: int) -> None:
        """Cache the reference, and drop the oldest ones."""
        self._found[people] = (reference, erasures)
        self._found.move_to_end(people)
        while len(self._found) > _MOST_REFERENCES:
            self._found.popitem(last=False)


_references = _ReferenceCache()


def _make_erased_error(digest: str, reason: str) -> ErasedError:
    return ErasedError(
        _("%(digest)s was erased: %(reason)s") % {"digest": digest, "reason": reason}, _("It cannot come back.")
    )


def _decompress_checked(digest: str, data: bytes) -> bytes:
    found = decompress_object(data)
    if found is None or canonical.digest_bytes(found) != digest:
        raise StoreError(
            _("the object %(digest)s does not match its name") % {"digest": digest},
            _("Restore it from a backup."),
        )
    return found
