"""Background tasks for deployments."""

from django.utils import timezone

from muniment.decision.freezes import is_freeze_in_force
from muniment.server import moments
from muniment.server.deployments import (
    deployment_decision,
    deployment_end,
    issuer_keys,
    job_run_decision,
    vault_role_access,
)
from muniment.server.deployments.models import (
    BreakGlassPermission,
    Deployment,
    DeploymentPermission,
    DeploymentState,
    RunningArtifact,
)
from muniment.server.job_queue import OtherWorkerError, enqueue, register_task
from muniment.server.records.installation import open_store
from muniment.server.records.recorded_acts import make_unrecorded_error

_ROWS = ("environment__product", "pipeline", "verified__record")


def _find_deployment(deployment: int) -> Deployment | None:
    return Deployment.objects.select_related(*_ROWS).filter(pk=deployment).first()


@register_task("evaluate-deployment")
def evaluate_deployment_task(deployment: int) -> None:
    """Decide on a requested deployment."""
    row = _find_deployment(deployment)
    if row is not None:
        deployment_decision.decide_deployment(row)


@register_task("check-deployment")
def check_deployment_task(deployment: int) -> None:
    """Check once more whether a permission is still valid."""
    row = _find_deployment(deployment)
    if row is not None:
        deployment_end.check_permission(row)


@register_task("record-deployment-outcome")
def record_report_task(deployment: int) -> None:
    """Record the outcome that a pipeline reported."""
    row = _find_deployment(deployment)
    if row is not None:
        deployment_end.record_report(row)


@register_task("close-deployment-access")
def close_access_task(deployment: int) -> None:
    """Close the vault's role for a run that has its secrets."""
    row = _find_deployment(deployment)
    if row is not None:
        deployment_end.close_deployment_access(row)


@register_task("evaluate-job-run")
def evaluate_job_run(run: int) -> None:
    """Decide on a run of a job that needs secrets."""
    row = job_run_decision.find_job_run(run)
    if row is not None:
        job_run_decision.decide_run(row)


@register_task("withdraw-job-run")
def withdraw_job_run(run: int) -> None:
    """Withdraw a run whose job waits no longer."""
    row = job_run_decision.find_job_run(run)
    if row is not None:
        job_run_decision.withdraw_run(row)


@register_task("close-job-run")
def close_job_run(run: int) -> None:
    """Close the vault's role for a run that has its secrets."""
    row = job_run_decision.find_job_run(run)
    if row is not None:
        job_run_decision.close_run_access(row)


@register_task("record-running-artifact")
def record_sighting_task(sighting: int) -> None:
    """Check whether the artifact that runs somewhere was allowed there."""
    row = RunningArtifact.objects.select_related("environment__product").filter(pk=sighting).first()
    if row is not None:
        deployment_end.record_sighting(row)


@register_task("revoke-deployments")
def stop_deployments() -> None:
    """End the permissions that a recorded freeze concerns, and the tokens that pipelines got with them."""
    rows = DeploymentPermission.objects.filter(
        state__in=[DeploymentState.PENDING, DeploymentState.ALLOWED]
    ).values_list("deployment", flat=True)
    for number in rows:
        row = _find_deployment(number)
        permission = DeploymentPermission.objects.select_related("break_glass").get(deployment=number)
        try:
            why = deployment_end.find_permission_end(row, permission) if row is not None else ""
        except OtherWorkerError:  # whether its commit is still there, its own worker sees
            enqueue("check-deployment", deployment=number)
            continue
        if row is not None and why:
            deployment_end.end_permission(row, why)
    now = moments.current_moment()
    if any(is_freeze_in_force(freeze, now) and not freeze.drill for freeze in open_store().list_freezes()):
        vault_role_access.end_all_access()


@register_task("review-break-glass-deployment")
def review_break_glass_task(permission: int) -> None:
    """Open the incident in which a break-glass deployment is reviewed."""
    row = BreakGlassPermission.objects.select_related("environment__product").filter(pk=permission).first()
    if row is not None:
        deployment_end.open_break_glass_review(row)


@register_task("read-issuer-keys")
def read_issuer_task(url: str) -> None:
    """Read the public keys of an issuer. Raises UnrecordedTaskError for one that nobody ever trusted."""
    if url not in issuer_keys.find_recorded_issuers():
        raise make_unrecorded_error()
    issuer_keys.read_issuer_keys(url)


def continue_deployments() -> None:
    """For the rounds: make ready deployments that wait for another's role to close, and end those without a report."""
    for number in DeploymentPermission.objects.filter(state=DeploymentState.PENDING).values_list(
        "deployment", flat=True
    ):
        enqueue("evaluate-deployment", deployment=number)
    deployment_end.end_unreported()
    job_run_decision.close_expired_runs()


def read_issuers() -> None:
    """For the rounds: read the keys of every trusted issuer, again and again."""
    for url in issuer_keys.find_due_issuers(timezone.now()):
        enqueue("read-issuer-keys", url=url)
