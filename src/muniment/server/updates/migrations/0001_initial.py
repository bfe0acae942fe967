import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("products", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AdvisoryRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("advisory", models.CharField(db_index=True, max_length=200)),
                ("modified", models.CharField(max_length=27)),
                ("replaced_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ("content", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="AdvisorySource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("location", models.CharField(max_length=500, unique=True)),
                ("ecosystems", models.JSONField(default=list)),
                ("as_of", models.CharField(blank=True, max_length=27)),
                ("entity_tag", models.CharField(blank=True, max_length=300)),
                ("advisory_count", models.PositiveIntegerField(default=0)),
                ("version", models.BigIntegerField(default=0)),
                ("tried_at", models.DateTimeField(null=True)),
                ("read_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="DependencyLock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("place", models.CharField(max_length=300)),
                ("path", models.CharField(max_length=1000)),
                ("format", models.CharField(max_length=40)),
                ("digest", models.CharField(max_length=64)),
                ("dependency_count", models.PositiveIntegerField(default=0)),
                ("content", models.BinaryField()),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dependency_locks",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DependencyReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("first_read_at", models.DateTimeField(null=True)),
                ("matched_at", models.DateTimeField(null=True)),
                ("places", models.JSONField(default=list)),
                ("unread", models.JSONField(default=list)),
                ("problem", models.TextField(blank=True)),
                ("plan", models.BinaryField(default=bytes)),
                (
                    "repository",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dependency_reading",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LockEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ecosystem", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=300)),
                ("version", models.CharField(blank=True, max_length=200)),
                ("relation", models.CharField(max_length=12)),
                ("route", models.JSONField(default=list)),
                ("is_development", models.BooleanField(default=False)),
                ("introduced_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "lock",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="packages",
                        to="updates.dependencylock",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProductAdvisory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("lock_path", models.CharField(max_length=1000)),
                ("ecosystem", models.CharField(max_length=20)),
                ("package", models.CharField(max_length=300)),
                ("advisory", models.CharField(max_length=200)),
                ("names", models.JSONField(default=list)),
                ("summary", models.CharField(blank=True, max_length=300)),
                ("versions", models.JSONField(default=list)),
                ("places", models.JSONField(default=list)),
                ("route", models.JSONField(default=list)),
                (
                    "severity",
                    models.CharField(
                        choices=[("critical", "Critical"), ("high", "High"), ("medium", "Medium"), ("low", "Low")],
                        max_length=8,
                    ),
                ),
                ("severity_origin", models.CharField(max_length=10)),
                ("is_certain", models.BooleanField(default=True)),
                ("is_malware", models.BooleanField(default=False)),
                ("is_development", models.BooleanField(default=False)),
                ("safe_version", models.CharField(blank=True, max_length=200)),
                ("first_found_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("clock_from", models.DateTimeField(null=True)),
                ("clock_start", models.CharField(blank=True, max_length=16)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "end_reason",
                    models.CharField(
                        blank=True,
                        choices=[("updated", "Updated"), ("withdrawn", "Withdrawn or corrected by its publisher")],
                        max_length=10,
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="advisories", to="products.product"
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="advisories", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProposedUpdate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("branch", models.CharField(max_length=200)),
                ("target", models.CharField(max_length=300)),
                ("lock_path", models.CharField(max_length=1000)),
                ("packages", models.JSONField(default=list)),
                ("digest", models.CharField(max_length=71)),
                ("base_digest", models.CharField(max_length=71)),
                ("commit", models.CharField(max_length=64)),
                ("before", models.CharField(blank=True, max_length=64)),
                ("number", models.IntegerField(default=0)),
                ("url", models.CharField(blank=True, max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("open", "Open"),
                            ("merged", "Merged"),
                            ("dismissed", "Closed by hand"),
                            ("closed", "No longer needed"),
                        ],
                        default="planned",
                        max_length=10,
                    ),
                ),
                ("problem", models.TextField(blank=True)),
                ("proposed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("paused_until", models.DateTimeField(null=True)),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="proposed_updates",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StoredAdvisory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("document", models.CharField(max_length=300)),
                ("checksum", models.BigIntegerField()),
                ("size", models.BigIntegerField()),
                ("advisory", models.CharField(db_index=True, max_length=200)),
                ("names", models.JSONField(default=list)),
                ("modified", models.CharField(max_length=27)),
                ("is_withdrawn", models.BooleanField(default=False)),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("content", models.BinaryField()),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="advisories",
                        to="updates.advisorysource",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UpdateRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(null=True)),
                ("proven_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("bots", models.JSONField(default=list)),
                (
                    "repository",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="update_run", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="dependencylock",
            constraint=models.UniqueConstraint(fields=("repository", "place", "path"), name="unique_dependency_lock"),
        ),
        migrations.AddIndex(
            model_name="lockentry",
            index=models.Index(fields=["name", "ecosystem", "version"], name="lock_entry_name"),
        ),
        migrations.AddIndex(
            model_name="productadvisory",
            index=models.Index(
                condition=models.Q(("ended_at", None)), fields=["product"], name="open_advisory_product"
            ),
        ),
        migrations.AddConstraint(
            model_name="productadvisory",
            constraint=models.UniqueConstraint(
                fields=("repository", "lock_path", "ecosystem", "package", "advisory"), name="unique_product_advisory"
            ),
        ),
        migrations.AddConstraint(
            model_name="proposedupdate",
            constraint=models.UniqueConstraint(fields=("repository", "branch"), name="unique_proposed_update"),
        ),
        migrations.AddIndex(
            model_name="storedadvisory",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["names"], name="stored_advisory_names", opclasses=["jsonb_path_ops"]
            ),
        ),
        migrations.AddConstraint(
            model_name="storedadvisory",
            constraint=models.UniqueConstraint(fields=("source", "document"), name="unique_advisory_document"),
        ),
    ]
