"""Decides on a deployment, in steps that each may be repeated: evaluated and recorded, made ready, taken over
signed.

The sequencer signs. The commit, the freezes and the pipeline's permission are checked once more before it is
requested to, and before the signed permission is taken over.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from muniment.access.roles import EVERYWHERE
from muniment.decision.decision import Outcome
from muniment.errors import IdentityError, MunimentError, VaultCode, VaultError
from muniment.facts import canonical
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import CommitDecision, DeploymentApproval
from muniment.pipelines import provenance
from muniment.server import moments
from muniment.server.changes.product_rules import read_product_freezes
from muniment.server.changes.product_standing import read_product_facts
from muniment.server.connections.forge_access import (
    find_repository_link,
    open_connected_forge,
    require_linked_repository,
)
from muniment.server.deployments import models, pipeline_identification, token_verification, vault_role_access
from muniment.server.deployments.commit_standing import CommitStanding, find_commit_decision, open_commit_standing
from muniment.server.deployments.deployment_end import end_permission, find_valid_permission, open_break_glass_review
from muniment.server.deployments.deployment_facts import find_reached_environments
from muniment.server.deployments.models import (
    BreakGlassPermission,
    Deployment,
    DeploymentPermission,
    DeploymentState,
    ReceivedToken,
    TrustedBuilder,
)
from muniment.server.deployments.secret_reads import require_watched_reads
from muniment.server.people.models import Person
from muniment.server.people.role_acts import is_changing_role
from muniment.server.products.models import Repository
from muniment.server.records import row_checks
from muniment.server.records.models import RowState, SignedPermission, SigningRequest
from muniment.server.records.record_writing import append_record
from muniment.workflows.change_evaluation import ChangeEvaluation
from muniment.workflows.decision_record import record_evaluation
from muniment.workflows.deployment_evaluation import Delivery, LandedCommit, LinkedForge, evaluate_deployment


def decide_deployment(row: Deployment) -> None:
    """Decide on a deployment, once, and make it ready if it is allowed. One that cannot be evaluated is denied,
    with the reason.
    """
    if not DeploymentPermission.objects.filter(deployment=row).exists():
        if not _verify_and_record(row):
            return
        try:
            with open_commit_standing(
                row.environment.product, row.commit, pipeline_identification.load_identity(row.identity).ref
            ) as here:
                require_watched_reads(row.environment, here.context.rules.policy.policy.clauses)
                _evaluate_deployment(row, here)
        except MunimentError as error:
            with transaction.atomic():
                _store_permission(row, None, None, reason=f"It could not be evaluated: {error.message}. {error.remedy}")
    make_ready(row)


def _verify_and_record(row: Deployment) -> bool:
    """Verify and record the request; whether it is genuine. One that is not is denied, and no permission of people
    helps it.
    """
    try:
        token_verification.verify_deployment_request(row)
    except MunimentError as error:
        reason = f"It could not be verified: {error.message}. {error.remedy}"
        with transaction.atomic():
            DeploymentPermission.objects.create(
                deployment=row, state=DeploymentState.DENIED, decided_at=timezone.now(), reason=reason
            )
            if isinstance(error, IdentityError):
                token_verification.report_forged_message(row, ReceivedToken.Purpose.REQUEST, error)
        return False
    return True


def _evaluate_deployment(row: Deployment, located: CommitStanding) -> None:
    row_checks.require_recorded(row.environment, row.pipeline, *row.environment.product.environments.all())
    now = moments.current_moment()
    rules, repository = located.context.rules, located.context.repository
    decided, merged = find_commit_decision(located)
    where = (repository, located.context.git, located.target, row.commit, rules.policy)
    found = evaluate_deployment(
        located.context.git,
        rules,
        LandedCommit(repository.name, located.target),
        _describe_delivery(row, decided),
        now,
        lambda names: read_product_facts(*where, names, now),
        lambda: _open_linked_forge(repository),
        Known(read_product_freezes(repository.product.slug, now, row.environment.name)),
    )
    steps = None if found.manual_steps is None else list(found.manual_steps)
    with transaction.atomic():
        record, explanation = record_evaluation(
            append_record, repository.place, found.evaluation, row.record.details_digest, enforced=True
        )
        _store_permission(
            row,
            found.evaluation,
            merged,
            record_id=record.pk,
            explanation_digest=explanation,
            manual_steps=steps,
        )


def _open_linked_forge(repository: Repository) -> Maybe[LinkedForge] | None:
    """Forge that hosts a repository, Unknown if it cannot be opened, None where there is none."""
    connected = find_repository_link(repository)
    if connected is None:
        return None
    try:
        forge = open_connected_forge(connected.connection)
    except MunimentError as error:
        return Unknown(error.message)
    return Known(LinkedForge(forge, require_linked_repository(connected)))


def _describe_delivery(row: Deployment, decided: CommitDecision) -> Delivery:
    """Delivery of a row, with what the tables say of it. Raises for rows that differ from their record."""
    product = row.environment.product.slug
    rows = TrustedBuilder.objects.filter(ended_at=None)
    trusted = row_checks.read_recorded(lambda: list(rows.all()), TrustedBuilder)
    return Delivery(
        product=product,
        environment=row.environment.name,
        artifact=row.artifact,
        commit=row.commit,
        pipeline=pipeline_identification.load_identity(row.identity),
        commit_decision=decided,
        provenance=tuple(canonical.encode(one) for one in row.provenance),
        builders=tuple(provenance.Builder(one.builder_id, one.public_key) for one in trusted),
        reached=find_reached_environments(product, row.artifact),
        approvals=_find_approvals(row),
    )


def _find_approvals(row: Deployment) -> tuple[DeploymentApproval, ...]:
    """Approvals of this artifact for this environment by people who are active. Raises for rows that differ."""
    rows = models.DeploymentApproval.objects.filter(
        environment=row.environment, artifact=row.artifact, withdrawn_at=None, person__active=True
    )
    found = row_checks.read_recorded(
        lambda: list(rows.select_related("person").order_by("pk")), models.DeploymentApproval
    )
    slug = row.environment.product.slug
    return tuple(
        DeploymentApproval(row.environment.name, one.artifact, one.person.pk, _list_roles(one.person, slug))
        for one in found
    )


def _list_roles(person: Person, product: str) -> tuple[str, ...]:
    """Roles by which an approval counts: none that an administrator gives alone, to themselves too."""
    held = (one.role for one in person.load_roles() if one.product in (product, EVERYWHERE))
    return tuple(sorted({role.value for role in held if is_changing_role(role)}))


def _store_permission(
    row: Deployment, evaluation: ChangeEvaluation | None, merged: datetime | None, **more: Any
) -> None:
    """Store the permission, or the denial. An artifact that two people permitted by break-glass is not denied."""
    allowed = evaluation is not None and evaluation.decision.outcome is Outcome.ALLOW
    break_glass = None if allowed else _use_break_glass(row)
    state = DeploymentState.PENDING if allowed or break_glass is not None else DeploymentState.DENIED
    DeploymentPermission.objects.create(
        deployment=row, state=state, break_glass=break_glass, merged_at=merged, decided_at=timezone.now(), **more
    )


def _use_break_glass(row: Deployment) -> BreakGlassPermission | None:
    """Break-glass permission of two people for exactly this, used up now; None for one that the ledger does not
    have.
    """
    rows = BreakGlassPermission.objects.select_related("environment__product")
    leaves = rows.filter(environment=row.environment, artifact=row.artifact, deployment=None)
    found = leaves.filter(expires_at__gt=timezone.now()).order_by("pk").first()
    if found is None or row_checks.find_instance_problems([found]):
        return None
    if not BreakGlassPermission.objects.filter(pk=found.pk, deployment=None).update(deployment=row):
        return None
    open_break_glass_review(found)  # the web enqueued that too, unless it was taken over
    return found


def make_ready(row: Deployment) -> None:
    """Open the vault's role and have the permission signed, if nothing ended it meanwhile and no other deployment is
    under way there; take over what was signed.
    """
    found = find_valid_permission(row, DeploymentState.PENDING)
    if found is None:
        return
    permission, since = found
    signed = SignedPermission.objects.filter(signing_request__request=row.record.pk).first()
    if signed is not None:
        _take_over_permission(row, permission, signed, since)
        return
    with vault_role_access.lock_environment_access(row.environment_id):
        # Asked under the lock: two deployments that are decided at one moment would else both see nobody under way.
        other = _find_running_deployment(row)
        if other is None or permission.break_glass is not None:
            _open_vault_access(row, permission)
            _request_signature(row, permission)
            return
    what = f"Deployment {other.pk} of {other.artifact[:19]} to {row.environment.name} is under way."
    if row.wait_seconds:
        _store_waiting_reason(permission, what)
    else:
        end_permission(row, what, DeploymentState.DENIED)


def _open_vault_access(row: Deployment, permission: DeploymentPermission) -> None:
    """Open the vault's role, after that was stored: if anything interrupts it, the role to be closed is known.

    Raises VaultError, after the reason for waiting was stored.
    """
    if not vault_role_access.has_openable_role(row):
        return
    DeploymentPermission.objects.filter(pk=permission.pk).update(vault_access=True)
    try:
        vault_role_access.open_access(row)
    except VaultError as error:
        refused = error.code is VaultCode.REFUSED  # Muniment itself: after a restore, or where no door was made
        step = "Whoever administers it runs: muniment vault apply" if refused else error.remedy
        _store_waiting_reason(permission, f"The vault does not let it in yet: {error.message}. {step}")
        raise


def _store_waiting_reason(permission: DeploymentPermission, reason: str) -> None:
    """Store the reason for waiting, for the pipeline."""
    DeploymentPermission.objects.filter(pk=permission.pk, state=DeploymentState.PENDING).update(reason=reason)


def _find_running_deployment(row: Deployment) -> Deployment | None:
    """Another deployment to the same environment that is allowed, or about to be signed, and has not ended."""
    going = Q(permission__state=DeploymentState.ALLOWED)
    wanted = SigningRequest.objects.filter(Q(signed=None) | Q(signed__refusal="")).values("request")
    going |= Q(permission__state=DeploymentState.PENDING, verified__record__in=wanted)
    others = Deployment.objects.filter(going, environment=row.environment, report=None)
    return others.exclude(pk=row.pk).order_by("pk").first()


def _request_signature(row: Deployment, permission: DeploymentPermission) -> None:
    """Have the sequencer sign it, once what allows it has its position in the ledger."""
    break_glass = permission.break_glass
    basis = permission.record_id if break_glass is None else _find_break_glass_record(break_glass)
    if basis is None:
        end_permission(row, "No record says what allows it.")
        return
    provenance = [canonical.digest_bytes(canonical.encode(one)) for one in row.provenance]
    SigningRequest.objects.get_or_create(
        request_id=row.record.pk, defaults={"basis_id": basis, "provenance": provenance}
    )


def _find_break_glass_record(break_glass: BreakGlassPermission) -> int | None:
    """Record of the act in which two people gave this permission."""
    rows = RowState.objects.filter(table=break_glass._meta.db_table, key=str(break_glass.pk))
    return rows.order_by("-record").values_list("record", flat=True).first()


def _take_over_permission(
    row: Deployment, permission: DeploymentPermission, signed: SignedPermission, since: datetime
) -> None:
    """Give the pipeline the signed permission, which was checked at `since`."""
    if signed.refusal:
        reason = SignedPermission.Refusal(signed.refusal).label
        end_permission(row, f"The sequencer did not sign it: {reason}. An incident was opened.")
    elif signed.expires_at is None or signed.expires_at <= timezone.now():
        end_permission(row, "It was not taken over before it expired. Request it again.")
    else:
        still = DeploymentPermission.objects.filter(pk=permission.pk, state=DeploymentState.PENDING)
        still.update(
            state=DeploymentState.ALLOWED,
            vsa=signed.envelope,
            expires_at=signed.expires_at,
            checked_at=since,
            reason="",
        )
