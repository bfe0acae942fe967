import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import muniment.server.connections.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("changes", "0001_initial"),
        ("incidents", "0001_initial"),
        ("products", "0001_initial"),
        ("records", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Connection",
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
                    "vendor",
                    models.CharField(
                        choices=[
                            ("github", "GitHub"),
                            ("gitlab", "GitLab"),
                            ("gitea", "Gitea"),
                            ("forgejo", "Forgejo"),
                        ],
                        max_length=10,
                    ),
                ),
                ("url", models.CharField(max_length=300, verbose_name="address")),
                ("proxy", models.CharField(blank=True, max_length=300)),
                ("webhook_secret_version", models.IntegerField(default=1)),
                ("credential_set_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                ("account", models.CharField(blank=True, max_length=100)),
                ("account_id", models.CharField(blank=True, max_length=100)),
                ("forge_version", models.CharField(blank=True, max_length=60)),
                ("forge_tier", models.CharField(blank=True, max_length=60)),
                ("forge_details", models.JSONField(default=dict)),
                ("problem", models.TextField(blank=True)),
                ("credential_refused_at", models.DateTimeField(null=True)),
                ("refused_requests", models.JSONField(default=list)),
                ("permissions_checked_at", models.DateTimeField(null=True)),
                ("checked_at", models.DateTimeField(null=True)),
                ("listed_at", models.DateTimeField(null=True)),
                ("probed_at", models.DateTimeField(null=True)),
                ("probe_seconds", models.IntegerField(null=True)),
                ("probe_requests", models.IntegerField(null=True)),
            ],
            options={
                "ordering": ("slug",),
            },
        ),
        migrations.CreateModel(
            name="BranchUpdate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(max_length=300)),
                ("commit", models.CharField(max_length=64)),
                ("previous_tip", models.CharField(blank=True, max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("baseline", "already there when monitoring began"),
                            ("allowed", "a decision allowed it"),
                            ("bypass", "it is a bypass"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "bypass_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no-decision", "no decision allowed it"),
                            (
                                "denied-at-merge",
                                "an earlier decision allowed it, and would have been denied at the merge",
                            ),
                            ("unconfirmed", "an earlier decision allowed it, and could not be confirmed at the merge"),
                        ],
                        max_length=16,
                    ),
                ),
                ("contributors", models.JSONField(default=list)),
                ("unlinked_contributor_count", models.IntegerField(default=0)),
                ("pusher_known", models.BooleanField(default=False)),
                ("title", models.CharField(blank=True, max_length=300)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "decision",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="changes.decision"
                    ),
                ),
                (
                    "incident",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="branch_updates",
                        to="incidents.incident",
                    ),
                ),
                (
                    "record",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="branch_updates",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BypassReview",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.TextField()),
                ("reviewed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "branch_update",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bypass_reviews",
                        to="connections.branchupdate",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CachedResponse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=71)),
                ("validator", models.CharField(max_length=200)),
                ("body", models.BinaryField()),
                ("cached_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="connections.connection"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ConnectionRateLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("resource", models.CharField(blank=True, max_length=20)),
                ("request_limit", models.BigIntegerField(default=-1)),
                ("remaining", models.BigIntegerField(default=-1)),
                ("reset_at", models.DateTimeField(null=True)),
                ("retry_at", models.DateTimeField(null=True)),
                ("pause_seconds", models.IntegerField(default=0)),
                ("reason", models.CharField(blank=True, max_length=30)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rate_limits",
                        to="connections.connection",
                    ),
                ),
            ],
            options={
                "ordering": ("resource",),
            },
        ),
        migrations.CreateModel(
            name="FirstPush",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("commit", models.CharField(max_length=64)),
                ("pushed_at", models.CharField(blank=True, max_length=40)),
                ("account_id", models.CharField(blank=True, max_length=100)),
                ("login", models.CharField(blank=True, max_length=300)),
                ("machine", models.BooleanField(default=False)),
                ("unknown_reason", models.TextField(blank=True)),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="connections.connection"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ForgeChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("url", models.CharField(blank=True, max_length=500)),
                ("forge_updated_at", models.CharField(blank=True, max_length=40)),
                ("head", models.CharField(blank=True, max_length=64)),
                ("status_context", models.CharField(blank=True, max_length=320)),
                ("read_due_at", models.DateTimeField(null=True)),
                ("status", models.JSONField(null=True)),
                ("reevaluate_at", models.DateTimeField(null=True)),
                ("comment", models.TextField(default="", null=True)),
                (
                    "status_token",
                    models.CharField(
                        default=muniment.server.connections.models.new_status_token,
                        editable=False,
                        max_length=43,
                        unique=True,
                    ),
                ),
                ("reads_checks", models.BooleanField(default=False)),
                ("checks_digest", models.CharField(blank=True, max_length=71)),
                ("reviews_digest", models.CharField(blank=True, max_length=71)),
                ("probed_at", models.DateTimeField(null=True)),
                ("writers", models.JSONField(default=list)),
                ("merge_commit", models.CharField(blank=True, max_length=64)),
                ("work_requests", models.JSONField(default=list)),
                ("opened_at", models.DateTimeField(null=True)),
                ("first_decided_at", models.DateTimeField(null=True)),
                ("last_approved_at", models.DateTimeField(null=True)),
                ("merged_at", models.DateTimeField(null=True)),
                ("denial_count", models.IntegerField(default=0)),
                ("excepted_denial_count", models.IntegerField(default=0)),
                ("reapproval_count", models.IntegerField(default=0)),
                (
                    "change",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="forge_change",
                        to="changes.change",
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ObservedPush",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(max_length=300)),
                ("commit", models.CharField(max_length=64)),
                ("actor", models.CharField(blank=True, max_length=100)),
                ("observed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PostedStatus",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("head", models.CharField(max_length=64)),
                ("context", models.CharField(max_length=320)),
                ("status", models.JSONField(null=True)),
                ("posted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("merge_group", models.BooleanField(default=False)),
                ("read_due_at", models.DateTimeField(null=True)),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProtectedBranch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(max_length=300)),
                ("tip", models.CharField(max_length=64)),
                ("rules", models.JSONField(null=True)),
                ("rules_read_at", models.DateTimeField(null=True)),
                ("rules_checked_at", models.DateTimeField(null=True)),
                ("rule_gaps", models.TextField(blank=True)),
                ("shared_contexts", models.JSONField(default=list)),
                ("evaluation_due_at", models.DateTimeField(null=True)),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="protected_branches",
                        to="products.repository",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RecordedStatement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("statement", models.CharField(max_length=71)),
                ("head", models.CharField(max_length=64)),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recorded_statements",
                        to="changes.change",
                    ),
                ),
                (
                    "record",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RepositoryLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("forge_id", models.CharField(max_length=100)),
                ("path", models.CharField(max_length=300)),
                ("default_branch", models.CharField(blank=True, max_length=300)),
                ("clone_url", models.CharField(max_length=500)),
                ("url", models.CharField(max_length=500)),
                ("webhook_secret_mark", models.CharField(blank=True, max_length=16)),
                ("reconciled_at", models.DateTimeField(null=True)),
                ("first_read_at", models.DateTimeField(null=True)),
                ("statements_digest", models.CharField(blank=True, max_length=71)),
                ("problem", models.TextField(blank=True)),
                ("first_pushes_read", models.BooleanField(default=False)),
                ("pushes_read_until", models.CharField(blank=True, max_length=40)),
                ("newest_older_change", models.IntegerField(default=0)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="repository_links",
                        to="connections.connection",
                    ),
                ),
                (
                    "repository",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="forge_link", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReviewStatement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("head", models.CharField(max_length=64)),
                ("target", models.CharField(max_length=300)),
                ("kind", models.CharField(max_length=20)),
                ("answers", models.JSONField(default=dict)),
                ("covered_changes", models.JSONField(default=list)),
                ("stated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("act_digest", models.CharField(max_length=71)),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="review_statements",
                        to="changes.change",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SecurityAttention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("head", models.CharField(max_length=64)),
                ("topics", models.JSONField(default=list)),
                ("lines", models.TextField(blank=True)),
                (
                    "change",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="security_attention",
                        to="changes.change",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TakenHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ref", models.CharField(max_length=300)),
                ("head", models.CharField(blank=True, max_length=64)),
                (
                    "record",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="records.record"
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="VisibleRepository",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("forge_id", models.CharField(max_length=100)),
                ("path", models.CharField(max_length=300)),
                ("default_branch", models.CharField(blank=True, max_length=300)),
                ("clone_url", models.CharField(max_length=500)),
                ("url", models.CharField(max_length=500)),
                ("private", models.BooleanField(default=True)),
                ("missing_permissions", models.JSONField(default=list)),
                ("topics", models.JSONField(default=list)),
                ("archived", models.BooleanField(default=False)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="visible_repositories",
                        to="connections.connection",
                    ),
                ),
            ],
            options={
                "ordering": ("path",),
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("delivery_id", models.CharField(max_length=100)),
                ("digest", models.CharField(max_length=71)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("event", models.CharField(max_length=16)),
                ("forge_id", models.CharField(blank=True, max_length=100)),
                ("number", models.IntegerField(default=0)),
                ("head", models.CharField(blank=True, max_length=64)),
                ("forge_updated_at", models.CharField(blank=True, max_length=40)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="connections.connection",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="branchupdate",
            index=models.Index(fields=["repository", "ref", "-seen_at", "-id"], name="branch_update_newest"),
        ),
        migrations.AddIndex(
            model_name="branchupdate",
            index=models.Index(fields=["repository", "ref", "commit"], name="branch_update_of_commit"),
        ),
        migrations.AddConstraint(
            model_name="bypassreview",
            constraint=models.UniqueConstraint(fields=("branch_update", "reviewer"), name="unique_bypass_review"),
        ),
        migrations.AddIndex(
            model_name="cachedresponse",
            index=models.Index(fields=["cached_at"], name="cached_response_age"),
        ),
        migrations.AddConstraint(
            model_name="cachedresponse",
            constraint=models.UniqueConstraint(fields=("connection", "key"), name="unique_cached_response"),
        ),
        migrations.AddConstraint(
            model_name="connectionratelimit",
            constraint=models.UniqueConstraint(fields=("connection", "resource"), name="unique_connection_rate_limit"),
        ),
        migrations.AddConstraint(
            model_name="firstpush",
            constraint=models.UniqueConstraint(fields=("connection", "commit"), name="unique_first_push"),
        ),
        migrations.AddIndex(
            model_name="forgechange",
            index=models.Index(fields=["repository", "head"], name="forge_change_of_head"),
        ),
        migrations.AddIndex(
            model_name="forgechange",
            index=models.Index(fields=["repository", "merge_commit"], name="forge_change_of_merge"),
        ),
        migrations.AddIndex(
            model_name="forgechange",
            index=models.Index(
                condition=models.Q(("read_due_at__isnull", False)), fields=["read_due_at"], name="forge_change_read_due"
            ),
        ),
        migrations.AddIndex(
            model_name="forgechange",
            index=models.Index(
                condition=models.Q(("reevaluate_at__isnull", False)),
                fields=["reevaluate_at"],
                name="forge_change_reevaluate",
            ),
        ),
        migrations.AddConstraint(
            model_name="forgechange",
            constraint=models.UniqueConstraint(fields=("repository", "number"), name="unique_forge_change"),
        ),
        migrations.AddConstraint(
            model_name="observedpush",
            constraint=models.UniqueConstraint(
                fields=("repository", "ref", "commit", "actor"), name="unique_observed_push"
            ),
        ),
        migrations.AddConstraint(
            model_name="postedstatus",
            constraint=models.UniqueConstraint(fields=("repository", "head", "context"), name="unique_posted_status"),
        ),
        migrations.AddConstraint(
            model_name="protectedbranch",
            constraint=models.UniqueConstraint(fields=("repository", "ref"), name="unique_protected_branch"),
        ),
        migrations.AddIndex(
            model_name="recordedstatement",
            index=models.Index(fields=["head"], name="recorded_statement_of_head"),
        ),
        migrations.AddConstraint(
            model_name="recordedstatement",
            constraint=models.UniqueConstraint(fields=("change", "statement"), name="unique_recorded_statement"),
        ),
        migrations.AddConstraint(
            model_name="repositorylink",
            constraint=models.UniqueConstraint(fields=("connection", "forge_id"), name="unique_repository_link"),
        ),
        migrations.AddConstraint(
            model_name="takenhead",
            constraint=models.UniqueConstraint(fields=("repository", "ref", "head"), name="unique_taken_head"),
        ),
        migrations.AddConstraint(
            model_name="visiblerepository",
            constraint=models.UniqueConstraint(fields=("connection", "forge_id"), name="unique_visible_repository"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["received_at"], name="delivery_received"),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(fields=["connection", "forge_id", "number"], name="delivery_of_change"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.UniqueConstraint(fields=("connection", "delivery_id"), name="unique_delivery_id"),
        ),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.UniqueConstraint(fields=("connection", "digest"), name="unique_delivery_digest"),
        ),
    ]
