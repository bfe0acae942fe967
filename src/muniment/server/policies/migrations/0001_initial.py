import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("products", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Freeze",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.CharField(max_length=16, unique=True)),
                ("reason", models.TextField()),
                ("drill", models.BooleanField(default=False)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
                ("lifted_at", models.DateTimeField(null=True)),
                (
                    "environment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="products.environment",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="products.product"
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MonitoringPeriod",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.CharField(max_length=64, unique=True)),
                ("clause", models.CharField(max_length=100)),
                ("last_day", models.DateField()),
                ("reason", models.TextField()),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "approver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="monitoring_periods",
                        to="products.product",
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("last_day", "id"),
            },
        ),
        migrations.CreateModel(
            name="PolicyException",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.CharField(max_length=64, unique=True)),
                ("clause", models.CharField(max_length=100)),
                ("branch", models.CharField(max_length=300)),
                ("head", models.CharField(blank=True, max_length=64)),
                ("reason", models.TextField()),
                ("approved_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "approver",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="exceptions", to="products.repository"
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("expires_at", "id"),
            },
        ),
        migrations.CreateModel(
            name="PolicyVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("digest", models.CharField(max_length=71)),
                ("note", models.TextField(blank=True)),
                ("proposed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("applied_at", models.DateTimeField(null=True)),
                ("in_force", models.BooleanField(db_default=False, default=False)),
                ("source_commit", models.CharField(blank=True, db_default="", max_length=64)),
                (
                    "approver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="PolicyTrial",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("change_count", models.IntegerField()),
                ("allowed_now", models.IntegerField()),
                ("allowed_then", models.IntegerField()),
                ("differing_changes", models.JSONField(default=list)),
                ("unmet_by_clause", models.JSONField(default=dict)),
                ("problem", models.TextField(blank=True)),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="products.repository"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="trials", to="policies.policyversion"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StateSnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("section", models.CharField(blank=True, max_length=100)),
                ("week", models.DateField()),
                ("passing", models.IntegerField(default=0)),
                ("excepted", models.IntegerField(default=0)),
                ("unknown", models.IntegerField(default=0)),
                ("failing", models.IntegerField(default=0)),
                ("not_evaluated", models.IntegerField(default=0)),
                (
                    "product",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="state_snapshots",
                        to="products.product",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PolicySource",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("branch", models.CharField(max_length=300)),
                ("path", models.CharField(max_length=300)),
                ("configured_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_commit", models.CharField(blank=True, max_length=64)),
                ("problem", models.TextField(blank=True)),
                ("read_at", models.DateTimeField(null=True)),
                (
                    "configured_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="products.repository"
                    ),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="single_policy_source")],
            },
        ),
        migrations.AddConstraint(
            model_name="policyversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("in_force", True)), fields=("in_force",), name="single_policy_in_force"
            ),
        ),
        migrations.AddConstraint(
            model_name="policytrial",
            constraint=models.UniqueConstraint(fields=("version", "repository"), name="unique_policy_trial"),
        ),
        migrations.AddConstraint(
            model_name="statesnapshot",
            constraint=models.UniqueConstraint(
                fields=("product", "section", "week"), name="unique_state_snapshot", nulls_distinct=False
            ),
        ),
    ]
