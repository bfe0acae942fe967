"""What pipelines say: kept as it was received, with its token; the worker verifies it, records it and does the rest."""

import hashlib
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from msgspec import Struct

from muniment.errors import RefusedError
from muniment.facts import canonical
from muniment.facts.maybe import Known
from muniment.pipelines.identities import Identity
from muniment.server.deployments.identifying import told
from muniment.server.deployments.models import (
    Deployment,
    DeploymentReport,
    DeploymentState,
    PipelineIdentity,
    ReceivedToken,
    RunningArtifact,
)
from muniment.server.products.models import Environment
from muniment.server.work import soon


class Wish(Struct, frozen=True):
    """What to bring, as it was sent: `provenance` are DSSE envelopes, `key` tells the same request from another.

    `token` is what came with it, `wait` the seconds that it waits for another deployment to end.
    """

    artifact: str
    commit: str
    provenance: list[dict[str, Any]]
    key: str
    token: str
    wait: int = 0

    @property
    def digest(self) -> str:
        """What tells it from other requests, but for its key."""
        body = {"artifact": self.artifact, "commit": self.commit, "provenance": self.provenance, "wait": self.wait}
        return hashlib.sha256(canonical.encode(body)).hexdigest()


def ask(environment: Environment, pipeline: PipelineIdentity, identity: Identity, wish: Wish) -> Deployment:
    """Keep what was asked, and have it verified and judged. Sent again with the same key it is the same deployment.

    Raises RefusedError for a commit that the pipeline does not run on, or a key that was used for something else.
    """
    if isinstance(identity.commit, Known) and identity.commit.value != wish.commit:
        raise RefusedError(
            "other-commit",
            _("The pipeline runs on another commit than the one that it wants to deploy."),
            _("Deploy the commit that the pipeline runs on."),
        )
    rows = Deployment.objects.filter(pipeline=pipeline, idempotency_key=wish.key).select_related("permission")
    found = rows.first()
    if found is None:
        try:
            with transaction.atomic():
                return _received(environment, pipeline, identity, wish)
        except IntegrityError:  # the same was sent twice at this moment
            found = rows.get()
    if found.request_digest != wish.digest:
        raise RefusedError(
            "key-used",
            _("This Idempotency-Key was used for another request."),
            _("Send each request with a key of its own."),
        )
    return found


def _received(environment: Environment, pipeline: PipelineIdentity, identity: Identity, wish: Wish) -> Deployment:
    row = Deployment.objects.create(
        environment=environment,
        pipeline=pipeline,
        artifact=wish.artifact,
        commit=wish.commit,
        identity=told(identity),
        provenance=wish.provenance,
        wait_seconds=wish.wait,
        idempotency_key=wish.key,
        request_digest=wish.digest,
    )
    _keep_token(row, ReceivedToken.Purpose.REQUEST, wish.token)
    soon("evaluate-deployment", deployment=row.pk)
    return row


def _keep_token(row: Deployment, purpose: ReceivedToken.Purpose, token: str) -> None:
    """Keep the token until the worker has verified it."""
    ReceivedToken.objects.create(key=ReceivedToken.key_of(row.pk, purpose), deployment=row, token=token)


def report(deployment: Deployment, state: str, exit_code: int | None, digest: str, token: str) -> None:
    """Keep what the pipeline says came of it. Raises RefusedError if it said something else before."""
    row, new = DeploymentReport.objects.get_or_create(
        deployment=deployment, defaults={"state": state, "exit_code": exit_code, "running_digest": digest}
    )
    if new:
        _keep_token(deployment, ReceivedToken.Purpose.REPORT, token)
    if not new and (row.state, row.exit_code, row.running_digest) != (state, exit_code, digest):
        raise RefusedError(
            "reported-already",
            _("It was reported already: %(state)s.") % {"state": row.state},
            _("An outcome is reported once, and is not changed."),
        )
    soon("record-deployment-outcome", deployment=deployment.pk)


def withdraw(deployment: Deployment) -> None:
    """Keep that its pipeline waits no longer, unless an outcome was reported."""
    DeploymentReport.objects.get_or_create(deployment=deployment, defaults={"state": DeploymentState.WITHDRAWN})
    soon("record-deployment-outcome", deployment=deployment.pk)


def end_access(deployment: Deployment) -> None:
    """Have the vault's role closed: the run has its secrets."""
    soon("close-deployment-access", deployment=deployment.pk)


def sighted(environment: Environment, digest: str) -> None:
    """Keep what an environment says that it runs."""
    row, new = RunningArtifact.objects.get_or_create(environment=environment, artifact=digest)
    if not new:
        row.last_seen_at = timezone.now()
        row.save(update_fields=["last_seen_at"])
    soon("record-running-artifact", sighting=row.pk)
