"""Pipelines that may deploy, the deployments that they requested, the worker's decisions, and the outcomes.

Several tables for one deployment, since several processes write them: what a pipeline requested and reported (the
web adds it as it was received, and nobody alters it), the token that came with it, until the worker has verified
it, the record that the worker then writes, and the permission (the worker's alone).
"""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.pipelines.provenance import fingerprint
from muniment.pipelines.service_client import find_answer_seconds
from muniment.pipelines.sigstore_bundles import describe_identity
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.models import Record
from muniment.server.records.recorded_rows import RecordedModel


class PipelineIdentity(RecordedModel):
    """Pipeline that may deploy to an environment, or get its secrets for jobs, and how it proves its identity.

    It is ended, never deleted.

    `issuer` is the address of its tokens' issuer ("" for a plain runner, which has a `key` of its own), `subject`
    and `at` are claims that its identity must have, `repository` the forge's id of it, `refs` patterns of full
    names, one a line. `workflow_paths` are the pipeline files that may deploy, one a line; empty for any.
    """

    recorded_columns = (
        "environment",
        "name",
        "kind",
        "issuer",
        "subject",
        "forge_repository_id",
        "ref_patterns",
        "forge_environment",
        "public_key",
        "purpose",
        "workflow_paths",
        "ended_at",
    )
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.CHANGE_ENVIRONMENT, Action.REVOKE_PIPELINE, Action.CHANGE_PRODUCT})

    class Kind(models.TextChoices):
        """Kind of the issuer of its tokens."""

        GITHUB = "github", "GitHub Actions"
        GITLAB = "gitlab", "GitLab"
        KUBERNETES = "kubernetes", "Kubernetes"
        RUNNER = "runner", "plain runner"

    class Purpose(models.TextChoices):
        """Purpose for which it gets secrets."""

        DEPLOY = "deploy", "deployments"
        RUN = "run", "jobs without a deployment"

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="pipelines")
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    issuer = models.CharField(max_length=300, blank=True)
    subject = models.CharField(max_length=500, blank=True)
    forge_repository_id = models.CharField(max_length=64, blank=True)
    ref_patterns = models.TextField(blank=True)
    forge_environment = models.CharField(max_length=200, blank=True)
    public_key = models.TextField(blank=True)
    purpose = models.CharField(max_length=8, choices=Purpose, default=Purpose.DEPLOY)
    workflow_paths = models.TextField(blank=True)
    trusted_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A name, and a key, is used once at a time."""

        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "name"], condition=models.Q(ended_at=None), name="unique_pipeline_name"
            ),
            models.UniqueConstraint(
                fields=["public_key"],
                condition=models.Q(ended_at=None) & ~models.Q(public_key=""),
                name="unique_pipeline_key",
            ),
        ]

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns of the refs that it may deploy from."""
        return tuple(line.strip() for line in self.ref_patterns.splitlines() if line.strip())

    @property
    def workflows(self) -> tuple[str, ...]:
        """Pipeline files that may deploy; none if any may."""
        return tuple(line.strip() for line in self.workflow_paths.splitlines() if line.strip())

    @property
    def fingerprint(self) -> str:
        """Fingerprint of a plain runner's key, for people to compare."""
        return fingerprint(self.public_key)


class TokenIssuer(models.Model):
    """Issuer of pipelines' tokens: its public keys (a JWK set), as the worker read them last, or the problem of
    reading.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    url = models.CharField(max_length=300, unique=True)
    key_set = models.JSONField(default=dict)
    read_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)


class Deployment(models.Model):
    """Delivery of one artifact to one environment, as a pipeline requested it. Nobody alters it.

    `identity` is what its token proved to the web; `verified` is there once it proved the same to the worker.
    `provenance` are the statements that it sent.
    """

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.DEPLOY})

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="deployments")
    pipeline = models.ForeignKey(PipelineIdentity, models.PROTECT, related_name="deployments")
    artifact = models.CharField(max_length=71)
    commit = models.CharField(max_length=64)
    identity = models.JSONField()
    provenance = models.JSONField(default=list)
    idempotency_key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    wait_seconds = models.PositiveIntegerField(default=0)  # that it waits for another deployment; 0: it is refused then
    requested_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Unique by key: a repeated request is the same deployment. A page shows an environment's newest."""

        constraints = [
            models.UniqueConstraint(fields=["pipeline", "idempotency_key"], name="unique_deployment_request")
        ]
        indexes = [
            models.Index(fields=["environment", "-id"], name="deployment_newest"),
            models.Index(fields=["environment", "artifact"], name="deployment_artifact"),
        ]

    @property
    def record(self) -> Record:
        """Record of the request. Raises VerifiedRequest.DoesNotExist before the worker verified it."""
        found: Record = self.verified.record
        return found

    @property
    def state(self) -> str:
        """State of the deployment. Its permission has to be loaded."""
        permission = getattr(self, "permission", None)
        return "pending" if permission is None or permission.state == DeploymentState.PENDING else str(permission.state)

    @property
    def waits_until(self) -> datetime:
        """Moment when its pipeline stops waiting for an answer."""
        return self.requested_at + timedelta(seconds=find_answer_seconds(self.wait_seconds))


