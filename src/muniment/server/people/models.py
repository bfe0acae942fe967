"""People, what proves it is them, and their roles."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import connection, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.roles import EVERYWHERE, Role
from muniment.access.roles import Grant as GrantedRole
from muniment.policy.people_document import PERSON_ID
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ, Privileges
from muniment.server.records import row_checks
from muniment.server.records.recorded_rows import RecordedModel, RecordedQuerySet

SLUG = RegexValidator(rf"^(?:{PERSON_ID})\Z", "Small letters, digits, and . _ - between them.")

_ALL = (READ, ADD, CHANGE, DROP)
INVITATION = timedelta(hours=24)
LONGEST_TOKEN = timedelta(days=365)
_GRANTS_IN_FORCE = """
    SELECT held.id, held.role, product.slug
    FROM people_rolegrant held LEFT JOIN products_product product ON product.id = held.product_id
    WHERE held.person_id = %s AND held.ended_at IS NULL AND (held.last_day IS NULL OR held.last_day >= %s)
"""
_UNREAD = "SELECT count(*) FROM people_message WHERE person_id = %s AND read_at IS NULL"


def new_person_id() -> str:
    """A random id: 26 letters and digits (base32 of 16 bytes), which nobody chooses and nothing changes."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


_suspended_people: list[Callable[[], frozenset[str]]] = []  # of higher apps


def register_suspension(find_people: Callable[[], frozenset[str]]) -> None:
    """Suspend approvals by the persons that `find_people` gives, by their ids. Called once, at the start."""
    _suspended_people[:] = [find_people]


class People(BaseUserManager["Person"]):
    """Finds people; makes none without a password of their own."""

    def get_queryset(self) -> "RecordedQuerySet[Person]":
        """People, whose changes an act records."""
        return RecordedQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> "Person":
        return self.get(slug=username)


class MailFrequency(models.TextChoices):
    """How often a person's messages are mailed; all of them are in the inbox anyway."""

    IMMEDIATELY = "immediately", _("at once")
    DAILY = "daily", _("once a day")
    NEVER = "never", _("never")


class Person(AbstractBaseUser):
    """A human being. `id` never changes: facts, acts and records name a person by it. `slug` is the handle that
    people type, and may later become another person's. A person who left is not active, and stays known.
    """

    recorded_columns = ("slug", "active", "erasure_approved_at", "approvals_suspended_until")
    privileges = Privileges(
        (READ, ADD, CHANGE),
        (READ,),
        eraser_changes=("slug", "name", "email", "password", "erased_at"),
        operator=(ADD,),
    )
    free_texts = ("legal_hold",)
    written_by = frozenset(
        {Action.CHANGE_PERSON, Action.MANAGE_OWN_ACCOUNT, Action.ERASE_PERSONAL_DATA, Action.PLACE_LEGAL_HOLD}
    )

    last_login = None  # nobody needs to know when somebody last came

    id = models.CharField(primary_key=True, max_length=26, default=new_person_id, editable=False)
    slug = models.CharField("handle", max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    email = models.EmailField("e-mail address", unique=True, null=True, blank=True)
    active = models.BooleanField(default=True)
    mail_frequency = models.CharField(
        "mail me", max_length=12, choices=MailFrequency, default=MailFrequency.IMMEDIATELY
    )
    legal_hold = models.TextField("kept for a legal claim", blank=True)  # why; nothing of theirs is erased meanwhile
    erasure_approved_at = models.DateTimeField(null=True, blank=True)  # without it the worker erases nobody
    erased_at = models.DateTimeField(null=True, blank=True)
    approvals_suspended_until = models.DateTimeField(null=True, blank=True)  # since the account was recovered
    # Who alone made the link by which they entered last; None for two people, for the operator, and for no link.
    let_in_by = models.ForeignKey("self", models.SET_NULL, null=True, editable=False, related_name="+")

    USERNAME_FIELD = "slug"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[People] = People()

    class Meta:
        """In the order of pages."""

        ordering = ("name", "slug")

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Whether Django may sign the person in: nobody who left."""
        return self.active

    @property
    def approvals_suspended(self) -> bool:
        """Whether approvals by this person do not count, since the account was recovered recently, or by no signed
        act.
        """
        until = self.approvals_suspended_until
        return (until is not None and until > timezone.now()) or any(self.pk in find() for find in _suspended_people)

    def __str__(self) -> str:
        """The name that pages show."""
        return self.name

    def load_roles(self) -> tuple[GrantedRole, ...]:
        """Roles that this person holds now, by grants that match the ledger."""
        rows = _read_grants_in_force(self.pk)
        differing = {(one.table, one.key) for one in row_checks.find_row_problems((Person, RoleGrant))}
        if (Person._meta.db_table, self.pk) in differing:
            return ()
        table = RoleGrant._meta.db_table
        return tuple(
            GrantedRole(Role(role), product or EVERYWHERE)
            for key, role, product in rows
            if (table, str(key)) not in differing
        )


def _read_grants_in_force(person: str) -> list[tuple[int, str, str | None]]:
    """Id, role and product's handle of each grant in force of a person, by `build_in_force_condition`.

    For each request, so in plain SQL: a query of models takes ten times as long.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GRANTS_IN_FORCE, [person, current_day()])
        found: list[tuple[int, str, str | None]] = cursor.fetchall()
    return found


