"""Names of secrets, and when a pipeline read them. The values are in the vault, and nowhere else."""

from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges


class Secret(models.Model):
    """One name in one environment: when its value was set last, and by whom. `generated`: nobody ever saw it; `public`:
    it hides nothing.
    """

    privileges = Privileges((READ, ADD, CHANGE, DROP), (READ,))
    written_by = frozenset({Action.SET_SECRET, Action.REMOVE_SECRET, Action.CHANGE_PRODUCT})

    environment = models.ForeignKey("products.Environment", models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=128)
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    generated = models.BooleanField(default=False)
    public = models.BooleanField(default=False)

    class Meta:
        """A name is used once."""

        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=["environment", "name"], name="unique_secret_name")]


class SecretRead(models.Model):
    """Who read an environment's secrets, by the vault's audit log: first, last, how often. All names at once."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    environment = models.ForeignKey("products.Environment", models.CASCADE, related_name="secret_reads")
    reader = models.CharField(max_length=200)
    by_pipeline = models.BooleanField(default=False)
    first_read_at = models.DateTimeField()
    last_read_at = models.DateTimeField()
    read_count = models.IntegerField(default=0)

    class Meta:
        """One row each, the newest on top."""

        ordering = ("-last_read_at", "reader")
        constraints = [
            models.UniqueConstraint(fields=["environment", "reader", "by_pipeline"], name="unique_secret_read")
        ]
