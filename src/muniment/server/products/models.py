"""Products, their repositories, and their state against each clause."""

from pathlib import Path

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.ledger import record_objects
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

_ALL = (READ, ADD, CHANGE, DROP)
SLUG_PATTERN = "[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
_SLUG = RegexValidator(rf"^{SLUG_PATTERN}\Z", "Small letters, digits and - between them.")
FORGE = "forge:"  # before the path of a repository that lives at one
SIGNALS = ("deployed", "has_users", "holds_personal_data", "supported")


class Product(RecordedModel):
    """Product that is sold or run. It is active unless it was retired: an unknown signal counts as yes."""

    recorded_columns = (
        "slug",
        "deployed",
        "has_users",
        "holds_personal_data",
        "supported",
        "sensitive_patterns",
        "retired_at",
        "retired_since",
    )
    privileges = Privileges((READ, ADD, CHANGE), (READ, ADD), operator=(ADD,))  # the worker: by rules for repositories
    free_texts = ("data_after_retirement",)
    written_by = frozenset(
        {Action.ADD_PRODUCT, Action.CHANGE_PRODUCT, Action.REMOVE_SENSITIVE_PATHS, Action.RETIRE_PRODUCT}
    )

    slug = models.CharField("id", max_length=64, unique=True, validators=[_SLUG])
    name = models.CharField(max_length=200)
    deployed = models.BooleanField(null=True, blank=True)
    has_users = models.BooleanField(null=True, blank=True)
    holds_personal_data = models.BooleanField(null=True, blank=True)
    supported = models.BooleanField("is supported", null=True, blank=True)
    sensitive_patterns = models.TextField("sensitive paths", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_since = models.DateField(
        null=True, blank=True
    )  # as its owner states; the day of the approval at the latest
    data_after_retirement = models.TextField(blank=True)  # what happened to the data

    class Meta:
        """In the order of pages."""

        ordering = ("name", "slug")

    def __str__(self) -> str:
        """The name that pages show."""
        return self.name

    @property
    def active(self) -> bool:
        """Whether reviews and deadlines apply to it: unknown counts as yes."""
        return self.retired_at is None

    @property
    def sensitive_paths(self) -> tuple[str, ...]:
        """Patterns of its sensitive paths."""
        return tuple(line.strip() for line in self.sensitive_patterns.splitlines() if line.strip())


class Repository(RecordedModel):
    """Git repository of a product. `path` is where the worker reads it; `name` is what approvals call it.

    One at a forge has the path `forge:<connection>/<id>`: the worker has a copy of it below the home.
    """

    recorded_columns = ("product", "name", "path")
    privileges = Privileges(_ALL, (READ, ADD), worker_changes=("worker", "worker_seen_at"), operator=(ADD,))
    written_by = frozenset({Action.ADD_PRODUCT, Action.CHANGE_PRODUCT})

    product = models.ForeignKey(Product, models.CASCADE, related_name="repositories")
    name = models.CharField(max_length=200, unique=True)
    path = models.CharField(max_length=1000)
    worker = models.CharField(max_length=300, blank=True)  # which has `path`, as `settings.WORKER_NAME`
    worker_seen_at = models.DateTimeField(null=True)

    class Meta:
        """In the order of pages."""

        ordering = ("name",)

    def __str__(self) -> str:
        """The name that pages show."""
        return self.name

    @property
    def at_forge(self) -> bool:
        """Whether it is at a forge."""
        return self.path.startswith(FORGE)

    @property
    def git_folder(self) -> str:
        """Folder of its git on the worker's machine."""
        copy = Path(settings.HOME) / "mirrors" / f"{self.path.removeprefix(FORGE)}.git"
        return str(copy) if self.at_forge else self.path

    @property
    def place(self) -> str:
        """Location in the ledger, wherever the home is."""
        return record_objects.digest_location(f"/{self.path}" if self.at_forge else self.path)


class RepositoryScan(models.Model):
    """Progress of the worker in a repository: its heads, and how far its history is evaluated."""

    privileges = Privileges((READ,), _ALL)
    written_by: frozenset[Action] = frozenset()

    repository = models.OneToOneField(Repository, models.CASCADE, related_name="scan")
    branch = models.CharField(max_length=300, blank=True)
    tip = models.CharField(max_length=64, blank=True)
    evaluated_count = models.IntegerField(default=0)
    change_count = models.IntegerField(default=0)
    policy_digest = models.CharField(max_length=71, blank=True)
    inputs_digest = models.CharField(max_length=71, blank=True)  # of everything that evaluated its history
    facts_digest = models.CharField(max_length=71, blank=True)  # of what its product's facts were read from
    finished_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)


