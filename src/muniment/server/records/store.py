"""The home in PostgreSQL: documents, objects and exceptions are rows; the ledger's key alone is a file."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import connection, transaction
from django.utils.translation import gettext as _

from muniment.decision.binding import BoundPolicy
from muniment.decision.policies import read_bound_policy
from muniment.errors import ErasedError, LedgerError, StoreError
from muniment.facts import canonical
from muniment.facts.people import People
from muniment.facts.statements import Freeze
from muniment.ledger import entries, told
from muniment.ledger.keys import public_of, read_public
from muniment.server.records.log import PostgresLog
from muniment.server.records.models import (
    Document,
    ErasedObject,
    ExceptionFile,
    PersonObject,
    RecordPosition,
    StoredObject,
)
from muniment.store import freezes, key_files
from muniment.store.files import FilesStore, check_digest, inflated
from muniment.store.outside import outside
from muniment.store.people_objects import make_objects
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


class _LiftCheck:
    """The check of signatures over the lift of a freeze, which a higher app provides (`requests/lifted_freezes.py`)."""

    is_proven: Callable[[entries.FreezeLiftRecord], bool] = staticmethod(lambda _entry: True)


def use_lift_check(is_proven: Callable[[entries.FreezeLiftRecord], bool]) -> None:
    """Have each complete lift of a freeze compared with signatures. Called once, at the start."""
    _LiftCheck.is_proven = staticmethod(is_proven)


def _is_lift_of(entry: entries.AnyEntry, freeze: str) -> bool:
    return isinstance(entry, entries.FreezeLiftRecord) and entry.freeze == freeze


class PostgresStore:
    """The store in the database; `folder` has `keys/`, `people` builds everybody from the tables."""

    def __init__(self, folder: Path, people: Callable[[], People]) -> None:
        self._folder = folder
        self._people = people

    def policy(self) -> BoundPolicy | None:
        """The policy in force, None if there is none. Raises PolicyError."""
        text = self._text(POLICY)
        return None if text is None else read_bound_policy(text, POLICY)

    def people(self) -> People | None:
        """Everybody, with the roles that they have everywhere. Raises PeopleError."""
        return self._people()

    def exceptions(self) -> tuple[tuple[str, bytes], ...]:
        """(id, content) of every exception, by id."""
        return tuple(
            (name, bytes(data)) for name, data in ExceptionFile.objects.order_by("name").values_list("name", "data")
        )

    def settings(self) -> Settings:
        """What home.toml says, or what holds without it. Raises HomeFileError."""
        return read_settings(self._text(SETTINGS), SETTINGS, self._folder)

    def settings_text(self) -> str | None:
        """home.toml, None if there is none."""
        return self._text(SETTINGS)

    def put(self, data: bytes) -> str:
        """Keep an object, in the transaction that is under way."""
        return self.put_all([data])[0]

    def put_all(self, datas: Sequence[bytes]) -> tuple[str, ...]:
        """Keep objects, in the transaction that is under way. What was erased stays so: ErasedError."""
        digests = tuple(map(canonical.digest, datas))
        with connection.cursor() as cursor:  # for each evaluation: in one query, and without models
            cursor.execute(_FIND, [list(digests), list(digests)])
            found = cursor.fetchall()
        for digest, data, reason in sorted(found, key=lambda row: row[2] is None):
            if reason is not None:
                raise _erased(digest, reason)
            _checked(digest, bytes(data))
        there = {digest for digest, _, _ in found}
        new = {d: zlib.compress(data, 6) for d, data in zip(digests, datas, strict=True) if d not in there}
        if new:
            StoredObject.objects.bulk_create(
                [StoredObject(digest=d, data=data) for d, data in new.items()], ignore_conflicts=True
            )
        return digests

    def put_people(self, people: People) -> str:
        """Keep one object a person and the list of them; the digest of the list."""
        known = _references.newest(people)
        with connection.cursor() as cursor:  # for each evaluation: in one query
            cursor.execute(_STORED, [known])
            erasures, stored = cursor.fetchone() or (0, False)
        reference = _references.get(people, erasures)
        if reference is not None and reference == known and stored:
            return reference
        with transaction.atomic():
            made = make_objects(people, self._person_objects(people))
            drawn = made.new
            if drawn:
                rows = [PersonObject(content=content, object=made.contents[content]) for content in sorted(drawn)]
                PersonObject.objects.bulk_create(rows, ignore_conflicts=True)
                # Who stores the same person at once waits above for the other's end, and takes the other's object.
                made = make_objects(people, self._person_objects(people))
            own = [data for content, data in drawn.items() if canonical.digest(data) == made.contents[content]]
            self.put_all([*own, made.listing])
        _references.put(people, made.reference, erasures)
        return made.reference

    def _person_objects(self, people: People) -> dict[str, str]:
        """The objects that are stored of these people, by content."""
        rows = PersonObject.objects.filter(content__in=people.content_digests)
        return dict(rows.values_list("content", "object"))

    def get(self, digest: str) -> bytes | None:
        """The object with that digest. Raises ErasedError if it was erased."""
        check_digest(digest)
        found = StoredObject.objects.filter(digest=digest).values_list("data", flat=True).first()
        if found is None:
            self._refuse_erased((digest,))
            return None
        return _checked(digest, bytes(found))

    def get_all(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Those of these objects that are there, in one query. StoreError for one that is not what its name says."""
        rows = StoredObject.objects.filter(digest__in=digests).values_list("digest", "data")
        return {digest: _checked(digest, bytes(data)) for digest, data in rows}

    def erased(self, digests: Sequence[str]) -> dict[str, str]:
        """Why those of these were erased that were, in one query."""
        return dict(ErasedObject.objects.filter(digest__in=digests).values_list("digest", "reason"))

    def objects(self) -> Iterator[str]:
        """The digests of all objects that are kept, in order."""
        return StoredObject.objects.order_by("digest").values_list("digest", flat=True).iterator()

    def erase(self, digests: Sequence[str], why: str) -> None:
        """Erase objects for good."""
        for digest in digests:
            check_digest(digest)
        with transaction.atomic():
            ErasedObject.objects.bulk_create(
                [ErasedObject(digest=d, reason=why) for d in digests], ignore_conflicts=True
            )
            StoredObject.objects.filter(digest__in=digests).delete()
            PersonObject.objects.filter(object__in=digests).delete()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One transaction; any other that asks for the same waits until it ends."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_EXCLUSIVE])
            yield

    def append(self, records: Sequence[LedgerRecord]) -> tuple[int, ...]:
        """Append records with their details, in the transaction that is under way; the ids of their rows."""
        self.put_all([canonical.encode(detail) for _, details in records for detail in details])
        return self._insert([entry for entry, _ in records])

    def _insert(self, records: Sequence[entries.AnyEntry]) -> tuple[int, ...]:
        numbers: list[int] = []
        with connection.cursor() as cursor:
            for entry in records:
                cursor.execute(_INSERT, [told.kind(entry), entry.time, entry.object, entries.encode(entry)])
                numbers.extend(number for (number,) in cursor.fetchall())
        return tuple(numbers)

    def read_records(self, kinds: Collection[str]) -> Iterator[entries.AnyEntry]:
        """The records of these kinds, oldest first, those too that have no position yet; none that was refused.

        One that is malformed and has no position is one that the sequencer will refuse: it counts for nothing. Raises
        LedgerError for a malformed one that has a position.
        """
        with connection.cursor() as cursor:  # for each evaluation, and there are few: without models
            cursor.execute(_READ, [list(kinds)])
            found = cursor.fetchall()
        for number, data, position in found:
            try:
                yield entries.decode(bytes(data), number)
            except LedgerError:
                if position is not None:
                    raise

    def freezes(self) -> tuple[Freeze, ...]:
        """The freezes that are not lifted, oldest first."""
        found = freezes.freezes_in_force(self._read_freeze_records())
        return tuple(freezes.read_freeze(self, freezes.row_of(one)) for one in found)

    def lifts(self, freeze: str) -> tuple[str, ...]:
        """Ids of the people who lifted a freeze so far."""
        lifts = freezes.lifts_of(self._read_freeze_records(), freeze)
        return freezes.read_people(self, lifts)

    def _read_freeze_records(self) -> list[entries.AnyEntry]:
        """The records of freezes and their lifts. A lift that lacks signatures counts for nothing, nor do the
        statements before it that it completes.
        """
        found: list[entries.AnyEntry] = []
        for one in self.read_records(freezes.FREEZE_KINDS):
            if isinstance(one, entries.FreezeLiftRecord) and one.complete and not _LiftCheck.is_proven(one):
                found = [each for each in found if not _is_lift_of(each, one.freeze)]
            else:
                found.append(one)
        return found

    def reconcile(self, make: Callable[[int, int], LedgerRecord]) -> int:
        """Append a record although the copy outside says otherwise, with its position at once."""
        with transaction.atomic():
            log = self.log(signs=True)
            entry, details = make(log.head().size, log.seen_outside())
            self.put_all([canonical.encode(detail) for detail in details])
            data = entries.encode(entry)
            position = log.reconcile(data)
            (number,) = self._insert([entry])
            RecordPosition.objects.filter(pk=number).update(position=position)
        return position

    def exchange_key(self, make: Callable[[str, str], LedgerRecord], *, lost: bool) -> int:
        """Exchange the ledger's key, and record it, with its position at once. As FilesStore."""
        log = self.log(signs=True)
        if not key_files.is_exchanged(self._folder, log.checkpoint()):
            old = (self.public_key() or "").strip()
            private = key_files.draw_next_key(self._folder, read_public(old).name)
            with transaction.atomic():
                entry, details = make(old, public_of(private))
                self.put_all([canonical.encode(detail) for detail in details])
                position = log.exchange_key(private, entries.encode(entry), lost=lost)
                (number,) = self._insert([entry])
                RecordPosition.objects.filter(pk=number).update(position=position)
        key_files.install_next_key(self._folder)
        return self.log().head().size - 1

    def signing_key(self) -> str | None:
        """The ledger's private key, from the folder."""
        return FilesStore(str(self._folder)).signing_key()

    def public_key(self) -> str | None:
        """The ledger's public key, from the folder."""
        return FilesStore(str(self._folder)).public_key()

    def log(self, *, signs: bool = False, compares: bool = False) -> PostgresLog:
        """The ledger. Only the sequencer signs; for all others the private key is not even read.

        `compares`: the copy outside is read too, to compare it.
        """
        where = self.settings().external_copy if signs or compares else ""
        private = self.signing_key() if signs else None
        return PostgresLog(private, self.public_key(), outside(where, self._folder) if where else None)

    def write(self, name: str, data: bytes) -> None:
        """Put a document there."""
        Document.objects.update_or_create(name=name, defaults={"data": data})

    def _text(self, name: str) -> str | None:
        found = Document.objects.filter(name=name).values_list("data", flat=True).first()
        if found is None:
            return None
        try:
            return bytes(found).decode()
        except UnicodeDecodeError as error:
            raise StoreError(_("%(name)s is not UTF-8 text") % {"name": name}, _("Save it as UTF-8.")) from error

    def _refuse_erased(self, digests: Sequence[str]) -> None:
        gone = ErasedObject.objects.filter(digest__in=digests).first()
        if gone is not None:
            raise _erased(gone.digest, gone.reason)


