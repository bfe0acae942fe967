"""What ends a permission, and what comes of deployments: reported, seen, or lost."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.decision.freezes import is_in_force, scope_text
from muniment.errors import GitError, IdentityError
from muniment.facts import canonical
from muniment.facts.maybe import Unknown
from muniment.ledger import entries, objects
from muniment.server import moments
from muniment.server.changes.rules import read_freezes
from muniment.server.deployments import doors, identifying, receiving
from muniment.server.deployments.commits import standing
from muniment.server.deployments.models import (
    BROUGHT,
    REPORTED,
    BreakGlassPermission,
    Deployment,
    DeploymentPermission,
    DeploymentReport,
    DeploymentState,
    PipelineIdentity,
    ReceivedToken,
    RunningArtifact,
)
from muniment.server.deployments.telling import clock
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.people.messages import holding, tell
from muniment.server.products.models import Environment
from muniment.server.records import row_checks
from muniment.server.records.entering import enter
from muniment.server.records.models import SigningRequest
from muniment.server.work import soon

LOST_AFTER = timedelta(minutes=30)  # since its pipeline was heard of last

_UNDER_WAY = (DeploymentState.PENDING, DeploymentState.ALLOWED)


def ending(row: Deployment, permission: DeploymentPermission) -> str:
    """Why the permission is over, in a sentence; "" if nothing ends it. MunimentError where that is not known."""
    glass = permission.break_glass
    stop = find_stop(row.pipeline, row.environment, glass)
    return stop if stop or glass is not None else _gone(row)


def find_stop(pipeline: PipelineIdentity, place: Environment, glass: BreakGlassPermission | None = None) -> str:
    """Why a pipeline may have nothing of an environment now, in a sentence; "" if nothing stops it."""
    pipeline.refresh_from_db()
    place.refresh_from_db()
    rests_on = (pipeline, place, place.product) if glass is None else (pipeline, place, place.product, glass)
    if problems := row_checks.find_instance_problems(rests_on):
        return f"It rests on rows that are not what the ledger says: {row_checks.name_rows(problems)}."
    if place.ended_at is not None or place.product.retired_at is not None or pipeline.ended_at is not None:
        return "The pipeline may no longer deploy to this environment."
    now = moments.now()
    for freeze in read_freezes(place.product.slug, now, place.name):
        before = glass is not None and moments.read(freeze.since) < glass.created_at
        if is_in_force(freeze, now) and not freeze.drill and not before:
            what = f"All deployments{scope_text(freeze)} are stopped" if freeze.product else "Everything is stopped"
            return f"{what}: {freeze.reason}"
    return ""


def _gone(row: Deployment) -> str:
    with standing(row.environment.product, row.commit, identifying.read(row.identity).ref) as here:
        if isinstance(here.holds, Unknown):
            raise GitError(here.holds.reason, _("See that the repository can be read."))
        return "" if here.holds.value else f"{here.target} does not contain the commit {row.commit[:12]} any more."


def seen_to_hold(row: Deployment, state: DeploymentState) -> tuple[DeploymentPermission, datetime] | None:
    """Its permission, if it is that far and nothing ends it, and when that was looked at. What is over is ended."""
    permission = DeploymentPermission.objects.select_related("break_glass").filter(deployment=row, state=state).first()
    if permission is None:
        return None
    since = clock()
    if state == DeploymentState.PENDING and is_withdrawn(row):
        end(row, "Its pipeline does not wait for it any more.", DeploymentState.WITHDRAWN)
        return None
    why = ending(row, permission)
    if why:
        end(row, why)
        return None
    return permission, since


def is_withdrawn(row: Deployment) -> bool:
    """Whether nobody waits for an answer any more: its pipeline said so, or its time is over."""
    return timezone.now() >= row.waits_until or DeploymentReport.objects.filter(deployment=row).exists()


def check(row: Deployment) -> None:
    """Look once more at a permission: it is over, or was seen to hold at this moment."""
    found = seen_to_hold(row, DeploymentState.ALLOWED)
    if found is not None:
        permission, since = found
        DeploymentPermission.objects.filter(pk=permission.pk).update(checked_at=since)


def end(row: Deployment, why: str, state: DeploymentState = DeploymentState.REVOKED) -> None:
    """Take a permission back, if it is one; then shut the vault's door."""
    with transaction.atomic():
        permission = DeploymentPermission.objects.select_for_update().get(deployment=row)
        if permission.state not in _UNDER_WAY:
            return
        permission.state, permission.reason, permission.ended_at = state, why, timezone.now()
        permission.save(update_fields=["state", "reason", "ended_at"])
        SigningRequest.objects.filter(request=row.record.pk, signed=None).delete()
        _entered(row, state, objects.DeploymentOutcome("", None, why, objects.salt()))
    shut(row)
    _let_next_go(row)


def _let_next_go(row: Deployment) -> None:
    """Have those made ready that wait for this one to end, the oldest first."""
    waiting = Deployment.objects.filter(environment=row.environment, permission__state=DeploymentState.PENDING)
    for number in waiting.exclude(pk=row.pk).order_by("pk").values_list("pk", flat=True):
        soon("evaluate-deployment", deployment=number)


def shut(row: Deployment) -> None:
    """Close the vault's role to it, if it was opened for it."""
    with doors.one_at_a_time(row.environment_id):
        permission = DeploymentPermission.objects.filter(deployment=row, vault_access=True).first()
        if permission is not None:
            doors.close_door(row)
            DeploymentPermission.objects.filter(pk=permission.pk).update(vault_access=False)


