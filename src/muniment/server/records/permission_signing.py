"""Signs permissions to deploy, each only for an allow decision, or an act of two people, that has its position.

Only the sequencer has the key, and it reads what it signs from the ledger: a compromised worker gets no permission
that no record allows.
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
from muniment.ledger import record_kinds, record_objects
from muniment.pipelines import verification_summaries
from muniment.policy.model import EnforcementPoint
from muniment.server import moments
from muniment.server.guarding.home_keys import read_deploy_key
from muniment.server.moments import MOST_SKEW
from muniment.server.records.installation import open_store
from muniment.server.records.models import Record, SignedPermission, SigningRequest
from muniment.server.records.record_details import read_details

PERMISSION_VALIDITY = timedelta(minutes=5)
OLDEST = timedelta(minutes=30)  # of a decision, when the permission is signed
BREAK_GLASS = "break-glass-deployment"  # the action of the act of two people

_READY_WITHIN = timedelta(minutes=15)  # of an act of two people, beyond its own minutes
_MOST = 100  # in one pass
_STEPS = ("approved", "performed")  # of an act: by the second person; or alone, during the bootstrap

_log = logging.getLogger("muniment.sequencer")


class _Basis(NamedTuple):
    """Basis of a deployment: `basis` as the record has it, the digest of the policy, and the greatest age."""

    basis: str
    policy: str
    time: str
    oldest: timedelta


class _RefusedError(Exception):
    """Raised for a request that is not signed, with the reason."""

    def __init__(self, reason: SignedPermission.Refusal) -> None:
        super().__init__(reason.label)
        self.reason = reason


def sign_permissions() -> int:
    """Sign the waiting requests whose records have their positions; the number of signed and refused ones.

    A request that cannot be read now waits for the next round, and does not delay others.
    """
    since = timezone.now() - OLDEST - _READY_WITHIN
    rows = SigningRequest.objects.filter(signed=None, requested_at__gte=since).order_by("pk")
    waiting = rows.exclude(request__place__position=None).exclude(basis__place__position=None)
    refused = rows.exclude(request__refusal=None, basis__refusal=None)
    count = 0
    for row in (waiting | refused).select_related("request", "basis")[:_MOST]:
        try:
            _sign_permission(row)
        except (LedgerError, StoreError) as error:
            _log.error("the permission to deploy %s could not be signed: %s", row.pk, error.message)
        else:
            count += 1
    return count


def _sign_permission(row: SigningRequest) -> None:
    now = timezone.now()
    # Read for each permission and stored nowhere: an exchanged key counts from the next one on.
    private = read_deploy_key(Path(settings.HOME))
    try:
        basis, permission = _read_permission(row, now)
    except _RefusedError as refused:
        _log.error("the permission to deploy %s was refused: %s", row.pk, refused.reason.label)
        SignedPermission.objects.create(signing_request=row, refusal=refused.reason)
        return
    envelope = verification_summaries.sign_permission(permission, private)
    expires_at = now + PERMISSION_VALIDITY
    entry = record_kinds.DeploymentPermissionRecord(
        time=moments.format_moment(now),
        object="",
        request=row.request.details_digest,
        envelope=canonical.digest_bytes(envelope),
        basis=basis,
        expires=moments.format_moment(expires_at),
    )
    # Together: a signed permission that no record names would be a deployment outside the ledger.
    with transaction.atomic():
        open_store().append_records([(entry, ())])
        SignedPermission.objects.create(signing_request=row, envelope=envelope.decode(), expires_at=expires_at)


def _read_permission(row: SigningRequest, now: datetime) -> tuple[str, verification_summaries.VerifiedPermission]:
    """Basis and permission to be signed. Raises _RefusedError, and LedgerError or StoreError if it cannot be read."""
    request = _read_entry(row.request)
    if not isinstance(request, record_kinds.DeploymentRequestRecord):
        raise _RefusedError(SignedPermission.Refusal.REQUEST)
    requested = read_details(request.object, record_objects.DeploymentRequest)
    if not isinstance(requested, record_objects.DeploymentRequest) or (requested.artifact, requested.commit) != (
        request.artifact,
        request.commit,
    ):
        raise _RefusedError(SignedPermission.Refusal.REQUEST)
    basis = _read_basis(row, request, requested)
    age = now - moments.parse_moment(basis.time)
    # An old decision may have been overtaken by a freeze or by a new policy: it is asked for again.
    if not -MOST_SKEW <= age <= basis.oldest:
        raise _RefusedError(SignedPermission.Refusal.AGE)
    return basis.basis, verification_summaries.VerifiedPermission(
        artifact=request.artifact,
        product=requested.product,
        environment=requested.environment,
        policy=basis.policy,
        inputs=tuple(map(str, row.provenance)),
        verifier="muniment",
        time=moments.format_moment(now),
    )


def _read_basis(
    row: SigningRequest, request: record_kinds.DeploymentRequestRecord, requested: record_objects.DeploymentRequest
) -> _Basis:
    entry = _read_entry(row.basis)
    if isinstance(entry, record_kinds.DecisionRecord):
        answers = (entry.point, entry.trigger, entry.head) == (
            EnforcementPoint.DEPLOY.value,
            request.object,
            request.commit,
        )
        if answers and entry.enforced and entry.outcome == Outcome.ALLOW.value:
            return _Basis("policy", entry.policy, entry.time, OLDEST)
    elif isinstance(entry, record_kinds.PersonActionRecord) and entry.action == BREAK_GLASS:
        act = read_details(entry.object, record_objects.PersonAction)
        if isinstance(act, record_objects.PersonAction):
            environment = f"environment:{requested.product}/{requested.environment}"
            minutes = act.details.get("minutes", "")
            is_for = (act.resource, act.details.get("artifact")) == (environment, request.artifact)
            if is_for and act.details.get("step") in _STEPS and minutes.isdecimal():
                oldest = timedelta(minutes=int(minutes)) + _READY_WITHIN
                return _Basis(BREAK_GLASS, entry.object, entry.time, oldest)
    raise _RefusedError(SignedPermission.Refusal.BASIS)


def _read_entry(row: Record) -> record_kinds.AnyEntry | None:
    """Record as the ledger has it at its position; None if it was refused, or differs from the ledger."""
    place = getattr(row, "place", None)
    if place is None or place.position is None:
        return None
    # The row could have been changed since its entry was written: what is signed is what the ledger has.
    data = next(iter(open_store().open_log().read_entries(place.position, place.position + 1)), None)
    return record_kinds.decode_record(data, place.position) if data is not None and data == bytes(row.data) else None
