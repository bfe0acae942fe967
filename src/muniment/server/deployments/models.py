"""Who may deploy where, what was asked, what the worker decided, and what came of it.

Three tables for one deployment, since three hands write them: what a pipeline asked (the web adds it, and nobody
alters it), the permission (the worker's alone), and what the pipeline reported (the web adds it).
"""

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.pipelines.dsse import fingerprint
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges


class Pipeline(models.Model):
    """One pipeline that may deploy to an environment, and how it proves that it is it. It is ended, never deleted.

    `issuer` is the address of who speaks for it ("" for a plain runner, which has a `key` of its own), `subject` and
    `at` what its identity must say, `repository` the forge's id of it, `refs` patterns of full names, one a line.
    """

    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.CHANGE_ENVIRONMENT, Action.CLOSE_PIPELINE, Action.CHANGE_PRODUCT})

    class Kind(models.TextChoices):
        """Who speaks for it."""

        GITHUB = "github", "GitHub Actions"
        GITLAB = "gitlab", "GitLab"
        KUBERNETES = "kubernetes", "Kubernetes"
        RUNNER = "runner", "plain runner"

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="pipelines")
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind)
    issuer = models.CharField(max_length=300, blank=True)
    subject = models.CharField(max_length=500, blank=True)
    repository = models.CharField(max_length=64, blank=True)
    refs = models.TextField(blank=True)
    at = models.CharField(max_length=200, blank=True)
    key = models.TextField(blank=True)
    since = models.DateTimeField(default=timezone.now)
    ended = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A name, and a key, is used once at a time."""

        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "name"], condition=models.Q(ended=None), name="pipeline_once"
            ),
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(ended=None) & ~models.Q(key=""), name="pipeline_key_once"
            ),
        ]

    @property
    def patterns(self) -> tuple[str, ...]:
        """The refs that it may deploy from."""
        return tuple(line.strip() for line in self.refs.splitlines() if line.strip())

    @property
    def fingerprint(self) -> str:
        """What people compare of a plain runner's key."""
        return fingerprint(self.key)


class Issuer(models.Model):
    """Who speaks for pipelines: its public keys (a JWK set), as the worker read them last, or why not."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    url = models.CharField(max_length=300, unique=True)
    keys = models.JSONField(default=dict)
    read = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)


class Deployment(models.Model):
    """One delivery of one artifact to one environment, as a pipeline asked for it. Nobody alters it.

    `identity` is what its token proved; the token itself is nowhere. `provenance` are the statements that it sent.
    """

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.DEPLOY})

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="deployments")
    pipeline = models.ForeignKey(Pipeline, models.PROTECT, related_name="deployments")
    artifact = models.CharField(max_length=71)
    commit = models.CharField(max_length=64)
    identity = models.JSONField()
    provenance = models.JSONField(default=list)
    key = models.CharField(max_length=200)
    request = models.CharField(max_length=64)
    asked = models.DateTimeField(default=timezone.now)
    entry = models.OneToOneField("record.Entry", models.PROTECT, related_name="+")

    class Meta:
        """A request sent again is the same one. A page shows an environment's newest."""

        constraints = [models.UniqueConstraint(fields=["pipeline", "key"], name="deployment_once")]
        indexes = [
            models.Index(fields=["environment", "-id"], name="deployment_newest"),
            models.Index(fields=["environment", "artifact"], name="deployment_artifact"),
        ]

    @property
    def state(self) -> str:
        """How far it is. Its permission has to be at hand."""
        permission = getattr(self, "permission", None)
        return "asked" if permission is None or permission.state == State.WAITS else str(permission.state)

    @property
    def label(self) -> str:
        """The same for people."""
        permission = getattr(self, "permission", None)
        return str(State.WAITS.label if permission is None else State(permission.state).label)


class Used(models.Model):
    """A token that a plain runner signed, and the one request that it was for: digests of both, until it expires."""

    privileges = Privileges((READ, ADD, DROP), (READ,))
    written_by = frozenset({Action.DEPLOY})

    token = models.CharField(max_length=64, unique=True)
    request = models.CharField(max_length=64)
    until = models.DateTimeField(db_index=True)


