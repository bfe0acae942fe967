"""Puts entries into the record, in the transaction of what they record. The sequencer gives each its place later."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Resource
from muniment.access.roles import EVERYWHERE
from muniment.facts import canonical
from muniment.ledger import entries, objects, told
from muniment.server import moments
from muniment.server.acts.system_actors import SYSTEM_IDS, SystemActor
from muniment.server.records.installation import store
from muniment.server.records.models import Record
from muniment.server.records.recorded_rows import collect_rows
from muniment.server.records.row_states import digest_of_states, make_states, store_states

INSTALLATION = "installation"
ACTION_KINDS = ("person-action", "service-action", "operator-action")


def enter(entry: entries.AnyEntry, beside: tuple[Any, ...]) -> Record:
    """Append one record with its details; its row."""
    (number,) = store().append([(entry, beside)])
    return Record(id=number, kind=told.kind(entry), details_digest=entry.object, data=entries.encode(entry))


@contextmanager
def recording_act(
    actor: Actor,
    action: Action,
    resource: str,
    details: dict[str, str],
    *,
    about: Resource = ORGANISATION,
    alone: bool = False,
) -> Iterator[str]:
    """Record an act on `resource` (`product:shop`), with details that are no secrets; the digest of the details.

    The rows that are written meanwhile, and that are relied on, are on the record too: so it is written at the end.
    `about` is what authorize() said yes to. `requests/execution.py` alone calls this, for each step of an act.
    """
    said = objects.PersonAction(actor.person, resource, details, objects.salt())
    with collect_rows() as rows:
        yield canonical.digest_of(said)
    states = make_states(rows)
    entry = _record_class(actor)(
        time=moments.now(),
        object=canonical.digest_of(said),
        action=code(action),
        role=_role(actor, action, about),
        resource_kind=resource.partition(":")[0],
        person=objects.commitment(actor.person, said.salt),
        without_second_person=alone,
        rows=digest_of_states(state.commitment for state in states),
    )
    store_states(states, enter(entry, (said,)).pk)


def record_act(
    actor: Actor,
    action: Action,
    resource: str,
    details: dict[str, str],
    *,
    about: Resource = ORGANISATION,
    alone: bool = False,
) -> str:
    """Record a step of an act that writes no row that is relied on, such as a request; the digest of the details."""
    with recording_act(actor, action, resource, details, about=about, alone=alone) as digest:
        pass
    return digest


@contextmanager
def recording_erasure(reason: str) -> Iterator[None]:
    """Record that the eraser erases a person from rows that are relied on: those that it writes meanwhile.

    In the transaction that is under way. An erasure of stored objects has a record of its own.
    """
    with collect_rows() as rows:
        yield
    states = make_states(rows)
    erased = objects.ErasedObjects((), reason, objects.salt())
    digest = digest_of_states(state.commitment for state in states)
    entry = entries.ErasureRecord(time=moments.now(), object=canonical.digest_of(erased), object_count=0, rows=digest)
    store_states(states, enter(entry, (erased,)).pk)


def _record_class(
    actor: Actor,
) -> type[entries.PersonActionRecord | entries.ServiceActionRecord | entries.OperatorActionRecord]:
    """The kind of record of an actor's acts. The company's sign-in acts in the web process, as persons do."""
    if actor.person == SystemActor.OPERATOR.value:
        return entries.OperatorActionRecord
    if actor.person in SYSTEM_IDS and actor.person != SystemActor.COMPANY_SIGN_IN.value:
        return entries.ServiceActionRecord
    return entries.PersonActionRecord


def code(action: Action) -> str:
    """An action as the record and addresses write it."""
    return action.name.lower().replace("_", "-")


def _role(actor: Actor, action: Action, about: Resource) -> str:
    """The role under which they may; "self" for what is one's own, "installation" for what no person does."""
    if actor.person in SYSTEM_IDS:
        return INSTALLATION
    wanted = action.rule.roles | action.rule.second
    held = [grant.role for grant in actor.grants if grant.product in (EVERYWHERE, about.product)]
    return next((role.value for role in held if role in wanted), "self")
