"""Erase what the home keeps of a person: the objects beside the ledger, never the ledger.

Each entry stays, and so does every proof: it says by digest that there was something. The erasure is recorded first.
"""

from collections.abc import Iterator

from muniment.errors import ErasedError
from muniment.facts import canonical
from muniment.facts.people import Person
from muniment.home.erasure import mentioning
from muniment.home.files import FilesHome
from muniment.ledger import entries, objects
from muniment.workflows.record import Record, forget


def erase(home: FilesHome, person: Person, reason: str, now: str) -> tuple[int, int]:
    """How many objects were erased, and the entry that says so. Raises HomeError or LedgerError.

    If it stops half-way, run it again: what is left still names the person.
    """
    with Record(home) as record, record.held() as held:
        found = mentioning(_all(home), person)
        erased = objects.Erased(found, reason, objects.salt())
        entry = entries.Erasure(time=now, object=canonical.digest_of(erased), objects=len(found))
        number = record.append(held, [(entry, (erased,))])
        home.erase(found, f"entry {number} of the ledger, {now}")
    forget(home)
    return len(found), number


def _all(home: FilesHome) -> Iterator[tuple[str, bytes]]:
    for digest in home.objects():
        try:
            data = home.get(digest)
        except ErasedError:
            continue
        if data is not None:
            yield digest, data
