"""Tables of connections to forges, and of repositories, changes and branches there. No credential is among them."""

import secrets

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel

_NOBODY: frozenset[Action] = frozenset()  # the worker alone writes it
CONNECTION_SLUG_PATTERN = "[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_SLUG = RegexValidator(rf"^{CONNECTION_SLUG_PATTERN}\Z", "Small letters, digits and - between them.")


class Connection(RecordedModel):
    """Connection to a forge, with our account there. `slug` stands before logins in people's accounts: `<slug>/ada`.

    Its credential is in the vault; `credential_set_at` says since when. `webhook_secret_version` counts the renewals of
    its webhook's secret.
    """

    recorded_columns = ("slug", "vendor", "url", "proxy", "webhook_secret_version", "ended_at")
    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ,),
        web_changes=(
            *("proxy", "webhook_secret_version", "ended_at", "credential_set_at", "problem"),
            *("credential_refused_at", "permissions_checked_at", "forge_details"),
        ),
        worker_changes=(
            *("account", "account_id", "forge_version", "forge_tier", "forge_details"),
            *("problem", "credential_refused_at", "checked_at", "listed_at"),
            *("refused_requests", "permissions_checked_at"),
            *("probed_at", "probe_seconds", "probe_requests"),
        ),
    )
    written_by = frozenset({Action.CHANGE_CONNECTION})

    slug = models.CharField("name", max_length=40, unique=True, validators=[_SLUG])
    vendor = models.CharField(max_length=10, choices=[(vendor.value, FORGE_KINDS[vendor].title) for vendor in Vendor])
    url = models.CharField("address", max_length=300)
    proxy = models.CharField(max_length=300, blank=True)  # as `http.proxies.select_proxy` takes it: never a password
    webhook_secret_version = models.IntegerField(default=1)
    credential_set_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    account = models.CharField(max_length=100, blank=True)
    account_id = models.CharField(max_length=100, blank=True)
    forge_version = models.CharField(max_length=60, blank=True)
    forge_tier = models.CharField(max_length=60, blank=True)
    forge_details = models.JSONField(default=dict)  # what the vendor's own client has to know again: never a secret
    problem = models.TextField(blank=True)
    credential_refused_at = models.DateTimeField(null=True)  # since when the forge does not accept the credential
    refused_requests = models.JSONField(default=list)  # `forges.shapes.RefusedRequest`
    permissions_checked_at = models.DateTimeField(null=True)  # when each kind of request was tried last
    checked_at = models.DateTimeField(null=True)
    listed_at = models.DateTimeField(null=True)  # when what it sees was asked for
    probed_at = models.DateTimeField(null=True)  # when the last probe of its green changes began
    probe_seconds = models.IntegerField(null=True)  # from one probe to the next, by what the last one cost
    probe_requests = models.IntegerField(null=True)  # that the last probe took

    class Meta:
        """In the order of pages."""

        ordering = ("slug",)

    def __str__(self) -> str:
        """The name that pages show."""
        return self.slug

    @property
    def title(self) -> str:
        """Kind of forge, with the name of the connection where that says more."""
        kind = FORGE_KINDS[Vendor(self.vendor)].title
        return kind if self.slug == self.vendor else f"{kind}: {self.slug}"

    @classmethod
    def own_accounts(cls) -> "list[tuple[str, str, str]]":
        """The id here of each forge that is connected, with the login and the number of our account there."""
        return list(cls.objects.filter(ended_at=None).values_list("slug", "account", "account_id"))

    @classmethod
    def find_in_trouble(cls) -> "models.QuerySet[Connection]":
        """Connections that fail, or that are refused requests which we need."""
        rows = cls.objects.filter(ended_at=None, credential_set_at__isnull=False)
        return rows.exclude(problem="", refused_requests=[])


