"""The home's tables. What the web may do with each is held by PostgreSQL too."""

from django.contrib.postgres.indexes import HashIndex
from django.db import models

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges


class Document(models.Model):
    """`policy.toml`, `people.toml` or `home.toml`, as it holds now."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.APPLY_POLICY, Action.WEAKEN_POLICY, Action.CHANGE_SETTINGS})

    name = models.CharField(primary_key=True, max_length=40)
    data = models.BinaryField()


class ExceptionFile(models.Model):
    """One exception, as it would stand in `exceptions/<name>.json`."""

    privileges = Privileges((READ, ADD, DROP), (READ,))
    written_by = frozenset({Action.ASK_EXCEPTION, Action.END_EXCEPTION, Action.ERASE_PERSONAL})

    name = models.CharField(primary_key=True, max_length=64)
    data = models.BinaryField()


class Stored(models.Model):
    """One object, compressed, by its digest."""

    privileges = Privileges((READ, ADD), (READ, ADD, DROP))
    written_by = frozenset(Action)

    digest = models.CharField(primary_key=True, max_length=71)
    data = models.BinaryField()


class Erasure(models.Model):
    """That an object was erased, and why. It cannot come back."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    digest = models.CharField(primary_key=True, max_length=71)
    why = models.TextField()


class Entry(models.Model):
    """One entry of the ledger. `place` is None until the sequencer has given it one and signed for it."""

    privileges = Privileges((READ, ADD), (READ, ADD, CHANGE), web_adds=("kind", "time", "object", "data"))
    written_by = frozenset(Action)

    id = models.BigAutoField(primary_key=True)
    place = models.BigIntegerField(null=True, unique=True, editable=False)
    kind = models.CharField(max_length=32)
    time = models.DateTimeField()
    object = models.CharField(max_length=71, blank=True)
    data = models.BinaryField()

    class Meta:
        """Waiting ones are found without a look at the others, and one by its object; the page of all goes by time."""

        indexes = [
            models.Index(fields=["id"], condition=models.Q(place=None), name="entry_waiting"),
            models.Index(fields=["-time", "-id"], name="entry_newest"),
            HashIndex(fields=["object"], name="entry_object"),
        ]


class Addendum(models.Model):
    """That an entry is wrong, and what is right: said by a later entry, with which the earlier one is shown."""

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.CORRECT_RECORD})

    entry = models.ForeignKey(Entry, models.PROTECT, related_name="addenda")
    later = models.ForeignKey(Entry, models.PROTECT, related_name="+")


class Tile(models.Model):
    """One file of the ledger's tree (C2SP tlog-tiles), by its path."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    path = models.CharField(primary_key=True, max_length=80)
    data = models.BinaryField()

    class Meta:
        """Those that are not full are few, and dropped as the tree grows."""

        indexes = [models.Index(fields=["path"], condition=models.Q(path__contains=".p/"), name="tile_partial")]


class Head(models.Model):
    """The one row that whoever writes the ledger locks. `checkpoint` is its newest signed note, None at first."""

    privileges = Privileges((READ,), (READ, CHANGE))
    written_by: frozenset[Action] = frozenset()

    id = models.SmallIntegerField(primary_key=True)
    checkpoint = models.BinaryField(null=True)

    class Meta:
        """There is one."""

        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_head")]
