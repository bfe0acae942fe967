"""Looks up the recorded act that put a background task into the queue: the task does only what that act says.

Whoever has the web's credentials can put any task into the queue.
"""

from django.utils.translation import gettext as _

from muniment.errors import UnrecordedTaskError
from muniment.facts import canonical
from muniment.ledger import objects
from muniment.server.records.models import Record
from muniment.server.records.reading import beside

_STEPS = ("performed", "approved")  # in which an act is carried out


def require_act(record: str, act_digest: str, person: str = "") -> None:
    """Raise UnrecordedTaskError unless the record with these details is of the act with this digest, carried out.

    `person`: the internal id of who performed it; "" for anybody.
    """
    row = Record.objects.filter(kind="person-action", details_digest=record, refusal=None).first()
    said = beside(record, objects.PersonAction) if row is not None and record else None
    if (
        not isinstance(said, objects.PersonAction)
        or canonical.digest_of(said) != record
        or said.details.get("step") not in _STEPS
        or said.details.get("act_digest") != act_digest
        or person not in ("", said.person)
    ):
        raise unrecorded()


def unrecorded() -> UnrecordedTaskError:
    """What a task raises that no recorded act asked for."""
    return UnrecordedTaskError(
        _("no recorded act asked for this background task"),
        _("Find out who put it into the queue. If it is wanted, request it again."),
    )