class ReceivedToken(models.Model):
    """Token that came with a request to deploy, or with a report, as it was received. The worker deletes it once it
    has verified it. `key` is such as `request:7` or `report:7`. The web adds them, and reads none.
    """

    privileges = Privileges((ADD,), (READ, DROP))
    written_by = frozenset({Action.DEPLOY})

    class Purpose(models.TextChoices):
        """Message that the token came with."""

        REQUEST = "request", "a request to deploy"
        REPORT = "report", "a report"

    key = models.CharField(primary_key=True, max_length=40)
    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="received_tokens")
    token = models.TextField()
    received_at = models.DateTimeField(default=timezone.now)

    @staticmethod
    def make_key(deployment: int, purpose: Purpose) -> str:
        """Key of the token that came for this purpose."""
        return f"{purpose.value}:{deployment}"


class VerifiedRequest(models.Model):
    """The worker verified the token of a request to deploy, and wrote its record."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    deployment = models.OneToOneField(Deployment, models.PROTECT, primary_key=True, related_name="verified")
    record = models.OneToOneField("records.Record", models.PROTECT, related_name="+")


class VerifiedRunnerToken(models.Model):
    """Token of a plain runner that the worker verified, by its digest: it proves one request, and no other."""

    privileges = Privileges((), (READ, ADD, DROP))
    written_by: frozenset[Action] = frozenset()

    token_digest = models.CharField(primary_key=True, max_length=64)
    verified_at = models.DateTimeField(default=timezone.now)


class UsedRunnerToken(models.Model):
    """Token that a plain runner signed, and the one request that it was for: digests of both, until it expires."""

    privileges = Privileges((READ, ADD, DROP), (READ,))
    written_by = frozenset({Action.DEPLOY})

    token_digest = models.CharField(max_length=64, unique=True)
    request_digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)


class DeploymentState(models.TextChoices):
    """State of a deployment. PENDING: it was decided, and is being made ready."""

    PENDING = "pending", "being evaluated"
    ALLOWED = "allowed", "allowed, and under way"
    DENIED = "denied", "denied"
    REVOKED = "revoked", "its permission was taken back"
    WITHDRAWN = "withdrawn", "withdrawn: its pipeline waited no longer"
    SUCCEEDED = "succeeded", "succeeded"
    FAILED = "failed", "failed"
    ROLLED_BACK = "rolled-back", "failed, and undone"
    ROLLBACK_FAILED = "rollback-failed", "failed, and could not be undone"
    CRASHED = "crashed", "its pipeline died"
    UNREPORTED = "unreported", "nobody reported what came of it"


REPORTED = (
    DeploymentState.SUCCEEDED,
    DeploymentState.FAILED,
    DeploymentState.ROLLED_BACK,
    DeploymentState.ROLLBACK_FAILED,
    DeploymentState.CRASHED,
)
BROUGHT = (
    DeploymentState.ALLOWED,
    *REPORTED,
    DeploymentState.UNREPORTED,
)  # it may have come to run there with our leave
BROKEN = (
    DeploymentState.FAILED,
    DeploymentState.ROLLED_BACK,
    DeploymentState.ROLLBACK_FAILED,
    DeploymentState.CRASHED,
    DeploymentState.UNREPORTED,
)


class DeploymentPermission(models.Model):
    """Decision of the worker, and its state. `vsa` is the signed permission, for the pipeline."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    deployment = models.OneToOneField(Deployment, models.PROTECT, related_name="permission")
    state = models.CharField(max_length=16, choices=DeploymentState)
    record = models.OneToOneField("records.Record", models.PROTECT, null=True, related_name="+")
    explanation_digest = models.CharField(max_length=71, blank=True)  # the object that tells the decision
    reason = models.TextField(blank=True)  # why it could not be evaluated, or ended
    vsa = models.TextField(blank=True)
    break_glass = models.ForeignKey("BreakGlassPermission", models.PROTECT, null=True, related_name="+")
    merged_at = models.DateTimeField(null=True)  # when its commit was let onto the branch
    manual_steps = models.JSONField(null=True)  # steps that people do by hand, from the pipeline files; None: not known
    vault_access = models.BooleanField(default=False)  # the vault lets its commit in
    decided_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)  # when it was last seen that nothing ends it
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Indexed by state: unfinished ones are found without reading the rest."""

        indexes = [
            models.Index(
                fields=["decided_at"], condition=models.Q(state__in=["pending", "allowed"]), name="pending_permission"
            )
        ]


class DeploymentReport(models.Model):
    """Outcome of a deployment that its pipeline reported, or that it waits no longer.

    `running_digest` is the artifact that it then saw running, "" if it did not look.
    """

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.DEPLOY})

    deployment = models.OneToOneField(Deployment, models.PROTECT, related_name="report")
    state = models.CharField(
        max_length=16, choices=[(state.value, state.label) for state in (*REPORTED, DeploymentState.WITHDRAWN)]
    )
    exit_code = models.IntegerField(null=True)
    running_digest = models.CharField(max_length=71, blank=True)
    reported_at = models.DateTimeField(default=timezone.now)


class JobRun(models.Model):
    """Run of a job that gets secrets of an environment without a deployment, as it requested them.

    Nobody alters it. `identity` is what its token proved to the web; the worker verifies the token too.
    """

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.DEPLOY})

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="job_runs")
    pipeline = models.ForeignKey(PipelineIdentity, models.PROTECT, related_name="job_runs")
    commit = models.CharField(max_length=64)
    identity = models.JSONField()
    idempotency_key = models.CharField(max_length=200)
    requested_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Unique by key: a repeated request is the same run. A page shows an environment's newest."""

        constraints = [models.UniqueConstraint(fields=["pipeline", "idempotency_key"], name="unique_job_run_request")]
        indexes = [models.Index(fields=["environment", "-id"], name="job_run_newest")]