class ConnectionRateLimit(models.Model):
    """Rate limit of our account at a forge, as any process received it last (`http.rate_limits.RateLimit`).

    `resource` is the forge's own name for it, "" for a refusal of all requests. Unknown numbers are -1.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = _NOBODY

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="rate_limits")
    resource = models.CharField(max_length=20, blank=True)
    request_limit = models.BigIntegerField(default=-1)
    remaining = models.BigIntegerField(default=-1)
    reset_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)  # nothing is asked before
    pause_seconds = models.IntegerField(default=0)
    reason = models.CharField(max_length=30, blank=True)  # `RefusalReason`

    class Meta:
        """Each resource has one row."""

        ordering = ("resource",)
        constraints = [models.UniqueConstraint(fields=["connection", "resource"], name="unique_connection_rate_limit")]


class VisibleRepository(models.Model):
    """A repository that a connection sees, and which permissions are missing there (`forges.shapes.Ability`).

    `topics` are the labels that the forge shows at it. They choose repositories for a rule, and decide nothing else.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="visible_repositories")
    forge_id = models.CharField(max_length=100)
    path = models.CharField(max_length=300)
    default_branch = models.CharField(max_length=300, blank=True)
    clone_url = models.CharField(max_length=500)
    url = models.CharField(max_length=500)
    private = models.BooleanField(default=True)
    missing_permissions = models.JSONField(default=list)
    topics = models.JSONField(default=list)
    archived = models.BooleanField(default=False)

    class Meta:
        ordering = ("path",)
        constraints = [models.UniqueConstraint(fields=["connection", "forge_id"], name="unique_visible_repository")]


class CachedResponse(models.Model):
    """Response of a forge with its validator, compressed, so that a repeated request costs little."""

    privileges = Privileges((), (READ, ADD, CHANGE), eraser=(DROP,))
    written_by = _NOBODY

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    key = models.CharField(max_length=71)
    validator = models.CharField(max_length=200)
    body = models.BinaryField()
    cached_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Each address has one row."""

        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="unique_cached_response")]
        indexes = [models.Index(fields=["cached_at"], name="cached_response_age")]


class RepositoryLink(RecordedModel):
    """Link of a product's repository to its forge. `reconciled_at`: when it was last reconciled."""

    recorded_columns = ("repository", "connection", "forge_id")
    privileges = Privileges(
        (READ, ADD, DROP),
        (READ, ADD),
        worker_changes=(
            "path",
            "default_branch",
            "clone_url",
            "url",
            "reconciled_at",
            "first_read_at",
            "problem",
            "webhook_secret_mark",
            "statements_digest",
            "first_pushes_read",
            "pushes_read_until",
            "newest_older_change",
        ),
    )
    written_by = frozenset({Action.CHANGE_PRODUCT, Action.ADD_PRODUCT})

    repository = models.OneToOneField("products.Repository", models.CASCADE, related_name="forge_link")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="repository_links")
    forge_id = models.CharField(max_length=100)
    path = models.CharField(max_length=300)
    default_branch = models.CharField(max_length=300, blank=True)
    clone_url = models.CharField(max_length=500)
    url = models.CharField(max_length=500)
    webhook_secret_mark = models.CharField(
        max_length=16, blank=True
    )  # which secret its webhook has (`hearing.fingerprint_secret`)
    reconciled_at = models.DateTimeField(null=True)
    first_read_at = models.DateTimeField(null=True)  # when its first pass ended, well or with a problem of its own
    statements_digest = models.CharField(max_length=71, blank=True)  # of the signed approvals that were pushed there
    problem = models.TextField(blank=True)
    first_pushes_read = models.BooleanField(default=False)  # whether what was there before is among `FirstPush`
    pushes_read_until = models.CharField(max_length=40, blank=True)  # moment of the newest push that was read
    newest_older_change = models.IntegerField(default=0)  # number of the newest change when they were first read

    class Meta:
        """A repository of a forge belongs to one product."""

        constraints = [models.UniqueConstraint(fields=["connection", "forge_id"], name="unique_repository_link")]


