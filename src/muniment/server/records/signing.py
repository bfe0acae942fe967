"""Signs permissions to deploy, each only for an allow decision, or an act of two people, that has its position.

Only the sequencer has the key, and what it signs it reads from the ledger: a worker that was taken over gets nothing
signed that no record allows.
"""

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from muniment.decision.decision import Outcome
from muniment.errors import LedgerError, StoreError
from muniment.facts import canonical
from muniment.ledger import entries, objects
from muniment.pipelines import vsa
from muniment.policy.model import Point
from muniment.server import moments
from muniment.server.guarding.keys import deploy_key
from muniment.server.moments import MOST_SKEW
from muniment.server.records.installation import store
from muniment.server.records.models import Record, SignedPermission, SigningRequest
from muniment.server.records.reading import beside

GOOD_FOR = timedelta(minutes=5)
OLDEST = timedelta(minutes=30)  # of a decision, when the permission is signed
BREAK_GLASS = "break-glass-deployment"  # the action of the act of two people

_READY_WITHIN = timedelta(minutes=15)  # of an act of two people, beyond its own minutes
_MOST = 100  # in one pass
_STEPS = ("approved", "performed")  # of an act: by the second person; or alone, during the bootstrap

_log = logging.getLogger("muniment.sequencer")


class _Basis(NamedTuple):
    """What allows a deployment: `basis` as the record has it, the digest of the policy, and when it is too old."""

    basis: str
    policy: str
    time: str
    oldest: timedelta


class _RefusedError(Exception):
    """The request is not signed, and why."""

    def __init__(self, reason: SignedPermission.Refusal) -> None:
        super().__init__(reason.label)
        self.reason = reason


def sign_permissions() -> int:
    """Sign what waits and whose records have their positions; how many were signed or refused.

    What cannot be read now is left to the next time, and holds up no other.
    """
    since = timezone.now() - OLDEST - _READY_WITHIN
    rows = SigningRequest.objects.filter(signed=None, requested_at__gte=since).order_by("pk")
    waiting = rows.exclude(request__place__position=None).exclude(basis__place__position=None)
    refused = rows.exclude(request__refusal=None, basis__refusal=None)
    count = 0
    for row in (waiting | refused).select_related("request", "basis")[:_MOST]:
        try:
            _sign(row)
        except (LedgerError, StoreError) as error:
            _log.error("the permission to deploy %s could not be signed: %s", row.pk, error.message)
        else:
            count += 1
    return count


def _sign(row: SigningRequest) -> None:
    now = timezone.now()
    private = deploy_key(Path(settings.HOME))
    try:
        basis, permission = _read_permission(row, now)
    except _RefusedError as refused:
        _log.error("the permission to deploy %s was refused: %s", row.pk, refused.reason.label)
        SignedPermission.objects.create(signing_request=row, refusal=refused.reason)
        return
    envelope = vsa.make(permission, private)
    expires_at = now + GOOD_FOR
    entry = entries.DeploymentPermissionRecord(
        time=moments.text(now),
        object="",
        request=row.request.details_digest,
        envelope=canonical.digest(envelope),
        basis=basis,
        expires=moments.text(expires_at),
    )
    with transaction.atomic():
        store().append([(entry, ())])
        SignedPermission.objects.create(signing_request=row, envelope=envelope.decode(), expires_at=expires_at)


def _read_permission(row: SigningRequest, now: datetime) -> tuple[str, vsa.Permission]:
    """What allows it, and what is to be signed. Raises _RefusedError, and LedgerError or StoreError if it cannot be
    read.
    """
    request = _entry_of(row.request)
    if not isinstance(request, entries.DeploymentRequestRecord):
        raise _RefusedError(SignedPermission.Refusal.REQUEST)
    requested = beside(request.object, objects.DeploymentRequest)
    if not isinstance(requested, objects.DeploymentRequest) or (requested.artifact, requested.commit) != (
        request.artifact,
        request.commit,
    ):
        raise _RefusedError(SignedPermission.Refusal.REQUEST)
    basis = _read_basis(row, request, requested)
    age = now - moments.read(basis.time)
    if not -MOST_SKEW <= age <= basis.oldest:
        raise _RefusedError(SignedPermission.Refusal.AGE)
    return basis.basis, vsa.Permission(
        artifact=request.artifact,
        product=requested.product,
        environment=requested.environment,
        policy=basis.policy,
        inputs=tuple(map(str, row.provenance)),
        verifier="muniment",
        time=moments.text(now),
    )


def _read_basis(
    row: SigningRequest, request: entries.DeploymentRequestRecord, requested: objects.DeploymentRequest
) -> _Basis:
    entry = _entry_of(row.basis)
    if isinstance(entry, entries.DecisionRecord):
        answers = (entry.point, entry.trigger, entry.head) == (Point.DEPLOY.value, request.object, request.commit)
        if answers and entry.enforced and entry.outcome == Outcome.ALLOW.value:
            return _Basis("policy", entry.policy, entry.time, OLDEST)
    elif isinstance(entry, entries.PersonActionRecord) and entry.action == BREAK_GLASS:
        act = beside(entry.object, objects.PersonAction)
        if isinstance(act, objects.PersonAction):
            environment = f"environment:{requested.product}/{requested.environment}"
            minutes = act.details.get("minutes", "")
            is_for = (act.resource, act.details.get("artifact")) == (environment, request.artifact)
            if is_for and act.details.get("step") in _STEPS and minutes.isdecimal():
                oldest = timedelta(minutes=int(minutes)) + _READY_WITHIN
                return _Basis(BREAK_GLASS, entry.object, entry.time, oldest)
    raise _RefusedError(SignedPermission.Refusal.BASIS)


def _entry_of(row: Record) -> entries.AnyEntry | None:
    """A record, as the ledger has it at its position; None if it was refused, or differs from the ledger."""
    place = getattr(row, "place", None)
    if place is None or place.position is None:
        return None
    data = next(iter(store().log().entries(place.position, place.position + 1)), None)
    return entries.decode(data, place.position) if data is not None and data == bytes(row.data) else None
