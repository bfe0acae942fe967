"""Connections to forges, and what is kept of repositories, changes and branches there. No credential is among it."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges

_NOBODY: frozenset[Action] = frozenset()  # the worker alone writes it
SLUG = RegexValidator(r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z", "Small letters, digits and - between them.")


class Vendor(models.TextChoices):
    """The kinds of forge."""

    GITHUB = "github", "GitHub"
    GITLAB = "gitlab", "GitLab"
    GITEA = "gitea", "Gitea"
    FORGEJO = "forgejo", "Forgejo"


class Connection(models.Model):
    """One forge, and our account there. `slug` stands before logins in people's accounts: `<slug>/ada`.

    Its credential lies in the vault; `keyed` says since when. `turn` counts the renewals of its webhook's secret.
    """

    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ,),
        worker_changes=(
            *("account", "account_id", "version", "tier", "problem", "looked", "listing"),
            *("limit", "left", "reset", "more"),
        ),
    )
    written_by = frozenset({Action.CHANGE_CONNECTION})

    slug = models.CharField("name", max_length=40, unique=True, validators=[SLUG])
    vendor = models.CharField(max_length=10, choices=Vendor)
    url = models.CharField("address", max_length=300)
    turn = models.IntegerField(default=1)
    keyed = models.DateTimeField(null=True)
    made = models.DateTimeField(default=timezone.now)
    ended = models.DateTimeField(null=True)
    account = models.CharField(max_length=100, blank=True)
    account_id = models.CharField(max_length=100, blank=True)
    version = models.CharField(max_length=60, blank=True)
    tier = models.CharField(max_length=60, blank=True)
    more = models.JSONField(default=dict)  # what the vendor's own client has to know again: never a secret
    problem = models.TextField(blank=True)
    looked = models.DateTimeField(null=True)
    listing = models.DateTimeField(null=True)  # when what it sees was asked for
    limit = models.IntegerField(default=-1)
    left = models.IntegerField(default=-1)
    reset = models.CharField(max_length=40, blank=True)

    class Meta:
        """In the order of pages."""

        ordering = ("slug",)

    def __str__(self) -> str:
        """The name that pages show."""
        return self.slug


class Listed(models.Model):
    """A repository that a connection sees, and which permissions are missing there (`forges.shapes.Ability`)."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="listed")
    forge_id = models.CharField(max_length=100)
    path = models.CharField(max_length=300)
    default = models.CharField(max_length=300, blank=True)
    clone = models.CharField(max_length=500)
    url = models.CharField(max_length=500)
    private = models.BooleanField(default=True)
    missing = models.JSONField(default=list)

    class Meta:
        """One of each."""

        ordering = ("path",)
        constraints = [models.UniqueConstraint(fields=["connection", "forge_id"], name="listed_once")]


class Remembered(models.Model):
    """An answer of a forge with its validator, compressed, so that asking again costs little."""

    privileges = Privileges((), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    key = models.CharField(max_length=71)
    validator = models.CharField(max_length=200)
    answer = models.BinaryField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """One for each address."""

        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="remembered_once")]
        indexes = [models.Index(fields=["at"])]


class Connected(models.Model):
    """That a repository of a product lives at a forge. `reconciled`: when it was last gone through."""

    privileges = Privileges(
        (READ, ADD, DROP),
        (READ,),
        worker_changes=("path", "default", "clone", "url", "reconciled", "problem", "hooked"),
    )
    written_by = frozenset({Action.CHANGE_PRODUCT, Action.ADD_PRODUCT})

    repository = models.OneToOneField("products.Repository", models.CASCADE, related_name="connected")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="connected")
    forge_id = models.CharField(max_length=100)
    path = models.CharField(max_length=300)
    default = models.CharField(max_length=300, blank=True)
    clone = models.CharField(max_length=500)
    url = models.CharField(max_length=500)
    hooked = models.CharField(max_length=16, blank=True)  # which secret its webhook has (`hearing.mark`)
    reconciled = models.DateTimeField(null=True)
    problem = models.TextField(blank=True)

    class Meta:
        """A repository of a forge belongs to one product."""

        constraints = [models.UniqueConstraint(fields=["connection", "forge_id"], name="connected_once")]


class Delivery(models.Model):
    """One event that a forge told of, by ids alone: a hint to read again. The same, or the same bytes, count once.

    `updated`: when the change was touched last, by then; "" where that is not sure.
    """

    privileges = Privileges((READ, ADD), (READ, DROP))
    written_by = _NOBODY  # but for the open address that hears them

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="deliveries")
    delivery = models.CharField(max_length=100)
    digest = models.CharField(max_length=71)
    received = models.DateTimeField(default=timezone.now)
    happened = models.CharField(max_length=16)
    forge_id = models.CharField(max_length=100, blank=True)
    number = models.IntegerField(default=0)
    head = models.CharField(max_length=64, blank=True)
    updated = models.CharField(max_length=40, blank=True)

    class Meta:
        """Each once."""

        constraints = [
            models.UniqueConstraint(fields=["connection", "delivery"], name="delivery_once"),
            models.UniqueConstraint(fields=["connection", "digest"], name="delivery_not_replayed"),
        ]
        indexes = [
            models.Index(fields=["received"]),
            models.Index(fields=["connection", "forge_id", "number"], name="delivery_of_change"),
        ]


