"""Pushes and freezes of the ledger, for queries in milliseconds: a cache, in SQLite.

It contains no person: pushers are read from the push's object, so that erased ones are gone here too. Made again
from the ledger if it is lost; LedgerError if the ledger is not the one that it was made from.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from muniment.errors import ErasedError, LedgerError, StoreError
from muniment.facts.change import Commit
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.statements import Freeze
from muniment.ledger import record_kinds, record_objects, tiles
from muniment.store.entry_objects import read_object
from muniment.store.files_log import FilesLog
from muniment.store.freezes import FreezeRow, read_freeze, read_lifting_people
from muniment.store.ledger_log import LockedLog
from muniment.store.store import Store

T = TypeVar("T")

_VERSION = 5  # as the last of the statements below says
_SCHEMA = """CREATE TABLE meta (entries INTEGER, root BLOB);
CREATE TABLE pushes (entry INTEGER PRIMARY KEY, object TEXT, denied INTEGER DEFAULT 0);
CREATE INDEX by_object ON pushes (object);
CREATE TABLE commits (place TEXT, id TEXT, push INTEGER, PRIMARY KEY (place, id)) WITHOUT ROWID;
CREATE TABLE parents (place TEXT, parent TEXT, child TEXT, PRIMARY KEY (place, parent, child)) WITHOUT ROWID;
CREATE TABLE held (place TEXT, ref TEXT, value TEXT, first INTEGER, PRIMARY KEY (place, ref, value)) WITHOUT ROWID;
CREATE INDEX by_value ON held (place, value);
CREATE TABLE now (place TEXT, ref TEXT, value TEXT, entry INTEGER, PRIMARY KEY (place, ref)) WITHOUT ROWID;
CREATE TABLE baselines (place TEXT PRIMARY KEY, whole INTEGER) WITHOUT ROWID;
CREATE TABLE freezes (id TEXT PRIMARY KEY, entry INTEGER, object TEXT, drill INTEGER, since TEXT, until TEXT,
    scope TEXT) WITHOUT ROWID;