def take_report(row: Deployment) -> None:
    """Record what its pipeline reported. What was delivered without leave, or is something else, is an incident."""
    report = DeploymentReport.objects.filter(deployment=row).first()
    permission = DeploymentPermission.objects.select_related("break_glass").filter(deployment=row).first()
    if report is None or permission is None:
        return
    if report.state == DeploymentState.WITHDRAWN:
        end(row, "Its pipeline withdrew it.", DeploymentState.WITHDRAWN)
        return
    if permission.state in (*REPORTED, DeploymentState.DENIED, DeploymentState.PENDING, DeploymentState.WITHDRAWN):
        return
    late = permission.reason if permission.state == DeploymentState.REVOKED else ending(row, permission)
    try:
        _record_report(row, report, permission, late)
    except IdentityError as error:
        receiving.report_forgery(row, ReceivedToken.Purpose.REPORT, error)
        _lose(row)
    shut(row)
    _let_next_go(row)


def _record_report(row: Deployment, report: DeploymentReport, permission: DeploymentPermission, late: str) -> None:
    """Record it, once it is verified. Raises IdentityError."""
    with transaction.atomic():
        permission = DeploymentPermission.objects.select_for_update().get(pk=permission.pk)
        receiving.verify_report(row)
        permission.state, permission.ended_at = DeploymentState(report.state), report.reported_at
        permission.save(update_fields=["state", "ended_at"])
        _entered(
            row,
            DeploymentState(report.state),
            objects.DeploymentOutcome(report.running_digest, report.exit_code, late, objects.salt()),
        )
        if late and report.state == DeploymentState.SUCCEEDED:
            _incident(row, row.artifact, f"was deployed although its permission was over: {late}")
        if report.running_digest:
            _seen(row, report.running_digest)


def _seen(row: Deployment, digest: str) -> None:
    if digest != row.artifact:
        _incident(row, digest, f"runs there after {row.artifact[:19]} was deployed")


def take_sighting(seen: RunningArtifact) -> None:
    """What runs somewhere came there by a deployment that was allowed, or it is an incident."""
    rows = Deployment.objects.filter(environment=seen.environment, artifact=seen.artifact)
    brought = Q(permission__state__in=BROUGHT) | Q(permission__state=DeploymentState.REVOKED, report__isnull=False)
    if not rows.filter(brought).exists():
        where = seen.environment
        told = f"{seen.artifact[:19]} runs in {where.name}, and no allowed deployment brought it"
        open_incident(
            kinds.DEPLOYMENT, where.product, f"{where.name}:{seen.artifact}", told, link=_link(where.product.slug)
        )


def open_break_glass_review(row: BreakGlassPermission) -> None:
    """Open the incident in which a break-glass deployment is reviewed, unless it was opened already."""
    place = row.environment
    subject = f"{place.name}:{row.artifact}:{row.pk}"
    if Incident.objects.filter(kind=kinds.BREAK_GLASS, product=place.product, subject=subject).exists():
        return
    told = f"{row.artifact[:19]} is let into {place.name} of {place.product.name} although it is denied"
    open_incident(
        kinds.BREAK_GLASS,
        place.product,
        subject,
        told,
        link=_link(place.product.slug),
        involved=(row.requester_id, row.approver_id),
        loud=(Role.OWNER,),
    )


def find_lost() -> None:
    """Deployments of which nobody reported what came; doors that are open for longer than a permission is good for."""
    now = timezone.now()
    rows = DeploymentPermission.objects.select_related(
        "deployment__environment__product", "deployment__verified__record"
    )
    for permission in rows.filter(vault_access=True, expires_at__lt=now):
        shut(permission.deployment)
    for permission in rows.filter(state=DeploymentState.PENDING):
        if is_withdrawn(permission.deployment):
            why = "It could not be made ready in time: the vault does not answer, or another was under way."
            end(permission.deployment, why, DeploymentState.WITHDRAWN)
    seen = Q(checked_at__lt=now - LOST_AFTER) | Q(checked_at=None, decided_at__lt=now - LOST_AFTER)
    for permission in rows.filter(seen, state=DeploymentState.ALLOWED):
        if not DeploymentReport.objects.filter(deployment=permission.deployment).exists():
            _lose(permission.deployment)


def _lose(row: Deployment) -> None:
    with transaction.atomic():
        permission = DeploymentPermission.objects.select_for_update().get(deployment=row)
        if permission.state != DeploymentState.ALLOWED:
            return
        permission.state, permission.ended_at = DeploymentState.UNREPORTED, timezone.now()
        permission.save(update_fields=["state", "ended_at"])
        _entered(
            row, DeploymentState.UNREPORTED, objects.DeploymentOutcome("", None, "nobody reported", objects.salt())
        )
        place = row.environment
        text = f"Nobody reported what came of deploying {row.artifact[:19]} to {place.name} of {place.product.name}."
        tell(holding((Role.OWNER,), place.product), text, f"/deployments/{row.pk}")


def _entered(row: Deployment, state: DeploymentState, beside: objects.DeploymentOutcome) -> None:
    entry = entries.DeploymentOutcomeRecord(
        time=moments.now(), object=canonical.digest_of(beside), request=row.record.details_digest, state=state.value
    )
    enter(entry, (beside,))


def _incident(row: Deployment, digest: str, what: str) -> None:
    place = row.environment
    told = f"{digest[:19]} in {place.name}: it {what}"
    open_incident(kinds.DEPLOYMENT, place.product, f"{place.name}:{digest}", told, link=f"/deployments/{row.pk}")


def _link(product: str) -> str:
    return f"/products/{product}/environments"
