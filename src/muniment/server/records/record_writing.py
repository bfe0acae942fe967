"""Appends records, in the transaction of what they record. The sequencer assigns their positions later."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.access.roles import EVERYWHERE
from muniment.facts import canonical
from muniment.ledger import record_kinds, record_objects, record_text
from muniment.server import moments
from muniment.server.acts.system_actors import SYSTEM_IDS, SystemActor
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.records.recorded_rows import collect_rows
from muniment.server.records.row_states import digest_states, make_states, store_states

INSTALLATION = "installation"
ACTION_KINDS = ("person-action", "service-action", "operator-action")


def append_record(entry: record_kinds.AnyEntry, details: tuple[Any, ...]) -> Record:
    """Append one record with its details; its row."""
    (number,) = open_store().append_records([(entry, details)])
    return Record(
        id=number,
        kind=record_text.record_kind(entry),
        details_digest=entry.object,
        data=record_kinds.encode_record(entry),
    )


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

    The record also covers the recorded rows that this block writes: so it is appended at the end. `about` is the
    resource that authorize() allowed. `requests/execution.py` alone calls this, for each step of an act.
    """
    act_details = record_objects.PersonAction(actor.person, resource, details, record_objects.draw_salt())
    with collect_rows() as rows:
        yield canonical.digest_value(act_details)
    states = make_states(rows)
    entry = _choose_record_class(actor)(
        time=moments.current_moment(),
        object=canonical.digest_value(act_details),
        action=action_code(action),
        role=_find_role(actor, action, about),
        resource_kind=resource.partition(":")[0],
        person=record_objects.make_commitment(actor.person, act_details.salt),
        without_second_person=alone,
        rows=digest_states(state.commitment for state in states),
    )
    store_states(states, append_record(entry, (act_details,)).pk)


def record_act(
    actor: Actor,
    action: Action,
    resource: str,
    details: dict[str, str],
    *,
    about: Resource = ORGANISATION,
    alone: bool = False,
) -> str:
    """Record a step of an act that writes no recorded row, such as a request; the digest of the details."""
    with recording_act(actor, action, resource, details, about=about, alone=alone) as digest:
        pass
    return digest


@contextmanager
def recording_erasure(reason: str) -> Iterator[None]:
    """Record that the eraser erases a person from the recorded rows that this block writes.

    In the current transaction. An erasure of stored objects has a record of its own.
    """
    with collect_rows() as rows:
        yield
    states = make_states(rows)
    erased = record_objects.ErasedObjects((), reason, record_objects.draw_salt())
    digest = digest_states(state.commitment for state in states)
    entry = record_kinds.ErasureRecord(
        time=moments.current_moment(), object=canonical.digest_value(erased), object_count=0, rows=digest
    )
    store_states(states, append_record(entry, (erased,)).pk)


def _choose_record_class(
    actor: Actor,
) -> type[record_kinds.PersonActionRecord | record_kinds.ServiceActionRecord | record_kinds.OperatorActionRecord]:
    """Kind of record of an actor's acts. The company's sign-in acts in the web process, as persons do."""
    if actor.person == SystemActor.OPERATOR.value:
        return record_kinds.OperatorActionRecord
    if actor.person in SYSTEM_IDS and actor.person != SystemActor.COMPANY_SIGN_IN.value:
        return record_kinds.ServiceActionRecord
    return record_kinds.PersonActionRecord


def action_code(action: Action) -> str:
    """Code of an action in records and addresses."""
    return action.name.lower().replace("_", "-")


def _find_role(actor: Actor, action: Action, about: Resource) -> str:
    """Role that allows the action; "self" for one's own resource, "installation" for an act of no person."""
    if actor.person in SYSTEM_IDS:
        return INSTALLATION
    wanted = action.rule.roles | action.rule.second
    held = [grant.role for grant in actor.grants if grant.product in (EVERYWHERE, about.product)]
    return next((role.value for role in held if role in wanted), "self")
