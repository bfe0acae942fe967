"""Locks of branches and environments, advisories with their history, and the advisories that affect a product."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

_WORKERS = (READ, ADD, CHANGE, DROP)
_NOBODY: frozenset[Action] = frozenset()
_MOMENT = 27  # characters of a moment as `facts.moments` writes it


class AdvisorySource(models.Model):
    """Source of advisories: an export of OSV, by its address or file. `problem` says why it was not read last.

    `as_of` is the moment of its data, `version` another number after each change of one of its advisories.
    """

    privileges = Privileges((READ,), _WORKERS)
    written_by = _NOBODY

    location = models.CharField(max_length=500, unique=True)
    ecosystems = models.JSONField(default=list)
    as_of = models.CharField(max_length=_MOMENT, blank=True)
    entity_tag = models.CharField(max_length=300, blank=True)
    advisory_count = models.PositiveIntegerField(default=0)
    version = models.BigIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)


class StoredAdvisory(models.Model):
    """Advisory of a source, by the name of its document. `content` is an `Advisory` of the core, as MessagePack."""

    privileges = Privileges((READ,), _WORKERS)
    written_by = _NOBODY

    source = models.ForeignKey(AdvisorySource, models.CASCADE, related_name="advisories")
    document = models.CharField(max_length=300)
    checksum = models.BigIntegerField()
    size = models.BigIntegerField()
    advisory = models.CharField(max_length=200, db_index=True)
    names = models.JSONField(default=list)  # its identifier and its aliases, in capitals
    modified = models.CharField(max_length=_MOMENT)
    is_withdrawn = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField(default=timezone.now)
    content = models.BinaryField()

    class Meta:
        """Constraint: a document of a source is one row."""

        constraints = [models.UniqueConstraint(fields=["source", "document"], name="unique_advisory_document")]
        indexes = [GinIndex(fields=["names"], opclasses=["jsonb_path_ops"], name="stored_advisory_names")]


class AdvisoryRevision(models.Model):
    """Earlier content of an advisory that its source changed, withdrew or took away."""

    privileges = Privileges((READ,), (READ, ADD, DROP), eraser=(DROP,))
    written_by = _NOBODY

    advisory = models.CharField(max_length=200, db_index=True)
    modified = models.CharField(max_length=_MOMENT)
    replaced_at = models.DateTimeField(default=timezone.now, db_index=True)
    content = models.BinaryField()


class DependencyReading(models.Model):
    """Newest reading of the locks of a repository.

    `places` are the branches and environments, each with its commit; `unread` are place, path and reason.
    `first_read_at` is when the repository was connected. `plan` is what a matching changes, until the act that does it.
    """

    privileges = Privileges((READ,), _WORKERS)
    written_by = _NOBODY

    repository = models.OneToOneField("products.Repository", models.CASCADE, related_name="dependency_reading")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    first_read_at = models.DateTimeField(null=True)
    matched_at = models.DateTimeField(null=True)
    places = models.JSONField(default=list)
    unread = models.JSONField(default=list)
    problem = models.TextField(blank=True)
    plan = models.BinaryField(default=bytes)


class UpdateRun(models.Model):
    """Newest run of the machinery for updates of a repository.

    `proven_at`: newest run in which forge, package managers and registries worked; `problem` says why a later one did
    not. `bots` are path, account and moment: pull requests of other machine accounts that altered a lock.
    """

    privileges = Privileges((READ,), _WORKERS)
    written_by = _NOBODY

    repository = models.OneToOneField("products.Repository", models.CASCADE, related_name="update_run")
    started_at = models.DateTimeField(null=True)
    proven_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    bots = models.JSONField(default=list)


class ProposalState(models.TextChoices):
    """State of a proposed update. One that was closed by hand is a decision that ends on `paused_until`."""

    PLANNED = "planned", _("Planned")
    OPEN = "open", _("Open")
    MERGED = "merged", _("Merged")
    DISMISSED = "dismissed", _("Closed by hand")
    CLOSED = "closed", _("No longer needed")


class ProposedUpdate(models.Model):
    """Update that was proposed at a forge, by its branch. `commit` is what we pushed; `digest` that of the new lock.

    It is stored with its act before anything is pushed. `number` is 0 until the change is open.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = frozenset({Action.SCAN_CODE})

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="proposed_updates")
    branch = models.CharField(max_length=200)
    target = models.CharField(max_length=300)
    lock_path = models.CharField(max_length=1000)
    packages = models.JSONField(default=list)
    digest = models.CharField(max_length=71)
    base_digest = models.CharField(max_length=71)  # of the lock on the target then
    commit = models.CharField(max_length=64)
    before = models.CharField(max_length=64, blank=True)  # where the branch was when this was planned
    number = models.IntegerField(default=0)
    url = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=10, choices=ProposalState, default=ProposalState.PLANNED)
    problem = models.TextField(blank=True)
    proposed_at = models.DateTimeField(default=timezone.now)
    paused_until = models.DateTimeField(null=True)

    class Meta:
        """Constraint: a branch of a repository is one row."""

        constraints = [models.UniqueConstraint(fields=["repository", "branch"], name="unique_proposed_update")]


