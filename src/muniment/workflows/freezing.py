"""Freeze merges and deployments, and lift a freeze: one person with the security role freezes, two lift.

Each person's statement is recorded with its proof: an SSH signature (namespace `muniment-freeze`) on a plain git
server, the digest of the recorded act in the service. Who may is decided before: by `check_may_freeze`, or by the
service's access rules.
"""

import secrets

from msgspec import Struct

from muniment.decision.freezes import is_freeze_over
from muniment.errors import UsageError
from muniment.facts import canonical
from muniment.facts.people import SECURITY, People, Person
from muniment.facts.statements import PEOPLE_TO_LIFT, Freeze
from muniment.ledger import record_kinds, record_objects
from muniment.store.store import Store

FREEZE_NAMESPACE = "muniment-freeze"


class FreezeStatement(Struct, frozen=True):
    """Statement that is signed, as canonical JSON: a freeze with its scope, start and end, or the lift of one.

    `action` is `freeze` or `lift-freeze`; moments are RFC 3339 in UTC.
    """

    action: str
    freeze: str
    person: str
    reason: str
    drill: bool
    time: str
    since: str = ""
    until: str = ""
    product: str = ""
    environment: str = ""


class FreezeLift(Struct, frozen=True):
    """Progress of the lift of a freeze: the people who signed it, and whether they are enough."""

    freeze: str
    people: tuple[str, ...]
    complete: bool


def create_freeze_id() -> str:
    """Create the id of a new freeze."""
    return secrets.token_hex(4)


def build_freeze_statement(freeze: Freeze, now: str) -> FreezeStatement:
    """Build the statement of `freeze.person`, made at `now`, that starts a freeze."""
    return FreezeStatement(
        "freeze",
        freeze.id,
        freeze.person,
        freeze.reason,
        freeze.drill,
        now,
        freeze.since,
        freeze.until,
        freeze.product,
        freeze.environment,
    )


def check_freeze_period(since: str, until: str, now: str) -> None:
    """Raise UsageError for a freeze that would begin in the past, or be over before it begins."""
    if since < now:
        raise UsageError("a freeze cannot begin in the past", "Omit its start: then it begins now.")
    if until and until <= since:
        raise UsageError("the freeze would be over before it begins", "Give an end that is later than its start.")


def record_freeze(store: Store, freeze: Freeze, now: str, proof: str) -> None:
    """Record that `freeze.person` froze merges and deployments. `proof` is the signature or the act."""
    statement = record_objects.PersonStatement(freeze.person, freeze.reason, proof, record_objects.draw_salt())
    limited = freeze.product or freeze.environment
    scope = (
        record_objects.FreezeScope(freeze.product, freeze.environment, record_objects.draw_salt()) if limited else None
    )
    entry = record_kinds.FreezeRecord(
        time=now,
        object=canonical.digest_value(statement),
        freeze=freeze.id,
        drill=freeze.drill,
        since=freeze.since,
        until=freeze.until,
        scope=canonical.digest_value(scope) if scope is not None else "",
        person=record_objects.make_commitment(freeze.person, statement.salt),
    )
    with store.lock_ledger():
        store.append_records([(entry, (statement, *((scope,) if scope is not None else ())))])


def record_lift(store: Store, freeze: str, person: str, reason: str, now: str, proof: str) -> FreezeLift:
    """Record that a person lifts a freeze; with the second person it is lifted.

    Raises UsageError for a freeze that is not in force, and for a person who lifts it already.
    """
    with store.lock_ledger():
        # Under the lock: two people who lift at one moment would else each find no other, and nobody would be the
        # second.
        find_freeze(store, freeze, now)
        before = store.list_lifts(freeze)
        if person in before:
            raise UsageError(
                f"{person} is for lifting {freeze} already", "Have somebody else with the security role run this too."
            )
        people = (*before, person)
        complete = len(people) >= PEOPLE_TO_LIFT
        statement = record_objects.PersonStatement(person, reason, proof, record_objects.draw_salt())
        entry = record_kinds.FreezeLiftRecord(
            time=now,
            object=canonical.digest_value(statement),
            freeze=freeze,
            complete=complete,
            person=record_objects.make_commitment(person, statement.salt),
        )
        store.append_records([(entry, (statement,))])
    return FreezeLift(freeze, people, complete)


def count_missing_lifters(people: People) -> int:
    """Number of further people who need the security role before a freeze can be lifted."""
    return max(0, PEOPLE_TO_LIFT - len(people.security_officers))


def find_freeze(store: Store, name: str, now: str) -> Freeze:
    """Find a freeze that is neither lifted nor over. Raises UsageError if there is none of that name."""
    found = tuple(freeze for freeze in store.list_freezes() if not is_freeze_over(freeze, now))
    for freeze in found:
        if freeze.id == name:
            return freeze
    names = ", ".join(freeze.id for freeze in found) or "none"
    raise UsageError(f"there is no freeze {name}", f"Freezes in force: {names}.")


def check_may_freeze(person: Person) -> None:
    """Raise UsageError unless the person is active and has the security role."""
    if SECURITY not in person.roles or not person.active:
        raise UsageError(
            f"{person.id} does not have the security role", "Ask somebody whom people.toml gives that role."
        )
