"""Runs of jobs that get secrets of an environment without a deployment: recorded, evaluated, admitted to the vault.

Tests and scheduled jobs are such runs. They deliver nothing, so no clause of the policy is evaluated: two people
named the pipeline, its workflows and its refs, and the commit has to be on a protected branch.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import GitError, IdentityError, MunimentError, RefusedError, VaultError
from muniment.facts.maybe import Known, Unknown
from muniment.pipelines.identities import VerifiedIdentity
from muniment.pipelines.service_client import ANSWER_SECONDS
from muniment.policy.patterns import matches_any
from muniment.server import moments
from muniment.server.deployments import pipeline_identification, token_verification, vault_role_access
from muniment.server.deployments.commit_standing import open_commit_standing
from muniment.server.deployments.deployment_end import find_stop_reason
from muniment.server.deployments.models import (
    DeploymentState,
    JobRun,
    JobRunPermission,
    PipelineIdentity,
    ReceivedRunToken,
)
from muniment.server.deployments.secret_reads import require_watched_reads
from muniment.server.job_queue import enqueue
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Environment
from muniment.server.records.record_writing import append_record
from muniment.workflows.job_run_record import RequestedJobRun, record_job_run

RUN_VALIDITY = timedelta(minutes=5)  # within which a run fetches its secrets
_ROWS = ("environment__product", "pipeline")


def store_run_request(
    environment: Environment, pipeline: PipelineIdentity, identity: VerifiedIdentity, commit: str, key: str, token: str
) -> JobRun:
    """Store what a job requested, and have it evaluated. The same key is the same run.

    Raises RefusedError for a commit that the job does not run on, or a key that was used for another run.
    """
    if isinstance(identity.commit, Known) and identity.commit.value != commit:
        raise RefusedError(
            "other-commit", _("The job runs on another commit."), _("Name the commit that the job runs on.")
        )
    values = {
        "environment": environment,
        "commit": commit,
        "identity": pipeline_identification.store_identity(identity),
    }
    try:
        with transaction.atomic():
            row, new = JobRun.objects.get_or_create(pipeline=pipeline, idempotency_key=key, defaults=values)
            if new:
                ReceivedRunToken.objects.create(run=row, token=token)
    except IntegrityError:  # the same was sent twice at this moment
        row = JobRun.objects.get(pipeline=pipeline, idempotency_key=key)
    if (row.commit, row.identity["run"]) != (commit, identity.run):
        raise RefusedError(
            "key-used",
            _("This Idempotency-Key was used for another request."),
            _("Send each request with a key of its own."),
        )
    enqueue("evaluate-job-run", run=row.pk)
    return row


def find_job_run(number: int) -> JobRun | None:
    """Run of that number, with the rows that an evaluation needs."""
    return JobRun.objects.select_related(*_ROWS).filter(pk=number).first()


def decide_run(row: JobRun) -> None:
    """Decide once, record it, and open the vault's role if it is allowed. A run that cannot be evaluated is denied."""
    if not JobRunPermission.objects.filter(run=row).exists():
        _decide_and_record(row)
    _open_run_access(row)


def withdraw_run(row: JobRun) -> None:
    """Withdraw a run whose job waits no longer: it is never allowed later. One that was allowed loses its access.

    Raises VaultError; then the vault's role may still be open.
    """
    if not JobRunPermission.objects.filter(run=row).exists():
        _decide_and_record(row, withdrawn=True)
    _withdraw_pending(row)
    close_run_access(row)


def close_run_access(row: JobRun) -> None:
    """Close the vault's role to a run, if it was opened for it. Raises VaultError; then it may still be open."""
    with vault_role_access.lock_environment_access(row.environment_id):
        if JobRunPermission.objects.filter(run=row, vault_access=True).exists():
            vault_role_access.close_access(row)
            JobRunPermission.objects.filter(run=row).update(vault_access=False)


def close_expired_runs() -> None:
    """Have access closed that is open for longer than a permission lasts, and runs made ready that still wait for
    the vault.
    """
    now = timezone.now()
    rows = JobRunPermission.objects.all()
    for number in rows.filter(state=DeploymentState.PENDING).values_list("run", flat=True):
        enqueue("evaluate-job-run", run=number)
    for number in rows.filter(vault_access=True, expires_at__lt=now).values_list("run", flat=True):
        enqueue("close-job-run", run=number)