class _References:
    """The newest references of people that were stored, each with how many objects were erased until then.

    After an erasure none is given: somebody's object may be gone. That the list is stored is looked up each time, for
    the transaction that stored it may have been undone.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[People, tuple[str, int]] = OrderedDict()

    def newest(self, people: People) -> str:
        """The reference of equal people that was stored last, "" for none, whatever was erased since."""
        return self._found.get(people, ("", 0))[0]

    def get(self, people: People, erasures: int) -> str | None:
        """The reference of equal people, None if it is not known or there were erasures since."""
        reference, then = self._found.get(people, (None, 0))
        return reference if then == erasures else None

    def put(self, people: People, reference: str, erasures: int) -> None:
        """Remember it, and of the others the newest."""
        self._found[people] = (reference, erasures)
        self._found.move_to_end(people)
        while len(self._found) > _MOST_REFERENCES:
            self._found.popitem(last=False)


_references = _References()


def _erased(digest: str, reason: str) -> ErasedError:
    return ErasedError(
        _("%(digest)s was erased: %(reason)s") % {"digest": digest, "reason": reason}, _("It cannot come back.")
    )


def _checked(digest: str, data: bytes) -> bytes:
    found = inflated(data)
    if found is None or canonical.digest(found) != digest:
        raise StoreError(
            _("the object %(digest)s does not match its name") % {"digest": digest},
            _("Restore it from a backup."),
        )
    return found