class WebhookDelivery(models.Model):
    """Event that a forge reported, by ids alone: a hint to read again. The same, or the same bytes, count once.

    `forge_updated_at`: when the change was updated last, by then; "" if that is not sure.
    """

    privileges = Privileges((READ, ADD), (READ,), eraser=(DROP,))
    written_by = _NOBODY  # but for the open address that hears them

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="deliveries")
    delivery_id = models.CharField(max_length=100)
    digest = models.CharField(max_length=71)
    received_at = models.DateTimeField(default=timezone.now)
    event = models.CharField(max_length=16)
    forge_id = models.CharField(max_length=100, blank=True)
    number = models.IntegerField(default=0)
    head = models.CharField(max_length=64, blank=True)
    forge_updated_at = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "delivery_id"], name="unique_delivery_id"),
            models.UniqueConstraint(fields=["connection", "digest"], name="unique_delivery_digest"),
        ]
        indexes = [
            models.Index(fields=["received_at"], name="delivery_received"),
            models.Index(fields=["connection", "forge_id", "number"], name="delivery_of_change"),
        ]


def new_status_token() -> str:
    """A random text of 43 letters, digits, - and _, for an address that nobody guesses."""
    return secrets.token_urlsafe(32)


class ForgeChange(models.Model):
    """A change as it is at its forge, and its status there.

    `read_due_at`: since when it has to be read; `status` (`forges.statuses.Status`) the status meanwhile, or since.
    `reevaluate_at`: when it has to be read, since something ends then, such as an exception. `comment` is the text that
    our comment surely has, None while that is not sure. The moments below are for measuring friction.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE), eraser_changes=("comment",))
    written_by = _NOBODY

    change = models.OneToOneField("changes.Change", models.CASCADE, null=True, related_name="forge_change")
    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    number = models.IntegerField()
    url = models.CharField(max_length=500, blank=True)
    forge_updated_at = models.CharField(max_length=40, blank=True)
    head = models.CharField(max_length=64, blank=True)
    status_context = models.CharField(max_length=320, blank=True)
    read_due_at = models.DateTimeField(null=True)
    status = models.JSONField(null=True)
    reevaluate_at = models.DateTimeField(null=True)
    comment = models.TextField(null=True, default="")
    # in the address of the page behind the status
    status_token = models.CharField(max_length=43, unique=True, default=new_status_token, editable=False)
    reads_checks = models.BooleanField(default=False)  # whether its last evaluation depends on checks of others
    checks_digest = models.CharField(max_length=71, blank=True)  # of those that its head had when it was verified last
    reviews_digest = models.CharField(max_length=71, blank=True)  # of those that stood at its last evaluation, if read
    probed_at = models.DateTimeField(null=True)  # when a probe read its reviews in turn
    writers = models.JSONField(default=list)  # id and login of each whose approval rested on write access then
    merge_commit = models.CharField(max_length=64, blank=True)
    work_requests = models.JSONField(default=list)  # of machines, as any reading had them (`ForgeContributor`)

    opened_at = models.DateTimeField(null=True)
    first_decided_at = models.DateTimeField(null=True)
    last_approved_at = models.DateTimeField(null=True)
    merged_at = models.DateTimeField(null=True)
    denial_count = models.IntegerField(default=0)
    excepted_denial_count = models.IntegerField(default=0)  # denials that an exception covered later
    reapproval_count = models.IntegerField(default=0)  # approvals that a rebase made necessary again

    class Meta:
        """Each number has one row."""

        constraints = [models.UniqueConstraint(fields=["repository", "number"], name="unique_forge_change")]
        indexes = [
            models.Index(fields=["repository", "head"], name="forge_change_of_head"),
            models.Index(fields=["repository", "merge_commit"], name="forge_change_of_merge"),
            models.Index(
                fields=["read_due_at"], condition=models.Q(read_due_at__isnull=False), name="forge_change_read_due"
            ),
            models.Index(
                fields=["reevaluate_at"],
                condition=models.Q(reevaluate_at__isnull=False),
                name="forge_change_reevaluate",
            ),
        ]


class PostedStatus(models.Model):
    """Status of ours that a forge shows on a head, which may be a queue's `merge_group`. `status` is None while unsure.

    `read_due_at`: since when a group has to be read.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE), eraser=(DROP,))
    written_by = _NOBODY

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    head = models.CharField(max_length=64)
    context = models.CharField(max_length=320)
    status = models.JSONField(null=True)
    posted_at = models.DateTimeField(default=timezone.now)
    merge_group = models.BooleanField(default=False)
    read_due_at = models.DateTimeField(null=True)

    class Meta:
        """Each place has one row."""

        constraints = [models.UniqueConstraint(fields=["repository", "head", "context"], name="unique_posted_status")]