def count_unread_messages(person: str) -> int:
    """Number of messages that a person has not read; for the frame of each page, so in plain SQL."""
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, [person])
        return int((cursor.fetchone() or (0,))[0])


class FormerHandle(models.Model):
    """A handle that a person had before: nobody else can take it, since others know that person by it."""

    privileges = Privileges((READ, ADD), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.CHANGE_PERSON})

    person = models.ForeignKey(Person, models.CASCADE, related_name="former_handles")
    handle = models.CharField(max_length=64, unique=True)


class Machine(RecordedModel):
    """A bot. `acts_on_request`: people request its work, so each of its commits must name the requester."""

    recorded_columns = ("slug", "acts_on_request")
    privileges = Privileges((READ, ADD, CHANGE), (READ,))
    written_by = frozenset({Action.TRUST_TEST_RUNNER, Action.DECLARE_MACHINE})

    slug = models.CharField("id", max_length=64, unique=True, validators=[SLUG])
    acts_on_request = models.BooleanField(default=False)

    class Meta:
        """In the order of pages."""

        ordering = ("slug",)


class Account(RecordedModel):
    """An address, key or login of one person or machine, and how that was proven. No account has two owners."""

    recorded_columns = (
        *("person", "machine", "kind", "value", "identity_hash", "verification", "confirmed_at", "linked_at"),
    )
    privileges = Privileges(_ALL, (READ,), eraser=(DROP,))
    written_by = frozenset(
        {
            *(Action.CHANGE_PERSON, Action.LINK_ACCOUNT, Action.CONFIRM_ACCOUNT, Action.ERASE_PERSONAL_DATA),
            *(Action.TRUST_TEST_RUNNER, Action.REVOKE_TEST_RUNNER, Action.DECLARE_MACHINE),
        }
    )

    class Kind(models.TextChoices):
        """Kinds of an account, as in people.toml."""

        EMAIL = "email", _("e-mail address")
        KEY = "key", _("SSH key")
        LOGIN = "login", _("login")

    class Verification(models.TextChoices):
        """How the owner of an account was verified."""

        SIGNATURE = "signature", _("proven: signed with it")
        EMAIL_CODE = "email-code", _("proven: a code that was mailed to it came back")
        PUBLISHED_KEY = "published-key", _("proven: signed with a key that the forge shows for it")
        SINGLE_SIGN_ON = "single-sign-on", _("proven: the company's sign-in says that it is verified")
        VOUCHED = "vouched", _("not proven: an administrator vouched for it")

    person = models.ForeignKey(Person, models.CASCADE, null=True, related_name="accounts")
    machine = models.ForeignKey(Machine, models.CASCADE, null=True, related_name="accounts")
    kind = models.CharField(max_length=8, choices=Kind)
    value = models.CharField(max_length=2000)
    identity_hash = models.CharField(max_length=80, unique=True, editable=False)
    verification = models.CharField(max_length=16, choices=Verification)
    vouched_by = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="+")  # who vouched for it
    confirmed_at = models.DateTimeField(null=True)  # when a second person, or its owner, confirmed what was vouched for
    confirmed_by = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="+")  # None: bootstrap, by one
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: an account belongs to a person or to a machine, never to both."""

        ordering = ("kind", "value")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(person=None, machine__isnull=False) | models.Q(person__isnull=False, machine=None),
                name="account_of_person_or_machine",
            )
        ]

    @classmethod
    def counting_condition(cls) -> models.Q:
        """Condition under which an account identifies its owner: it was proven, or two people confirmed it."""
        vouched = models.Q(verification=cls.Verification.VOUCHED, confirmed_at=None)
        return models.Q(person=None) | ~vouched  # two people declare the account of a machine

    @property
    def counts(self) -> bool:
        """Whether the account identifies its owner."""
        vouched = self.verification == self.Verification.VOUCHED and self.confirmed_at is None
        return self.person_id is None or not vouched

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the account with the hash of its identity."""
        self.identity_hash = self.hash_identity(self.kind, self.value)
        super().save(*args, **kwargs)

    @classmethod
    def hash_identity(cls, kind: str, value: str) -> str:
        """Hash of the identity of an account, equal for equal ones: logins and addresses are compared without case."""
        value = value if kind == cls.Kind.KEY else value.casefold()
        return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()