INSERT INTO meta VALUES (0, x'');
CREATE TABLE lifts (freeze TEXT, object TEXT, PRIMARY KEY (freeze, object)) WITHOUT ROWID;
CREATE TABLE statements (place TEXT, digest TEXT, entry INTEGER, PRIMARY KEY (place, digest)) WITHOUT ROWID;
CREATE TABLE evaluated (push TEXT, ref TEXT, included TEXT, PRIMARY KEY (push, ref)) WITHOUT ROWID;
CREATE TABLE meant (place TEXT, ref TEXT, value TEXT, push INTEGER, PRIMARY KEY (place, ref, push)) WITHOUT ROWID;
CREATE TABLE landed (place TEXT, ref TEXT, head TEXT, entry INTEGER, PRIMARY KEY (place, ref, head)) WITHOUT ROWID;
PRAGMA user_version = 5"""
_CHANGED = ("refs/heads/", "refs/tags/")  # what approvals can be for
_EVERYTHING = ""  # in the place of a head: it is not known what the ref took; in that of a ref: nor which
_AT_ONCE = 500  # parameters of one query


class PushIndex:
    """The cache of one home. Close it after use: `with PushIndex(home, log) as index`."""

    def __init__(self, home: Store, log: FilesLog, file: Path) -> None:
        self._home = home
        self._log = log
        self._pushes: dict[str, record_objects.Push] = {}
        self._db = _open_database(file)

    def __enter__(self) -> "PushIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database of the cache."""
        self._db.close()

    def catch_up(self, ledger: LockedLog) -> None:
        """Read the ledger's new entries. Raises LedgerError if it is not the one that was read before."""
        if self._query_rows("SELECT entries, root FROM meta") == [(ledger.size, ledger.root)]:
            return
        with _convert_errors(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            at = self.check_growth(ledger.size)
            for place, data in enumerate(tiles.read_entries(self._log.read_file, ledger.size, at, ledger.size), at):
                self._take_entry(place, record_kinds.decode_record(data, place))
            self._db.execute("UPDATE meta SET entries = ?, root = ?", (ledger.size, ledger.root))

    def check_growth(self, size: int) -> int:
        """Number of entries that were read before.

        Raises LedgerError if the ledger of `size` entries did not grow out of them: this home remembers a ledger that
        was rolled back or replaced.
        """
        at, root = self._db.execute("SELECT entries, root FROM meta").fetchone()
        if at > size or (at and tiles.compute_root(self._log.read_file, size, at) != root):
            raise LedgerError(
                f"the ledger has {size} entries and is not the one that this home had before, with {at}",
                "Restore the newest copy; if it is lost, say so with: muniment ledger reconcile --home "
                "DIR --reason TEXT",
            )
        return int(at)

    def has_baseline(self, place: str) -> bool:
        """Whether the server hook was ever installed at this place."""
        return bool(self._query_rows("SELECT 1 FROM baselines WHERE place = ?", place))

    def is_whole(self, place: str) -> bool:
        """Whether the former values of refs are still known.

        They are not if some were erased since they were last recorded.
        """
        return bool(self._query_rows("SELECT 1 FROM baselines WHERE place = ? AND whole", place))

    def find_unrecorded(self, place: str, commits: Iterable[str]) -> set[str]:
        """Commits among `commits` that no known push brought here."""
        wanted = list(commits)
        return set(wanted) - {
            row[0] for row in self._query_each("SELECT id FROM commits WHERE place = ?", "id", wanted, place)
        }

    def find_first_pushers(self, place: str, commits: Iterable[str]) -> dict[str, Maybe[str]]:
        """Identity of the first pusher of each commit here."""
        query = "SELECT id, object FROM commits JOIN pushes ON push = entry WHERE place = ?"
        wanted = list(commits)
        found: dict[str, Maybe[str]] = dict.fromkeys(
            wanted, Unknown("it is older than the server hook, was pushed without it, or its pusher was erased")
        )
        for commit, digest in self._query_each(query, "id", wanted, place):
            try:
                found[commit] = self._read_push(digest).pusher
            except ErasedError:
                found[commit] = Unknown("who pushed it was erased")
        return found

    def find_pusher_of_entry(self, entry: int) -> Maybe[str]:
        """Identity of the pusher of the push of that entry."""
        try:
            rows = self._query_rows("SELECT object FROM pushes WHERE entry = ?", entry)
            return self._read_push(rows[0][0]).pusher if rows else Unknown("its pusher was not recorded")
        except ErasedError:
            return Unknown("who pushed it was erased")

    def find_commit(self, place: str, commit: str) -> Commit | None:
        """A commit as the push that brought it recorded it, None if none did. ErasedError if that was erased."""
        rows = self._query_rows(
            "SELECT object FROM commits JOIN pushes ON push = entry WHERE place = ? AND id = ?", place, commit
        )
        return next((found for row in rows for found in self._read_push(row[0]).commits if found.id == commit), None)

    def find_earlier_heads(
        self, place: str, commits: Collection[str], before: int, is_counted: Callable[[str], bool]
    ) -> tuple[str, ...]:
        """Every value before entry `before` of every ref that `is_counted` and ever held one of `commits`."""
        family = self._find_descendants(place, commits)
        holders = {
            row[0]
            for row in self._query_each(
                "SELECT ref FROM held WHERE place = ? AND first < ?", "value", family, place, before
            )
            if is_counted(row[0])
        }
        values = self._query_each(
            "SELECT value FROM held WHERE place = ? AND first < ?", "ref", sorted(holders), place, before
        )
        return tuple(sorted({row[0] for row in values} - {""}))

    def find_landed(self, place: str, ref: str, heads: Iterable[str]) -> dict[str, int]:
        """Heads among `heads` that the ref took, each with the position of the newest record of it."""
        query = "SELECT head, entry FROM landed WHERE place = ? AND ref = ?"
        return dict(self._query_each(query, "head", [head for head in heads if head], place, ref))

    def find_newest_unknown(self, place: str, ref: str) -> int:
        """Position of the newest record of a value that the ref took with unknown included heads; -1 for none."""
        query = "SELECT MAX(entry) FROM landed WHERE place = ? AND ref IN (?, ?) AND head = ?"
        newest = self._query_rows(query, place, ref, _EVERYTHING, _EVERYTHING)[0][0]
        return -1 if newest is None else int(newest)

    def find_statements(self, place: str, digests: Iterable[str]) -> dict[str, int]:
        """Recorded statements among these, each with the position of its first record."""
        return dict(self._query_each("SELECT digest, entry FROM statements WHERE place = ?", "digest", digests, place))

    def compare_refs(
        self, place: str, refs: Mapping[str, str]
    ) -> tuple[tuple[record_objects.RefUpdate, ...], tuple[record_objects.RefUpdate, ...]]:
        """Refs that took the value of a push, and refs that took another one, since that was last recorded."""
        known = dict(self._query_rows("SELECT ref, value FROM now WHERE place = ?", place))
        landed: list[record_objects.RefUpdate] = []
        moved: list[record_objects.RefUpdate] = []
        for ref in sorted(known.keys() | refs.keys()):
            update = record_objects.RefUpdate(ref, known.get(ref, ""), refs.get(ref, ""))
            if update.old != update.new:
                (landed if self._is_pushed(place, update) else moved).append(update)
        return tuple(landed), tuple(moved)

    def list_freezes(self) -> tuple[Freeze, ...]:
        """Freezes that are not lifted, oldest first. Their person and text may have been erased."""
        rows = self._query_rows("SELECT id, object, drill, since, until, scope FROM freezes ORDER BY entry")
        return tuple(
            read_freeze(self._home, FreezeRow(name, statement, bool(drill), *rest))
            for name, statement, drill, *rest in rows
        )

    def list_lifts(self, freeze: str) -> tuple[str, ...]:
        """Ids of the people who lifted a freeze so far. A person who was erased does not count."""
        rows = self._query_rows("SELECT object FROM lifts WHERE freeze = ?", freeze)
        return read_lifting_people(self._home, [digest for (digest,) in rows])

    def _is_pushed(self, place: str, update: record_objects.RefUpdate) -> bool:
        """Whether a push that was not denied gave the ref this value, since its value was recorded last.

        Any such push, not the newest alone: git may carry one out while another, of the same commit, is denied.
        """
        query = (
            "SELECT 1 FROM meant JOIN pushes ON pushes.entry = meant.push"
            " WHERE place = ? AND ref = ? AND value = ? AND denied = 0"
        )
        return bool(self._query_rows(query, place, update.ref, update.new))

    def _find_descendants(self, place: str, commits: Collection[str]) -> set[str]:
        found, fresh = set(commits), list(commits)
        while fresh:
            children = {
                row[0] for row in self._query_each("SELECT child FROM parents WHERE place = ?", "parent", fresh, place)
            }
            fresh = list(children - found)
            found |= children
        return found

    def _take_entry(self, index: int, entry: record_kinds.AnyEntry) -> None:
        match entry:
            case record_kinds.BaselineRecord():
                self._db.execute("INSERT OR REPLACE INTO baselines VALUES (?, 1)", (entry.repository_location,))
                self._db.execute("DELETE FROM now WHERE place = ?", (entry.repository_location,))
                self._add_landed(index, entry.repository_location, _EVERYTHING, (_EVERYTHING,))
                self._take_ref_values(index, entry)
            case record_kinds.RefUpdateRecord() | record_kinds.HookBypassRecord():
                self._take_ref_values(index, entry)
            case record_kinds.PushRecord():
                self._take_push(index, entry)
            case record_kinds.CodeReviewRecord():
                row = (entry.repository_location, entry.statement, index)
                self._db.execute("INSERT OR IGNORE INTO statements VALUES (?, ?, ?)", row)
            case record_kinds.DecisionRecord():
                evaluated = (entry.trigger, entry.target, entry.included_heads)
                self._db.execute("INSERT OR REPLACE INTO evaluated VALUES (?, ?, ?)", evaluated)
                if _is_denied(entry):
                    self._db.execute("UPDATE pushes SET denied = 1 WHERE object = ?", (entry.trigger,))
            case record_kinds.PushRefusalRecord() if _is_denied(entry):
                self._db.execute("UPDATE pushes SET denied = 1 WHERE object = ?", (entry.push,))
            case record_kinds.FreezeRecord():
                frozen = (entry.freeze, index, entry.object, entry.drill, entry.since, entry.until, entry.scope)
                self._db.execute("INSERT OR IGNORE INTO freezes VALUES (?, ?, ?, ?, ?, ?, ?)", frozen)
            case record_kinds.FreezeLiftRecord():
                self._db.execute("INSERT OR IGNORE INTO lifts VALUES (?, ?)", (entry.freeze, entry.object))
                if entry.complete:
                    self._db.execute("DELETE FROM freezes WHERE id = ?", (entry.freeze,))
            case _:
                pass

    def _take_push(self, index: int, entry: record_kinds.PushRecord) -> None:
        self._db.execute("INSERT INTO pushes (entry, object) VALUES (?, ?)", (index, entry.object))
        try:
            push = self._read_push(entry.object)
        except ErasedError:
            return  # nobody is known to have brought its commits: they are denied until somebody attests who it was
        self._db.executemany(
            "INSERT OR IGNORE INTO commits VALUES (?, ?, ?)",
            ((push.repository_location, commit.id, index) for commit in push.commits),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO parents VALUES (?, ?, ?)",
            ((push.repository_location, parent, commit.id) for commit in push.commits for parent in commit.parents),
        )
        for update in push.updates:
            self._add_held(push.repository_location, update, index)
            row = (push.repository_location, update.ref, update.new, index)
            self._db.execute("INSERT OR REPLACE INTO meant VALUES (?, ?, ?, ?)", row)

    def _take_ref_values(
        self,
        index: int,
        entry: record_kinds.BaselineRecord | record_kinds.RefUpdateRecord | record_kinds.HookBypassRecord,
    ) -> None:
        try:
            refs = read_object(self._home, entry.object, record_objects.RefUpdates)
        except ErasedError:
            self._db.execute("UPDATE baselines SET whole = 0 WHERE place = ?", (entry.repository_location,))
            self._add_landed(index, entry.repository_location, _EVERYTHING, (_EVERYTHING,))
            return
        for update in refs.updates:
            if not isinstance(entry, record_kinds.BaselineRecord) and update.ref.startswith(_CHANGED):
                self._add_landed(index, refs.repository_location, update.ref, self._find_included_heads(entry, update))
            row = (refs.repository_location, update.ref, update.new, index)
            self._db.execute("INSERT OR REPLACE INTO now VALUES (?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM meant WHERE place = ? AND ref = ?", row[:2])
            self._add_held(refs.repository_location, update, index)

    def _find_included_heads(
        self, entry: record_kinds.RefUpdateRecord | record_kinds.HookBypassRecord, update: record_objects.RefUpdate
    ) -> tuple[str, ...]:
        """Heads that a ref took by an update; everything where they are unknown."""
        if isinstance(entry, record_kinds.HookBypassRecord):
            digests = [entry.included_heads]
        else:
            query = (
                "SELECT included FROM meant JOIN pushes ON pushes.entry = meant.push"
                " JOIN evaluated ON evaluated.push = pushes.object AND evaluated.ref = meant.ref"
                " WHERE place = ? AND meant.ref = ? AND value = ? AND denied = 0"
            )
            # Of several pushes nobody knows which one git carried out, so what any of them included is taken.
            digests = [row[0] for row in self._query_rows(query, entry.repository_location, update.ref, update.new)]
        if not digests or "" in digests:
            return (_EVERYTHING,)
        try:
            lists = [read_object(self._home, digest, record_objects.IncludedHeads).heads for digest in digests]
        except ErasedError:
            return (_EVERYTHING,)
        return tuple({head for heads in lists for head in heads})

    def _add_landed(self, index: int, place: str, ref: str, heads: Iterable[str]) -> None:
        rows = ((place, ref, head, index) for head in heads)
        self._db.executemany("INSERT OR REPLACE INTO landed VALUES (?, ?, ?, ?)", rows)

    def _add_held(self, place: str, update: record_objects.RefUpdate, index: int) -> None:
        """Values of a ref around a push. The one before counts as well: it may be older than the server hook."""
        for value in (update.old, update.new):
            self._db.execute("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?)", (place, update.ref, value, index))

    def _read_push(self, digest: str) -> record_objects.Push:
        if digest not in self._pushes:
            self._pushes[digest] = read_object(self._home, digest, record_objects.Push)
        return self._pushes[digest]

    def _query_rows(self, query: str, *values: Any) -> list[Any]:
        with _convert_errors():
            return self._db.execute(query, values).fetchall()

    def _query_each(self, query: str, column: str, wanted: Iterable[str], *values: Any) -> Iterator[Any]:
        """Rows of `query` with a `column` that is one of `wanted`, however many they are."""
        listed = list(wanted)
        for at in range(0, len(listed), _AT_ONCE):
            some = listed[at : at + _AT_ONCE]
            yield from self._query_rows(f"{query} AND {column} IN ({','.join('?' * len(some))})", *values, *some)


def _is_denied(entry: record_kinds.DecisionRecord | record_kinds.PushRefusalRecord) -> bool:
    """Whether the push did not get through."""
    return entry.enforced and not (isinstance(entry, record_kinds.DecisionRecord) and entry.outcome == "allow")


def _open_database(file: Path) -> sqlite3.Connection:
    """The database; one of another version, or a damaged one, is made again."""
    with _convert_errors():
        try:
            return _connect_database(file)
        except sqlite3.OperationalError:
            if os.access(file.parent, os.W_OK):
                raise  # it is locked, or the disk is full: another may be using it
            # Nobody writes on a medium that is read-only, such as an auditor's copy: it can be read without a lock.
            return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
        except sqlite3.DatabaseError:
            for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
                file.with_name(name).unlink(missing_ok=True)
            return _connect_database(file)


def _connect_database(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=20, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                database.execute(statement)
        database.execute("COMMIT")
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("of another version")
    except sqlite3.Error:
        database.close()
        raise
    return database


@contextlib.contextmanager
def _convert_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the cache of the home failed ({error})", "Delete cache/: it is made again.") from error