class SecurityAttention(models.Model):
    """Lines of an open change that touch what protects the product, and the questions on them: for reviewers."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    change = models.OneToOneField("changes.Change", models.CASCADE, related_name="security_attention")
    head = models.CharField(max_length=64)
    topics = models.JSONField(default=list)
    lines = models.TextField(blank=True)


class ReviewStatement(models.Model):
    """A person's statement on one head, made in a session of ours, and bound to the recorded act `act_digest`.

    `answers` are answers to the guide by question, or, where it attests, persons by subject. `covered_changes` are all
    that the same act attests (`change_acts.format_covered_change`), [] for an act on one change.
    """

    privileges = Privileges((READ, ADD), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.REVIEW_CHANGE, Action.ATTEST_CONTRIBUTOR})

    change = models.ForeignKey("changes.Change", models.CASCADE, related_name="review_statements")
    person = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    head = models.CharField(max_length=64)
    target = models.CharField(max_length=300)
    kind = models.CharField(max_length=20)
    answers = models.JSONField(default=dict)
    covered_changes = models.JSONField(default=list)
    stated_at = models.DateTimeField(default=timezone.now)
    act_digest = models.CharField(max_length=71)


class ProtectedBranch(models.Model):
    """Protected branch that is watched, with its tip when it was last read."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by = _NOBODY

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="protected_branches")
    ref = models.CharField(max_length=300)
    tip = models.CharField(max_length=64)
    rules = models.JSONField(null=True)  # how the forge protects it, as it was when last found well
    rules_read_at = models.DateTimeField(null=True)  # when that was
    rules_checked_at = models.DateTimeField(null=True)  # when it was last asked, whatever it was then
    rule_gaps = models.TextField(blank=True)  # what of it does not bind, in words
    shared_contexts = models.JSONField(default=list)  # contexts of ours that its rule demands besides the branch's own
    evaluation_due_at = models.DateTimeField(null=True)  # since when what it took next could not be evaluated again

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "ref"], name="unique_protected_branch")]

    @property
    def branch_name(self) -> str:
        """Name of the branch, without refs/heads/."""
        return self.ref.removeprefix("refs/heads/")


class BypassReason(models.TextChoices):
    """Why a branch update is a bypass."""

    NO_DECISION = "no-decision", _("no decision allowed it")
    DENIED_AT_MERGE = "denied-at-merge", _("an earlier decision allowed it, and would have been denied at the merge")
    UNCONFIRMED = "unconfirmed", _("an earlier decision allowed it, and could not be confirmed at the merge")


