"""Puts entries into the record, in the transaction of what they record. The sequencer gives each its place later."""

from typing import Any

from django.db import connection

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Resource
from muniment.access.roles import EVERYWHERE
from muniment.facts import canonical
from muniment.ledger import entries, objects, told
from muniment.server import moments
from muniment.server.installation import home
from muniment.server.record.models import Entry

SHELL = Actor(person="(shell)", active=True)  # whoever starts Muniment on its machine; nobody can have that id
INSTALLATION = "installation"

_INSERT = """
    INSERT INTO record_entry (kind, time, object, data) VALUES (%s, %s, %s, %s) RETURNING id
"""  # without `place`: the web may not name that column


def enter(entry: entries.AnyEntry, beside: tuple[Any, ...]) -> Entry:
    """Add one entry, with the objects that lie beside it."""
    home().put_all([canonical.encode(kept) for kept in beside])
    data = entries.encode(entry)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [told.kind(entry), entry.time, entry.object, data])
        (number,) = cursor.fetchone() or (None,)
    return Entry(id=number, kind=told.kind(entry), object=entry.object, data=data)


def act(
    actor: Actor,
    action: Action,
    resource: str,
    details: dict[str, str],
    *,
    about: Resource = ORGANISATION,
    alone: bool = False,
) -> str:
    """Record that a person did something: to `resource` (`product:shop`), with particulars that are no secrets.

    `about` is what authorize() said yes to. The digest of what lies beside.
    """
    return acted(actor, action, resource, details, about=about, alone=alone).object


def acted(
    actor: Actor,
    action: Action,
    resource: str,
    details: dict[str, str],
    *,
    about: Resource = ORGANISATION,
    alone: bool = False,
) -> Entry:
    """As `act`; the entry itself."""
    said = objects.Act(actor.person, resource, details, objects.salt())
    entry = entries.Acted(
        time=moments.now(),
        object=canonical.digest_of(said),
        action=code(action),
        role=_role(actor, action, about),
        resource=resource.partition(":")[0],
        person=objects.commitment(actor.person, said.salt),
        alone=alone,
    )
    return enter(entry, (said,))


def code(action: Action) -> str:
    """An action as the record and addresses write it."""
    return action.name.lower().replace("_", "-")


def _role(actor: Actor, action: Action, about: Resource) -> str:
    """The role under which they may; "self" for what is one's own."""
    wanted = action.rule.roles | action.rule.second
    held = [grant.role for grant in actor.grants if grant.product in (EVERYWHERE, about.product)]
    return next((role.value for role in held if role in wanted), INSTALLATION if actor == SHELL else "self")
