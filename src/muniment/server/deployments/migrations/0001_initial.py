import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("products", "0001_initial"),
        ("records", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Deployment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("artifact", models.CharField(max_length=71)),
                ("commit", models.CharField(max_length=64)),
                ("identity", models.JSONField()),
                ("provenance", models.JSONField(default=list)),
                ("idempotency_key", models.CharField(max_length=200)),
                ("request_digest", models.CharField(max_length=64)),
                ("wait_seconds", models.PositiveIntegerField(default=0)),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deployments",
                        to="products.environment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("commit", models.CharField(max_length=64)),
                ("identity", models.JSONField()),
                ("idempotency_key", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="job_runs", to="products.environment"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TokenIssuer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("url", models.CharField(max_length=300, unique=True)),
                ("key_set", models.JSONField(default=dict)),
                ("read_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="TrustedBuilder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("builder_id", models.CharField(max_length=200, verbose_name="id")),
                ("public_key", models.TextField()),
                ("trusted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ("builder_id", "id"),
            },
        ),
        migrations.CreateModel(
            name="UsedRunnerToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_digest", models.CharField(max_length=64, unique=True)),
                ("request_digest", models.CharField(max_length=64)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="VerifiedRunnerToken",
            fields=[
                ("token_digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("verified_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="BreakGlassPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("artifact", models.CharField(max_length=71)),
                ("reason", models.TextField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                (
                    "approver",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="break_glass_permissions",
                        to="products.environment",
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "deployment",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="break_glass_permission",
                        to="deployments.deployment",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="DeploymentReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("succeeded", "succeeded"),
                            ("failed", "failed"),
                            ("rolled-back", "failed, and undone"),
                            ("rollback-failed", "failed, and could not be undone"),
                            ("crashed", "its pipeline died"),
                            ("withdrawn", "withdrawn: its pipeline waited no longer"),
                        ],
                        max_length=16,
                    ),
                ),
                ("exit_code", models.IntegerField(null=True)),
                ("running_digest", models.CharField(blank=True, max_length=71)),
                ("reported_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "deployment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="report", to="deployments.deployment"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReceivedRunToken",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="received_token",
                        serialize=False,
                        to="deployments.jobrun",
                    ),
                ),
                ("token", models.TextField()),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="JobRunPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "being evaluated"),
                            ("allowed", "allowed, and under way"),
                            ("denied", "denied"),
                            ("revoked", "its permission was taken back"),
                            ("withdrawn", "withdrawn: its pipeline waited no longer"),
                            ("succeeded", "succeeded"),
                            ("failed", "failed"),
                            ("rolled-back", "failed, and undone"),
                            ("rollback-failed", "failed, and could not be undone"),
                            ("crashed", "its pipeline died"),
                            ("unreported", "nobody reported what came of it"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("remedy", models.TextField(blank=True)),
                ("vault_access", models.BooleanField(default=False)),
                ("decided_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                (
                    "record",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"
                    ),
                ),
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="permission", to="deployments.jobrun"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PipelineIdentity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("github", "GitHub Actions"),
                            ("gitlab", "GitLab"),
                            ("kubernetes", "Kubernetes"),
                            ("runner", "plain runner"),
                        ],
                        max_length=12,
                    ),
                ),
                ("issuer", models.CharField(blank=True, max_length=300)),
                ("subject", models.CharField(blank=True, max_length=500)),
                ("forge_repository_id", models.CharField(blank=True, max_length=64)),
                ("ref_patterns", models.TextField(blank=True)),
                ("forge_environment", models.CharField(blank=True, max_length=200)),
                ("public_key", models.TextField(blank=True)),
                (
                    "purpose",
                    models.CharField(
                        choices=[("deploy", "deployments"), ("run", "jobs without a deployment")],
                        default="deploy",
                        max_length=8,
                    ),
                ),
                ("workflow_paths", models.TextField(blank=True)),
                ("trusted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="pipelines", to="products.environment"
                    ),
                ),
            ],
            options={
                "ordering": ("name", "id"),
            },
        ),
        migrations.AddField(
            model_name="jobrun",
            name="pipeline",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="job_runs", to="deployments.pipelineidentity"
            ),
        ),
        migrations.AddField(
            model_name="deployment",
            name="pipeline",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deployments",
                to="deployments.pipelineidentity",
            ),
        ),
        migrations.CreateModel(
            name="ReceivedToken",
            fields=[
                ("key", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("token", models.TextField()),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "deployment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="received_tokens",
                        to="deployments.deployment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RunningArtifact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("artifact", models.CharField(max_length=71)),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="running_artifacts",
                        to="products.environment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="VerifiedRequest",
            fields=[
                (
                    "deployment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="verified",
                        serialize=False,
                        to="deployments.deployment",
                    ),
                ),
                (
                    "record",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeploymentApproval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("artifact", models.CharField(max_length=71)),
                ("approved_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deployment_approvals",
                        to="products.environment",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at", None)),
                        fields=("environment", "artifact", "person"),
                        name="unique_deployment_approval",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DeploymentPermission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "being evaluated"),
                            ("allowed", "allowed, and under way"),
                            ("denied", "denied"),
                            ("revoked", "its permission was taken back"),
                            ("withdrawn", "withdrawn: its pipeline waited no longer"),
                            ("succeeded", "succeeded"),
                            ("failed", "failed"),
                            ("rolled-back", "failed, and undone"),
                            ("rollback-failed", "failed, and could not be undone"),
                            ("crashed", "its pipeline died"),
                            ("unreported", "nobody reported what came of it"),
                        ],
                        max_length=16,
                    ),
                ),
                ("explanation_digest", models.CharField(blank=True, max_length=71)),
                ("reason", models.TextField(blank=True)),
                ("vsa", models.TextField(blank=True)),
                ("merged_at", models.DateTimeField(null=True)),
                ("manual_steps", models.JSONField(null=True)),
                ("vault_access", models.BooleanField(default=False)),
                ("decided_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "break_glass",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="deployments.breakglasspermission",
                    ),
                ),
                (
                    "deployment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="permission",
                        to="deployments.deployment",
                    ),
                ),
                (
                    "record",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["pending", "allowed"])),
                        fields=["decided_at"],
                        name="pending_permission",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="pipelineidentity",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)), fields=("environment", "name"), name="unique_pipeline_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="pipelineidentity",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None), models.Q(("public_key", ""), _negated=True)),
                fields=("public_key",),
                name="unique_pipeline_key",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(fields=["environment", "-id"], name="job_run_newest"),
        ),
        migrations.AddConstraint(
            model_name="jobrun",
            constraint=models.UniqueConstraint(fields=("pipeline", "idempotency_key"), name="unique_job_run_request"),
        ),
        migrations.AddIndex(
            model_name="deployment",
            index=models.Index(fields=["environment", "-id"], name="deployment_newest"),
        ),
        migrations.AddIndex(
            model_name="deployment",
            index=models.Index(fields=["environment", "artifact"], name="deployment_artifact"),
        ),
        migrations.AddConstraint(
            model_name="deployment",
            constraint=models.UniqueConstraint(
                fields=("pipeline", "idempotency_key"), name="unique_deployment_request"
            ),
        ),
        migrations.AddConstraint(
            model_name="runningartifact",
            constraint=models.UniqueConstraint(fields=("environment", "artifact"), name="unique_running_artifact"),
        ),
    ]
