"""Finds freezes whose lift lacks signatures of two persons, which the policy demanded when it was recorded."""

from django.db import connection

from muniment.access.actions import Action
from muniment.errors import ErasedError
from muniment.ledger import record_kinds, record_objects
from muniment.server.guarding.database_roles import WORKER
from muniment.server.policies.exception_proofs import ACT
from muniment.server.policies.freeze_acts import LiftFreeze
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record
from muniment.server.requests.models import ProvenRow
from muniment.server.requests.proven_rows import is_demanded_at
from muniment.server.requests.signed_acts import find_signed_act
from muniment.store.entry_objects import read_object

_TABLE = "freeze-lift"  # of the rows that say that a lift was compared: it is a record, and no row of a table
_known: set[str] = set()  # digests of lifts that are proven, or that needed nothing: neither changes


def is_lift_proven(entry: record_kinds.FreezeLiftRecord) -> bool:
    """Whether a record lifts a freeze: two persons signed that, or no signatures were demanded when it was written."""
    if entry.object in _known:
        return True
    number = Record.objects.filter(kind="freeze-lift", details_digest=entry.object).values_list("pk", flat=True).first()
    if number is None:
        return False
    proven = (
        not is_demanded_at(number, Action.LIFT_FREEZE)
        or ProvenRow.objects.filter(record=number, table=_TABLE, key=entry.freeze).exists()
        or _is_lift_signed(entry, number)
    )
    if proven:
        _known.add(entry.object)
    return proven


def _is_lift_signed(entry: record_kinds.FreezeLiftRecord, number: int) -> bool:
    """Whether two persons signed the act that its statement names. The worker remembers it: that text can be erased."""
    try:
        statement = read_object(open_store(), entry.object, record_objects.PersonStatement)
    except ErasedError:
        return False
    digest = statement.signature.removeprefix(ACT)
    act = Record.objects.filter(kind="person-action", details_digest=digest).values_list("pk", flat=True).first()
    signed = find_signed_act(act) if act is not None else None
    if signed is None or not isinstance(signed.act, LiftFreeze) or signed.act.freeze != entry.freeze:
        return False
    if connection.settings_dict["USER"] == WORKER:
        ProvenRow.objects.get_or_create(record_id=number, table=_TABLE, key=entry.freeze)
    return True
