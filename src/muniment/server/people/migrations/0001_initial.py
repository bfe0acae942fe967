import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import muniment.server.people.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("products", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Bootstrap",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("finished", models.BooleanField()),
                ("finished_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="Machine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(?:(?!.*\\.\\.)(?!.*\\.lock$)[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9_-])?)\\Z",
                                "Small letters, digits, and . _ - between them.",
                            )
                        ],
                        verbose_name="id",
                    ),
                ),
                ("acts_on_request", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ("slug",),
            },
        ),
        migrations.CreateModel(
            name="Person",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                (
                    "id",
                    models.CharField(
                        default=muniment.server.people.models.new_person_id,
                        editable=False,
                        max_length=26,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "slug",
                    models.CharField(
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(?:(?!.*\\.\\.)(?!.*\\.lock$)[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9_-])?)\\Z",
                                "Small letters, digits, and . _ - between them.",
                            )
                        ],
                        verbose_name="handle",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "email",
                    models.EmailField(
                        blank=True, max_length=254, null=True, unique=True, verbose_name="e-mail address"
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                (
                    "mail_frequency",
                    models.CharField(
                        choices=[("immediately", "at once"), ("daily", "once a day"), ("never", "never")],
                        default="immediately",
                        max_length=12,
                        verbose_name="mail me",
                    ),
                ),
                ("legal_hold", models.TextField(blank=True, verbose_name="kept for a legal claim")),
                ("erasure_approved_at", models.DateTimeField(blank=True, null=True)),
                ("erased_at", models.DateTimeField(blank=True, null=True)),
                ("approvals_suspended_until", models.DateTimeField(blank=True, null=True)),
                (
                    "let_in_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("name", "slug"),
            },
        ),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("email", "e-mail address"), ("key", "SSH key"), ("login", "login")], max_length=8
                    ),
                ),
                ("value", models.CharField(max_length=2000)),
                ("identity_hash", models.CharField(editable=False, max_length=80, unique=True)),
                (
                    "verification",
                    models.CharField(
                        choices=[
                            ("signature", "proven: signed with it"),
                            ("email-code", "proven: a code that was mailed to it came back"),
                            ("published-key", "proven: signed with a key that the forge shows for it"),
                            ("single-sign-on", "proven: the company's sign-in says that it is verified"),
                            ("vouched", "not proven: an administrator vouched for it"),
                        ],
                        max_length=16,
                    ),
                ),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("linked_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="accounts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "vouched_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "machine",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="accounts",
                        to="people.machine",
                    ),
                ),
            ],
            options={
                "ordering": ("kind", "value"),
            },
        ),
        migrations.CreateModel(
            name="AccountNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("link", "a sign-in link was made"),
                            ("operator-link", "the operator made a sign-in link at the machine"),
                            ("recovered", "the account was recovered with a sign-in link"),
                            ("address", "the address for signing in was changed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("addresses", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="account_notices",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AccountVerification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("email", "e-mail address"), ("key", "SSH key"), ("login", "login")],
                        default="key",
                        max_length=8,
                    ),
                ),
                ("value", models.CharField(max_length=2000)),
                ("challenge", models.CharField(max_length=100)),
                ("published_keys", models.TextField(blank=True)),
                ("code_hash", models.CharField(blank=True, max_length=64)),
                ("attempt_count", models.SmallIntegerField(default=0)),
                ("problem", models.TextField(blank=True)),
                ("prepared_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="account_verification",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("name", models.CharField(max_length=100)),
                ("scopes", models.JSONField(default=list)),
                ("second_factor", models.BooleanField(default=False)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="EnrolledAuthenticator",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("passkey", "passkey"), ("ssh-key", "SSH key")], max_length=8)),
                ("identifier", models.CharField(max_length=2000, unique=True)),
                ("public_key", models.TextField()),
                ("enrolled_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("removed_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrolled_authenticators",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="ForgeMachine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("forge", models.CharField(max_length=40)),
                ("number", models.CharField(max_length=100)),
                ("login", models.CharField(max_length=300)),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ("forge", "login"),
                "constraints": [models.UniqueConstraint(fields=("forge", "number"), name="unique_forge_machine")],
            },
        ),
        migrations.CreateModel(
            name="FormerHandle",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("handle", models.CharField(max_length=64, unique=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_handles",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("recovers", models.BooleanField(default=False)),
                ("by_operator", models.BooleanField(default=False)),
                ("attempt_count", models.SmallIntegerField(default=0)),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("link", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("read_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="NoticeDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("notified_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("mailed_at", models.DateTimeField(null=True)),
                (
                    "notice",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="delivery", to="people.accountnotice"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PendingErasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("known_as", models.JSONField()),
                ("transactions", models.JSONField(null=True)),
                ("began_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pending_erasure",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RoleGrant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("developer", "developer"),
                            ("security", "security officer"),
                            ("dpo", "Data Protection Officer"),
                            ("analyst", "analyst"),
                            ("stakeholder", "stakeholder"),
                            ("owner", "product owner"),
                            ("auditor", "auditor"),
                            ("management", "management"),
                            ("admin", "administrator"),
                        ],
                        max_length=16,
                    ),
                ),
                ("company_group", models.CharField(blank=True, max_length=200)),
                ("bootstrap", models.BooleanField(default=False)),
                ("granted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_day", models.DateField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
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
                    "granted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="role_grants",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="products.product"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GrantExpiry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recorded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "grant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="expiry", to="people.rolegrant"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SignInState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=71)),
                ("recovery_count", models.PositiveIntegerField(default=0)),
                ("addresses", models.TextField(blank=True)),
                ("changed_at", models.DateTimeField(null=True)),
                ("mailed_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_in_state",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AuthenticatorNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("removal", models.BooleanField()),
                ("notified_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("mailed_at", models.DateTimeField(null=True)),
                (
                    "authenticator",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
                        to="people.enrolledauthenticator",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("authenticator", "removal"), name="unique_authenticator_notice")
                ],
            },
        ),
        migrations.CreateModel(
            name="ForgeAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("forge", models.CharField(max_length=40)),
                ("number", models.CharField(max_length=100)),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "account",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="forge_account",
                        to="people.account",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("forge", "number"), name="unique_forge_account")],
            },
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
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("machine__isnull", False), ("person", None)),
                    models.Q(("machine", None), ("person__isnull", False)),
                    _connector="OR",
                ),
                name="account_of_person_or_machine",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["person", "-id"], name="message_newest"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(condition=models.Q(("sent_at", None)), fields=["id"], name="message_unsent"),
        ),
        migrations.AddConstraint(
            model_name="rolegrant",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("person", "role", "product"),
                name="unique_role_grant",
                nulls_distinct=False,
            ),
        ),
    ]
