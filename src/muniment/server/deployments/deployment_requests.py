"""Stores requests and reports of pipelines as they were received, with the token; the worker verifies and records
them.
"""

import hashlib

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.pipelines.identities import VerifiedIdentity
from muniment.server.deployments.models import (
    Deployment,
    DeploymentReport,
    DeploymentState,
    PipelineIdentity,
    ReceivedToken,
    RunningArtifact,
)
from muniment.server.deployments.pipeline_identification import store_identity
from muniment.server.job_queue import enqueue
from muniment.server.products.models import Environment


class RequestedDeployment(Struct, frozen=True):
    """Requested deployment as it was sent: `provenance` are DSSE envelopes, `key` distinguishes requests.

    `token` came with it; `wait` are the seconds that it waits for another deployment to end.
    """

    artifact: str
    commit: str
    provenance: list[dict[str, object]]
    key: str
    token: str
    wait: int = 0

    @property
    def content_digest(self) -> str:
        """Digest of the content of a request, without its key."""
        body = {"artifact": self.artifact, "commit": self.commit, "provenance": self.provenance, "wait": self.wait}
        return hashlib.sha256(canonical.encode(body)).hexdigest()


def store_request(
    environment: Environment, pipeline: PipelineIdentity, identity: VerifiedIdentity, requested: RequestedDeployment
) -> Deployment:
    """Store a requested deployment, and have it verified and evaluated. The same key is the same deployment.

    Raises RefusedError for a commit that the pipeline does not run on, or a key that was used for another request.
    """
    if isinstance(identity.commit, Known) and identity.commit.value != requested.commit:
        raise RefusedError(
            "other-commit",
            _("The pipeline runs on another commit than the one that it wants to deploy."),
            _("Deploy the commit that the pipeline runs on."),
        )
    rows = Deployment.objects.filter(pipeline=pipeline, idempotency_key=requested.key).select_related("permission")
    found = rows.first()
    if found is None:
        try:
            with transaction.atomic():
                return _insert_deployment(environment, pipeline, identity, requested)
        except IntegrityError:  # the same was sent twice at this moment
            found = rows.get()
    if found.request_digest != requested.content_digest:
        raise RefusedError(
            "key-used",
            _("This Idempotency-Key was used for another request."),
            _("Send each request with a key of its own."),
        )
    return found


def _insert_deployment(
    environment: Environment, pipeline: PipelineIdentity, identity: VerifiedIdentity, requested: RequestedDeployment
) -> Deployment:
    row = Deployment.objects.create(
        environment=environment,
        pipeline=pipeline,
        artifact=requested.artifact,
        commit=requested.commit,
        identity=store_identity(identity),
        provenance=requested.provenance,
        wait_seconds=requested.wait,
        idempotency_key=requested.key,
        request_digest=requested.content_digest,
    )
    _store_token(row, ReceivedToken.Purpose.REQUEST, requested.token)
    enqueue("evaluate-deployment", deployment=row.pk)
    return row


def _store_token(row: Deployment, purpose: ReceivedToken.Purpose, token: str) -> None:
    """Store the token until the worker has verified it."""
    ReceivedToken.objects.create(key=ReceivedToken.make_key(row.pk, purpose), deployment=row, token=token)


def store_report(deployment: Deployment, state: str, exit_code: int | None, digest: str, token: str) -> None:
    """Store the outcome that the pipeline reports. Raises RefusedError if it reported another before."""
    row, new = DeploymentReport.objects.get_or_create(
        deployment=deployment, defaults={"state": state, "exit_code": exit_code, "running_digest": digest}
    )
    if new:
        _store_token(deployment, ReceivedToken.Purpose.REPORT, token)
    if not new and (row.state, row.exit_code, row.running_digest) != (state, exit_code, digest):
        raise RefusedError(
            "reported-already",
            _("It was reported already: %(state)s.") % {"state": row.state},
            _("An outcome is reported once, and is not changed."),
        )
    enqueue("record-deployment-outcome", deployment=deployment.pk)


def store_withdrawal(deployment: Deployment) -> None:
    """Store that the pipeline waits no longer, unless an outcome was reported."""
    DeploymentReport.objects.get_or_create(deployment=deployment, defaults={"state": DeploymentState.WITHDRAWN})
    enqueue("record-deployment-outcome", deployment=deployment.pk)


def request_access_end(deployment: Deployment) -> None:
    """Have the vault's role closed: the run has its secrets."""
    enqueue("close-deployment-access", deployment=deployment.pk)


def store_sighting(environment: Environment, digest: str) -> None:
    """Store the artifact that an environment reports to run."""
    row, new = RunningArtifact.objects.get_or_create(environment=environment, artifact=digest)
    if not new:
        row.last_seen_at = timezone.now()
        row.save(update_fields=["last_seen_at"])
    enqueue("record-running-artifact", sighting=row.pk)