class BranchUpdate(models.Model):
    """An update of a protected branch: its new tip `commit` over `previous_tip`, and the decision on it.

    `decision` allowed it, or denied it when what was merged was evaluated again. A bypass has a reason and an incident,
    which closes once enough others reviewed it.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = _NOBODY
    free_texts = ("title",)

    class Outcome(models.TextChoices):
        """Outcomes of a branch update."""

        BASELINE = "baseline", _("already there when monitoring began")
        ALLOWED = "allowed", _("a decision allowed it")
        BYPASS = "bypass", _("it is a bypass")

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="branch_updates")
    ref = models.CharField(max_length=300)
    commit = models.CharField(max_length=64)
    previous_tip = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome)
    bypass_reason = models.CharField(max_length=16, choices=BypassReason, blank=True)
    decision = models.ForeignKey("changes.Decision", models.PROTECT, null=True, related_name="+")
    incident = models.ForeignKey("incidents.Incident", models.PROTECT, null=True, related_name="branch_updates")
    contributors = models.JSONField(default=list)  # ids of the contributors to a bypass
    unlinked_contributor_count = models.IntegerField(default=0)  # contributors not linked to a person
    pusher_known = models.BooleanField(default=False)  # whether the pushers of a bypass are among its contributors
    title = models.CharField(max_length=300, blank=True)
    seen_at = models.DateTimeField(default=timezone.now)
    record = models.OneToOneField("records.Record", models.PROTECT, related_name="+")

    class Meta:
        """Order: the newest update first. A rewound branch can receive the same commit again."""

        indexes = [
            models.Index(fields=["repository", "ref", "-seen_at", "-id"], name="branch_update_newest"),
            models.Index(fields=["repository", "ref", "commit"], name="branch_update_of_commit"),
        ]


class FirstPush(models.Model):
    """First push of a commit, to any branch of any repository of a connection.

    `pushed_at` is the forge's moment, "" for commits older than the connection of the repository. `account_id` is "" if
    the pusher is unknown, for the `unknown_reason`.
    """

    privileges = Privileges(
        (READ,), (READ, ADD, CHANGE), eraser_changes=("account_id", "login", "machine", "unknown_reason")
    )
    written_by = _NOBODY
    free_texts = ("unknown_reason",)

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    commit = models.CharField(max_length=64)
    pushed_at = models.CharField(max_length=40, blank=True)
    account_id = models.CharField(max_length=100, blank=True)
    login = models.CharField(max_length=300, blank=True)
    machine = models.BooleanField(default=False)
    unknown_reason = models.TextField(blank=True)
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """The first of each commit."""

        constraints = [models.UniqueConstraint(fields=["connection", "commit"], name="unique_first_push")]


class ObservedPush(models.Model):
    """A ref that has or had a commit, for which the forge has not shown the push yet.

    A delivery or a list of refs observed it. `actor` is the id of the account that a delivery names, else "". The row
    goes once the forge shows the push, or once the pusher of its commits is stored as unknown.
    """

    privileges = Privileges((READ, ADD), (READ, ADD, DROP))
    written_by = _NOBODY  # but for the open address that receives deliveries

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    ref = models.CharField(max_length=300)
    commit = models.CharField(max_length=64)
    actor = models.CharField(max_length=100, blank=True)
    observed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Each observation has one row."""

        constraints = [
            models.UniqueConstraint(fields=["repository", "ref", "commit", "actor"], name="unique_observed_push")
        ]


class TakenHead(models.Model):
    """Head that a protected branch received: approvals of it that were recorded before `record` are consumed.

    `head` is "" if the received heads are unknown: all approvals are consumed then.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE))
    written_by = _NOBODY

    repository = models.ForeignKey("products.Repository", models.CASCADE, related_name="+")
    ref = models.CharField(max_length=300)
    head = models.CharField(max_length=64, blank=True)
    record = models.ForeignKey("records.Record", models.PROTECT, related_name="+")

    class Meta:
        """The newest record of each."""

        constraints = [models.UniqueConstraint(fields=["repository", "ref", "head"], name="unique_taken_head")]


class RecordedStatement(models.Model):
    """A statement on a change (by a digest of it), and the record of the decision that saw it first."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by = _NOBODY

    change = models.ForeignKey("changes.Change", models.CASCADE, related_name="recorded_statements")
    statement = models.CharField(max_length=71)
    head = models.CharField(max_length=64)
    record = models.ForeignKey("records.Record", models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["change", "statement"], name="unique_recorded_statement")]
        indexes = [models.Index(fields=["head"], name="recorded_statement_of_head")]


class BypassReview(RecordedModel):
    """Review of a bypass afterwards, which accepts it."""

    recorded_columns = ("branch_update", "reviewer")
    privileges = Privileges((READ, ADD), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.REVIEW_BYPASS})
    free_texts = ("reason",)

    branch_update = models.ForeignKey(BranchUpdate, models.CASCADE, related_name="bypass_reviews")
    reviewer = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    reason = models.TextField()
    reviewed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: one review of each person."""

        constraints = [models.UniqueConstraint(fields=["branch_update", "reviewer"], name="unique_bypass_review")]
