"""Ends permissions, and records the outcomes of deployments: reported, seen, or unreported."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.decision.freezes import format_freeze_scope, is_freeze_in_force
from muniment.errors import GitError, IdentityError
from muniment.facts import canonical
from muniment.facts.maybe import Unknown
from muniment.ledger import record_kinds, record_objects
from muniment.server import moments
from muniment.server.changes.product_rules import read_product_freezes
from muniment.server.deployments import pipeline_identification, token_verification, vault_role_access
from muniment.server.deployments.commit_standing import open_commit_standing
from muniment.server.deployments.deployment_answer import read_database_clock
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
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.job_queue import enqueue
from muniment.server.people.messages import find_role_holders, notify_people
from muniment.server.products.models import Environment
from muniment.server.records import row_checks
from muniment.server.records.models import SigningRequest
from muniment.server.records.record_writing import append_record

LOST_AFTER = timedelta(minutes=30)  # since the last request of its pipeline

_UNDER_WAY = (DeploymentState.PENDING, DeploymentState.ALLOWED)


def find_permission_end(row: Deployment, permission: DeploymentPermission) -> str:
    """Reason why the permission is over, in a sentence; "" if nothing ends it. Raises MunimentError where that is
    unknown.
    """
    break_glass = permission.break_glass
    stop = find_stop_reason(row.pipeline, row.environment, break_glass)
    return stop if stop or break_glass is not None else _find_lost_commit(row)


def find_stop_reason(
    pipeline: PipelineIdentity, place: Environment, break_glass: BreakGlassPermission | None = None
) -> str:
    """Reason why a pipeline may have nothing of an environment now, in a sentence; "" if nothing stops it."""
    pipeline.refresh_from_db()
    place.refresh_from_db()
    rests_on = (
        (pipeline, place, place.product) if break_glass is None else (pipeline, place, place.product, break_glass)
    )
    if problems := row_checks.find_instance_problems(rests_on):
        return f"It rests on rows that are not what the ledger says: {row_checks.format_rows(problems)}."
    if place.ended_at is not None or place.product.retired_at is not None or pipeline.ended_at is not None:
        return "The pipeline may no longer deploy to this environment."
    now = moments.current_moment()
    for freeze in read_product_freezes(place.product.slug, now, place.name):
        before = break_glass is not None and moments.parse_moment(freeze.since) < break_glass.created_at
        if is_freeze_in_force(freeze, now) and not freeze.drill and not before:
            what = (
                f"All deployments{format_freeze_scope(freeze)} are stopped"
                if freeze.product
                else "Everything is stopped"
            )
            return f"{what}: {freeze.reason}"
    return ""


def _find_lost_commit(row: Deployment) -> str:
    with open_commit_standing(
        row.environment.product, row.commit, pipeline_identification.load_identity(row.identity).ref
    ) as here:
        if isinstance(here.holds, Unknown):
            raise GitError(here.holds.reason, _("See that the repository can be read."))
        return "" if here.holds.value else f"{here.target} does not contain the commit {row.commit[:12]} any more."


def find_valid_permission(row: Deployment, state: DeploymentState) -> tuple[DeploymentPermission, datetime] | None:
    """Permission in that state, if nothing ends it, with the moment of the check. One that is over is ended."""
    permission = DeploymentPermission.objects.select_related("break_glass").filter(deployment=row, state=state).first()
    if permission is None:
        return None
    since = read_database_clock()
    if state == DeploymentState.PENDING and is_no_longer_waiting(row):
        end_permission(row, "Its pipeline does not wait for it any more.", DeploymentState.WITHDRAWN)
        return None
    why = find_permission_end(row, permission)
    if why:
        end_permission(row, why)
        return None
    return permission, since


def is_no_longer_waiting(row: Deployment) -> bool:
    """Whether nobody waits for an answer any more: its pipeline said so, or its time is over."""
    return timezone.now() >= row.waits_until or DeploymentReport.objects.filter(deployment=row).exists()


def check_permission(row: Deployment) -> None:
    """Check a permission once more: it is ended, or its moment of the check is stored."""
    found = find_valid_permission(row, DeploymentState.ALLOWED)
    if found is not None:
        permission, since = found
        DeploymentPermission.objects.filter(pk=permission.pk).update(checked_at=since)


def end_permission(row: Deployment, reason: str, state: DeploymentState = DeploymentState.REVOKED) -> None:
    """End a permission, if there is one; then close the vault's role."""
    with transaction.atomic():
        # A report, a freeze and the expiry may end it at one moment: the first one decides the state, and only it is
        # recorded.
        permission = DeploymentPermission.objects.select_for_update().get(deployment=row)
        if permission.state not in _UNDER_WAY:
            return
        permission.state, permission.reason, permission.ended_at = state, reason, timezone.now()
        permission.save(update_fields=["state", "reason", "ended_at"])
        SigningRequest.objects.filter(request=row.record.pk, signed=None).delete()
        _record_outcome(row, state, record_objects.DeploymentOutcome("", None, reason, record_objects.draw_salt()))
    # After the commit: the vault is slow and may fail. The permission is over already, and a failed closing is tried
    # again by the row that still has `vault_access`.
    close_deployment_access(row)
    _make_next_ready(row)