class DependencyLock(models.Model):
    """Lock of a repository at one place: a branch, or an environment with the commit that runs there.

    `content` is a `Lock` of the core, as MessagePack.
    """

    privileges = Privileges((READ,), _WORKERS)
    written_by = _NOBODY

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="dependency_locks")
    place = models.CharField(max_length=300)
    path = models.CharField(max_length=1000)
    format = models.CharField(max_length=40)
    digest = models.CharField(max_length=64)
    dependency_count = models.PositiveIntegerField(default=0)
    content = models.BinaryField()

    class Meta:
        """Constraint: a path of a place is one row."""

        constraints = [models.UniqueConstraint(fields=["repository", "place", "path"], name="unique_dependency_lock")]

    @property
    def shown_place(self) -> str:
        """Branch or environment, as pages name it."""
        return format_place(self.place)


class LockEntry(models.Model):
    """Package that a lock pins. `route` has the names from the project to the package."""

    privileges = Privileges((READ,), _WORKERS)
    written_by = _NOBODY

    lock = models.ForeignKey(DependencyLock, models.CASCADE, related_name="packages")
    ecosystem = models.CharField(max_length=20)
    name = models.CharField(max_length=300)
    version = models.CharField(max_length=200, blank=True)
    relation = models.CharField(max_length=12)
    route = models.JSONField(default=list)
    is_development = models.BooleanField(default=False)
    introduced_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Indexed by package: to ask which products use one."""

        indexes = [models.Index(fields=["name", "ecosystem", "version"], name="lock_entry_name")]


class UpdateSeverity(models.TextChoices):
    """Severity of an advisory, which decides the due date of its update."""

    CRITICAL = "critical", _("Critical")
    HIGH = "high", _("High")
    MEDIUM = "medium", _("Medium")
    LOW = "low", _("Low")


class EndReason(models.TextChoices):
    """Reason why an advisory no longer affects a lock."""

    UPDATED = "updated", _("Updated")
    WITHDRAWN = "withdrawn", _("Withdrawn or corrected by its publisher")


class ProductAdvisory(RecordedModel):
    """Advisory that affects a package of a lock, from when it was found until no place has it any more.

    The due date counts from `clock_from`, None for malware; `clock_start` is the event there (`due_dates.ClockStart`).
    `places` are the branches and environments that have an affected version now.
    """

    recorded_columns = (
        *("product", "repository", "lock_path", "ecosystem", "package", "advisory", "severity", "is_certain"),
        *("is_malware", "is_development", "first_found_at", "clock_from", "ended_at"),
    )
    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = frozenset({Action.SCAN_CODE})

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="advisories")
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="advisories")
    lock_path = models.CharField(max_length=1000)
    ecosystem = models.CharField(max_length=20)
    package = models.CharField(max_length=300)
    advisory = models.CharField(max_length=200)
    names = models.JSONField(default=list)
    summary = models.CharField(max_length=300, blank=True)
    versions = models.JSONField(default=list)
    places = models.JSONField(default=list)
    route = models.JSONField(default=list)
    severity = models.CharField(max_length=8, choices=UpdateSeverity)
    severity_origin = models.CharField(max_length=10)
    is_certain = models.BooleanField(default=True)
    is_malware = models.BooleanField(default=False)
    is_development = models.BooleanField(default=False)
    safe_version = models.CharField(max_length=200, blank=True)
    first_found_at = models.DateTimeField(default=timezone.now)
    clock_from = models.DateTimeField(null=True)
    clock_start = models.CharField(max_length=16, blank=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=10, choices=EndReason, blank=True)

    class Meta:
        """Constraint: an advisory of a package of a lock is one row."""

        constraints = [
            models.UniqueConstraint(
                fields=["repository", "lock_path", "ecosystem", "package", "advisory"], name="unique_product_advisory"
            )
        ]
        indexes = [models.Index(fields=["product"], condition=models.Q(ended_at=None), name="open_advisory_product")]

    @property
    def access_resource(self) -> Resource:
        """Resource that an actor must be allowed to see. Its product has to be loaded."""
        return Resource(product=self.product.slug)

    @property
    def incident_subject(self) -> str:
        """Subject of the incident of malware."""
        return f"advisory:{self.pk}"

    @property
    def shown_versions(self) -> str:
        """The affected versions, with commas."""
        return ", ".join(self.versions)

    @property
    def shown_places(self) -> str:
        """The branches and environments, with commas."""
        return ", ".join(map(format_place, self.places))


ENVIRONMENT = "environment:"


def format_place(place: str) -> str:
    """Name of a branch or environment, as pages show it."""
    return place.removeprefix("refs/heads/").removeprefix(ENVIRONMENT)
