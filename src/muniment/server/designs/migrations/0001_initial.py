import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("changes", "0001_initial"),
        ("products", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ChangeDesign",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("head", models.CharField(max_length=64)),
                ("base", models.CharField(max_length=64)),
                ("evaluated_at", models.DateTimeField()),
                ("problem", models.TextField(blank=True)),
                ("is_altered", models.BooleanField(default=False)),
                ("answer", models.BinaryField(default=bytes)),
                (
                    "change",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="design", to="changes.change"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DesignReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("tips", models.JSONField(default=dict)),
                ("answer", models.BinaryField(default=bytes)),
                (
                    "product",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="design_reading",
                        to="products.product",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DesignThreat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("identity", models.CharField(max_length=600)),
                ("kind", models.CharField(max_length=32)),
                ("element", models.CharField(max_length=400)),
                ("score", models.PositiveIntegerField()),
                ("mitigations", models.JSONField(default=list)),
                ("first_found_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("gone_at", models.DateTimeField(null=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="design_threats",
                        to="products.product",
                    ),
                ),
            ],
            options={
                "ordering": ("-score", "identity"),
            },
        ),
        migrations.CreateModel(
            name="PersonalDataDraft",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=400)),
                ("purpose", models.TextField(blank=True)),
                ("keep_days", models.IntegerField(null=True)),
                ("places", models.JSONField(default=list)),
                ("recipients", models.JSONField(default=list)),
                ("described_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="personal_data_drafts",
                        to="products.product",
                    ),
                ),
            ],
            options={
                "ordering": ("name", "pk"),
            },
        ),
        migrations.CreateModel(
            name="ProductDesign",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=71)),
                ("evaluated_at", models.DateTimeField()),
                ("evaluation", models.BinaryField()),
                ("statuses", models.JSONField(default=dict)),
                ("sources", models.JSONField(default=list)),
                (
                    "product",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="design", to="products.product"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ThreatAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("mitigated", "Mitigated"), ("accepted", "Accepted")], max_length=16),
                ),
                ("text", models.TextField()),
                ("answered_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "threat",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="answers", to="designs.designthreat"
                    ),
                ),
            ],
            options={
                "ordering": ("-answered_at", "-pk"),
            },
        ),
        migrations.AddConstraint(
            model_name="designthreat",
            constraint=models.UniqueConstraint(fields=("product", "identity"), name="unique_design_threat"),
        ),
    ]
