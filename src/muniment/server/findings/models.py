"""Scans of branches, findings with the decisions about them, and secrets that leaked into code."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.scanners.rule_titles import find_title
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

_WORKERS = (READ, ADD, CHANGE, DROP)


class FindingSeverity(models.TextChoices):
    """Severity of a finding, which decides its due date."""

    CRITICAL = "critical", _("Critical")
    HIGH = "high", _("High")
    MEDIUM = "medium", _("Medium")
    LOW = "low", _("Low")


class FindingSource(models.TextChoices):
    """Origin of a finding."""

    SCAN = "scan", _("Scan")
    ENTERED = "entered", _("Entered by hand")
    IMPORTED = "imported", _("Imported")


class DecisionKind(models.TextChoices):
    """Decision about a finding."""

    FALSE_POSITIVE = "false-positive", _("False positive")
    ACCEPTED = "accepted", _("Risk accepted")
    CORRECTED = "corrected", _("Corrected")


class OwnerBasis(models.TextChoices):
    """Reason why somebody owns a finding. The product's owners do where nothing else names one."""

    PRODUCT = "", _("owner of the product")
    ASSIGNED = "assigned", _("assigned")
    CODE_OWNERS = "code-owners", _("from code owners")
    LAST_CHANGE = "last-change", _("last changed the file")


class CodeScan(models.Model):
    """Newest scan of the branch of a repository.

    `languages` has a list for each kind of file: name, bytes, bytes that an engine read, files. `unscanned` has at most
    some hundred files, each as path, engine and reason. `plan` is what the scan changes, until the act that does it.
    """

    privileges = Privileges((READ,), _WORKERS)
    written_by: frozenset[Action] = frozenset()

    repository = models.OneToOneField("products.Repository", models.CASCADE, related_name="code_scan")
    branch = models.CharField(max_length=300, blank=True)
    tip = models.CharField(max_length=64, blank=True)
    engines = models.CharField(max_length=64, blank=True)  # digest of their code and rules
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    baseline_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    file_count = models.IntegerField(default=0)
    scanned_count = models.IntegerField(default=0)  # of these, not read from the cache
    unscanned = models.JSONField(default=list)
    unscanned_count = models.IntegerField(default=0)
    languages = models.JSONField(default=list)
    plan = models.BinaryField(default=bytes)
    counted_decision = models.BigIntegerField(default=0)  # up to which stopped findings were counted


class StoppedFinding(models.Model):
    """Finding that a denied decision named: it was stopped on the change, once for each change."""

    privileges = Privileges((READ,), (READ, ADD, DROP))
    written_by: frozenset[Action] = frozenset()

    product = models.ForeignKey("products.Product", models.CASCADE, related_name="stopped_findings")
    change = models.ForeignKey("changes.Change", models.CASCADE, related_name="stopped_findings")
    rule = models.CharField(max_length=200)
    path = models.CharField(max_length=1000)
    stopped_at = models.DateTimeField()

    class Meta:
        """Constraint: a change has a rule and a path once."""

        constraints = [models.UniqueConstraint(fields=["change", "rule", "path"], name="unique_stopped_finding")]


class CachedScan(models.Model):
    """Results of engines for files, by the digest of all that decides them."""

    privileges = Privileges((), _WORKERS)
    written_by: frozenset[Action] = frozenset()

    key = models.CharField(max_length=64, unique=True)
    results = models.BinaryField()
    used_on = models.DateField()


