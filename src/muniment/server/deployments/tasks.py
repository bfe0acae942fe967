"""Work in the background for deployments."""

from django.utils import timezone

from muniment.decision.freezes import is_in_force
from muniment.server import moments
from muniment.server.deployments import doors, issuers, judging, runs, watching
from muniment.server.deployments.models import (
    BreakGlassPermission,
    Deployment,
    DeploymentPermission,
    DeploymentState,
    RunningArtifact,
)
from muniment.server.records.installation import store
from muniment.server.records.recorded_acts import unrecorded
from muniment.server.work import OtherWorker, soon, task

_ROWS = ("environment__product", "pipeline", "verified__record")


def _found(deployment: int) -> Deployment | None:
    return Deployment.objects.select_related(*_ROWS).filter(pk=deployment).first()


@task("evaluate-deployment")
def judge_deployment(deployment: int) -> None:
    """Decide on what was asked."""
    row = _found(deployment)
    if row is not None:
        judging.judge(row)


@task("check-deployment")
def check_deployment(deployment: int) -> None:
    """Look once more whether a permission holds."""
    row = _found(deployment)
    if row is not None:
        watching.check(row)


@task("record-deployment-outcome")
def take_report(deployment: int) -> None:
    """Record what a pipeline reported."""
    row = _found(deployment)
    if row is not None:
        watching.take_report(row)


@task("close-deployment-access")
def close_access(deployment: int) -> None:
    """Close the vault's role for a run that has its secrets."""
    row = _found(deployment)
    if row is not None:
        watching.shut(row)


@task("evaluate-job-run")
def evaluate_job_run(run: int) -> None:
    """Decide on a run of a job that needs secrets."""
    row = runs.find_run(run)
    if row is not None:
        runs.evaluate_run(row)


@task("close-job-run")
def close_job_run(run: int) -> None:
    """Close the vault's role for a run that has its secrets."""
    row = runs.find_run(run)
    if row is not None:
        runs.close_run(row)


@task("record-running-artifact")
def take_sighting(sighting: int) -> None:
    """Look whether what runs somewhere came there with leave."""
    row = RunningArtifact.objects.select_related("environment__product").filter(pk=sighting).first()
    if row is not None:
        watching.take_sighting(row)


@task("revoke-deployments")
def stop_deployments() -> None:
    """A freeze was recorded: permissions that it concerns end, and the tokens that pipelines got with them."""
    rows = DeploymentPermission.objects.filter(
        state__in=[DeploymentState.PENDING, DeploymentState.ALLOWED]
    ).values_list("deployment", flat=True)
    for number in rows:
        row = _found(number)
        permission = DeploymentPermission.objects.select_related("break_glass").get(deployment=number)
        try:
            why = watching.ending(row, permission) if row is not None else ""
        except OtherWorker:  # whether its commit is still there, its own worker sees
            soon("check-deployment", deployment=number)
            continue
        if row is not None and why:
            watching.end(row, why)
    now = moments.now()
    if any(is_in_force(freeze, now) and not freeze.drill for freeze in store().freezes()):
        doors.end_all()


@task("review-break-glass-deployment")
def review_break_glass(permission: int) -> None:
    """Open the incident in which a break-glass deployment is reviewed."""
    row = BreakGlassPermission.objects.select_related("environment__product").filter(pk=permission).first()
    if row is not None:
        watching.open_break_glass_review(row)


@task("read-issuer-keys")
def read_issuer(url: str) -> None:
    """Read the public keys of who speaks for pipelines. Raises UnrecordedTaskError for one that nobody ever trusted."""
    if url not in issuers.recorded():
        raise unrecorded()
    issuers.read(url)


def go_on() -> None:
    """For the rounds: what waits for another's door to shut is made ready; what nobody reported is lost."""
    for number in DeploymentPermission.objects.filter(state=DeploymentState.PENDING).values_list(
        "deployment", flat=True
    ):
        soon("evaluate-deployment", deployment=number)
    watching.find_lost()
    runs.close_old_runs()


def read_issuers() -> None:
    """For the rounds: the keys of every issuer that is trusted, again and again."""
    for url in issuers.trusted(timezone.now()):
        soon("read-issuer-keys", url=url)