class EnrolledAuthenticator(RecordedModel):
    """A passkey or SSH key with which a person signs dangerous acts. A second person, or an older one, confirmed it.

    `identifier` is the id of a passkey's credential (base64url) or the fingerprint of an SSH key, `public_key` the
    attested credential data (base64url) or the key in one line. `enrolled_at` and `removed_at` are the database's own
    time: no process chooses them. A row is never deleted, for signatures of the past name it; an erasure empties it.
    """

    recorded_columns = ("person", "kind", "identifier", "public_key", "enrolled_at", "removed_at")
    privileges = Privileges(
        (READ, ADD), (READ,), web_changes=("removed_at",), eraser_changes=("identifier", "public_key", "removed_at")
    )
    written_by = frozenset({Action.ENROL_AUTHENTICATOR, Action.MANAGE_OWN_ACCOUNT, Action.CHANGE_PERSON})

    class Kind(models.TextChoices):
        """Kinds of an authenticator."""

        PASSKEY = "passkey", _("passkey")
        SSH_KEY = "ssh-key", _("SSH key")

    person = models.ForeignKey(Person, models.PROTECT, related_name="enrolled_authenticators")
    kind = models.CharField(max_length=8, choices=Kind)
    identifier = models.CharField(max_length=2000, unique=True)
    public_key = models.TextField()
    enrolled_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)

    @property
    def label(self) -> str:
        """The kind and the id, as pages show it."""
        return f"{self.get_kind_display()} {self.identifier[:50]}"


