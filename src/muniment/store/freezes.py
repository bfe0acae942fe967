"""Freezes in force and their lifts, as the ledger's records say: one reading for every implementation of the store."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from muniment.errors import ErasedError
from muniment.facts.statements import Freeze
from muniment.ledger import entries, objects
from muniment.store.entry_objects import read_object
from muniment.store.store import Store

FREEZE_KINDS = ("freeze", "freeze-lift")


def freezes_in_force(records: Iterable[entries.AnyEntry]) -> tuple[entries.FreezeRecord, ...]:
    """The records of the freezes that no complete lift follows, in the order of `records`. An id counts once."""
    found: dict[str, entries.FreezeRecord] = {}
    for record in records:
        if isinstance(record, entries.FreezeRecord):
            found.setdefault(record.freeze, record)
        elif isinstance(record, entries.FreezeLiftRecord) and record.complete:
            found.pop(record.freeze, None)
    return tuple(found.values())


def lifts_of(records: Iterable[entries.AnyEntry], freeze: str) -> tuple[str, ...]:
    """Digests of the statements that lift a freeze, each once."""
    lifts = (one for one in records if isinstance(one, entries.FreezeLiftRecord) and one.freeze == freeze)
    return tuple(dict.fromkeys(one.object for one in lifts))


class FreezeRow(Struct, frozen=True):
    """The fields of a record of a freeze that the freeze is read from."""

    freeze: str
    statement: str
    drill: bool
    since: str
    until: str
    scope: str


def row_of(record: entries.FreezeRecord) -> FreezeRow:
    """The row of a record."""
    return FreezeRow(record.freeze, record.object, record.drill, record.since, record.until, record.scope)


def read_freeze(store: Store, row: FreezeRow) -> Freeze:
    """A freeze with its person and reason, if they were not erased. LedgerError if an object of it is missing.

    A freeze whose scope was erased is one of everything.
    """
    statement = _statement(store, row.statement)
    person, reason = (statement.person, statement.text) if statement else ("somebody", "the reason was erased")
    scope = _scope(store, row.scope)
    product, environment = (scope.product, scope.environment) if scope else ("", "")
    return Freeze(row.freeze, person, reason, row.since, row.drill, row.until, product, environment)


def _scope(store: Store, digest: str) -> objects.FreezeScope | None:
    """The scope of a freeze, None for everything."""
    try:
        return read_object(store, digest, objects.FreezeScope) if digest else None
    except ErasedError:
        return None


def read_people(store: Store, digests: Sequence[str]) -> tuple[str, ...]:
    """Ids of the people of these statements. A person who was erased does not count."""
    statements = (_statement(store, digest) for digest in digests)
    return tuple(said.person for said in statements if said is not None)


def _statement(store: Store, digest: str) -> objects.PersonStatement | None:
    """A person's statement, None if it was erased."""
    try:
        return read_object(store, digest, objects.PersonStatement)
    except ErasedError:
        return None
