import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Addendum",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
        ),
        migrations.CreateModel(
            name="Backup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ledger_size", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("data", models.BinaryField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ErasedObject",
            fields=[
                ("digest", models.CharField(max_length=71, primary_key=True, serialize=False)),
                ("reason", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("time", models.CharField(max_length=40)),
                ("salt", models.CharField(max_length=64)),
                ("commitment", models.CharField(max_length=71, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="ExceptionFile",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("data", models.BinaryField()),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PersonObject",
            fields=[
                ("content", models.CharField(max_length=71, primary_key=True, serialize=False)),
                ("object", models.CharField(max_length=71, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Record",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=32)),
                ("recorded_at", models.DateTimeField()),
                ("details_digest", models.CharField(blank=True, max_length=71)),
                ("data", models.BinaryField()),
                (
                    "writer",
                    models.CharField(
                        db_default=models.Func(output_field=models.CharField(), template="CURRENT_USER"),
                        editable=False,
                        max_length=63,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RoundStart",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="RowState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table", models.CharField(max_length=63)),
                ("key", models.CharField(max_length=64)),
                ("commitment", models.CharField(max_length=71)),
                ("salt", models.CharField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="SigningRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("provenance", models.JSONField(default=list)),
                ("requested_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="StoredObject",
            fields=[
                ("digest", models.CharField(max_length=71, primary_key=True, serialize=False)),
                ("data", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="TaskFailure",
            fields=[
                ("job", models.BigIntegerField(primary_key=True, serialize=False)),
                ("task", models.CharField(max_length=128)),
                ("seconds", models.PositiveIntegerField()),
                ("retried", models.BooleanField()),
                ("failed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Tile",
            fields=[
                ("path", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("data", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="LedgerHead",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("checkpoint", models.BinaryField(null=True)),
                ("sequencer_alive_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="single_ledger_head")],
            },
        ),
        migrations.CreateModel(
            name="RecordPosition",
            fields=[
                (
                    "record",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="place",
                        serialize=False,
                        to="records.record",
                    ),
                ),
                ("position", models.BigIntegerField(null=True, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="RefusedRecord",
            fields=[
                (
                    "record",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="refusal",
                        serialize=False,
                        to="records.record",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("writer", "its writer may not write this kind"),
                            ("content", "it is not a record of the ledger"),
                            ("columns", "its columns differ from its content"),
                        ],
                        max_length=16,
                    ),
                ),
                ("refused_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddIndex(
            model_name="record",
            index=models.Index(fields=["-recorded_at", "-id"], name="record_newest"),
        ),
        migrations.AddIndex(
            model_name="record",
            index=models.Index(
                condition=models.Q(("kind__in", ("freeze", "freeze-lift"))), fields=["id"], name="record_of_freezes"
            ),
        ),
        migrations.AddIndex(
            model_name="record",
            index=django.contrib.postgres.indexes.HashIndex(fields=["details_digest"], name="record_details"),
        ),
        migrations.AddField(
            model_name="addendum",
            name="later_record",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"),
        ),
        migrations.AddField(
            model_name="addendum",
            name="record",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="addenda", to="records.record"
            ),
        ),
        migrations.AddField(
            model_name="rowstate",
            name="record",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="row_states", to="records.record"
            ),
        ),
        migrations.CreateModel(
            name="SignedPermission",
            fields=[
                (
                    "signing_request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="signed",
                        serialize=False,
                        to="records.signingrequest",
                    ),
                ),
                ("envelope", models.TextField(blank=True)),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "refusal",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("request", "the request is not what the ledger says"),
                            ("basis", "what should allow it is no decision or act that allows it"),
                            ("age", "what should allow it is too old, or dated ahead"),
                        ],
                        max_length=16,
                    ),
                ),
                ("signed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name="signingrequest",
            name="basis",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="signing_basis", to="records.record"
            ),
        ),
        migrations.AddField(
            model_name="signingrequest",
            name="request",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="signing_request", to="records.record"
            ),
        ),
        migrations.AddIndex(
            model_name="tile",
            index=models.Index(condition=models.Q(("path__contains", ".p/")), fields=["path"], name="partial_tile"),
        ),
        migrations.AddIndex(
            model_name="recordposition",
            index=models.Index(
                condition=models.Q(("position", None)), fields=["record"], name="record_without_position"
            ),
        ),
        migrations.AddIndex(
            model_name="rowstate",
            index=models.Index(fields=["table", "key", "-record"], name="row_state_newest"),
        ),
    ]