class ForgeAccount(models.Model):
    """The id that a login had at its forge when first seen there: the id stays, the name can become another's.

    It outlives its account until the worker sees that an act unlinked that one: the web, taken over, gives no account
    another id by deleting the account and adding it again.
    """

    privileges = Privileges((READ,), (READ, ADD, DROP), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()  # the worker alone writes it

    account = models.OneToOneField(Account, models.DO_NOTHING, related_name="forge_account", db_constraint=False)
    forge = models.CharField(max_length=40)
    number = models.CharField(max_length=100)
    first_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: an account at a forge belongs to one person."""

        constraints = [models.UniqueConstraint(fields=["forge", "number"], name="unique_forge_account")]


class ForgeMachine(models.Model):
    """Account that its forge calls a bot or an app, and that was not declared when it was seen: a proposal.

    Until two people declare it a machine, its work counts as that of somebody unknown.
    """

    privileges = Privileges((READ,), (READ, ADD), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()  # the worker alone writes it

    forge = models.CharField(max_length=40)
    number = models.CharField(max_length=100)
    login = models.CharField(max_length=300)
    first_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Constraint: each account at a forge is listed once."""

        ordering = ("forge", "login")
        constraints = [models.UniqueConstraint(fields=["forge", "number"], name="unique_forge_machine")]

    @property
    def value(self) -> str:
        """The account, as people write it."""
        return f"{self.forge}/{self.login}"


class PendingErasure(models.Model):
    """Erasure that is under way: the names of the person, which the person's own row has no more.

    `transactions` are the virtual ids of those that ran when the newest trace was gone: they may have read the name,
    and write it again. None while a search is under way.
    """

    privileges = Privileges((), (), eraser=(ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    person = models.OneToOneField(Person, models.PROTECT, related_name="pending_erasure")
    known_as = models.JSONField()
    transactions = models.JSONField(null=True)
    began_at = models.DateTimeField(default=timezone.now)


class AccountVerification(models.Model):
    """Account that a person is verifying. One at a time, for an hour.

    A key or login is proven by signing `challenge`; `published_keys` are the keys that the forge shows for the login,
    one a line, which the worker fetched. An address is proven by a mailed code; `code_hash` is its hash.
    """

    privileges = Privileges(
        _ALL,
        (READ,),
        worker_changes=("published_keys", "code_hash", "problem", "prepared_at"),
        eraser=(DROP,),
    )
    written_by = frozenset({Action.LINK_ACCOUNT, Action.MANAGE_OWN_ACCOUNT})  # a sign-in link ends it

    person = models.OneToOneField(Person, models.CASCADE, related_name="account_verification")
    kind = models.CharField(max_length=8, choices=Account.Kind, default=Account.Kind.KEY)
    value = models.CharField(max_length=2000)
    challenge = models.CharField(max_length=100)
    published_keys = models.TextField(blank=True)
    code_hash = models.CharField(max_length=64, blank=True)
    attempt_count = models.SmallIntegerField(default=0)
    problem = models.TextField(blank=True)
    prepared_at = models.DateTimeField(null=True)  # when the worker had done its part
    created_at = models.DateTimeField(default=timezone.now)


class Message(models.Model):
    """Message to one person. `sent_at` is when it was mailed, or would have been."""

    privileges = Privileges(
        (READ, ADD),
        (READ, ADD),
        web_changes=("read_at",),  # what it says, and whether it is mailed, no page changes
        worker_changes=("sent_at",),
        operator=(ADD,),
        eraser=(ADD, DROP),
    )
    written_by = frozenset(Action)
    free_texts = ("text", "link")

    person = models.ForeignKey(Person, models.CASCADE, related_name="messages")
    text = models.TextField()
    link = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        """Index of unsent messages, so that they are found without reading the others."""

        indexes = [
            models.Index(fields=["person", "-id"], name="message_newest"),
            models.Index(fields=["id"], condition=models.Q(sent_at=None), name="message_unsent"),
        ]


def build_in_force_condition(grants: str = "") -> models.Q:
    """The condition under which a grant is in force now, whether or not its expiry was recorded. `role_grants__` is the
    prefix for a query of persons.
    """
    still = models.Q((f"{grants}last_day", None)) | models.Q((f"{grants}last_day__gte", current_day()))
    return models.Q((f"{grants}ended_at", None)) & still


def current_day() -> date:
    """Current day in UTC, by which last days are counted."""
    return timezone.now().date()


class RoleGrant(RecordedModel):
    """A role of a person, for one product or, without one, everywhere: until it is ended, or through its `last_day`,
    if it has one. It is never deleted.
    """

    recorded_columns = ("person", "role", "product", "granted_at", "last_day", "ended_at")
    privileges = Privileges((READ, ADD, CHANGE), (READ,), operator=(ADD,), operator_changes=("ended_at",))
    written_by = frozenset(
        {Action.GRANT_ROLE, Action.GRANT_CHANGING_ROLE, Action.CHANGE_PERSON, Action.ERASE_PERSONAL_DATA}
    )

    person = models.ForeignKey(Person, models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=16, choices=[(role.value, role.label) for role in Role])
    product = models.ForeignKey("products.Product", models.PROTECT, null=True, blank=True)
    granted_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    approver = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+")
    company_group = models.CharField(max_length=200, blank=True)  # of the company's accounts, that gave it
    bootstrap = models.BooleanField(default=False)  # given by one alone, while there were too few people for two
    granted_at = models.DateTimeField(default=timezone.now)
    last_day = models.DateField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A role is held once."""

        constraints = [
            models.UniqueConstraint(
                fields=["person", "role", "product"],
                condition=models.Q(ended_at=None),
                name="unique_role_grant",
                nulls_distinct=False,
            )
        ]

    @property
    def label(self) -> str:
        """The role's name for people."""
        return str(_(Role(self.role).label))

    @property
    def in_force(self) -> bool:
        """Whether the grant gives its role now."""
        return self.ended_at is None and (self.last_day is None or self.last_day >= current_day())


class GrantExpiry(models.Model):
    """Recorded expiry of a grant: made once, when all that counted on the grant is evaluated again."""

    privileges = Privileges((READ,), (READ, ADD))
    written_by: frozenset[Action] = frozenset()

    grant = models.OneToOneField(RoleGrant, models.CASCADE, related_name="expiry")
    recorded_at = models.DateTimeField(default=timezone.now)


class _HashedToken(models.Model):
    """Token that was shown once: only its hash is stored."""

    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Abstract model without a table."""

        abstract = True

    @staticmethod
    def make_token() -> tuple[str, str]:
        """New token, and its hash."""
        text = secrets.token_urlsafe(32)
        return text, _hash_token(text)

    @classmethod
    def find_valid(cls, text: str) -> Any:
        """Rows of the token `text` if it is valid, with their person."""
        manager: Any = cls._default_manager
        still = {"ended_at": None, "expires_at__gt": timezone.now(), "person__active": True}
        return manager.select_related("person").filter(token_hash=_hash_token(text), **still)


class Invitation(_HashedToken):
    """A link that lets one person in once, to set a password or a passkey.

    `made_by` alone, None for two people and for the operator. `recovers`: it was made as the recovery of an account, by
    two people or `by_operator`; no other link lets somebody in who has a second factor, an account that counts, or a
    role that changes things. `attempt_count` counts wrong codes of a second factor.
    """

    privileges = Privileges((READ, ADD, CHANGE), (READ,), operator=(ADD, CHANGE), eraser=(DROP,))
    written_by = frozenset({Action.CHANGE_PERSON, Action.RECOVER_ACCOUNT, Action.MANAGE_OWN_ACCOUNT})

    person = models.ForeignKey(Person, models.CASCADE, related_name="invitations")
    made_by = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="+")
    recovers = models.BooleanField(default=False)
    by_operator = models.BooleanField(default=False)
    attempt_count = models.SmallIntegerField(default=0)


class AccountNotice(models.Model):
    """Event of a person's account, which the worker reports to them on every channel they have.

    `addresses` are those of the moment, one a line: a later change of addresses does not silence the notice.
    """

    class Kind(models.TextChoices):
        """Kinds of events of an account."""

        LINK = "link", _("a sign-in link was made")
        OPERATOR_LINK = "operator-link", _("the operator made a sign-in link at the machine")
        RECOVERED = "recovered", _("the account was recovered with a sign-in link")
        ADDRESS = "address", _("the address for signing in was changed")

    privileges = Privileges((READ, ADD), (READ,), operator=(ADD,), eraser=(DROP,))
    written_by = frozenset({Action.CHANGE_PERSON, Action.RECOVER_ACCOUNT, Action.MANAGE_OWN_ACCOUNT})
    free_texts = ("addresses",)

    person = models.ForeignKey(Person, models.CASCADE, related_name="account_notices")
    kind = models.CharField(max_length=16, choices=Kind)
    by = models.ForeignKey(Person, models.SET_NULL, null=True, related_name="+")  # None: the operator, or themselves
    addresses = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)


class NoticeDelivery(models.Model):
    """Delivery of an account notice to its person, by the worker: the web cannot write it."""

    privileges = Privileges((READ,), (READ, ADD, CHANGE), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()

    notice = models.OneToOneField(AccountNotice, models.CASCADE, related_name="delivery")
    notified_at = models.DateTimeField(default=timezone.now)  # in the inbox
    mailed_at = models.DateTimeField(null=True)


class AuthenticatorNotice(models.Model):
    """Delivery of the notice that an authenticator was enrolled for a person, or (`removal`) removed.

    The worker alone writes it: the web cannot claim that the person was notified.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE, DROP))
    written_by: frozenset[Action] = frozenset()

    authenticator = models.ForeignKey(EnrolledAuthenticator, models.CASCADE, related_name="notices")
    removal = models.BooleanField()
    notified_at = models.DateTimeField(default=timezone.now)  # in the inbox
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["authenticator", "removal"], name="unique_authenticator_notice")]


