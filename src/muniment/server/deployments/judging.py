"""Decides on a deployment, in steps that each may be begun again: judged and recorded, made ready, taken over signed.

The sequencer signs. The commit, the freezes and the pipeline's leave are looked at once more before it is asked to,
and before what it signed is taken over.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from muniment.access.roles import EVERYWHERE
from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.decision.judge import clauses_at, needed
from muniment.errors import IdentityError, MunimentError, VaultCode, VaultError
from muniment.facts import canonical, kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import CommitDecision, DeploymentApproval, DeploymentRequest, PipelineFile
from muniment.git.collect import GitCollector
from muniment.pipelines import provenance
from muniment.pipelines.identities import Identity
from muniment.policy.model import Point
from muniment.server import moments
from muniment.server.changes.rules import read_freezes
from muniment.server.changes.standing import product_facts
from muniment.server.connections.reaching import connected_of, forge_of, repo_of
from muniment.server.deployments import doors, identifying, models, receiving
from muniment.server.deployments.commits import Standing, decision_of, standing
from muniment.server.deployments.models import (
    BreakGlassPermission,
    Deployment,
    DeploymentPermission,
    DeploymentState,
    ReceivedToken,
    TrustedBuilder,
)
from muniment.server.deployments.secret_reads import require_watched_reads
from muniment.server.deployments.supplying import reached
from muniment.server.deployments.watching import end, seen_to_hold
from muniment.server.people.models import Person
from muniment.server.products.models import Repository
from muniment.server.records import row_checks
from muniment.server.records.entering import enter
from muniment.server.records.installation import store
from muniment.server.records.models import RowState, SignedPermission, SigningRequest
from muniment.workflows.forge_facts import runs_at
from muniment.workflows.judge_change import Judgement, judge_change
from muniment.workflows.judged import judged
from muniment.workflows.supplies import fact


def judge(row: Deployment) -> None:
    """Decide on it, once, and make it ready if it is allowed. What cannot be judged is denied, and says why."""
    if not DeploymentPermission.objects.filter(deployment=row).exists():
        if not _verify(row):
            return
        try:
            with standing(row.environment.product, row.commit, identifying.read(row.identity).ref) as here:
                require_watched_reads(row.environment, here.scene.rules.policy.policy.clauses)
                _judge(row, here)
        except MunimentError as error:
            with transaction.atomic():
                _keep(row, None, None, reason=f"It could not be evaluated: {error.message}. {error.remedy}")
    make_ready(row)


def _verify(row: Deployment) -> bool:
    """Verify and record what was requested; whether it holds. What does not is denied, by nobody's leave allowed."""
    try:
        receiving.verify_request(row)
    except MunimentError as error:
        reason = f"It could not be verified: {error.message}. {error.remedy}"
        with transaction.atomic():
            DeploymentPermission.objects.create(
                deployment=row, state=DeploymentState.DENIED, decided_at=timezone.now(), reason=reason
            )
            if isinstance(error, IdentityError):
                receiving.report_forgery(row, ReceivedToken.Purpose.REQUEST, error)
        return False
    return True


def _judge(row: Deployment, here: Standing) -> None:
    row_checks.require_recorded(row.environment, row.pipeline, *row.environment.product.environments.all())
    now = moments.now()
    rules, repository = here.scene.rules, here.scene.repository
    decided, merged = decision_of(here)
    collector = GitCollector(here.scene.git, Known(rules.people), now)
    revision = collector.landed(repository.name, here.target, row.commit)
    names = needed(clauses_at(rules.policy, Point.DEPLOY, here.target))
    files = kinds.PIPELINE_FILES.name
    where = (here.scene.git, here.target, row.commit, rules.policy)
    gathered = product_facts(repository, *where, {*names, files}, now)
    given = {**gathered, **_delivered(row, decided, now), **_checked(repository, collector, revision, names, now)}
    freezes = Known(read_freezes(repository.product.slug, now, row.environment.name))
    judgement = judge_change(collector, rules, revision, Point.DEPLOY, now, freezes, given)
    entry, beside = judged(repository.place, judgement, row.record.details_digest, enforced=True)
    told = canonical.encode(account(judgement.decision, judgement.policy, judgement.facts))
    with transaction.atomic():
        recorded = enter(entry, beside)
        _keep(
            row,
            judgement,
            merged,
            record_id=recorded.pk,
            explanation_digest=store().put(told),
            manual_steps=_manual(gathered, files),
        )