def _make_next_ready(row: Deployment) -> None:
    """Have deployments made ready that wait for this one to end, the oldest first."""
    waiting = Deployment.objects.filter(environment=row.environment, permission__state=DeploymentState.PENDING)
    for number in waiting.exclude(pk=row.pk).order_by("pk").values_list("pk", flat=True):
        enqueue("evaluate-deployment", deployment=number)


def close_deployment_access(row: Deployment) -> None:
    """Close the vault's role to it, if it was opened for it."""
    with vault_role_access.lock_environment_access(row.environment_id):
        # Read under the lock: a second deployment of the environment may have opened the role again meanwhile.
        permission = DeploymentPermission.objects.filter(deployment=row, vault_access=True).first()
        if permission is not None:
            vault_role_access.close_access(row)
            DeploymentPermission.objects.filter(pk=permission.pk).update(vault_access=False)


def record_report(row: Deployment) -> None:
    """Record the outcome that its pipeline reported. A delivery without permission, or of another artifact, is an
    incident.
    """
    report = DeploymentReport.objects.filter(deployment=row).first()
    permission = DeploymentPermission.objects.select_related("break_glass").filter(deployment=row).first()
    if report is None or permission is None:
        return
    if report.state == DeploymentState.WITHDRAWN:
        end_permission(row, "Its pipeline withdrew it.", DeploymentState.WITHDRAWN)
        return
    if permission.state in (*REPORTED, DeploymentState.DENIED, DeploymentState.PENDING, DeploymentState.WITHDRAWN):
        return
    late = permission.reason if permission.state == DeploymentState.REVOKED else find_permission_end(row, permission)
    try:
        _record_verified_report(row, report, permission, late)
    except IdentityError as error:
        token_verification.report_forged_message(row, ReceivedToken.Purpose.REPORT, error)
        _end_unreported_deployment(row)
    close_deployment_access(row)
    _make_next_ready(row)


def _record_verified_report(
    row: Deployment, report: DeploymentReport, permission: DeploymentPermission, late: str
) -> None:
    """Record the report, once it is verified. Raises IdentityError."""
    with transaction.atomic():
        # Locked first: an end that comes at the same moment waits, and finds the state that was reported.
        permission = DeploymentPermission.objects.select_for_update().get(pk=permission.pk)
        token_verification.verify_report(row)
        permission.state, permission.ended_at = DeploymentState(report.state), report.reported_at
        permission.save(update_fields=["state", "ended_at"])
        _record_outcome(
            row,
            DeploymentState(report.state),
            record_objects.DeploymentOutcome(report.running_digest, report.exit_code, late, record_objects.draw_salt()),
        )
        if late and report.state == DeploymentState.SUCCEEDED:
            _open_deployment_incident(row, row.artifact, f"was deployed although its permission was over: {late}")
        if report.running_digest:
            _check_running_digest(row, report.running_digest)


def _check_running_digest(row: Deployment, digest: str) -> None:
    if digest != row.artifact:
        _open_deployment_incident(row, digest, f"runs there after {row.artifact[:19]} was deployed")