def find_answer_deadline(row: JobRun) -> datetime:
    """Moment when its job stops waiting for an answer."""
    return row.requested_at + timedelta(seconds=ANSWER_SECONDS)


def _withdraw_pending(row: JobRun) -> None:
    pending = JobRunPermission.objects.filter(run=row, state=DeploymentState.PENDING)
    pending.update(state=DeploymentState.WITHDRAWN, reason=_make_withdrawn_error().message)


def _make_withdrawn_error() -> RefusedError:
    return RefusedError("withdrawn", _("Its job does not wait for it any more."), _("Run the job again."))


def _decide_and_record(row: JobRun, *, withdrawn: bool = False) -> None:
    identity = pipeline_identification.load_identity(row.identity)
    forged = None
    try:
        with transaction.atomic():
            identity = token_verification.verify_run_request(row)
        problem = _make_withdrawn_error() if withdrawn else _find_problem(row, identity)
    except IdentityError as error:
        problem = forged = error
    run = RequestedJobRun(row.environment.product.slug, row.environment.name, row.commit, identity)
    with transaction.atomic():
        if forged is not None:
            token_verification.report_forged_run(row, forged)
        JobRunPermission.objects.create(
            run=row,
            state=_choose_state(problem, withdrawn=withdrawn and forged is None),
            record_id=record_job_run(append_record, run, problem, moments.current_moment()).pk,
            reason="" if problem is None else problem.message,
            remedy="" if problem is None else problem.remedy,
            decided_at=timezone.now(),
        )


def _choose_state(problem: MunimentError | None, *, withdrawn: bool) -> DeploymentState:
    if withdrawn:
        return DeploymentState.WITHDRAWN
    return DeploymentState.PENDING if problem is None else DeploymentState.DENIED


def _find_problem(row: JobRun, identity: VerifiedIdentity) -> MunimentError | None:
    """Reason why the run may not have secrets, None if nothing is in the way. Raises OtherWorker."""
    try:
        _require_not_stopped(row)
        if identity.protected != Known(True):
            _require_branch(row)
    except MunimentError as error:
        return error
    return None


def _require_not_stopped(row: JobRun) -> None:
    """Raise MunimentError for a run that is frozen, ended, or not watched."""
    stop = find_stop_reason(row.pipeline, row.environment)
    if stop:
        raise RefusedError("stopped", stop, _("Run the job again once that is over."))
    require_watched_reads(row.environment, current_clauses())


def _require_branch(row: JobRun) -> None:
    """Raise MunimentError unless a protected branch that the pipeline may run on contains the commit."""
    with open_commit_standing(row.environment.product, row.commit) as here:
        if isinstance(here.holds, Unknown):
            raise GitError(here.holds.reason, _("See that the repository can be read."))
        if not here.holds.value or not matches_any(here.target, row.pipeline.patterns):
            raise RefusedError(
                "not-on-branch",
                _("No protected branch that this pipeline may run on holds the commit %(commit)s.")
                % {"commit": row.commit[:12]},
                _("Run the job on a commit of: %(refs)s.") % {"refs": ", ".join(row.pipeline.patterns)},
            )


def _open_run_access(row: JobRun) -> None:
    """Open the vault's role, after that was stored. Raises VaultError, after the reason for waiting was stored."""
    rows = JobRunPermission.objects.filter(run=row, state=DeploymentState.PENDING)
    if not rows.exists():
        return
    if timezone.now() >= find_answer_deadline(row):
        _withdraw_pending(row)
        close_run_access(row)
        return
    with vault_role_access.lock_environment_access(row.environment_id):
        if not rows.exists():
            return  # withdrawn since: what is opened now would stay open
        if vault_role_access.has_openable_role(row):
            rows.update(vault_access=True)
            try:
                vault_role_access.open_access(row)
            except VaultError as error:
                rows.update(reason=f"The vault does not let it in yet: {error.message}.", remedy=error.remedy)
                raise
        until = timezone.now() + RUN_VALIDITY
        rows.update(state=DeploymentState.ALLOWED, expires_at=until, reason="", remedy="")
