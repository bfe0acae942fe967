"""Tables of the home. PostgreSQL enforces what each process may do with them."""

from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.utils import timezone

from muniment.access.actions import Action
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records.recorded_rows import RecordedModel
from muniment.store.freezes import FREEZE_KINDS

_INSERTED_BY = models.Func(template="CURRENT_USER", output_field=models.CharField())
_RECORD_COLUMNS = ("kind", "recorded_at", "details_digest", "data")


class Document(RecordedModel):
    """`policy.toml`, `people.toml` or `home.toml`, as it is in force now."""

    recorded_columns = ("data",)
    privileges = Privileges((READ, ADD, CHANGE), (READ,), sequencer=(READ,), operator=(ADD, CHANGE))
    written_by = frozenset({Action.APPLY_POLICY, Action.WEAKEN_POLICY, Action.CHANGE_SETTINGS})

    name = models.CharField(primary_key=True, max_length=40)
    data = models.BinaryField()


class ExceptionFile(RecordedModel):
    """Exception in the form of `exceptions/<name>.json`."""

    recorded_columns = ("data",)
    privileges = Privileges((READ, ADD, DROP), (READ,))
    written_by = frozenset({Action.REQUEST_EXCEPTION, Action.END_EXCEPTION, Action.ERASE_PERSONAL_DATA})

    name = models.CharField(primary_key=True, max_length=64)
    data = models.BinaryField()


class StoredObject(models.Model):
    """Compressed object of a record, by its digest."""

    privileges = Privileges((READ, ADD), (READ, ADD), sequencer=(READ, ADD), operator=(ADD,), eraser=(ADD, DROP))
    written_by = frozenset(Action)

    digest = models.CharField(primary_key=True, max_length=71)
    data = models.BinaryField()


class PersonObject(models.Model):
    """Stored object of a person's content (a digest without the salt), so that it is stored once.

    The row is deleted with its object when that is erased.
    """

    privileges = Privileges((READ,), (READ, ADD), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()

    content = models.CharField(primary_key=True, max_length=71)
    object = models.CharField(max_length=71, unique=True)


class Erasure(models.Model):
    """Line of the list of erasures (`store/erasure_list.py`): a commitment to a person, and no name."""

    privileges = Privileges((), (), sequencer=(READ,), eraser=(ADD,))
    written_by: frozenset[Action] = frozenset()

    time = models.CharField(max_length=40)
    salt = models.CharField(max_length=64)
    commitment = models.CharField(max_length=71, unique=True)


class ErasedObject(models.Model):
    """The digest of an object that was erased, and the reason. The object cannot be stored again."""

    privileges = Privileges((READ,), (READ,), sequencer=(READ,), eraser=(ADD,))
    written_by: frozenset[Action] = frozenset()

    digest = models.CharField(primary_key=True, max_length=71)
    reason = models.TextField()


class Record(models.Model):
    """Record of the ledger. It is never altered or deleted.

    `details_digest` names the object with personal and other details, stored outside the ledger; "" if there is none.
    `writer` is the database role that inserted the row: PostgreSQL fills it in, and no process may set it.
    """

    privileges = Privileges(
        (READ, ADD),
        (READ, ADD),
        web_adds=_RECORD_COLUMNS,
        worker_adds=_RECORD_COLUMNS,
        sequencer=(READ, ADD),
        sequencer_adds=_RECORD_COLUMNS,
        operator=(ADD,),
        eraser=(ADD,),
        eraser_adds=_RECORD_COLUMNS,
        operator_adds=_RECORD_COLUMNS,
    )
    written_by = frozenset(Action)

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=32)
    recorded_at = models.DateTimeField()
    details_digest = models.CharField(max_length=71, blank=True)
    data = models.BinaryField()
    writer = models.CharField(max_length=63, db_default=_INSERTED_BY, editable=False)

    class Meta:
        """Indexes to find a record by its object, and to list all by time."""

        indexes = [
            models.Index(fields=["-recorded_at", "-id"], name="record_newest"),
            models.Index(fields=["id"], condition=models.Q(kind__in=FREEZE_KINDS), name="record_of_freezes"),
            HashIndex(fields=["details_digest"], name="record_details"),
        ]

    @property
    def position(self) -> int | None:
        """The position in the ledger; None until the sequencer has assigned it and signed a checkpoint."""
        place = getattr(self, "place", None)
        return place.position if place is not None else None


class RecordPosition(models.Model):
    """The position of a record in the ledger, None while it waits. A trigger adds the row with its record.

    A record that was refused has no row here: it never gets a position.
    """

    privileges = Privileges((READ,), (READ,), sequencer=(READ, CHANGE, DROP), sequencer_changes=("position",))
    written_by: frozenset[Action] = frozenset()

    record = models.OneToOneField(Record, models.PROTECT, primary_key=True, related_name="place")
    position = models.BigIntegerField(null=True, unique=True)

    class Meta:
        """Index of waiting records, so that they are found without reading the others."""

        indexes = [
            models.Index(fields=["record"], condition=models.Q(position=None), name="record_without_position"),
        ]


