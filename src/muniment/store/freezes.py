"""Freezes in force and their lifts, as the ledger's records say: one reading for every implementation of the store."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from muniment.errors import ErasedError
from muniment.facts.statements import Freeze
from muniment.ledger import record_kinds, record_objects
from muniment.store.entry_objects import read_object
from muniment.store.store import Store

FREEZE_KINDS = ("freeze", "freeze-lift")


def select_freezes_in_force(records: Iterable[record_kinds.AnyEntry]) -> tuple[record_kinds.FreezeRecord, ...]:
    """Records of the freezes that no complete lift follows, in the order of `records`. An id counts once."""
    found: dict[str, record_kinds.FreezeRecord] = {}
    for record in records:
        if isinstance(record, record_kinds.FreezeRecord):
            found.setdefault(record.freeze, record)
        elif isinstance(record, record_kinds.FreezeLiftRecord) and record.complete:
            found.pop(record.freeze, None)
    return tuple(found.values())


def select_lifts(records: Iterable[record_kinds.AnyEntry], freeze: str) -> tuple[str, ...]:
    """Digests of the statements that lift a freeze, each once."""
    lifts = (one for one in records if isinstance(one, record_kinds.FreezeLiftRecord) and one.freeze == freeze)
    return tuple(dict.fromkeys(one.object for one in lifts))


class FreezeRow(Struct, frozen=True):
    """Fields of a freeze's record that make the freeze."""

    freeze: str
    statement: str
    drill: bool
    since: str
    until: str
    scope: str


def make_freeze_row(record: record_kinds.FreezeRecord) -> FreezeRow:
    """Row of a freeze's record."""
    return FreezeRow(record.freeze, record.object, record.drill, record.since, record.until, record.scope)


def read_freeze(store: Store, row: FreezeRow) -> Freeze:
    """A freeze with its person and reason, if they were not erased. LedgerError if an object of it is missing.

    A freeze with an erased scope is one of everything.
    """
    statement = _read_statement(store, row.statement)
    person, reason = (statement.person, statement.text) if statement else ("somebody", "the reason was erased")
    scope = _read_scope(store, row.scope)
    product, environment = (scope.product, scope.environment) if scope else ("", "")
    return Freeze(row.freeze, person, reason, row.since, row.drill, row.until, product, environment)


def _read_scope(store: Store, digest: str) -> record_objects.FreezeScope | None:
    """Scope of a freeze, None for everything."""
    try:
        return read_object(store, digest, record_objects.FreezeScope) if digest else None
    except ErasedError:
        return None


def read_lifting_people(store: Store, digests: Sequence[str]) -> tuple[str, ...]:
    """Ids of the people of these statements. A person who was erased does not count."""
    statements = (_read_statement(store, digest) for digest in digests)
    return tuple(statement.person for statement in statements if statement is not None)


def _read_statement(store: Store, digest: str) -> record_objects.PersonStatement | None:
    """Statement of a person, None if it was erased."""
    try:
        return read_object(store, digest, record_objects.PersonStatement)
    except ErasedError:
        return None
