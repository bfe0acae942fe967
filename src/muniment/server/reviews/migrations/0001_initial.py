import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("connections", "0001_initial"),
        ("meetings", "0001_initial"),
        ("products", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AccessReviewResult",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kept_count", models.PositiveIntegerField()),
                ("removed_count", models.PositiveIntegerField()),
                ("undecided_count", models.PositiveIntegerField()),
                (
                    "meeting",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="access_result",
                        to="meetings.productmeeting",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ChangeSample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("population", models.JSONField(default=list)),
                ("population_digest", models.CharField(max_length=71)),
                ("salt", models.CharField(max_length=64)),
                ("ledger_size", models.BigIntegerField(null=True)),
                ("seed", models.CharField(blank=True, max_length=64)),
                ("drawn", models.JSONField(default=list)),
                (
                    "meeting",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="change_sample",
                        to="meetings.productmeeting",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ReviewGuest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("organisation", models.CharField(blank=True, max_length=200)),
                ("email", models.EmailField(max_length=254)),
                ("language", models.CharField(default="en", max_length=8)),
                ("invited_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("token_hash", models.CharField(max_length=64, null=True, unique=True)),
                ("mailed_at", models.DateTimeField(null=True)),
                ("code_wanted_at", models.DateTimeField(null=True)),
                ("code_hash", models.CharField(blank=True, max_length=200)),
                ("code_sent_at", models.DateTimeField(null=True)),
                ("wrong_codes", models.PositiveSmallIntegerField(default=0)),
                ("proven_at", models.DateTimeField(null=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="guests", to="meetings.productmeeting"
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="GuestAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "question",
                    models.CharField(
                        choices=[
                            ("sign-in", "Signing in is"),
                            ("in-the-way", "Security gets in the way of work"),
                            ("change", "What would you change first?"),
                            ("law", "Which law, standard or rule of yours concerns us next year?"),
                            ("topic", "What should the meeting talk about?"),
                        ],
                        max_length=16,
                    ),
                ),
                ("text", models.TextField()),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "guest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="answers", to="reviews.reviewguest"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SampleLook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("is_sound", models.BooleanField()),
                ("note", models.TextField(blank=True)),
                ("looked_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "sample",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="looks", to="reviews.changesample"
                    ),
                ),
                (
                    "update",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="connections.branchupdate"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="UsabilityOpinion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("question", models.CharField(max_length=16)),
                ("text", models.TextField()),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="opinions",
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
        ),
        migrations.CreateModel(
            name="AccessEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "place",
                    models.CharField(
                        choices=[
                            ("here", "Muniment"),
                            ("forge", "Forge"),
                            ("vault", "Secrets"),
                            ("production", "Production"),
                        ],
                        max_length=10,
                    ),
                ),
                ("role", models.CharField(max_length=40)),
                ("is_used", models.BooleanField(null=True)),
                (
                    "decision",
                    models.CharField(
                        choices=[("open", "Not decided"), ("keep", "Keep"), ("remove", "Remove")],
                        default="open",
                        max_length=6,
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "decided_by",
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
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="access_entries",
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
                "ordering": ("place", "pk"),
                "constraints": [
                    models.UniqueConstraint(fields=("meeting", "person", "place", "role"), name="unique_access_entry")
                ],
            },
        ),
        migrations.CreateModel(
            name="MarketRequirement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(max_length=1000)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("law", "Law"),
                            ("customer", "Customer"),
                            ("standard", "Standard"),
                            ("competitor", "Competitor"),
                        ],
                        max_length=10,
                    ),
                ),
                ("origin", models.CharField(blank=True, max_length=200)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Not decided"),
                            ("met", "Met by a clause"),
                            ("unmet", "Unmet, with an improvement"),
                            ("refused", "Refused, with a reason"),
                        ],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("clause", models.CharField(blank=True, max_length=100)),
                ("reason", models.TextField(blank=True)),
                ("due_on", models.DateField(null=True)),
                ("added_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "added_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "answered_by",
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
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="market_requirements",
                        to="products.product",
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
                "indexes": [models.Index(fields=["product", "state"], name="requirement_of_product")],
            },
        ),
        migrations.CreateModel(
            name="OpinionDraft",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("question", models.CharField(max_length=16)),
                ("text", models.TextField(blank=True)),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "meeting",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="opinion_drafts",
                        to="meetings.productmeeting",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("meeting", "person", "question"), name="unique_opinion_draft")
                ],
            },
        ),
        migrations.CreateModel(
            name="PersonalDataField",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("purpose", models.TextField()),
                ("place", models.CharField(max_length=300)),
                ("period", models.CharField(max_length=300)),
                ("recipients", models.CharField(max_length=300)),
                ("described_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "described_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="personal_data_fields",
                        to="products.product",
                    ),
                ),
            ],
            options={
                "ordering": ("name", "pk"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("product", "name"),
                        name="unique_personal_data_field",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="reviewguest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)), fields=("meeting", "email"), name="unique_review_guest"
            ),
        ),
        migrations.AddConstraint(
            model_name="guestanswer",
            constraint=models.UniqueConstraint(fields=("guest", "question"), name="unique_guest_answer"),
        ),
        migrations.AddConstraint(
            model_name="samplelook",
            constraint=models.UniqueConstraint(fields=("sample", "update"), name="unique_sample_look"),
        ),
        migrations.AddConstraint(
            model_name="usabilityopinion",
            constraint=models.UniqueConstraint(
                fields=("meeting", "person", "question"), name="unique_usability_opinion"
            ),
        ),
    ]