class Environment(RecordedModel):
    """Environment of a product. An artifact goes to those of a lower `order` first. It is ended, never deleted."""

    recorded_columns = ("product", "name", "order", "production", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.ADD_PRODUCT, Action.CHANGE_PRODUCT, Action.CHANGE_ENVIRONMENT})

    product = models.ForeignKey(Product, models.CASCADE, related_name="environments")
    name = models.CharField(max_length=64, validators=[_SLUG])
    order = models.PositiveSmallIntegerField(default=1)
    production = models.BooleanField(
        default=True
    )  # people depend on it, so what is stricter holds until said otherwise
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A name is used once."""

        ordering = ("order", "name")
        constraints = [models.UniqueConstraint(fields=["product", "name"], name="unique_environment_name")]

    def __str__(self) -> str:
        """The name that pages show."""
        return self.name


class ClauseResult(models.IntegerChoices):
    """Result of a repository for one clause. Of several, the largest is the result of all of them."""

    MET = 0, _("Passing")
    EXCEPTED = 1, _("Excepted")
    NOT_EVALUATED = 2, _("Not evaluated")
    UNKNOWN = 3, _("Unknown")
    VIOLATED = 4, _("Failing")


class ClauseState(models.Model):
    """State of a clause for a repository, since when, and a reason in one sentence. `met_count` of
    `evaluated_count` changes met it.
    """

    privileges = Privileges((READ,), _ALL)
    written_by: frozenset[Action] = frozenset()

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="clause_states")
    clause = models.CharField(max_length=100)
    state = models.SmallIntegerField(choices=ClauseResult)
    changed_at = models.DateTimeField()
    reason = models.TextField(blank=True)
    met_count = models.IntegerField(default=0)
    evaluated_count = models.IntegerField(default=0)

    class Meta:
        """Unique by repository and clause."""

        constraints = [models.UniqueConstraint(fields=["repository", "clause"], name="unique_clause_state")]
        indexes = [models.Index(fields=["clause", "state"], name="clause_state_of_clause")]


class ProductStateVersion(models.Model):
    """Version of the stored states of a product: each change of one of them raises its number.

    The number of rows, with the sums of their transactions and of their numbers, is another one after each change of
    any state. So a process computes figures over all products once for each version.
    """

    privileges = Privileges((READ,), _ALL)
    written_by: frozenset[Action] = frozenset()

    product = models.OneToOneField(Product, models.CASCADE, primary_key=True, related_name="state_version")
    number = models.BigIntegerField(default=1)


class ProductClauseState(models.Model):
    """Worst state of a product's repositories for one clause, and since when: derived from `ClauseState` alone.

    It is stored so that no page has to read the states of every repository. `product_states.py` writes it in the
    transaction that changes a state.
    """

    privileges = Privileges((READ,), _ALL)
    written_by: frozenset[Action] = frozenset()

    product = models.ForeignKey(Product, models.CASCADE, related_name="clause_states")
    clause = models.CharField(max_length=100)
    state = models.SmallIntegerField(choices=ClauseResult)
    changed_at = models.DateTimeField()

    class Meta:
        """Unique by product and clause. Pages count by clause and state, and look for what is not met."""

        constraints = [models.UniqueConstraint(fields=["product", "clause"], name="unique_product_clause_state")]
        indexes = [
            models.Index(fields=["clause", "state"], name="product_state_of_clause"),
            models.Index(
                fields=["state", "product"],
                name="product_state_not_met",
                condition=~models.Q(state__in=(ClauseResult.MET, ClauseResult.NOT_EVALUATED)),
            ),
        ]
