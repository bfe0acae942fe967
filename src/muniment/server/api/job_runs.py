"""Runs of jobs that get secrets without a deployment, as their pipelines request them."""

import time
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from pydantic import Field

from muniment.access.actions import Action
from muniment.server.api import deployments
from muniment.server.api.deployments import (
    COMMIT,
    ENVIRONMENT_SLUG,
    Bearer,
    for_pipelines,
    identify_pipeline,
    read_idempotency_key,
    require_same_run,
)
from muniment.server.api_serving import ApiProblem
from muniment.server.deployments import job_run_decision
from muniment.server.deployments.models import DeploymentState, JobRun, JobRunPermission, PipelineIdentity
from muniment.server.guarding.mediation import allow_writes
from muniment.server.job_queue import enqueue

router = Router(auth=Bearer())


class JobRunIn(Schema):
    """Environment of the secrets that a job needs, and the commit that it runs on."""

    model_config = {"extra": "forbid"}

    product: str = Field(pattern=ENVIRONMENT_SLUG)
    environment: str = Field(pattern=ENVIRONMENT_SLUG)
    commit: str = Field(pattern=COMMIT)


@router.post("/runs", response={202: dict[str, object]})
@for_pipelines
def request_job_run(request: HttpRequest, body: JobRunIn) -> Any:
    """Request the secrets of an environment for one run of a job. An Idempotency-Key has to be sent along."""
    key = read_idempotency_key(request)
    purpose = PipelineIdentity.Purpose.RUN
    environment, pipeline, identity = identify_pipeline(request, body.product, body.environment, purpose)
    with allow_writes(Action.DEPLOY), transaction.atomic():
        token = request.auth  # type: ignore[attr-defined]
        row = job_run_decision.store_run_request(environment, pipeline, identity, body.commit, key, token)
    return Status(202, {"id": row.pk, "state": DeploymentState.PENDING})


@router.get("/runs/{number}")
@for_pipelines
def get_job_run(request: HttpRequest, number: int) -> dict[str, object]:
    """Show the state of a run: `pending`, `allowed`, `denied` or `withdrawn`, and why."""
    row = _find_own_run(request, number)
    end = time.monotonic() + deployments.WAIT_SECONDS
    while (found := _find_permission(row)) is None and time.monotonic() < end:
        time.sleep(deployments.STEP_SECONDS)
    if found is None:
        return {"id": number, "state": DeploymentState.PENDING, "reasons": [], "until": None}
    until = found.expires_at.isoformat() if found.expires_at is not None else None
    reasons = [{"clause": "", "message": found.reason, "remedy": found.remedy}] if found.reason else []
    return {"id": number, "state": found.state, "reasons": reasons, "until": until}


@router.post("/runs/{number}/withdrawal", response={202: dict[str, object]})
@for_pipelines
def withdraw_run_request(request: HttpRequest, number: int) -> Any:
    """Withdraw a run: its job waits no longer, and it is never allowed later."""
    row = _find_own_run(request, number)
    with allow_writes(Action.DEPLOY), transaction.atomic():
        enqueue("withdraw-job-run", run=row.pk)
    return Status(202, {"id": number})


@router.post("/runs/{number}/fetched")
@for_pipelines
def end_run_access(request: HttpRequest, number: int) -> dict[str, object]:
    """Close the vault's role to a run that has its secrets. Send it again while it is `open`."""
    row = _find_own_run(request, number)
    with allow_writes(Action.DEPLOY), transaction.atomic():
        enqueue("close-job-run", run=row.pk)
    end = time.monotonic() + deployments.WAIT_SECONDS
    while (still := _is_access_open(row)) and time.monotonic() < end:
        time.sleep(deployments.STEP_SECONDS)
    return {"id": number, "open": still}


def _find_own_run(request: HttpRequest, number: int) -> JobRun:
    """Run of that number, if this very run of this very pipeline requested it."""
    row = job_run_decision.find_job_run(number)
    if row is None:
        raise ApiProblem(404, "not-found", _("There is no such run."))
    place, purpose = row.environment, PipelineIdentity.Purpose.RUN
    _found, pipeline, identity = identify_pipeline(request, place.product.slug, place.name, purpose)
    if pipeline.pk != row.pipeline_id:
        raise ApiProblem(404, "not-found", _("There is no such run."))
    require_same_run(identity, row.identity)
    return row


def _find_permission(row: JobRun) -> JobRunPermission | None:
    return JobRunPermission.objects.filter(run=row).exclude(state=DeploymentState.PENDING, reason="").first()


def _is_access_open(row: JobRun) -> bool:
    return JobRunPermission.objects.filter(run=row, vault_access=True).exists()
