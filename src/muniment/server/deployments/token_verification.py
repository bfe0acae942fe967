"""Verifies and records what pipelines sent: the worker relies on no identity that the web found.

The token was stored as it was received. It is deleted once it is verified; a request with an invalid one is denied,
and is an incident.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import IdentityCode, IdentityError
from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.ledger import record_kinds, record_objects
from muniment.pipelines import identities
from muniment.pipelines.identities import VerifiedIdentity
from muniment.server import moments
from muniment.server.deployments import pipeline_identification
from muniment.server.deployments.models import (
    Deployment,
    JobRun,
    PipelineIdentity,
    ReceivedRunToken,
    ReceivedToken,
    VerifiedRequest,
    VerifiedRunnerToken,
)
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.moments import MOST_SKEW
from muniment.server.products.models import Environment
from muniment.server.records import row_checks
from muniment.server.records.record_writing import append_record

LATEST = {  # between receipt and verification: a request is worth nothing later, a report is
    ReceivedToken.Purpose.REQUEST: timedelta(minutes=30),
    ReceivedToken.Purpose.REPORT: timedelta(days=1),
}
_KEEP = timedelta(days=2)  # digests of tokens, which have expired long before


def verify_deployment_request(row: Deployment) -> None:
    """Verify the token of a request to deploy, and record the request, unless that was done.

    Raises IdentityError for one that proves another identity than the row says, or none: its token is deleted.
    Raises RowsDifferError where that cannot be decided.
    """
    if VerifiedRequest.objects.filter(deployment=row).exists():
        return
    # One transaction: the token is deleted with the record that it proves. Neither is there without the other, so a
    # token proves one request.
    with transaction.atomic():
        identity = _verify_token(row, ReceivedToken.Purpose.REQUEST)
        _require_stored_identity(row, identity)
        by = f"{identity.issuer.value}:{identity.subject}"
        place = row.environment.product.slug, row.environment.name
        details = record_objects.DeploymentRequest(
            *place, row.artifact, row.commit, by, identity.run, record_objects.draw_salt()
        )
        entry = record_kinds.DeploymentRequestRecord(
            time=moments.current_moment(),
            object=canonical.digest_value(details),
            artifact=row.artifact,
            commit=row.commit,
            pipeline=record_objects.make_commitment(by, details.salt),
        )
        row.verified = VerifiedRequest.objects.create(deployment=row, record=append_record(entry, (details,)))


def verify_report(row: Deployment) -> None:
    """Verify the token of a report on a deployment. Raises IdentityError for one that another run sent, or nobody."""
    with transaction.atomic():
        identity = _verify_token(row, ReceivedToken.Purpose.REPORT)
        if not identity.run or identity.run != row.identity["run"]:
            raise _make_identity_error(_("it is of another run"))


def report_forged_message(row: Deployment, purpose: ReceivedToken.Purpose, error: IdentityError) -> None:
    """Open the incident of a message that no pipeline sent, and delete its token. A late message is none."""
    with transaction.atomic():
        ReceivedToken.objects.filter(key=ReceivedToken.make_key(row.pk, purpose)).delete()
        subject = f"{purpose.value}:{row.pk}"
        _open_forgery_incident(row.environment, purpose.label, subject, f"/deployments/{row.pk}", error)


def _verify_token(row: Deployment, purpose: ReceivedToken.Purpose) -> VerifiedIdentity:
    """Identity that the token of this purpose proves; it is deleted in the transaction under way."""
    # The trust in a pipeline is a row too: one that no recorded act wrote must not admit anybody.
    row_checks.require_recorded(row.pipeline, row.environment)
    found = ReceivedToken.objects.filter(key=ReceivedToken.make_key(row.pk, purpose)).first()
    if found is None:
        raise _make_identity_error(_("no token came with it"))
    if row.pipeline.environment_id != row.environment_id or row.pipeline.purpose != PipelineIdentity.Purpose.DEPLOY:
        raise _make_identity_error(_("its pipeline is not of deployments to this environment"))
    return _verify_and_delete(found, row, LATEST[purpose])


def verify_run_request(row: JobRun) -> VerifiedIdentity:
    """Identity that the token of a job's request proves; the token is deleted in the transaction under way.

    Raises IdentityError for one that proves another identity than the row says, or none, and RowsDifferError where
    that cannot be decided.
    """
    row_checks.require_recorded(row.pipeline, row.environment)
    found = ReceivedRunToken.objects.filter(run=row).first()
    if found is None:
        raise _make_identity_error(_("no token came with it"))
    if row.pipeline.environment_id != row.environment_id or row.pipeline.purpose != PipelineIdentity.Purpose.RUN:
        raise _make_identity_error(_("its pipeline is not of jobs of this environment"))
    identity = _verify_and_delete(found, row, LATEST[ReceivedToken.Purpose.REQUEST])
    _require_stored_identity(row, identity)
    return identity


def report_forged_run(row: JobRun, error: IdentityError) -> None:
    """Open the incident of a job's request that no pipeline sent. A late request is none."""
    ReceivedRunToken.objects.filter(run=row).delete()
    link = f"/products/{row.environment.product.slug}/environments"
    _open_forgery_incident(row.environment, "a request of a job", f"run:{row.pk}", link, error)


def _verify_and_delete(
    found: ReceivedToken | ReceivedRunToken, row: Deployment | JobRun, latest: timedelta
) -> VerifiedIdentity:
    """Verify a token that was received at most `latest` ago, and delete it. A plain runner's proves nothing else."""
    if not -MOST_SKEW <= timezone.now() - found.received_at <= latest:
        raise _make_identity_error(_("it was received too long ago"), IdentityCode.EXPIRED)
    # As of its receipt: the token has expired by now, and it was valid when it was sent.
    trust = pipeline_identification.make_trust(row.pipeline, row.environment)
    identity = identities.verify_identity(found.token, trust, moments.format_moment(found.received_at))
    if row.pipeline.kind == PipelineIdentity.Kind.RUNNER:
        _spend_runner_token(found.token)
    found.delete()
    return identity


def _require_stored_identity(row: Deployment | JobRun, identity: VerifiedIdentity) -> None:
    """Raise IdentityError unless the token proves the commit and the identity that the row has."""
    if isinstance(identity.commit, Known) and identity.commit.value != row.commit:
        raise _make_identity_error(_("it is of another commit"))
    if pipeline_identification.store_identity(identity) != row.identity:
        raise _make_identity_error(_("it proves another identity than was stored"))


def _open_forgery_incident(place: Environment, sent: str, subject: str, link: str, error: IdentityError) -> None:
    """Open the incident of a message that no pipeline sent. A late message is none."""
    if error.code is not IdentityCode.EXPIRED:
        description = f"{sent} ({place.name} of {place.product.name}) does not hold: {error.message}"
        open_incident(kinds.REQUEST_FORGED, place.product, subject, description, link=link)


def _spend_runner_token(token: str) -> None:
    """Let a plain runner's token prove this request, and nothing else ever."""
    VerifiedRunnerToken.objects.filter(verified_at__lt=timezone.now() - _KEEP).delete()
    # Unique in the database: of two workers that verify the same token at once, one is refused.
    _row, new = VerifiedRunnerToken.objects.get_or_create(token_digest=identities.digest_token(token))
    if not new:
        raise _make_identity_error(_("its token was used for another request"))


def _make_identity_error(why: str, code: IdentityCode = IdentityCode.SIGNATURE) -> IdentityError:
    remedy = _("Request it again. If that does not help, find out who wrote this row of the database.")
    return IdentityError(code, why, remedy)
