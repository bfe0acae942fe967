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
            name="PlannedVaultWrite",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("path", models.CharField(max_length=500)),
                ("planned_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("request", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "ordering": ("-planned_at",),
            },
        ),
        migrations.CreateModel(
            name="Secret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=128)),
                ("set_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("generated", models.BooleanField(default=False)),
                ("public", models.BooleanField(default=False)),
                ("version", models.IntegerField(default=1)),
                ("removed_at", models.DateTimeField(null=True)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="secrets", to="products.environment"
                    ),
                ),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="SecretRead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reader", models.CharField(max_length=200)),
                ("by_pipeline", models.BooleanField(default=False)),
                ("first_read_at", models.DateTimeField()),
                ("last_read_at", models.DateTimeField()),
                ("read_count", models.IntegerField(default=0)),
                ("reported_at", models.DateTimeField(null=True)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="secret_reads",
                        to="products.environment",
                    ),
                ),
            ],
            options={
                "ordering": ("-last_read_at", "reader"),
            },
        ),
        migrations.CreateModel(
            name="SecretVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("set_at", models.DateTimeField()),
                ("generated", models.BooleanField(default=False)),
                ("public", models.BooleanField(default=False)),
                (
                    "secret",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="secrets.secret"
                    ),
                ),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("-number",),
            },
        ),
        migrations.CreateModel(
            name="VaultWatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("worker", models.CharField(max_length=200)),
                ("log", models.CharField(max_length=1000)),
                ("is_copy", models.BooleanField(default=False)),
                ("positions", models.TextField(default="[]")),
                ("newest_entry_at", models.DateTimeField(null=True)),
                ("looked_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("worker", "log"), name="unique_vault_watch")],
            },
        ),
        migrations.AddConstraint(
            model_name="secret",
            constraint=models.UniqueConstraint(fields=("environment", "name"), name="unique_secret_name"),
        ),
        migrations.AddConstraint(
            model_name="secretread",
            constraint=models.UniqueConstraint(
                fields=("environment", "reader", "by_pipeline"), name="unique_secret_read"
            ),
        ),
        migrations.AddConstraint(
            model_name="secretversion",
            constraint=models.UniqueConstraint(fields=("secret", "number"), name="unique_secret_version"),
        ),
    ]
