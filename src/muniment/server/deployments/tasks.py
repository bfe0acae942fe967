"""Work in the background for deployments."""

from django.utils import timezone

from muniment.server.deployments import doors, issuers, judging, watching
from muniment.server.deployments.models import Deployment, Permission, Sighting, State
from muniment.server.work import soon, task

_ROWS = ("environment__product", "pipeline", "entry")


def _found(deployment: int) -> Deployment | None:
    return Deployment.objects.select_related(*_ROWS).filter(pk=deployment).first()


@task("judge-deployment")
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


@task("take-report")
def take_report(deployment: int) -> None:
    """Record what a pipeline reported."""
    row = _found(deployment)
    if row is not None:
        watching.take_report(row)


@task("take-sighting")
def take_sighting(sighting: int) -> None:
    """Look whether what runs somewhere came there with leave."""
    row = Sighting.objects.select_related("environment__product").filter(pk=sighting).first()
    if row is not None:
        watching.take_sighting(row)


@task("stop-deployments")
def stop_deployments() -> None:
    """Everything is frozen: permissions end, and the tokens that pipelines got with them."""
    rows = Permission.objects.filter(state__in=[State.WAITS, State.ALLOWED]).values_list("deployment", flat=True)
    for number in rows:
        row = _found(number)
        permission = Permission.objects.select_related("glass").get(deployment=number)
        why = watching.ending(row, permission) if row is not None else ""
        if row is not None and why:
            watching.end(row, why)
    doors.end_all()


@task("read-issuer")
def read_issuer(url: str) -> None:
    """Read the public keys of who speaks for pipelines."""
    issuers.read(url)


def go_on() -> None:
    """For the rounds: what waits for another's door to shut is made ready; what nobody reported is lost."""
    for number in Permission.objects.filter(state=State.WAITS).values_list("deployment", flat=True):
        soon("judge-deployment", deployment=number)
    watching.find_lost()


def read_issuers() -> None:
    """For the rounds: the keys of every issuer that is trusted, again and again."""
    for url in issuers.trusted(timezone.now()):
        soon("read-issuer", url=url)
