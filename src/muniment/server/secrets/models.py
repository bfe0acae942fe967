"""Names of secrets, and their reads. The values are in the vault, and nowhere else."""

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel


class Secret(RecordedModel):
    """Name of a secret in an environment: when its value was set last, and by whom. `generated`: nobody ever saw
    it; `public`: it hides nothing. A row is never deleted: clauses rely on the age of the value.
    """

    recorded_columns = ("environment", "name", "set_at", "generated", "public", "removed_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.SET_SECRET, Action.REMOVE_SECRET, Action.CHANGE_PRODUCT})

    environment = models.ForeignKey("products.Environment", models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=128)
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    generated = models.BooleanField(default=False)
    public = models.BooleanField(default=False)
    version = models.IntegerField(default=1)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        """A name is used once."""

        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=["environment", "name"], name="unique_secret_name")]


class SecretVersion(models.Model):
    """Version of a secret that is still in the vault: its number, when it was set, and by whom."""

    privileges = Privileges((READ, ADD, DROP), ())
    written_by = Secret.written_by

    secret = models.ForeignKey(Secret, models.CASCADE, related_name="versions")
    number = models.IntegerField()
    set_at = models.DateTimeField()
    set_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    generated = models.BooleanField(default=False)
    public = models.BooleanField(default=False)

    class Meta:
        """The newest on top; a number is used once."""

        ordering = ("-number",)
        constraints = [models.UniqueConstraint(fields=["secret", "number"], name="unique_secret_version")]


class SecretRead(models.Model):
    """Reader of an environment's secrets, by the vault's audit log: first, last, how often. All names at once.

    `reported_at` is the newest read by no pipeline of which an incident was opened: each is one incident, once.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()

    environment = models.ForeignKey("products.Environment", models.CASCADE, related_name="secret_reads")
    reader = models.CharField(max_length=200)
    by_pipeline = models.BooleanField(default=False)
    first_read_at = models.DateTimeField()
    last_read_at = models.DateTimeField()
    read_count = models.IntegerField(default=0)
    reported_at = models.DateTimeField(null=True)

    class Meta:
        """Unique by environment, reader and kind, the newest on top."""

        ordering = ("-last_read_at", "reader")
        constraints = [
            models.UniqueConstraint(fields=["environment", "reader", "by_pipeline"], name="unique_secret_read")
        ]


class PlannedVaultWrite(RecordedModel):
    """Path of the vault that a person announced to write, just before. `request` is the entry of the vault's audit
    log that did: each plan covers one.
    """

    recorded_columns = ("path", "planned_at")
    privileges = Privileges((READ,), (READ,), worker_changes=("request",), operator=(ADD,))
    written_by = frozenset({Action.CHANGE_SETTINGS})

    path = models.CharField(max_length=500)
    planned_at = models.DateTimeField(default=timezone.now)
    request = models.CharField(max_length=64, blank=True)

    class Meta:
        """The newest on top."""

        ordering = ("-planned_at",)


class VaultWatch(models.Model):
    """Progress of a worker in one of the vault's audit logs: the last look, and the newest entry that it saw.

    `is_copy`: of a vault elsewhere, whose log is known until that entry only. One whose worker is gone for good is
    ended by a command; until then it is unknown what that worker would have seen.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE), operator_changes=("ended_at",), operator=(CHANGE,))
    written_by = frozenset({Action.CHANGE_SETTINGS})

    worker = models.CharField(max_length=200)
    log = models.CharField(max_length=1000)
    is_copy = models.BooleanField(default=False)
    positions = models.TextField(default="[]")
    newest_entry_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Unique by worker and log."""

        constraints = [models.UniqueConstraint(fields=["worker", "log"], name="unique_vault_watch")]