class State(models.TextChoices):
    """How far a deployment is. WAITS: it was decided, and what it needs is being made ready."""

    WAITS = "waits", "being judged"
    ALLOWED = "allowed", "allowed, and under way"
    DENIED = "denied", "denied"
    ENDED = "ended", "its permission was taken back"
    SUCCEEDED = "succeeded", "succeeded"
    FAILED = "failed", "failed"
    UNDONE = "undone", "failed, and undone"
    UNDO_FAILED = "undo-failed", "failed, and could not be undone"
    DIED = "died", "its pipeline died"
    LOST = "lost", "nobody reported what came of it"


REPORTED = (State.SUCCEEDED, State.FAILED, State.UNDONE, State.UNDO_FAILED, State.DIED)
BROUGHT = (State.ALLOWED, *REPORTED, State.LOST)  # it may have come to run there with our leave
BROKEN = (State.FAILED, State.UNDONE, State.UNDO_FAILED, State.DIED, State.LOST)


class Permission(models.Model):
    """What the worker decided, and how far it is. `vsa` is what was signed for whoever asks at the door."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    deployment = models.OneToOneField(Deployment, models.PROTECT, related_name="permission")
    state = models.CharField(max_length=12, choices=State)
    entry = models.OneToOneField("record.Entry", models.PROTECT, null=True, related_name="+")
    account = models.CharField(max_length=71, blank=True)  # the object that tells the decision
    why = models.TextField(blank=True)  # it could not be judged, or ended
    vsa = models.TextField(blank=True)
    glass = models.ForeignKey("Glass", models.PROTECT, null=True, related_name="+")
    merged = models.DateTimeField(null=True)  # when its commit was let onto the branch
    manual = models.JSONField(null=True)  # steps that people do by hand, from the pipeline files; None: not known
    door = models.BooleanField(default=False)  # the vault lets its commit in
    decided = models.DateTimeField()
    until = models.DateTimeField(null=True)
    checked = models.DateTimeField(null=True)  # when it was last seen that nothing ends it
    ended = models.DateTimeField(null=True)

    class Meta:
        """What is under way is found without a look at the rest."""

        indexes = [
            models.Index(
                fields=["decided"], condition=models.Q(state__in=["waits", "allowed"]), name="permission_under_way"
            )
        ]


class Report(models.Model):
    """What a pipeline said came of its deployment. `digest` is what it then saw running, "" if it did not look."""

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.DEPLOY})

    deployment = models.OneToOneField(Deployment, models.PROTECT, related_name="report")
    state = models.CharField(max_length=12, choices=[(state.value, state.label) for state in REPORTED])
    exit_code = models.IntegerField(null=True)
    digest = models.CharField(max_length=71, blank=True)
    at = models.DateTimeField(default=timezone.now)


class Sighting(models.Model):
    """What an environment reported to run: each artifact once, with when it was seen last."""

    privileges = Privileges((READ, ADD, CHANGE), (READ, DROP))
    written_by = frozenset({Action.DEPLOY})

    environment = models.ForeignKey("products.Environment", models.CASCADE, related_name="sightings")
    digest = models.CharField(max_length=71)
    first = models.DateTimeField(default=timezone.now)
    last = models.DateTimeField(default=timezone.now)

    class Meta:
        """Each once."""

        constraints = [models.UniqueConstraint(fields=["environment", "digest"], name="sighting_once")]


class Builder(models.Model):
    """A builder whose word on what artifacts are made of can be checked: its id, its public key. Ended, never deleted.

    Whether its word also counts is the policy's to say.
    """

    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.TRUST_BUILDER, Action.CLOSE_BUILDER})

    name = models.CharField("id", max_length=200)
    key = models.TextField()
    since = models.DateTimeField(default=timezone.now)
    ended = models.DateTimeField(null=True, blank=True)

    class Meta:
        """In the order of pages; several keys of one builder may hold while it changes them."""

        ordering = ("name", "id")

    @property
    def fingerprint(self) -> str:
        """What people compare of its key."""
        return fingerprint(self.key)


class Glass(models.Model):
    """Leave of two people to bring one artifact to one environment although it is denied, once, for some minutes."""

    privileges = Privileges((READ, ADD), (READ,), worker_changes=("used_id", "reason"))
    written_by = frozenset({Action.BREAK_GLASS})
    free_texts = ("reason",)

    environment = models.ForeignKey("products.Environment", models.PROTECT, related_name="glasses")
    artifact = models.CharField(max_length=71)
    reason = models.TextField()
    asker = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    second = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()
    used = models.OneToOneField(Deployment, models.PROTECT, null=True, related_name="glass")
