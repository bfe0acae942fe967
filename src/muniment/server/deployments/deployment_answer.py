"""Answer to a pipeline about its deployment: its state, what blocks it, and the permission while it is valid."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from muniment.decision.report import DecisionReport, ReasonReport
from muniment.server.deployments.models import Deployment, DeploymentPermission, DeploymentState, VerifiedRequest
from muniment.server.job_queue import enqueue
from muniment.server.records.models import SignedPermission
from muniment.server.records.record_details import read_details

_STOPPING = ("violated", "unknown")


def request_check(row: Deployment) -> datetime:
    """Have a permission checked once more; the moment of the request, by the database's clock."""
    since = read_database_clock()
    if row.state == DeploymentState.ALLOWED:  # even after its permission expired: its pipeline has used it
        enqueue("check-deployment", deployment=row.pk)
    return since


def is_waiting(row: Deployment, since: datetime) -> bool:
    """Whether it is not decided yet, or was not checked again since then."""
    return row.state == "pending" or (_is_allowed(row) and not _is_checked_since(row, since))


def take_over_signed(row: Deployment) -> bool:
    """Have a permission that was signed meanwhile taken over, if it still waits for that; whether it was."""
    request = VerifiedRequest.objects.filter(deployment=row).values("record")
    signed = SignedPermission.objects.filter(signing_request__request__in=request)
    ready = row.state == "pending" and signed.exists()
    if ready:
        enqueue("evaluate-deployment", deployment=row.pk)
    return ready


def reload_deployment(row: Deployment) -> Deployment:
    """Reload the deployment from the database."""
    return Deployment.objects.select_related("environment__product", "pipeline", "permission").get(pk=row.pk)


def make_answer(row: Deployment, since: datetime) -> dict[str, object]:
    """Make the answer. A permission that was not checked since `since` is left out."""
    if is_waiting(row, since):
        return {
            "id": row.pk,
            "state": "pending",
            "reasons": list(_list_waiting_reasons(row)),
            "vsa": None,
            "until": None,
        }
    permission = row.permission
    reasons = [
        {"clause": clause, "message": one.message, "remedy": one.remedy} for clause, one in list_blocking_reasons(row)
    ]
    if permission.reason:
        remedy = "Ask again once that is over."
        if row.state == DeploymentState.DENIED and permission.record_id is not None:
            remedy = "Ask again once that is over, or let muniment deploy wait for it (--wait SECONDS)."
        reasons.append({"clause": "", "message": permission.reason, "remedy": remedy})
    return {
        "id": row.pk,
        "state": row.state,
        "reasons": reasons,
        "vsa": json.loads(permission.vsa) if _is_allowed(row) and permission.vsa else None,
        "until": permission.expires_at.isoformat() if permission.expires_at is not None else None,
    }


def _list_waiting_reasons(row: Deployment) -> Iterator[dict[str, str]]:
    """Reasons why it still waits, where they are known."""
    permission = getattr(row, "permission", None)
    if permission is not None and permission.state == DeploymentState.PENDING and permission.reason:
        yield {"clause": "", "message": permission.reason, "remedy": "It goes on by itself once that is over."}


def list_blocking_reasons(row: Deployment) -> Iterator[tuple[str, ReasonReport]]:
    """(clause, reason) of everything that blocks it, "" for the reasons of no clause. An erased decision gives
    none.
    """
    report: Any = (
        read_details(row.permission.explanation_digest, DecisionReport) if row.permission.explanation_digest else None
    )
    if not isinstance(report, DecisionReport):
        return
    for result in report.results:
        if result.status in _STOPPING and result.enforced and not result.exception:
            yield from ((result.clause, reason) for reason in result.reasons)
    yield from (("", reason) for reason in report.reasons)


def has_vault_access(row: Deployment) -> bool:
    """Whether the vault's role is still open for it."""
    return DeploymentPermission.objects.filter(deployment=row, vault_access=True).exists()


def read_database_clock() -> datetime:
    """Current moment, by the clock that all processes share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (found,) = cursor.fetchone() or (None,)
    return found  # type: ignore[return-value]


def _is_allowed(row: Deployment) -> bool:
    """Whether it has a permission that is valid, as far as is known."""
    if row.state != DeploymentState.ALLOWED:
        return False
    until = row.permission.expires_at
    return until is not None and timezone.now() < until


def _is_checked_since(row: Deployment, since: datetime) -> bool:
    checked = row.permission.checked_at
    return checked is not None and checked >= since
