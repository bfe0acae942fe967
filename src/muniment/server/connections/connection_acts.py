"""Acts on connections: add one, store its credential, renew its webhooks' secret, refresh it, end it."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.errors import ParseError, RefusedError
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Vendor
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import Choice, InputCode, Label, Reference, Text
from muniment.server.connections import credentials
from muniment.server.connections.models import CONNECTION_SLUG_PATTERN, Connection, RepositoryLink
from muniment.server.job_queue import enqueue
from muniment.server.products.act_fields import SLUG_FORM
from muniment.server.vault_access import refuse_without_vault

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _find_connection(slug: str, actor: Actor) -> str | None:
    return slug if Connection.objects.filter(slug=slug, ended_at=None).exists() else None


ConnectionName = Annotated[
    str,
    Reference(
        label=gettext_lazy("Connection"),
        find=_find_connection,
        name=str,
        missing=gettext_lazy("There is no such connection."),
        remedy=gettext_lazy("Choose one that the page Connections shows."),
        recorded=True,
        most=40,
    ),
]


class AddConnection(Act, frozen=True):
    """Add a connection to a forge. Its credential comes after."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_CONNECTION,)
    title: ClassVar[Label] = gettext_lazy("Add connection")

    vendor: Annotated[
        Vendor,
        Choice(
            label=gettext_lazy("Kind"), options=Vendor, labels=lambda vendor: FORGE_KINDS[vendor].title, recorded=True
        ),
    ]
    url: Annotated[
        str,
        Text(
            label=gettext_lazy("Address"),
            hint=gettext_lazy("Such as https://forge.example.com"),
            most=300,
            monospace=True,
        ),
    ]
    name: Annotated[
        str,
        Text(
            label=gettext_lazy("Name"),
            hint=gettext_lazy("It stands before the logins of people there, such as forge/ada."),
            most=40,
            pattern=CONNECTION_SLUG_PATTERN,
            form=SLUG_FORM,
            recorded=True,
        ),
    ]

    def normalise_fields(self) -> Self:
        """Act without a / at the end of the address. Raises ParseError for an address that no forge can have."""
        _check_address(self.url)
        return structs.replace(self, url=self.url.rstrip("/"))

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"connection:{self.name}"

    def describe_act(self) -> str:
        """Sentence with the connection's name and address."""
        return _("add the connection %(name)s to %(url)s") % {"name": self.name, "url": self.url}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a name that a connection has or had: logins are stored with it."""
        if Connection.objects.filter(slug=self.name).exists():
            raise RefusedError(
                "name-taken", _("A connection of that name already exists, or did."), _("Choose another name.")
            )

    def carry_out(self, context: ActContext) -> None:
        Connection.objects.create(slug=self.name, vendor=self.vendor, url=self.url)


class ConnectionAct(Act, frozen=True):
    """An act on one connection."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_CONNECTION,)

    connection: ConnectionName

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"connection:{self.connection}"

    def load_connection(self) -> Connection:
        """The row of the connection."""
        return Connection.objects.get(slug=self.connection)


class StoreCredential(ConnectionAct, frozen=True):
    """Store the credential of a connection in the vault. It accompanies the act, and is in no field of it."""

    carries_secret: ClassVar[bool] = True
    title: ClassVar[Label] = gettext_lazy("Store credential")

    def describe_act(self) -> str:
        return _("store a credential of %(connection)s") % {"connection": self.connection}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an incomplete credential."""
        self._read_values(context)

    def carry_out(self, context: ActContext) -> None:
        """Store the moment, and enqueue a listing of the repositories; the vault is last, so that a failure undoes
        the rest.
        """
        row = self.load_connection()
        Connection.objects.filter(pk=row.pk).update(
            credential_set_at=timezone.now(), problem="", credential_refused_at=None, permissions_checked_at=None
        )
        enqueue("list-repositories", connection=row.pk)
        with refuse_without_vault():
            credentials.store_credential(row, self._read_values(context))

    def _read_values(self, context: ActContext) -> dict[str, str | None]:
        given = context.secret if isinstance(context.secret, Mapping) else {}
        return credentials.require_complete(self.load_connection().vendor, given)


class RenewWebhookSecret(ConnectionAct, frozen=True):
    """Renew the secret of a connection's webhooks."""

    title: ClassVar[Label] = gettext_lazy("Renew webhook secret")

    def describe_act(self) -> str:
        return _("renew the webhook secret of %(connection)s") % {"connection": self.connection}

    def carry_out(self, context: ActContext) -> None:
        """Raise the version of the secret, and have every webhook registered again."""
        Connection.objects.filter(slug=self.connection).update(webhook_secret_version=F("webhook_secret_version") + 1)
        _renew_webhooks(self.load_connection())


class RefreshConnection(ConnectionAct, frozen=True):
    """List the repositories of a connection again, and check its webhooks."""

    title: ClassVar[Label] = gettext_lazy("Refresh connection")

    def describe_act(self) -> str:
        return _("refresh the connection %(connection)s") % {"connection": self.connection}

    def carry_out(self, context: ActContext) -> None:
        """Enqueue the listing and the checks for the worker."""
        row = self.load_connection()
        enqueue("list-repositories", connection=row.pk)
        enqueue("check-connection-permissions", connection=row.pk)
        _renew_webhooks(row)


class EndConnection(ConnectionAct, frozen=True):
    """End a connection to a forge."""

    title: ClassVar[Label] = gettext_lazy("End connection")

    def describe_act(self) -> str:
        return _("end the connection %(connection)s") % {"connection": self.connection}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse while a repository of a product is linked to the connection."""
        if self.load_connection().repository_links.exists():
            raise RefusedError("connection-in-use", _("Repositories of products live there."), _("Move them first."))

    def carry_out(self, context: ActContext) -> None:
        Connection.objects.filter(slug=self.connection).update(ended_at=timezone.now())


def _renew_webhooks(connection: Connection) -> None:
    """Have every repository reconciled, and its webhook registered again: the requester may know that it is missing."""
    rows = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    for number in rows.values_list("repository", flat=True):
        enqueue("reconcile-repository", repository=number, hook=True)


def _check_address(url: str) -> None:
    """Raise ParseError, of the field `url`, for anything but a forge's name and path."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is no number, a bracket that is not closed
        raise _make_address_error() from None
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    if not host or not encrypted or port == 0 or any(sign.isspace() for sign in url):
        raise _make_address_error()
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ParseError(
            InputCode.MALFORMED,
            _("It has more than a host and a path."),
            _("Remove user, password, query and fragment from the address."),
            "url",
        )


def _make_address_error() -> ParseError:
    sentence, remedy = _("It is not the address of a forge."), _("Write an address like https://forge.example.com")
    return ParseError(InputCode.MALFORMED, sentence, remedy, "url")