def _checked(
    repository: Repository, collector: GitCollector, revision: Revision, names: Collection[str], now: str
) -> dict[str, Fact]:
    """What the forge's own checks say of the commit, where there is a forge and a clause that asks."""
    name, connected = kinds.TEST_RUNS.name, connected_of(repository)
    if name not in names or connected is None:
        return {}
    try:
        forge = forge_of(connected.connection)
    except MunimentError as error:
        return {name: fact(Unknown(error.message), "nobody", now)}
    return runs_at(forge, repo_of(connected), collector, revision, now)


def _delivered(row: Deployment, decided: CommitDecision, now: str) -> dict[str, Fact]:
    """What is asked for, and by whom; what the artifact was made of; what was decided of its commit."""
    identity = identifying.read(row.identity)
    where = row.environment.product.slug, row.environment.name
    by = Known(f"{identity.issuer.value}:{identity.subject}")
    protected = _protected(identity, decided)
    delivery = DeploymentRequest(
        *where, row.artifact, row.commit, by, protected, Known(reached(where[0], row.artifact))
    )
    rows = TrustedBuilder.objects.filter(ended_at=None)
    trusted = row_checks.read_recorded(lambda: list(rows.all()), TrustedBuilder)
    builders = [provenance.Builder(one.builder_id, one.public_key) for one in trusted]
    made = tuple(provenance.read(canonical.encode(one), row.artifact, builders) for one in row.provenance)
    return {
        kinds.DEPLOYMENT_REQUEST.name: fact(Known(delivery), "pipeline", now),
        kinds.PROVENANCE.name: fact(Known(made), "pipeline", now),
        kinds.DEPLOYMENT_APPROVALS.name: fact(Known(_approvals(row)), "record", now),
        kinds.COMMIT_DECISION.name: fact(Known(decided), "record", now),
    }


def _approvals(row: Deployment) -> tuple[DeploymentApproval, ...]:
    """Approvals of this artifact for this environment by people who are active. Raises for rows that differ."""
    rows = models.DeploymentApproval.objects.filter(
        environment=row.environment, artifact=row.artifact, withdrawn_at=None, person__active=True
    )
    found = row_checks.read_recorded(
        lambda: list(rows.select_related("person").order_by("pk")), models.DeploymentApproval
    )
    slug = row.environment.product.slug
    return tuple(
        DeploymentApproval(row.environment.name, one.artifact, one.person.pk, _roles(one.person, slug)) for one in found
    )


def _roles(person: Person, product: str) -> tuple[str, ...]:
    return tuple(sorted({one.role.value for one in person.roles() if one.product in (product, EVERYWHERE)}))


def _protected(identity: Identity, decided: CommitDecision) -> Maybe[bool]:
    """What its issuer says; where that knows nothing of branches, whether the record let its commit onto one."""
    if isinstance(identity.protected, Known):
        return identity.protected
    if decided.allowed == Known(True) and decided.on_branch == Known(True):
        return Known(True)
    return Unknown(f"{identity.issuer.value} does not say so, and the record has no decision that let its commit in")


def _manual(gathered: Mapping[str, Fact], name: str) -> list[str] | None:
    """The steps that people do by hand on the way, from the pipeline files that deploy; None if one was not read."""
    found = gathered[name].value if name in gathered else None
    if not isinstance(found, Known):
        return None
    files: tuple[PipelineFile, ...] = found.value
    read = [file.content.value for file in files if isinstance(file.content, Known)]
    if len(read) < len(files):
        return None
    return [spot.name for content in read if content.deploys for spot in content.manual_steps]


def _keep(row: Deployment, judgement: Judgement | None, merged: datetime | None, **more: Any) -> None:
    """The permission, or that there is none. What two people let through is not denied."""
    allowed = judgement is not None and judgement.decision.outcome is Outcome.ALLOW
    glass = None if allowed else _broken(row)
    state = DeploymentState.PENDING if allowed or glass is not None else DeploymentState.DENIED
    DeploymentPermission.objects.create(
        deployment=row, state=state, break_glass=glass, merged_at=merged, decided_at=timezone.now(), **more
    )