class ReceivedRunToken(models.Model):
    """Token that came with a request of a job, as it was received. The worker deletes it once it has verified it.

    The web adds them, and reads none.
    """

    privileges = Privileges((ADD,), (READ, DROP))
    written_by = frozenset({Action.DEPLOY})

    run = models.OneToOneField(JobRun, models.PROTECT, primary_key=True, related_name="received_token")
    token = models.TextField()
    received_at = models.DateTimeField(default=timezone.now)


class JobRunPermission(models.Model):
    """Decision of the worker on a run: PENDING until the vault lets it in."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    run = models.OneToOneField(JobRun, models.PROTECT, related_name="permission")
    state = models.CharField(max_length=16, choices=DeploymentState)
    record = models.OneToOneField("records.Record", models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)  # why it was denied, or waits
    remedy = models.TextField(blank=True)
    vault_access = models.BooleanField(default=False)  # the vault lets its commit in
    decided_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)


class RunningArtifact(models.Model):
    """Artifact that an environment reported to run: each once, with when it was seen last."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.DEPLOY})

    environment = models.ForeignKey("products.Environment", models.CASCADE, related_name="running_artifacts")
    artifact = models.CharField(max_length=71)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Unique by environment and artifact."""

        constraints = [models.UniqueConstraint(fields=["environment", "artifact"], name="unique_running_artifact")]


class TrustedBuilder(RecordedModel):
    """Builder whose provenance can be verified: its id, its public key. Ended, never deleted.

    The policy decides whether its provenance counts.
    """

    recorded_columns = ("builder_id", "public_key", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.TRUST_BUILDER, Action.REVOKE_BUILDER})

    builder_id = models.CharField("id", max_length=200)
    public_key = models.TextField()
    trusted_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """In the order of pages; several keys of one builder may be in use while it changes them."""

        ordering = ("builder_id", "id")

    @property
    def fingerprint(self) -> str:
        """Fingerprint of its key, for people to compare."""
        return fingerprint(self.public_key)

    @property
    def sigstore_identity(self) -> str:
        """Signer as the certificates name it, and the issuer that vouches for it; "" for a builder with a key."""
        return describe_identity(self.public_key)


class DeploymentApproval(RecordedModel):
    """Approval of an artifact for an environment by one person, until it is withdrawn."""

    recorded_columns = ("environment", "artifact", "person", "withdrawn_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.APPROVE_DEPLOYMENT})

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="deployment_approvals")
    artifact = models.CharField(max_length=71)
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approved_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Each person approves an artifact for an environment once at a time."""

        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "artifact", "person"],
                condition=models.Q(withdrawn_at=None),
                name="unique_deployment_approval",
            )
        ]


class BreakGlassPermission(RecordedModel):
    """Permission of two people to deploy one artifact to one environment although it is denied, once, for some
    minutes.
    """

    recorded_columns = ("environment", "artifact", "requester", "approver", "expires_at")
    privileges = Privileges((READ, ADD), (READ,), worker_changes=("deployment_id",))
    written_by = frozenset({Action.BREAK_GLASS_DEPLOYMENT})
    free_texts = ("reason",)

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="break_glass_permissions")
    artifact = models.CharField(max_length=71)
    reason = models.TextField()
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    deployment = models.OneToOneField(Deployment, models.PROTECT, null=True, related_name="break_glass_permission")