class RefusedRecord(models.Model):
    """Record that the sequencer refused, and the reason: its writer may not write it, or it is malformed."""

    privileges = Privileges((READ,), (READ,), sequencer=(READ, ADD))
    written_by: frozenset[Action] = frozenset()

    class Reason(models.TextChoices):
        """Reasons why a record gets no position."""

        WRITER = "writer", "its writer may not write this kind"
        CONTENT = "content", "it is not a record of the ledger"
        COLUMNS = "columns", "its columns differ from its content"

    record = models.OneToOneField(Record, models.PROTECT, primary_key=True, related_name="refusal")
    reason = models.CharField(max_length=16, choices=Reason)
    refused_at = models.DateTimeField(default=timezone.now)


class SigningRequest(models.Model):
    """Permission to deploy that the worker wants signed: `request` is the record of the pipeline's request, `basis` the
    record that allows it, a decision or an act of two people. Each is used once.

    `provenance` are the digests of the statements that the pipeline sent. A request that is obsolete is deleted.
    """

    privileges = Privileges((READ,), (READ, ADD, DROP), sequencer=(READ,))
    written_by: frozenset[Action] = frozenset()

    request = models.OneToOneField(Record, models.PROTECT, related_name="signing_request")
    basis = models.OneToOneField(Record, models.PROTECT, related_name="signing_basis")
    provenance = models.JSONField(default=list)
    requested_at = models.DateTimeField(default=timezone.now, db_index=True)


class SignedPermission(models.Model):
    """Result of a signing request: the signed permission, or the reason for a refusal."""

    privileges = Privileges((READ,), (READ,), sequencer=(READ, ADD))
    written_by: frozenset[Action] = frozenset()

    class Refusal(models.TextChoices):
        """Reasons why a permission was not signed."""

        REQUEST = "request", "the request is not what the ledger says"
        BASIS = "basis", "what should allow it is no decision or act that allows it"
        AGE = "age", "what should allow it is too old, or dated ahead"

    signing_request = models.OneToOneField(SigningRequest, models.PROTECT, primary_key=True, related_name="signed")
    envelope = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=16, choices=Refusal, blank=True)
    signed_at = models.DateTimeField(default=timezone.now)


class RowState(models.Model):
    """State of one recorded row after an act: a commitment to its recorded columns, whose salt is stored here alone.

    `record` is of the act: its `rows` is the digest of all commitments of that act. The newest state of a row counts.
    """

    privileges = Privileges((READ, ADD), (READ, ADD), operator=(ADD,), eraser=(ADD,))
    written_by = frozenset(Action)

    record = models.ForeignKey(Record, models.PROTECT, related_name="row_states")
    table = models.CharField(max_length=63)
    key = models.CharField(max_length=64)
    commitment = models.CharField(max_length=71)
    salt = models.CharField(max_length=32)

    class Meta:
        """Index to find the newest state of a row by its key."""

        indexes = [models.Index(fields=["table", "key", "-record"], name="row_state_newest")]


class Addendum(models.Model):
    """A correction of `record`, stated by `later_record`. Pages show both."""

    privileges = Privileges((READ, ADD), (READ,))
    written_by = frozenset({Action.CORRECT_RECORD})

    record = models.ForeignKey(Record, models.PROTECT, related_name="addenda")
    later_record = models.ForeignKey(Record, models.PROTECT, related_name="+")


class Tile(models.Model):
    """File of the ledger's tree (C2SP tlog-tiles), by its path."""

    privileges = Privileges((READ,), (READ,), sequencer=(READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    path = models.CharField(primary_key=True, max_length=80)
    data = models.BinaryField()

    class Meta:
        """Index of partial tiles: they are few, and removed as the tree grows."""

        indexes = [models.Index(fields=["path"], condition=models.Q(path__contains=".p/"), name="partial_tile")]


class LedgerHead(models.Model):
    """The one row that a writer of the ledger locks. `checkpoint` is its newest signed note, None at first.

    `sequencer_alive_at` is when a sequencer last had no waiting record, within some seconds.
    """

    privileges = Privileges((READ,), (READ,), sequencer=(READ, CHANGE))
    written_by: frozenset[Action] = frozenset()

    id = models.SmallIntegerField(primary_key=True)
    checkpoint = models.BinaryField(null=True)
    sequencer_alive_at = models.DateTimeField(null=True)

    class Meta:
        """Constraint: there is one row."""

        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="single_ledger_head")]


class RoundStart(models.Model):
    """Moment when a round of the workers began last: each round is run by one worker at a time."""

    privileges = Privileges((), (READ, ADD, CHANGE))
    written_by: frozenset[Action] = frozenset()

    name = models.CharField(max_length=40, primary_key=True)
    started_at = models.DateTimeField()


class TaskFailure(models.Model):
    """Reason why a task's process ended: it ran longer than `seconds`, or ended by itself (0). `job` is the queue's
    id.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    job = models.BigIntegerField(primary_key=True)
    task = models.CharField(max_length=128)
    seconds = models.PositiveIntegerField()
    retried = models.BooleanField()
    failed_at = models.DateTimeField(default=timezone.now)


class Backup(models.Model):
    """Backup that the operator made, and the number of records in its ledger. Where it is, nobody says here."""

    privileges = Privileges((READ,), (READ,), operator=(ADD,))
    written_by: frozenset[Action] = frozenset()

    made_at = models.DateTimeField(default=timezone.now)
    ledger_size = models.BigIntegerField()