def _broken(row: Deployment) -> BreakGlassPermission | None:
    """The leave of two people for exactly this, used up now. One that the ledger does not have is none."""
    leaves = BreakGlassPermission.objects.filter(environment=row.environment, artifact=row.artifact, deployment=None)
    found = leaves.filter(expires_at__gt=timezone.now()).order_by("pk").first()
    if found is None or row_checks.find_instance_problems([found]):
        return None
    if not BreakGlassPermission.objects.filter(pk=found.pk, deployment=None).update(deployment=row):
        return None
    return found


def make_ready(row: Deployment) -> None:
    """Open the vault's role and have the permission signed, if nothing ended it meanwhile and no other deployment is
    under way there; take over what was signed.
    """
    found = seen_to_hold(row, DeploymentState.PENDING)
    if found is None:
        return
    permission, since = found
    signed = SignedPermission.objects.filter(signing_request__request=row.record.pk).first()
    if signed is not None:
        _take_over(row, permission, signed, since)
        return
    with doors.one_at_a_time(row.environment_id):
        other = _running(row)
        if other is None or permission.break_glass is not None:
            _open(row, permission)
            _request_signature(row, permission)
            return
    what = f"Deployment {other.pk} of {other.artifact[:19]} to {row.environment.name} is under way."
    if row.wait_seconds:
        _wait(permission, what)
    else:
        end(row, what, DeploymentState.DENIED)


def _open(row: Deployment, permission: DeploymentPermission) -> None:
    """Open the vault's door, after it was written down: whatever stops half-way, it is known what has to be shut.

    Raises VaultError, after it was written down why it still waits.
    """
    if not doors.has_door(row):
        return
    DeploymentPermission.objects.filter(pk=permission.pk).update(vault_access=True)
    try:
        doors.open_door(row)
    except VaultError as error:
        refused = error.code is VaultCode.REFUSED  # Muniment itself: after a restore, or where no door was made
        step = "Whoever administers it runs: muniment vault apply" if refused else error.remedy
        _wait(permission, f"The vault does not let it in yet: {error.message}. {step}")
        raise


def _wait(permission: DeploymentPermission, why: str) -> None:
    """Whoever asks is told why nothing happens."""
    DeploymentPermission.objects.filter(pk=permission.pk, state=DeploymentState.PENDING).update(reason=why)


def _running(row: Deployment) -> Deployment | None:
    """Another deployment to the same environment that is allowed, or about to be signed, and has not ended."""
    going = Q(permission__state=DeploymentState.ALLOWED)
    wanted = SigningRequest.objects.filter(Q(signed=None) | Q(signed__refusal="")).values("request")
    going |= Q(permission__state=DeploymentState.PENDING, verified__record__in=wanted)
    others = Deployment.objects.filter(going, environment=row.environment, report=None)
    return others.exclude(pk=row.pk).order_by("pk").first()


def _request_signature(row: Deployment, permission: DeploymentPermission) -> None:
    """Have the sequencer sign it, once what allows it has its position in the ledger."""
    glass = permission.break_glass
    basis = permission.record_id if glass is None else _find_act(glass)
    if basis is None:
        end(row, "No record says what allows it.")
        return
    provenance = [canonical.digest(canonical.encode(one)) for one in row.provenance]
    SigningRequest.objects.get_or_create(
        request_id=row.record.pk, defaults={"basis_id": basis, "provenance": provenance}
    )


def _find_act(glass: BreakGlassPermission) -> int | None:
    """The record of the act in which two people gave this permission."""
    rows = RowState.objects.filter(table=glass._meta.db_table, key=str(glass.pk))
    return rows.order_by("-record").values_list("record", flat=True).first()


def _take_over(row: Deployment, permission: DeploymentPermission, signed: SignedPermission, since: datetime) -> None:
    """Give the pipeline what was signed, which was seen to hold at `since`."""
    if signed.refusal:
        reason = SignedPermission.Refusal(signed.refusal).label
        end(row, f"The sequencer did not sign it: {reason}. An incident was opened.")
    elif signed.expires_at is None or signed.expires_at <= timezone.now():
        end(row, "It was not taken over before it expired. Request it again.")
    else:
        still = DeploymentPermission.objects.filter(pk=permission.pk, state=DeploymentState.PENDING)
        still.update(
            state=DeploymentState.ALLOWED,
            vsa=signed.envelope,
            expires_at=signed.expires_at,
            checked_at=since,
            reason="",
        )
