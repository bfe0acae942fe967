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
            name="CachedScan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64, unique=True)),
                ("results", models.BinaryField()),
                ("used_on", models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name="KnownRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=200, unique=True)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("first_known_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("changed_at", models.DateTimeField(null=True)),
                ("monitored_until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="CodeScan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("branch", models.CharField(blank=True, max_length=300)),
                ("tip", models.CharField(blank=True, max_length=64)),
                ("engines", models.CharField(blank=True, max_length=64)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("baseline_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("file_count", models.IntegerField(default=0)),
                ("scanned_count", models.IntegerField(default=0)),
                ("unscanned", models.JSONField(default=list)),
                ("unscanned_count", models.IntegerField(default=0)),
                ("languages", models.JSONField(default=list)),
                ("plan", models.BinaryField(default=bytes)),
                ("counted_decision", models.BigIntegerField(default=0)),
                (
                    "repository",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="code_scan", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProductFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "source",
                    models.CharField(
                        choices=[("scan", "Scan"), ("entered", "Entered by hand"), ("imported", "Imported")],
                        default="scan",
                        max_length=8,
                    ),
                ),
                ("tool", models.CharField(max_length=100)),
                ("category", models.CharField(blank=True, max_length=300)),
                ("rule", models.CharField(max_length=200)),
                ("fingerprint", models.CharField(max_length=64)),
                ("copy", models.PositiveIntegerField(default=0)),
                (
                    "severity",
                    models.CharField(
                        choices=[("critical", "Critical"), ("high", "High"), ("medium", "Medium"), ("low", "Low")],
                        max_length=8,
                    ),
                ),
                ("is_severity_given", models.BooleanField(default=True)),
                ("cwe", models.PositiveIntegerField(default=0)),
                ("owasp_2021", models.CharField(blank=True, max_length=8)),
                ("owasp_2025", models.CharField(blank=True, max_length=8)),
                ("requirement", models.TextField(blank=True)),
                ("impact", models.TextField(blank=True)),
                ("message", models.TextField(blank=True)),
                ("remedy", models.TextField(blank=True)),
                ("reported_in", models.TextField(blank=True)),
                ("path", models.CharField(blank=True, max_length=1000)),
                ("line", models.PositiveIntegerField(default=0)),
                ("symbol", models.CharField(blank=True, max_length=300)),
                ("snippet", models.TextField(blank=True)),
                ("steps", models.JSONField(default=list)),
                ("confidence", models.CharField(blank=True, max_length=8)),
                ("first_found_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("clock_from", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_baseline", models.BooleanField(default=False)),
                ("gone_at", models.DateTimeField(null=True)),
                (
                    "owner_basis",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "owner of the product"),
                            ("assigned", "assigned"),
                            ("code-owners", "from code owners"),
                            ("last-change", "last changed the file"),
                        ],
                        default="",
                        max_length=12,
                    ),
                ),
                ("owner_name", models.CharField(blank=True, max_length=300)),
                (
                    "owner",
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
                        on_delete=django.db.models.deletion.PROTECT, related_name="findings", to="products.product"
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="findings",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FindingEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("happened_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "finding",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="events", to="findings.productfinding"
                    ),
                ),
            ],
            options={
                "ordering": ("-happened_at", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="FindingDecision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("false-positive", "False positive"),
                            ("accepted", "Risk accepted"),
                            ("corrected", "Corrected"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField()),
                ("decided_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(null=True)),
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
                    "owner",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "finding",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="decisions",
                        to="findings.productfinding",
                    ),
                ),
            ],
            options={
                "ordering": ("-decided_at", "-pk"),
            },
        ),
        migrations.CreateModel(
            name="ReceivedReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=71)),
                ("content", models.BinaryField()),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("read_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
                ("plan", models.BinaryField(default=bytes)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="received_reports",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StoppedFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=200)),
                ("path", models.CharField(max_length=1000)),
                ("stopped_at", models.DateTimeField()),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stopped_findings",
                        to="changes.change",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stopped_findings",
                        to="products.product",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ToolCoverage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tool", models.CharField(max_length=100)),
                ("paths", models.JSONField(default=list)),
                ("languages", models.JSONField(default=list)),
                ("canary_rule", models.CharField(max_length=200)),
                ("canary_path", models.CharField(max_length=1000)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tool_coverages",
                        to="products.repository",
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ToolImport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tool", models.CharField(max_length=100)),
                ("category", models.CharField(blank=True, max_length=300)),
                ("version", models.CharField(blank=True, max_length=300)),
                ("digest", models.CharField(max_length=71)),
                ("imported_at", models.DateTimeField()),
                ("coverage", models.CharField(max_length=10)),
                ("because", models.TextField(blank=True)),
                ("file_count", models.IntegerField(default=0)),
                ("languages", models.JSONField(default=list)),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tool_imports",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LeakedSecret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("fingerprint", models.CharField(max_length=64)),
                ("rule", models.CharField(max_length=200)),
                ("hint", models.CharField(max_length=300)),
                ("path", models.CharField(max_length=1000)),
                ("line", models.PositiveIntegerField()),
                ("first_found_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("gone_at", models.DateTimeField(null=True)),
                ("rotated_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("proof", models.TextField(blank=True)),
                (
                    "confirmed_by",
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
                        related_name="leaked_secrets",
                        to="products.product",
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="leaked_secrets",
                        to="products.repository",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rotated_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("repository", "fingerprint"), name="unique_leaked_secret")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="productfinding",
            index=models.Index(
                condition=models.Q(("gone_at", None)), fields=["product"], name="present_finding_product"
            ),
        ),
        migrations.AddConstraint(
            model_name="productfinding",
            constraint=models.UniqueConstraint(
                fields=("product", "repository", "tool", "fingerprint", "copy"),
                name="unique_finding",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="stoppedfinding",
            constraint=models.UniqueConstraint(fields=("change", "rule", "path"), name="unique_stopped_finding"),
        ),
        migrations.AddConstraint(
            model_name="toolcoverage",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)), fields=("repository", "tool"), name="one_tool_coverage"
            ),
        ),
        migrations.AddConstraint(
            model_name="toolimport",
            constraint=models.UniqueConstraint(fields=("repository", "tool", "category"), name="unique_tool_import"),
        ),
    ]