class SignInState(models.Model):
    """How a person signs in, as the worker saw it last: a digest of their password, factors, company accounts and
    address. The worker alone writes it: a change that no act did leaves a row too, and the person is notified.

    `addresses` are those to which a change is mailed, one a line. `recovery_count` is the number of the person's
    notices of a recovery or another address: a change that one of them reported is not reported twice.
    """

    privileges = Privileges((READ,), (READ, ADD, CHANGE), eraser=(DROP,))
    written_by: frozenset[Action] = frozenset()
    free_texts = ("addresses",)

    person = models.OneToOneField(Person, models.CASCADE, related_name="sign_in_state")
    digest = models.CharField(max_length=71)
    recovery_count = models.PositiveIntegerField(default=0)
    addresses = models.TextField(blank=True)
    changed_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)


class ApiToken(_HashedToken):
    """Token of a program for the API, for some actions, until a day."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), eraser=(DROP,))
    written_by = frozenset({Action.MANAGE_OWN_ACCOUNT, Action.CHANGE_PERSON, Action.ERASE_PERSONAL_DATA})

    person = models.ForeignKey(Person, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    second_factor = models.BooleanField(default=False)


def _hash_token(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Bootstrap(models.Model):
    """Single row, added when the bootstrap ends and never removed. Until then one person sets the service up.

    `finished_at` is the database's own time.
    """

    privileges = Privileges((READ, ADD), (READ,), operator=(ADD,))
    written_by = frozenset(Action)  # any act may be the one that finds enough people

    id = models.SmallIntegerField(primary_key=True)
    finished = models.BooleanField()
    finished_at = models.DateTimeField(default=timezone.now)


class IdempotentResponse(models.Model):
    """Answer of the API to a request with an Idempotency-Key: sent again, it is not performed again."""

    privileges = Privileges((READ, ADD, CHANGE), (READ,), eraser=(DROP,))
    written_by = frozenset(Action)

    token = models.ForeignKey(ApiToken, models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    body = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """Unique by token and key."""

        constraints = [models.UniqueConstraint(fields=["token", "idempotency_key"], name="unique_idempotency_key")]
