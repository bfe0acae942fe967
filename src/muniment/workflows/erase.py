"""Erase a store's data on a person: the objects outside the ledger, never the ledger.

Each record stays, and so does every proof: it says by digest that there was an object. The erasure is recorded first.
"""

from collections.abc import Iterator

from muniment.errors import ErasedError
from muniment.facts import canonical
from muniment.facts.people import Person
from muniment.ledger import record_kinds, record_objects
from muniment.store.erasure import find_mentions_of
from muniment.store.store import Store


def erase_person_objects(
    store: Store, person: Person, reason: str, now: str, exempt: frozenset[str] = frozenset()
) -> tuple[int, int]:
    """Erase the objects that name a person; returns their number, and the position of the record that says so.

    `exempt` are digests of objects that stay, such as policies in use: without them nothing could be evaluated. Raises
    StoreError or LedgerError. If it stops half-way, run it again: the remaining objects still name the person.
    """
    # Nothing is appended between the search and the record, so no new object can name the person unnoticed. The record
    # comes first: objects that are gone without one would count as damage.
    with store.lock_ledger():
        found = find_person_objects(store, person, exempt)
        erased = record_objects.ErasedObjects(found, reason, record_objects.draw_salt())
        record = record_kinds.ErasureRecord(time=now, object=canonical.digest_value(erased), object_count=len(found))
        (number,) = store.append_records([(record, (erased,))])
        store.erase_objects(found, f"under the rule 'a person asked for it', record {number}, {now}")
    return len(found), number


def find_person_objects(store: Store, person: Person, exempt: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Digests of the objects that name a person, except those in `exempt`."""
    return tuple(digest for digest in find_mentions_of(read_objects(store), person) if digest not in exempt)


def read_objects(store: Store) -> Iterator[tuple[str, bytes]]:
    """Digest and content of every object that is there."""
    for digest in store.list_object_digests():
        try:
            data = store.get_object(digest)
        except ErasedError:
            continue
        if data is not None:
            yield digest, data
