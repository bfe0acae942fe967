"""Erase what a store keeps of a person: the objects outside the ledger, never the ledger.

Each record stays, and so does every proof: it says by digest that there was something. The erasure is recorded first.
"""

from collections.abc import Iterator

from muniment.errors import ErasedError
from muniment.facts import canonical
from muniment.facts.people import Person
from muniment.ledger import entries, objects
from muniment.store.erasure import mentioning
from muniment.store.store import Store


def erase(store: Store, person: Person, reason: str, now: str, kept: frozenset[str] = frozenset()) -> tuple[int, int]:
    """Erase the objects that name a person; how many, and the number of the record that says so.

    `kept` are digests of objects that stay, such as policies in use: without them nothing could be evaluated.

    Raises StoreError or LedgerError. If it stops half-way, run it again: what is left still names the person.
    """
    with store.exclusive():
        found = find_objects(store, person, kept)
        erased = objects.ErasedObjects(found, reason, objects.salt())
        record = entries.ErasureRecord(time=now, object=canonical.digest_of(erased), object_count=len(found))
        (number,) = store.append([(record, (erased,))])
        store.erase(found, f"under the rule 'a person asked for it', record {number}, {now}")
    return len(found), number


def find_objects(store: Store, person: Person, kept: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The digests of the objects that name a person, but for those that are `kept`."""
    return tuple(digest for digest in mentioning(read_objects(store), person) if digest not in kept)


def read_objects(store: Store) -> Iterator[tuple[str, bytes]]:
    """The digest and content of every object that is there."""
    for digest in store.objects():
        try:
            data = store.get(digest)
        except ErasedError:
            continue
        if data is not None:
            yield digest, data