class KnownRule(models.Model):
    """Rule that this installation knows, with the digest of what it finds ("" for one of another engine).

    The due dates of its findings count from `monitored_until` at the earliest; until then it blocks no change.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    rule = models.CharField(max_length=200, unique=True)
    digest = models.CharField(max_length=64, blank=True)
    first_known_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(null=True)
    monitored_until = models.DateTimeField(null=True)


class ProductFinding(RecordedModel):
    """Weakness of a product, at one place of its code or described by a person.

    `copy` tells the same code at several places of a branch apart. The due date counts from `clock_from`.
    `is_severity_given` is false where an imported report names none: it counts as high.
    """

    recorded_columns = (
        *("product", "repository", "source", "tool", "rule", "fingerprint", "copy", "severity"),
        *("first_found_at", "clock_from", "is_baseline", "gone_at"),
    )
    privileges = Privileges((READ, ADD, CHANGE), (READ, ADD, CHANGE))
    written_by = frozenset({Action.SCAN_CODE, Action.HANDLE_FINDING, Action.DECIDE_FINDING})
    free_texts = ("message", "impact", "requirement", "remedy", "snippet", "reported_in", "owner_name")

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="findings")
    repository = models.ForeignKey("products.Repository", models.CASCADE, null=True, related_name="findings")
    source = models.CharField(max_length=8, choices=FindingSource, default=FindingSource.SCAN)
    tool = models.CharField(max_length=100)  # the engine, or the tool of a report
    category = models.CharField(max_length=300, blank=True)  # of the runs of that tool
    rule = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    copy = models.PositiveIntegerField(default=0)
    severity = models.CharField(max_length=8, choices=FindingSeverity)
    is_severity_given = models.BooleanField(default=True)
    cwe = models.PositiveIntegerField(default=0)
    owasp_2021 = models.CharField(max_length=8, blank=True)
    owasp_2025 = models.CharField(max_length=8, blank=True)
    requirement = models.TextField(blank=True)
    impact = models.TextField(blank=True)
    message = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    reported_in = models.TextField(blank=True)  # of one that a person entered: the report, the customer
    path = models.CharField(max_length=1000, blank=True)
    line = models.PositiveIntegerField(default=0)
    symbol = models.CharField(max_length=300, blank=True)
    snippet = models.TextField(blank=True)
    steps = models.JSONField(default=list)  # each as path, line and text
    confidence = models.CharField(max_length=8, blank=True)
    first_found_at = models.DateTimeField(default=timezone.now)
    clock_from = models.DateTimeField(default=timezone.now)
    is_baseline = models.BooleanField(default=False)
    gone_at = models.DateTimeField(null=True)
    owner = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    owner_basis = models.CharField(max_length=12, choices=OwnerBasis, blank=True, default=OwnerBasis.PRODUCT)
    owner_name = models.CharField(max_length=300, blank=True)  # a team, as CODEOWNERS names it

    class Meta:
        """Constraint: a place has one finding of a tool and fingerprint."""

        constraints = [
            models.UniqueConstraint(
                fields=["product", "repository", "tool", "fingerprint", "copy"],
                name="unique_finding",
                nulls_distinct=False,
            )
        ]
        indexes = [models.Index(fields=["product"], condition=models.Q(gone_at=None), name="present_finding_product")]

    @property
    def access_resource(self) -> Resource:
        """Resource that an actor must be allowed to handle. Its product has to be loaded."""
        return Resource(product=self.product.slug)

    @property
    def shown_title(self) -> str:
        """Plain words for what was found."""
        return find_title(self.rule)

    @property
    def shown_place(self) -> str:
        """Path and line, "" where a person entered none."""
        return f"{self.path}:{self.line}" if self.line else self.path


class FindingDecision(RecordedModel):
    """Decision of two persons about a finding, valid until `ends_at`, or until one of them ends it.

    `owner` is who answers for an accepted risk.
    """

    recorded_columns = ("finding", "kind", "owner", "decided_at", "ends_at", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.DECIDE_FINDING, Action.HANDLE_FINDING})
    free_texts = ("reason",)

    finding = models.ForeignKey(ProductFinding, models.CASCADE, related_name="decisions")
    kind = models.CharField(max_length=16, choices=DecisionKind)
    reason = models.TextField()
    owner = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")  # None: alone
    decided_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)  # None for a correction, which does not end
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """The newest on top."""

        ordering = ("-decided_at", "-pk")

    @classmethod
    def find_in_force(cls, moment: datetime | None = None) -> "models.QuerySet[FindingDecision]":
        """Decisions in force at a moment, by default now."""
        until = models.Q(ends_at=None) | models.Q(ends_at__gt=moment or timezone.now())
        rows = cls.objects.filter(until, ended_at=None)
        # A finding that a report has again was not corrected, whatever two people said.
        return rows.exclude(kind=DecisionKind.CORRECTED, finding__gone_at=None)


class FindingEvent(models.Model):
    """Event in the history of a finding, as its page shows it: found, gone, found again, assigned, decided."""

    privileges = Privileges((READ, ADD), (READ, ADD), eraser=(DROP,))
    written_by = ProductFinding.written_by

    finding = models.ForeignKey(ProductFinding, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=20)  # of `finding_events.EVENT_TEXTS`
    happened_at = models.DateTimeField(default=timezone.now)
    person = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")

    class Meta:
        """The newest on top."""

        ordering = ("-happened_at", "-pk")


class LeakedSecret(RecordedModel):
    """Secret that a scan found in code: where, of which kind, and what was done. The value is never stored.

    `fingerprint` is made from a digest of the value by a key of the worker. `hint` has the kind and the length.
    """

    recorded_columns = ("product", "repository", "fingerprint", "first_found_at", "gone_at", "rotated_at", "revoked_at")
    privileges = Privileges(
        (READ,),
        (READ, ADD, CHANGE),
        web_changes=("rotated_at", "rotated_by_id", "revoked_at", "revoked_by_id", "confirmed_by_id", "proof"),
    )
    written_by = frozenset({Action.SCAN_CODE, Action.HANDLE_FINDING, Action.CONFIRM_REVOCATION})
    free_texts = ("proof",)

    product = models.ForeignKey("products.Product", models.PROTECT, related_name="leaked_secrets")
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="leaked_secrets")
    fingerprint = models.CharField(max_length=64)
    rule = models.CharField(max_length=200)
    hint = models.CharField(max_length=300)
    path = models.CharField(max_length=1000)
    line = models.PositiveIntegerField()
    first_found_at = models.DateTimeField(default=timezone.now)
    gone_at = models.DateTimeField(null=True)  # no longer in the files at the tip; the history has it
    rotated_at = models.DateTimeField(null=True)
    rotated_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    confirmed_by = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")
    proof = models.TextField(blank=True)

    class Meta:
        """Constraint: a secret of a repository is one row."""

        constraints = [
            models.UniqueConstraint(fields=["repository", "fingerprint"], name="unique_leaked_secret"),
        ]

    @property
    def access_resource(self) -> Resource:
        """Resource that an actor must be allowed to handle. Its product has to be loaded."""
        return Resource(product=self.product.slug)

    @property
    def shown_title(self) -> str:
        """Plain words for what was found."""
        return find_title(self.rule)

    @property
    def incident_subject(self) -> str:
        """Subject of its incident."""
        return f"leaked-secret:{self.pk}"


class ToolCoverage(RecordedModel):
    """Declaration of two people: paths and languages of a repository that a tool scans, and its canary.

    A report without a list of files counts for them if it has the canary, the finding of a weakness that was planted.
    """

    recorded_columns = ("repository", "tool", "paths", "languages", "canary_rule", "canary_path", "made_at", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.DECLARE_COVERAGE, Action.HANDLE_FINDING})

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="tool_coverages")
    tool = models.CharField(max_length=100)
    paths = models.JSONField(default=list)  # patterns
    languages = models.JSONField(default=list)
    canary_rule = models.CharField(max_length=200)
    canary_path = models.CharField(max_length=1000)
    requester = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approver = models.ForeignKey("people.Person", models.PROTECT, null=True, related_name="+")  # None: alone
    made_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: a tool has one declaration in force for a repository."""

        constraints = [
            models.UniqueConstraint(
                fields=["repository", "tool"], name="one_tool_coverage", condition=models.Q(ended_at=None)
            )
        ]

    @property
    def access_resource(self) -> Resource:
        """Resource that an actor must be allowed to handle. Its repository and product have to be loaded."""
        return Resource(product=self.repository.product.slug)


