"""What a pipeline is told of its deployment: its state, what stands in the way, and the permission while it holds."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from muniment.decision.account import DecisionReport, ReasonReport
from muniment.server.deployments.models import Deployment, DeploymentPermission, DeploymentState, VerifiedRequest
from muniment.server.records.models import SignedPermission
from muniment.server.records.reading import beside
from muniment.server.work import soon

_STOPPING = ("violated", "unknown")


def ask_again(row: Deployment) -> datetime:
    """Have what is allowed looked at once more; the moment of asking, by the database's clock."""
    since = clock()
    if row.state == DeploymentState.ALLOWED:  # after its permission's minutes too: its pipeline was heard of
        soon("check-deployment", deployment=row.pk)
    return since


def waits(row: Deployment, since: datetime) -> bool:
    """Whether it is not decided yet, or was not looked at again since then."""
    return row.state == "pending" or (_may_end(row) and not _seen(row, since))


def go_on(row: Deployment) -> bool:
    """Have a permission that was signed by now taken over, if it still waits for that; whether it was."""
    request = VerifiedRequest.objects.filter(deployment=row).values("record")
    signed = SignedPermission.objects.filter(signing_request__request__in=request)
    ready = row.state == "pending" and signed.exists()
    if ready:
        soon("evaluate-deployment", deployment=row.pk)
    return ready


def anew(row: Deployment) -> Deployment:
    """The deployment as it stands by now."""
    return Deployment.objects.select_related("environment__product", "pipeline", "permission").get(pk=row.pk)


def told(row: Deployment, since: datetime) -> dict[str, Any]:
    """The answer. A permission that was not looked at again since `since` is not told."""
    if waits(row, since):
        return {"id": row.pk, "state": "pending", "reasons": list(_holding_up(row)), "vsa": None, "until": None}
    permission = row.permission
    reasons = [{"clause": clause, "message": one.message, "remedy": one.remedy} for clause, one in reasons_of(row)]
    if permission.reason:
        remedy = "Ask again once that is over."
        if row.state == DeploymentState.DENIED and permission.record_id is not None:
            remedy = "Ask again once that is over, or let muniment deploy wait for it (--wait SECONDS)."
        reasons.append({"clause": "", "message": permission.reason, "remedy": remedy})
    return {
        "id": row.pk,
        "state": row.state,
        "reasons": reasons,
        "vsa": json.loads(permission.vsa) if _may_end(row) and permission.vsa else None,
        "until": permission.expires_at.isoformat() if permission.expires_at is not None else None,
    }


def _holding_up(row: Deployment) -> Iterator[dict[str, str]]:
    """Why it still waits, where that is known."""
    permission = getattr(row, "permission", None)
    if permission is not None and permission.state == DeploymentState.PENDING and permission.reason:
        yield {"clause": "", "message": permission.reason, "remedy": "It goes on by itself once that is over."}


def reasons_of(row: Deployment) -> Iterator[tuple[str, ReasonReport]]:
    """(clause, reason) of all that stands in the way, "" for what is nobody's clause. What was erased says nothing."""
    said: Any = beside(row.permission.explanation_digest, DecisionReport) if row.permission.explanation_digest else None
    if not isinstance(said, DecisionReport):
        return
    for result in said.results:
        if result.status in _STOPPING and result.enforced and not result.exception:
            yield from ((result.clause, reason) for reason in result.reasons)
    yield from (("", reason) for reason in said.reasons)


def has_access(row: Deployment) -> bool:
    """Whether the vault's role is still open for it."""
    return DeploymentPermission.objects.filter(deployment=row, vault_access=True).exists()


def clock() -> datetime:
    """This moment, by the clock that all processes share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (found,) = cursor.fetchone() or (None,)
    return found  # type: ignore[return-value]


def _may_end(row: Deployment) -> bool:
    """Whether it is a permission that holds, as far as is known."""
    if row.state != DeploymentState.ALLOWED:
        return False
    until = row.permission.expires_at
    return until is not None and timezone.now() < until


def _seen(row: Deployment, since: datetime) -> bool:
    checked = row.permission.checked_at
    return checked is not None and checked >= since