def record_sighting(seen: RunningArtifact) -> None:
    """Check that an allowed deployment brought the running artifact; else it is an incident."""
    rows = Deployment.objects.filter(environment=seen.environment, artifact=seen.artifact)
    brought = Q(permission__state__in=BROUGHT) | Q(permission__state=DeploymentState.REVOKED, report__isnull=False)
    if not rows.filter(brought).exists():
        where = seen.environment
        description = f"{seen.artifact[:19]} runs in {where.name}, and no allowed deployment brought it"
        open_incident(
            kinds.DEPLOYMENT,
            where.product,
            f"{where.name}:{seen.artifact}",
            description,
            link=_environments_link(where.product.slug),
        )


def open_break_glass_review(row: BreakGlassPermission) -> None:
    """Open the incident in which a break-glass deployment is reviewed, unless it was opened already."""
    place = row.environment
    subject = f"{place.name}:{row.artifact}:{row.pk}"
    if Incident.objects.filter(kind=kinds.BREAK_GLASS, product=place.product, subject=subject).exists():
        return
    description = f"{row.artifact[:19]} is let into {place.name} of {place.product.name} although it is denied"
    open_incident(
        kinds.BREAK_GLASS,
        place.product,
        subject,
        description,
        link=_environments_link(place.product.slug),
        involved=(row.requester_id, row.approver_id),
        extra_roles=(Role.OWNER,),
    )


def end_unreported() -> None:
    """End deployments without a report, and close roles that are open for longer than a permission is valid."""
    now = timezone.now()
    rows = DeploymentPermission.objects.select_related(
        "deployment__environment__product", "deployment__verified__record"
    )
    for permission in rows.filter(vault_access=True, expires_at__lt=now):
        close_deployment_access(permission.deployment)
    for permission in rows.filter(state=DeploymentState.PENDING):
        if is_no_longer_waiting(permission.deployment):
            why = "It could not be made ready in time: the vault does not answer, or another was under way."
            end_permission(permission.deployment, why, DeploymentState.WITHDRAWN)
    seen = Q(checked_at__lt=now - LOST_AFTER) | Q(checked_at=None, decided_at__lt=now - LOST_AFTER)
    for permission in rows.filter(seen, state=DeploymentState.ALLOWED):
        if not DeploymentReport.objects.filter(deployment=permission.deployment).exists():
            _end_unreported_deployment(permission.deployment)


def _end_unreported_deployment(row: Deployment) -> None:
    with transaction.atomic():
        # Read again under a lock: the report of the pipeline may arrive while its deployment counts as lost.
        permission = DeploymentPermission.objects.select_for_update().get(deployment=row)
        if permission.state != DeploymentState.ALLOWED:
            return
        permission.state, permission.ended_at = DeploymentState.UNREPORTED, timezone.now()
        permission.save(update_fields=["state", "ended_at"])
        _record_outcome(
            row,
            DeploymentState.UNREPORTED,
            record_objects.DeploymentOutcome("", None, "nobody reported", record_objects.draw_salt()),
        )
        place = row.environment
        text = (
            f"Deployment without a result: {place.product.name}, {place.name}. No pipeline reported whether "
            f"{row.artifact[:19]} was deployed."
        )
        notify_people(find_role_holders((Role.OWNER,), place.product), text, f"/deployments/{row.pk}")


def _record_outcome(row: Deployment, state: DeploymentState, outcome: record_objects.DeploymentOutcome) -> None:
    entry = record_kinds.DeploymentOutcomeRecord(
        time=moments.current_moment(),
        object=canonical.digest_value(outcome),
        request=row.record.details_digest,
        state=state.value,
    )
    append_record(entry, (outcome,))


def _open_deployment_incident(row: Deployment, digest: str, problem: str) -> None:
    place = row.environment
    description = f"{digest[:19]} in {place.name}: it {problem}"
    open_incident(kinds.DEPLOYMENT, place.product, f"{place.name}:{digest}", description, link=f"/deployments/{row.pk}")


def _environments_link(product: str) -> str:
    return f"/products/{product}/environments"
