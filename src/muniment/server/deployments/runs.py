"""Runs of jobs that get secrets of an environment without a deployment: recorded, evaluated, let into the vault.

Tests and scheduled jobs are such runs. They deliver nothing, so no clause of the policy is evaluated: two people named
the pipeline, its workflows and its refs, and the commit has to be on a protected branch.
"""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import GitError, IdentityError, MunimentError, RefusedError, VaultError
from muniment.facts import canonical
from muniment.facts.maybe import Known, Unknown
from muniment.ledger import entries, objects
from muniment.pipelines.identities import Identity
from muniment.pipelines.service import ANSWER_SECONDS
from muniment.policy.patterns import matches
from muniment.server import moments
from muniment.server.deployments import doors, identifying, receiving
from muniment.server.deployments.commits import standing
from muniment.server.deployments.models import (
    DeploymentState,
    JobRun,
    JobRunPermission,
    PipelineIdentity,
    ReceivedRunToken,
)
from muniment.server.deployments.secret_reads import require_watched_reads
from muniment.server.deployments.watching import find_stop
from muniment.server.policies.current import clauses
from muniment.server.products.models import Environment
from muniment.server.records.entering import enter
from muniment.server.work import soon

GOOD_FOR = timedelta(minutes=5)  # within which a run fetches its secrets
_ROWS = ("environment__product", "pipeline")


def request_run(
    environment: Environment, pipeline: PipelineIdentity, identity: Identity, commit: str, key: str, token: str
) -> JobRun:
    """Store what a job requested, and have it evaluated. The same key is the same run.

    Raises RefusedError for a commit that the job does not run on, or a key that was used for another run.
    """
    if isinstance(identity.commit, Known) and identity.commit.value != commit:
        raise RefusedError(
            "other-commit", _("The job runs on another commit."), _("Name the commit that the job runs on.")
        )
    values = {"environment": environment, "commit": commit, "identity": identifying.told(identity)}
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
    soon("evaluate-job-run", run=row.pk)
    return row


def find_run(number: int) -> JobRun | None:
    """The run of that number, with what an evaluation needs."""
    return JobRun.objects.select_related(*_ROWS).filter(pk=number).first()


def evaluate_run(row: JobRun) -> None:
    """Decide once, record it, and open the vault's role if it is allowed. What cannot be evaluated is denied."""
    if not JobRunPermission.objects.filter(run=row).exists():
        _decide(row)
    _let_in(row)


def close_run(row: JobRun) -> None:
    """Close the vault's role to a run, if it was opened for it. Raises VaultError; then it may still be open."""
    with doors.one_at_a_time(row.environment_id):
        if JobRunPermission.objects.filter(run=row, vault_access=True).exists():
            doors.close_door(row)
            JobRunPermission.objects.filter(run=row).update(vault_access=False)


def close_old_runs() -> None:
    """Have closed what is open for longer than a permission lasts, and made ready what still waits for the vault."""
    now = timezone.now()
    rows = JobRunPermission.objects.all()
    for number in rows.filter(state=DeploymentState.PENDING).values_list("run", flat=True):
        soon("evaluate-job-run", run=number)
    for number in rows.filter(vault_access=True, expires_at__lt=now).values_list("run", flat=True):
        soon("close-job-run", run=number)


def answer_until(row: JobRun) -> datetime:
    """When its job stops waiting for an answer."""
    return row.requested_at + timedelta(seconds=ANSWER_SECONDS)


def _decide(row: JobRun) -> None:
    identity = identifying.read(row.identity)
    forged = None
    try:
        with transaction.atomic():
            identity = receiving.verify_run(row)
        problem = _find_problem(row, identity)
    except IdentityError as error:
        problem = forged = error
    by = f"{identity.issuer.value}:{identity.subject}"
    where = row.environment.product.slug, row.environment.name
    why = "" if problem is None else problem.message
    beside = objects.JobRun(*where, row.commit, by, identity.run, identity.workflow, why, objects.salt())
    entry = entries.JobRunRecord(
        time=moments.now(),
        object=canonical.digest_of(beside),
        commit=row.commit,
        pipeline=objects.commitment(by, beside.salt),
        allowed=problem is None,
    )
    with transaction.atomic():
        if forged is not None:
            receiving.report_forged_run(row, forged)
        JobRunPermission.objects.create(
            run=row,
            state=DeploymentState.PENDING if problem is None else DeploymentState.DENIED,
            record_id=enter(entry, (beside,)).pk,
            reason=why,
            remedy="" if problem is None else problem.remedy,
            decided_at=timezone.now(),
        )


def _find_problem(row: JobRun, identity: Identity) -> MunimentError | None:
    """Why the run may not have secrets, None if nothing is in the way. Raises OtherWorker."""
    try:
        _require_going(row)
        if identity.protected != Known(True):
            _require_branch(row)
    except MunimentError as error:
        return error
    return None


def _require_going(row: JobRun) -> None:
    """Raise MunimentError for what is frozen, ended, or not watched."""
    stop = find_stop(row.pipeline, row.environment)
    if stop:
        raise RefusedError("stopped", stop, _("Run the job again once that is over."))
    require_watched_reads(row.environment, clauses())


def _require_branch(row: JobRun) -> None:
    """Raise MunimentError unless a protected branch that the pipeline may run on holds the commit."""
    with standing(row.environment.product, row.commit) as here:
        if isinstance(here.holds, Unknown):
            raise GitError(here.holds.reason, _("See that the repository can be read."))
        if not here.holds.value or not matches(here.target, row.pipeline.patterns):
            raise RefusedError(
                "not-on-branch",
                _("No protected branch that this pipeline may run on holds the commit %(commit)s.")
                % {"commit": row.commit[:12]},
                _("Run the job on a commit of: %(refs)s.") % {"refs": ", ".join(row.pipeline.patterns)},
            )


def _let_in(row: JobRun) -> None:
    """Open the vault's role, after it was written down. Raises VaultError, after it was written down why it waits."""
    rows = JobRunPermission.objects.filter(run=row, state=DeploymentState.PENDING)
    if not rows.exists():
        return
    if timezone.now() >= answer_until(row):
        rows.update(state=DeploymentState.WITHDRAWN, reason="Its job does not wait for it any more.")
        close_run(row)
        return
    with doors.one_at_a_time(row.environment_id):
        if doors.has_door(row):
            rows.update(vault_access=True)
            try:
                doors.open_door(row)
            except VaultError as error:
                rows.update(reason=f"The vault does not let it in yet: {error.message}.", remedy=error.remedy)
                raise
        until = timezone.now() + GOOD_FOR
        rows.update(state=DeploymentState.ALLOWED, expires_at=until, reason="", remedy="")
