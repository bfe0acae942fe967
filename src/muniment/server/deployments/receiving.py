"""Verifies what a pipeline is said to have sent, and records it: the worker believes no identity that the web found.

The token was stored as it was received. It is deleted once it is verified; what does not hold is denied, and is an
incident.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import IdentityCode, IdentityError
from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.ledger import entries, objects
from muniment.pipelines import identities
from muniment.pipelines.identities import Identity
from muniment.server import moments
from muniment.server.deployments import identifying
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
from muniment.server.records import row_checks
from muniment.server.records.entering import enter

LATEST = {  # between receipt and verification: a request is worth nothing later, a report is
    ReceivedToken.Purpose.REQUEST: timedelta(minutes=30),
    ReceivedToken.Purpose.REPORT: timedelta(days=1),
}
_MOST_SKEW = timedelta(minutes=2)  # of the clocks of two machines
_KEEP = timedelta(days=2)  # digests of tokens, which have expired long before


def verify_request(row: Deployment) -> None:
    """Verify the token of a request to deploy, and record the request, unless that was done.

    Raises IdentityError for one that proves another identity than the row says, or none: its token is deleted. Raises
    RowsDifferError where it cannot be told.
    """
    if VerifiedRequest.objects.filter(deployment=row).exists():
        return
    with transaction.atomic():
        identity = _verify(row, ReceivedToken.Purpose.REQUEST)
        if isinstance(identity.commit, Known) and identity.commit.value != row.commit:
            raise _refused(_("it is of another commit"))
        if identifying.told(identity) != row.identity:
            raise _refused(_("it proves another identity than was stored"))
        by = f"{identity.issuer.value}:{identity.subject}"
        place = row.environment.product.slug, row.environment.name
        beside = objects.DeploymentRequest(*place, row.artifact, row.commit, by, identity.run, objects.salt())
        entry = entries.DeploymentRequestRecord(
            time=moments.now(),
            object=canonical.digest_of(beside),
            artifact=row.artifact,
            commit=row.commit,
            pipeline=objects.commitment(by, beside.salt),
        )
        row.verified = VerifiedRequest.objects.create(deployment=row, record=enter(entry, (beside,)))


def verify_report(row: Deployment) -> None:
    """Verify the token of a report on a deployment. Raises IdentityError for one that another run sent, or nobody."""
    with transaction.atomic():
        identity = _verify(row, ReceivedToken.Purpose.REPORT)
        if not identity.run or identity.run != row.identity["run"]:
            raise _refused(_("it is of another run"))


def report_forgery(row: Deployment, purpose: ReceivedToken.Purpose, error: IdentityError) -> None:
    """Open the incident of something that no pipeline sent, and delete what came with it. What came late is none."""
    place = row.environment
    told = f"{purpose.label} ({place.name} of {place.product.name}) does not hold: {error.message}"
    with transaction.atomic():
        ReceivedToken.objects.filter(key=ReceivedToken.key_of(row.pk, purpose)).delete()
        if error.code is IdentityCode.EXPIRED:
            return
        link = f"/deployments/{row.pk}"
        open_incident(kinds.REQUEST_FORGED, place.product, f"{purpose.value}:{row.pk}", told, link=link)


def _verify(row: Deployment, purpose: ReceivedToken.Purpose) -> Identity:
    """The identity that the token proves, which came for this purpose; it is deleted in the transaction under way."""
    row_checks.require_recorded(row.pipeline, row.environment)
    found = ReceivedToken.objects.filter(key=ReceivedToken.key_of(row.pk, purpose)).first()
    if found is None:
        raise _refused(_("no token came with it"))
    if row.pipeline.environment_id != row.environment_id:
        raise _refused(_("its pipeline is of another environment"))
    age = timezone.now() - found.received_at
    if not -_MOST_SKEW <= age <= LATEST[purpose]:
        raise _refused(_("it was received too long ago"), IdentityCode.EXPIRED)
    trust = identifying.trust_of(row.pipeline, row.environment)
    identity = identities.verify(found.token, trust, moments.text(found.received_at))
    if row.pipeline.kind == PipelineIdentity.Kind.RUNNER:
        _spend(found.token)
    found.delete()
    return identity


def verify_run(row: JobRun) -> Identity:
    """The identity that the token of a job's request proves; the token is deleted in the transaction under way.

    Raises IdentityError for one that proves another identity than the row says, or none, and RowsDifferError where it
    cannot be told.
    """
    row_checks.require_recorded(row.pipeline, row.environment)
    found = ReceivedRunToken.objects.filter(run=row).first()
    if found is None:
        raise _refused(_("no token came with it"))
    if row.pipeline.environment_id != row.environment_id or row.pipeline.purpose != PipelineIdentity.Purpose.RUN:
        raise _refused(_("its pipeline is not of jobs of this environment"))
    if not -_MOST_SKEW <= timezone.now() - found.received_at <= LATEST[ReceivedToken.Purpose.REQUEST]:
        raise _refused(_("it was received too long ago"), IdentityCode.EXPIRED)
    trust = identifying.trust_of(row.pipeline, row.environment)
    identity = identities.verify(found.token, trust, moments.text(found.received_at))
    if row.pipeline.kind == PipelineIdentity.Kind.RUNNER:
        _spend(found.token)
    found.delete()
    if isinstance(identity.commit, Known) and identity.commit.value != row.commit:
        raise _refused(_("it is of another commit"))
    if identifying.told(identity) != row.identity:
        raise _refused(_("it proves another identity than was stored"))
    return identity


def report_forged_run(row: JobRun, error: IdentityError) -> None:
    """Open the incident of a job's request that no pipeline sent. What came late is none."""
    ReceivedRunToken.objects.filter(run=row).delete()
    place = row.environment
    if error.code is not IdentityCode.EXPIRED:
        told = f"a request of a job ({place.name} of {place.product.name}) does not hold: {error.message}"
        link = f"/products/{place.product.slug}/environments"
        open_incident(kinds.REQUEST_FORGED, place.product, f"run:{row.pk}", told, link=link)


def _spend(token: str) -> None:
    """Let a plain runner's token prove this, and nothing else ever."""
    VerifiedRunnerToken.objects.filter(verified_at__lt=timezone.now() - _KEEP).delete()
    _row, new = VerifiedRunnerToken.objects.get_or_create(token_digest=identities.mark(token))
    if not new:
        raise _refused(_("its token was used for another request"))


def _refused(why: str, code: IdentityCode = IdentityCode.SIGNATURE) -> IdentityError:
    remedy = _("Request it again. If that does not help, find out who wrote this row of the database.")
    return IdentityError(code, why, remedy)
