import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("products", "0001_initial"),
        ("records", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Change",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=300)),
                ("target", models.CharField(max_length=300)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("merged", "on the branch"), ("closed", "gone")], max_length=8
                    ),
                ),
                ("title", models.CharField(blank=True, max_length=300)),
                ("head", models.CharField(max_length=64)),
                ("updated_at", models.DateTimeField()),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="changes", to="products.repository"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("head", models.CharField(max_length=64)),
                ("base", models.CharField(blank=True, max_length=64)),
                ("allowed", models.BooleanField()),
                ("decided_at", models.DateTimeField()),
                ("policy_digest", models.CharField(max_length=71)),
                ("inputs_digest", models.CharField(max_length=71)),
                ("explanation_digest", models.CharField(blank=True, max_length=71)),
                (
                    "security_questions",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "unknown"),
                            ("none", "no question"),
                            ("answered", "answered"),
                            ("open", "not answered"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="decisions", to="changes.change"
                    ),
                ),
                (
                    "record",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decision",
                        to="records.record",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="change",
            name="decision",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="latest_of", to="changes.decision"
            ),
        ),
        migrations.CreateModel(
            name="ServerHookLog",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("path", models.CharField(max_length=1000)),
                ("public_key", models.CharField(max_length=500)),
                ("verified_size", models.BigIntegerField(default=0)),
                ("verified_root", models.CharField(blank=True, max_length=64)),
                ("problem", models.TextField(blank=True)),
                ("read_at", models.DateTimeField(null=True)),
                (
                    "repository",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="hook_log", to="products.repository"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ServerHookRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.BigIntegerField()),
                ("kind", models.CharField(max_length=32)),
                ("recorded_at", models.DateTimeField()),
                ("data", models.BinaryField()),
                (
                    "log",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="records", to="changes.serverhooklog"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="decision",
            name="hook_record",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="decision",
                to="changes.serverhookrecord",
            ),
        ),
        migrations.AddIndex(
            model_name="change",
            index=models.Index(fields=["repository", "state", "-updated_at", "-id"], name="change_newest"),
        ),
        migrations.AddIndex(
            model_name="change",
            index=models.Index(
                condition=models.Q(("state", "open")), fields=["-updated_at", "-id"], name="open_change"
            ),
        ),
        migrations.AddConstraint(
            model_name="change",
            constraint=models.UniqueConstraint(fields=("repository", "target", "name"), name="unique_change"),
        ),
        migrations.AddConstraint(
            model_name="serverhookrecord",
            constraint=models.UniqueConstraint(fields=("log", "position"), name="unique_hook_record"),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(fields=["change", "-decided_at", "-id"], name="decision_newest"),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(fields=("change", "inputs_digest"), name="unique_decision"),
        ),
    ]
