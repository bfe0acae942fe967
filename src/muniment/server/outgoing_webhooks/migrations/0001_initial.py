import django.core.validators
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
            name="OutgoingWebhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        max_length=40,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\\Z", "Small letters, digits and - between them."
                            )
                        ],
                        verbose_name="name",
                    ),
                ),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("cloudevents", "CloudEvents, signed"),
                            ("slack", "Slack"),
                            ("teams", "Microsoft Teams"),
                            ("mattermost", "Mattermost"),
                        ],
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("address_set_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("next_position", models.BigIntegerField(default=0)),
                ("problem", models.TextField(blank=True)),
                ("delivered_at", models.DateTimeField(null=True)),
                (
                    "product",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outgoing_webhooks",
                        to="products.product",
                    ),
                ),
            ],
            options={
                "ordering": ("slug",),
            },
        ),
        migrations.CreateModel(
            name="OutgoingDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("identity", models.CharField(max_length=64)),
                ("event", models.CharField(max_length=40)),
                ("link", models.CharField(max_length=200)),
                ("details", models.JSONField(default=dict)),
                ("happened_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(default=django.utils.timezone.now, null=True)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=200)),
                (
                    "product",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="products.product"
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="outgoing_webhooks.outgoingwebhook",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_attempt_at__isnull", False)),
                        fields=["webhook", "next_attempt_at"],
                        name="outgoing_due",
                    ),
                    models.Index(fields=["happened_at"], name="outgoing_oldest"),
                ],
                "constraints": [models.UniqueConstraint(fields=("webhook", "identity"), name="unique_outgoing_event")],
            },
        ),
    ]
