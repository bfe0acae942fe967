"""Stop all merges at once, and let them go on: one person with the security role stops, two lift.

Both are signed statements (SSH, namespace `muniment-freeze`), kept with their signatures beside the ledger.
"""

import secrets
from collections.abc import Callable

from msgspec import Struct

from muniment.errors import UsageError
from muniment.facts import canonical
from muniment.facts.people import SECURITY, Person
from muniment.facts.statements import Freeze
from muniment.ledger import entries, objects
from muniment.workflows.record import Record

NAMESPACE = "muniment-freeze"
NEEDED = 2  # people to lift a freeze

Sign = Callable[[bytes], str]


class Statement(Struct, frozen=True):
    """What is signed, as canonical JSON. `action` is `freeze` or `lift`; `time` RFC 3339, UTC."""

    action: str
    freeze: str
    person: str
    reason: str
    rehearsal: bool
    time: str


class Lifting(Struct, frozen=True):
    """How far the lifting of a freeze is: who is for it, and whether they are enough."""

    freeze: str
    people: tuple[str, ...]
    complete: bool


def freeze(record: Record, person: Person, reason: str, now: str, sign: Sign, *, rehearsal: bool) -> Freeze:
    """Stop all merges that this home judges. Raises UsageError for somebody who may not."""
    _may(person)
    name = secrets.token_hex(4)
    said = _said(Statement("freeze", name, person.id, reason, rehearsal, now), sign)
    entry = entries.Frozen(
        time=now,
        object=canonical.digest_of(said),
        freeze=name,
        rehearsal=rehearsal,
        person=objects.commitment(person.id, said.salt),
    )
    with record.held() as held:
        record.append(held, [(entry, (said,))])
    return Freeze(name, person.id, reason, now, rehearsal)


def lift(record: Record, name: str, person: Person, reason: str, now: str, sign: Sign) -> Lifting:
    """One person's word for lifting a freeze; with the second person's it is lifted. Raises UsageError."""
    _may(person)
    with record.held():
        rehearsal = _found(record, name).rehearsal
    said = _said(Statement("lift", name, person.id, reason, rehearsal, now), sign)
    with record.held() as held:
        _found(record, name)
        before = record.index.lifts(name)
        if person.id in before:
            raise UsageError(
                f"{person.id} is for lifting {name} already", "Have somebody else with the security role run this too."
            )
        people = (*before, person.id)
        complete = len(people) >= NEEDED
        entry = entries.Lifted(
            time=now,
            object=canonical.digest_of(said),
            freeze=name,
            complete=complete,
            person=objects.commitment(person.id, said.salt),
        )
        record.append(held, [(entry, (said,))])
    return Lifting(name, people, complete)


def _may(person: Person) -> None:
    if SECURITY not in person.roles or not person.active:
        raise UsageError(
            f"{person.id} does not have the security role", "Ask somebody whom people.toml gives that role."
        )


def _found(record: Record, name: str) -> Freeze:
    found = record.index.freezes()
    for frozen in found:
        if frozen.id == name:
            return frozen
    names = ", ".join(frozen.id for frozen in found) or "none"
    raise UsageError(f"there is no freeze {name}", f"Those that hold now: {names}.")


def _said(statement: Statement, sign: Sign) -> objects.Said:
    return objects.Said(statement.person, statement.reason, sign(canonical.encode(statement)), objects.salt())
