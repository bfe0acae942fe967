import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\\Z", "Small letters, digits and - between them."
                            )
                        ],
                        verbose_name="id",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("deployed", models.BooleanField(blank=True, null=True)),
                ("has_users", models.BooleanField(blank=True, null=True)),
                ("holds_personal_data", models.BooleanField(blank=True, null=True)),
                ("supported", models.BooleanField(blank=True, null=True, verbose_name="is supported")),
                ("sensitive_patterns", models.TextField(blank=True, verbose_name="sensitive paths")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                ("retired_since", models.DateField(blank=True, null=True)),
                ("data_after_retirement", models.TextField(blank=True)),
            ],
            options={
                "ordering": ("name", "slug"),
            },
        ),
        migrations.CreateModel(
            name="ProductStateVersion",
            fields=[
                (
                    "product",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="state_version",
                        serialize=False,
                        to="products.product",
                    ),
                ),
                ("number", models.BigIntegerField(default=1)),
            ],
        ),
        migrations.CreateModel(
            name="Repository",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200, unique=True)),
                ("path", models.CharField(max_length=1000)),
                ("worker", models.CharField(blank=True, max_length=300)),
                ("worker_seen_at", models.DateTimeField(null=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="repositories", to="products.product"
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="RepositoryScan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("branch", models.CharField(blank=True, max_length=300)),
                ("tip", models.CharField(blank=True, max_length=64)),
                ("evaluated_count", models.IntegerField(default=0)),
                ("change_count", models.IntegerField(default=0)),
                ("policy_digest", models.CharField(blank=True, max_length=71)),
                ("inputs_digest", models.CharField(blank=True, max_length=71)),
                ("facts_digest", models.CharField(blank=True, max_length=71)),
                ("finished_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                (
                    "repository",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="scan", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Environment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\\Z", "Small letters, digits and - between them."
                            )
                        ],
                    ),
                ),
                ("order", models.PositiveSmallIntegerField(default=1)),
                ("production", models.BooleanField(default=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="environments", to="products.product"
                    ),
                ),
            ],
            options={
                "ordering": ("order", "name"),
                "constraints": [models.UniqueConstraint(fields=("product", "name"), name="unique_environment_name")],
            },
        ),
        migrations.CreateModel(
            name="ProductClauseState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("clause", models.CharField(max_length=100)),
                (
                    "state",
                    models.SmallIntegerField(
                        choices=[(0, "Passing"), (1, "Excepted"), (2, "Not evaluated"), (3, "Unknown"), (4, "Failing")]
                    ),
                ),
                ("changed_at", models.DateTimeField()),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="clause_states", to="products.product"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["clause", "state"], name="product_state_of_clause"),
                    models.Index(
                        condition=models.Q(("state__in", (0, 2)), _negated=True),
                        fields=["state", "product"],
                        name="product_state_not_met",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("product", "clause"), name="unique_product_clause_state")
                ],
            },
        ),
        migrations.CreateModel(
            name="ClauseState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("clause", models.CharField(max_length=100)),
                (
                    "state",
                    models.SmallIntegerField(
                        choices=[(0, "Passing"), (1, "Excepted"), (2, "Not evaluated"), (3, "Unknown"), (4, "Failing")]
                    ),
                ),
                ("changed_at", models.DateTimeField()),
                ("reason", models.TextField(blank=True)),
                ("met_count", models.IntegerField(default=0)),
                ("evaluated_count", models.IntegerField(default=0)),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="clause_states",
                        to="products.repository",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["clause", "state"], name="clause_state_of_clause")],
                "constraints": [models.UniqueConstraint(fields=("repository", "clause"), name="unique_clause_state")],
            },
        ),
    ]
