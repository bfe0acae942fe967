import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("meetings", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ConfidentialAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "question",
                    models.CharField(
                        choices=[
                            ("well", "What went well?"),
                            ("slow", "What slowed you down?"),
                            ("next", "What could go wrong next?"),
                        ],
                        max_length=8,
                    ),
                ),
                ("text", models.TextField()),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="meetings.productmeeting"
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="FeedbackRound",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("shown", "Shown"),
                            ("too-few", "Too few answers"),
                            ("lost", "Lost"),
                        ],
                        default="open",
                        max_length=7,
                    ),
                ),
                ("cells", models.BinaryField()),
                ("moods", models.JSONField(default=dict)),
                (
                    "meeting",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback",
                        to="meetings.productmeeting",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Improvement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("process", "Work process"), ("security", "Security")], max_length=8),
                ),
                ("text", models.CharField(max_length=300)),
                ("step", models.CharField(blank=True, max_length=300)),
                ("starts_on", models.DateField()),
                ("metric", models.CharField(max_length=200)),
                ("before", models.CharField(max_length=60)),
                ("target", models.CharField(max_length=60)),
                ("look_on", models.DateField()),
                (
                    "result",
                    models.CharField(
                        blank=True,
                        choices=[("worked", "Worked"), ("failed", "Did not work"), ("unclear", "Cannot tell")],
                        max_length=7,
                    ),
                ),
                ("after", models.CharField(blank=True, max_length=60)),
                ("note", models.TextField(blank=True)),
                ("looked_on", models.DateField(null=True)),
                ("hours", models.PositiveSmallIntegerField(null=True)),
                ("ends_on", models.DateField(null=True)),
                ("is_milestone", models.BooleanField(default=False)),
                (
                    "carried_from",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="carried_to",
                        to="retros.improvement",
                    ),
                ),
                (
                    "follows",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="retros.improvement",
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="improvements",
                        to="meetings.productmeeting",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="improvements",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="RetroBoard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("follow-up", "Follow-up"),
                            ("read", "Read"),
                            ("group", "Group"),
                            ("vote", "Vote"),
                            ("discuss", "Discuss"),
                            ("decide", "Decide"),
                        ],
                        default="follow-up",
                        max_length=10,
                    ),
                ),
                ("timer_ends_at", models.DateTimeField(null=True)),
                (
                    "meeting",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="board", to="meetings.productmeeting"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RetroCard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "subject",
                    models.CharField(
                        choices=[
                            ("feedback", "Team feedback"),
                            ("dpo", "Feedback of the Data Protection Officer"),
                            ("threats", "Potential threats"),
                            ("process", "Improvements of the work process"),
                            ("security", "Security improvements"),
                            ("schedule", "Schedule"),
                        ],
                        max_length=8,
                    ),
                ),
                ("text", models.TextField()),
                (
                    "question",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("well", "What went well?"),
                            ("slow", "What slowed you down?"),
                            ("next", "What could go wrong next?"),
                        ],
                        max_length=8,
                    ),
                ),
                ("removed_at", models.DateTimeField(null=True)),
                ("vote_total", models.PositiveSmallIntegerField(null=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="members",
                        to="retros.retrocard",
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="cards", to="meetings.productmeeting"
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="RetroThreat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(max_length=500)),
                (
                    "stride",
                    models.CharField(
                        choices=[
                            ("spoofing", "Spoofing: somebody pretends to be another"),
                            ("tampering", "Tampering: data or code is changed"),
                            ("repudiation", "Repudiation: somebody denies what they did"),
                            ("disclosure", "Information disclosure: somebody reads what they must not"),
                            ("denial", "Denial of service: the product does not answer"),
                            ("elevation", "Elevation of privilege: somebody gets more rights"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "likelihood",
                    models.CharField(choices=[("low", "Low"), ("medium", "Medium"), ("high", "High")], max_length=6),
                ),
                (
                    "impact",
                    models.CharField(choices=[("low", "Low"), ("medium", "Medium"), ("high", "High")], max_length=6),
                ),
                (
                    "trend",
                    models.CharField(
                        choices=[("falling", "Falling"), ("steady", "Steady"), ("rising", "Rising")], max_length=7
                    ),
                ),
                (
                    "treatment",
                    models.CharField(
                        choices=[
                            ("mitigate", "Mitigate"),
                            ("avoid", "Avoid"),
                            ("transfer", "Transfer"),
                            ("accept", "Accept"),
                        ],
                        max_length=8,
                    ),
                ),
                ("mitigation", models.TextField(blank=True)),
                (
                    "residual",
                    models.CharField(choices=[("low", "Low"), ("medium", "Medium"), ("high", "High")], max_length=6),
                ),
                ("review_on", models.DateField(null=True)),
                ("accepted_on", models.DateField(null=True)),
                (
                    "accepted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="threats",
                        to="meetings.productmeeting",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="WorthPool",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cells", models.BinaryField()),
                (
                    "meeting",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="worth_pool",
                        to="meetings.productmeeting",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FeedbackCodeTaken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "feedback",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="taken", to="retros.feedbackround"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("feedback", "person"), name="unique_taken_feedback_code")
                ],
            },
        ),
        migrations.CreateModel(
            name="FinishedPhase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("follow-up", "Follow-up"),
                            ("read", "Read"),
                            ("group", "Group"),
                            ("vote", "Vote"),
                            ("discuss", "Discuss"),
                            ("decide", "Decide"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="finished_phases",
                        to="meetings.productmeeting",
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
                "constraints": [
                    models.UniqueConstraint(fields=("meeting", "person", "phase"), name="unique_finished_phase")
                ],
            },
        ),
        migrations.CreateModel(
            name="OwnerHours",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hours", models.PositiveSmallIntegerField()),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="owner_hours",
                        to="meetings.productmeeting",
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
                "constraints": [models.UniqueConstraint(fields=("meeting", "person"), name="unique_owner_hours")],
            },
        ),
        migrations.CreateModel(
            name="RetroVote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "card",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="votes", to="retros.retrocard"
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
                "constraints": [models.UniqueConstraint(fields=("card", "person"), name="unique_retro_vote")],
            },
        ),
        migrations.CreateModel(
            name="WorthAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "answer",
                    models.CharField(choices=[("yes", "Yes"), ("partly", "Partly"), ("no", "No")], max_length=6),
                ),
                ("count", models.PositiveSmallIntegerField(default=0)),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="worth_answers",
                        to="meetings.productmeeting",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("meeting", "answer"), name="unique_worth_answer")],
            },
        ),
        migrations.CreateModel(
            name="WorthRespondent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="meetings.productmeeting"
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
                "constraints": [models.UniqueConstraint(fields=("meeting", "person"), name="unique_worth_respondent")],
            },
        ),
    ]
