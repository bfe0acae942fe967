import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("people", "0001_initial"),
        ("products", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Bootstrap",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("finished", models.BooleanField()),
            ],
        ),
        migrations.CreateModel(
            name="IdempotentResponse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("idempotency_key", models.CharField(max_length=200)),
                ("request_digest", models.CharField(max_length=64)),
                ("body", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "token",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="people.apitoken"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("token", "idempotency_key"), name="unique_idempotency_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="Request",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("action", models.CharField(max_length=40)),
                ("act", models.TextField(blank=True)),
                ("digest", models.CharField(blank=True, max_length=71)),
                ("request_record", models.CharField(blank=True, max_length=71)),
                ("subject", models.CharField(blank=True, max_length=300)),
                ("summary", models.TextField()),
                ("reason", models.TextField()),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waits"),
                            ("approved", "done"),
                            ("rejected", "refused"),
                            ("withdrawn", "taken back"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "product",
                    models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, to="products.product"),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="requests",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "second_person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("requested_at", "id"),
                "indexes": [models.Index(fields=["state", "requested_at"], name="request_of_state")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting"), models.Q(("digest", ""), _negated=True)),
                        fields=("digest",),
                        name="request_waits_once",
                    )
                ],
            },
        ),
    ]
