import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("connections", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProtectionProposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(max_length=300)),
                ("steps", models.JSONField(default=list)),
                ("gaps", models.JSONField(default=list)),
                ("mode", models.CharField(blank=True, max_length=10)),
                ("digest", models.CharField(max_length=71)),
                ("requested_by", models.CharField(blank=True, max_length=71)),
                ("planned_at", models.DateTimeField()),
                ("applied_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                (
                    "link",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="protection_proposal",
                        to="connections.repositorylink",
                    ),
                ),
            ],
            options={
                "ordering": ("link__path",),
            },
        ),
        migrations.CreateModel(
            name="RepositoryRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64)),
                (
                    "mapping",
                    models.CharField(
                        choices=[
                            ("each", "One product for each repository"),
                            ("group", "One product for each group or owner"),
                            ("one", "One product for all of them"),
                        ],
                        max_length=5,
                    ),
                ),
                ("product", models.CharField(blank=True, max_length=64)),
                ("patterns", models.JSONField(default=list)),
                ("owners", models.JSONField(default=list)),
                ("topics", models.JSONField(default=list)),
                ("excluded", models.JSONField(default=list)),
                ("everything", models.BooleanField(default=False)),
                ("automatic", models.BooleanField(default=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="repository_rules",
                        to="connections.connection",
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("connection", "name"),
                        name="one_repository_rule",
                    )
                ],
            },
        ),
    ]