class AtForge(models.Model):
    """A change as it is at its forge, and what stands for it there.

    `due`: since when it has to be read; `status` (`forges.statuses.Status`) what stands meanwhile, or since. `until`:
    it has to be read then, for something ends, such as an exception. `said` is what our comment surely says, None while
    that is not sure. The moments below are for measuring friction.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = _NOBODY

    change = models.OneToOneField("changes.Change", models.CASCADE, null=True, related_name="at_forge")
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    number = models.IntegerField()
    url = models.CharField(max_length=500, blank=True)
    updated = models.CharField(max_length=40, blank=True)
    head = models.CharField(max_length=64, blank=True)
    context = models.CharField(max_length=320, blank=True)
    due = models.DateTimeField(null=True)
    status = models.JSONField(null=True)
    until = models.DateTimeField(null=True)
    said = models.TextField(null=True, default="")
    group = models.CharField(max_length=64, blank=True)
    merged = models.CharField(max_length=64, blank=True)

    opened = models.DateTimeField(null=True)
    first_verdict = models.DateTimeField(null=True)
    last_approval = models.DateTimeField(null=True)
    merged_at = models.DateTimeField(null=True)
    denials = models.IntegerField(default=0)
    excepted = models.IntegerField(default=0)  # denials that an exception covered later
    reapprovals = models.IntegerField(default=0)  # approvals that a rebase made necessary again

    class Meta:
        """One of each number."""

        constraints = [models.UniqueConstraint(fields=["repository", "number"], name="at_forge_once")]
        indexes = [
            models.Index(fields=["repository", "head"]),
            models.Index(fields=["repository", "merged"]),
            models.Index(fields=["due"], condition=models.Q(due__isnull=False), name="at_forge_due"),
            models.Index(fields=["until"], condition=models.Q(until__isnull=False), name="at_forge_until"),
        ]


class Shown(models.Model):
    """What a forge shows of ours on a head, which may be a queue's `group`. `status` is None while that is not sure.

    `due`: since when a group has to be read.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    head = models.CharField(max_length=64)
    context = models.CharField(max_length=320)
    status = models.JSONField(null=True)
    at = models.DateTimeField(default=timezone.now)
    group = models.BooleanField(default=False)
    due = models.DateTimeField(null=True)

    class Meta:
        """One for each place."""

        constraints = [models.UniqueConstraint(fields=["repository", "head", "context"], name="shown_once")]


class Attention(models.Model):
    """The lines of an open change that touch what protects the product, and the questions on them: for reviewers."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    change = models.OneToOneField("changes.Change", models.CASCADE, related_name="attention")
    head = models.CharField(max_length=64)
    topics = models.JSONField(default=list)
    lines = models.TextField(blank=True)


class Statement(models.Model):
    """What a person said of one head in a session of ours; the recorded act `proof` says the same.

    `words` are answers to the guide by question, or, where it attests, persons by subject.
    """

    privileges = Privileges((READ, ADD), (READ, DROP))
    written_by = frozenset({Action.REVIEW_CHANGE, Action.ATTEST})

    change = models.ForeignKey("changes.Change", models.CASCADE, related_name="statements")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    head = models.CharField(max_length=64)
    target = models.CharField(max_length=300)
    verdict = models.CharField(max_length=20)
    words = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)
    proof = models.CharField(max_length=71)


class Branch(models.Model):
    """A protected branch that is watched, and where it was when it was last looked at."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="branches")
    ref = models.CharField(max_length=300)
    tip = models.CharField(max_length=64)
    rules = models.JSONField(null=True)  # how the forge protects it, as it was when last found well
    ruled = models.DateTimeField(null=True)  # when that was
    loose = models.TextField(blank=True)  # what of it does not bind, in words
    demanded = models.JSONField(default=list)  # contexts of ours that its rule demands beside the branch's own

    class Meta:
        """One of each."""

        constraints = [models.UniqueConstraint(fields=["repository", "ref"], name="branch_once")]


class Arrival(models.Model):
    """What a protected branch took: its new tip `commit` over `before`, and the decision that allowed it.

    `how` as `ledger.entries.Arrived`. An escape has an incident, which closes once enough others `reviewed` it.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = _NOBODY

    class How(models.TextChoices):
        """What became of it."""

        BEGUN = "begun", _("it was there when we began to watch")
        ALLOWED = "allowed", _("a decision allowed it")
        ESCAPE = "escape", _("no decision allowed it")

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="arrivals")
    ref = models.CharField(max_length=300)
    commit = models.CharField(max_length=64)
    before = models.CharField(max_length=64, blank=True)
    how = models.CharField(max_length=8, choices=How)
    decision = models.ForeignKey("changes.Decision", models.PROTECT, null=True, related_name="+")
    incident = models.ForeignKey("incidents.Incident", models.PROTECT, null=True, related_name="arrivals")
    hands = models.JSONField(default=list)  # ids of those who had a hand in an escape
    strangers = models.IntegerField(default=0)  # hands of whom nobody knows whose they are
    pusher_known = models.BooleanField(default=False)  # whether those who pushed an escape are among its hands
    title = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=timezone.now)
    entry = models.OneToOneField("record.Entry", models.PROTECT, related_name="+")

    class Meta:
        """The newest of a branch first. One that goes back takes the same again."""

        indexes = [
            models.Index(fields=["repository", "ref", "-at", "-id"]),
            models.Index(fields=["repository", "ref", "commit"], name="arrival_of_commit"),
        ]


class Afterwards(models.Model):
    """That somebody reviewed an escape afterwards, and says that it may stay."""

    privileges = Privileges((READ, ADD), (READ, DROP), worker_changes=("reason",))
    written_by = frozenset({Action.REVIEW_AFTERWARDS})
    free_texts = ("reason",)

    arrival = models.ForeignKey(Arrival, models.CASCADE, related_name="reviews")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    reason = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """One word of each person."""

        constraints = [models.UniqueConstraint(fields=["arrival", "person"], name="afterwards_once")]
