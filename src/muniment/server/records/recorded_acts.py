"""Finds the recorded act that enqueued a background task: the task does only what that act says.

With the web's credentials any task can be put into the queue.
"""

from django.utils.translation import gettext as _

from muniment.errors import UnrecordedTaskError
from muniment.facts import canonical
from muniment.ledger import record_objects
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details

_STEPS = ("performed", "approved")  # in which an act is carried out


def require_act(record: str, act_digest: str, person: str = "") -> None:
    """Raise UnrecordedTaskError unless the record with these details is of the act with this digest, carried out.

    `person`: the internal id of who performed it; "" for anybody.
    """
    row = Record.objects.filter(kind="person-action", details_digest=record, refusal=None).first()
    details = read_details(record, record_objects.PersonAction) if row is not None and record else None
    if (
        not isinstance(details, record_objects.PersonAction)
        or canonical.digest_value(details) != record
        or details.details.get("step") not in _STEPS
        or details.details.get("act_digest") != act_digest
        or person not in ("", details.person)
    ):
        raise make_unrecorded_error()


def make_unrecorded_error() -> UnrecordedTaskError:
    """Error of a task that no recorded act requested."""
    return UnrecordedTaskError(
        _("no recorded act asked for this background task"),
        _("Find out who put it into the queue. If it is wanted, request it again."),
    )
