import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
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
            name="Record",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(editable=False, null=True, unique=True)),
                ("kind", models.CharField(max_length=32)),
                ("recorded_at", models.DateTimeField()),
                ("details_digest", models.CharField(blank=True, max_length=71)),
                ("data", models.BinaryField()),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("position", None)), fields=["id"], name="record_without_position"),
                    models.Index(fields=["-recorded_at", "-id"], name="record_newest"),
                    models.Index(
                        condition=models.Q(("kind__in", ("freeze", "freeze-lift"))),
                        fields=["id"],
                        name="record_of_freezes",
                    ),
                    django.contrib.postgres.indexes.HashIndex(fields=["details_digest"], name="record_details"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Addendum",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "later_record",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"
                    ),
                ),
                (
                    "record",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="addenda", to="records.record"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Tile",
            fields=[
                ("path", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("data", models.BinaryField()),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("path__contains", ".p/")), fields=["path"], name="partial_tile")
                ],
            },
        ),
        migrations.CreateModel(
            name="RowState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table", models.CharField(max_length=63)),
                ("key", models.CharField(max_length=64)),
                ("commitment", models.CharField(max_length=71)),
                ("salt", models.CharField(max_length=32)),
                (
                    "record",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="row_states", to="records.record"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["table", "key", "-record"], name="row_state_newest")],
            },
        ),
    ]