class ReceivedReport(models.Model):
    """Report of another tool, as it was sent: SARIF, compressed by gzip. The worker reads it, and empties `content`.

    `plan` is what it changes, until the act that does it. `problem` says why it was not imported.
    """

    privileges = Privileges((READ, ADD), (READ, CHANGE, DROP))
    written_by = frozenset({Action.HANDLE_FINDING})

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="received_reports")
    digest = models.CharField(max_length=71)  # of the bytes before they were compressed
    content = models.BinaryField()
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    received_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)
    plan = models.BinaryField(default=bytes)


class ToolImport(models.Model):
    """Newest import of a tool and category for a repository, and what its silence counts for.

    `languages` are those without an engine of ours of which it covers every file.
    """

    privileges = Privileges((READ,), _WORKERS)
    written_by: frozenset[Action] = frozenset()

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="tool_imports")
    tool = models.CharField(max_length=100)
    category = models.CharField(max_length=300, blank=True)
    version = models.CharField(max_length=300, blank=True)
    digest = models.CharField(max_length=71)
    imported_at = models.DateTimeField()
    coverage = models.CharField(max_length=10)  # of `CoverageKind`
    because = models.TextField(blank=True)
    file_count = models.IntegerField(default=0)
    languages = models.JSONField(default=list)

    class Meta:
        """Constraint: one newest import of a tool and category."""

        constraints = [
            models.UniqueConstraint(fields=["repository", "tool", "category"], name="unique_tool_import"),
        ]


IMPORT_LASTS = timedelta(days=7)  # for which an import covers a language
FALSE_POSITIVE_LASTS = timedelta(days=365)
