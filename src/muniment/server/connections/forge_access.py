"""Access to a forge: the web knows how its deliveries are verified, the worker alone has its credential."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import ForgeCode, ForgeError, MunimentError, RowsDifferError
from muniment.forges import forge_connection
from muniment.forges import shapes as forges
from muniment.forges.forge import Forge, Listener
from muniment.forges.forge_client import CONNECTION_ERRORS, Transport, moved_repository_error
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import ForgeRepository, Vendor
from muniment.server import moments
from muniment.server.connections import credentials
from muniment.server.connections.demonstration_forge import open_demonstration_forge
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.rate_limits import SharedRateLimits
from muniment.server.connections.response_store import DatabaseResponseCache
from muniment.server.job_queue import enqueue
from muniment.server.people.messages import find_role_holders, notify_people
from muniment.server.people.models import Account, Person
from muniment.server.products.models import Repository
from muniment.server.records import row_checks
from muniment.server.remembered_sql import remember_instances

_here = threading.local()
_LISTED = """
    SELECT path, clone_url FROM connections_visiblerepository WHERE connection_id = %s AND forge_id = %s ORDER BY id
"""


def find_listener(vendor: str) -> Listener:
    """Listener that parses that vendor's deliveries. It sends no request, and needs no credential."""
    return forge_connection.make_listener(Vendor(vendor))


def open_connected_forge(connection: Connection) -> Forge:
    """Forge of a connection, for the worker: one for each thread, new when the credential is. Raises MunimentError.

    The credential is sent only to an address that the ledger has. In a demonstration nothing is sent to any.
    """
    row_checks.require_recorded(connection)
    forges: dict[int, tuple[object, Forge]] = _here.__dict__.setdefault("forges", {})
    made_of = (connection.credential_set_at, connection.url, connection.proxy)
    known = forges.get(connection.pk)
    if known is None or known[0] != made_of:
        forge = _open_forge(connection)
        forges[connection.pk] = known = (made_of, forge)
    return known[1]


def _open_forge(connection: Connection) -> Forge:
    there = locate_forge(connection)
    if settings.DEMONSTRATION:
        return open_demonstration_forge(Path(settings.HOME), there.vendor, there.url, there.name)
    return forge_connection.open_forge(
        there,
        credentials.read_credential(connection),
        moments.current_moment,
        Transport(DatabaseResponseCache(connection), SharedRateLimits(connection), connection.proxy),
    )


def find_repository_link(repository: Repository) -> RepositoryLink | None:
    """Link of a product's repository to its forge; None if it has none, or its connection ended."""
    return next(iter(_find_links(repository.pk)), None)


@remember_instances
def _find_links(repository: int) -> QuerySet[RepositoryLink]:
    rows = RepositoryLink.objects.select_related("connection")
    return rows.filter(repository=repository, connection__ended_at=None)


def load_active_link(repository: int) -> RepositoryLink | None:
    """Link of a repository of an active product, with its connection, which did not end; None if there is none."""
    rows = RepositoryLink.objects.select_related("repository__product", "connection")
    found = rows.filter(repository=repository, connection__ended_at=None, repository__product__retired_at=None)
    return found.first()


def locate_forge(connection: Connection) -> forge_connection.Connection:
    """Address and vendor of a forge, without a credential."""
    return forge_connection.Connection(Vendor(connection.vendor), connection.url, connection.slug)


def require_linked_repository(connected: RepositoryLink) -> ForgeRepository:
    """Repository as the forge knows it. Raises RowsDifferError for one that the ledger does not link to it."""
    row_checks.require_recorded(connected)
    _require_as_listed(connected)
    return ForgeRepository(
        connected.forge_id, connected.path, connected.default_branch, connected.clone_url, connected.url
    )


def _require_as_listed(connected: RepositoryLink) -> None:
    """Refuse a path or a git address that the worker did not read at the forge. Raises RowsDifferError.

    They change with the repository's name, so that no act records them; the web cannot write the list of visible
    repositories, and the credential is sent to no other address.
    """
    with database.cursor() as cursor:  # for each evaluation: without the time that a model takes
        cursor.execute(_LISTED, [connected.connection_id, connected.forge_id])
        found = cursor.fetchone()
    if found is not None and found != (connected.path, connected.clone_url):
        raise RowsDifferError(
            _("the path or the address of a repository differs from the one that its forge reported: %(path)s")
            % {"path": connected.path},
            _("Refresh the connection on its page. Then find out which database login wrote it."),
        )


def format_person_address(person: Person, connection: Connection) -> str:
    """Name and address of a person for a commit (`name <address>`), by which they are recognised; "" if there is none.

    The forge's own address of their account if it has one: an e-mail address must not be shown to others.
    """
    there, prefix = locate_forge(connection), f"{connection.slug}/"
    accounts = person.accounts.filter(Account.counting_condition()).order_by("pk").select_related("forge_account")
    for account in accounts.filter(kind=Account.Kind.LOGIN, value__startswith=prefix):
        login, number = account.value.removeprefix(prefix), getattr(account, "forge_account", None)
        if not login.startswith("#") and (number is not None or not there.has_numbered_addresses):
            return there.format_address(forges.Account(number.number if number is not None else "", login))
    mails = accounts.filter(kind=Account.Kind.EMAIL).values_list("value", flat=True)
    return next((f"{person.slug} <{mail}>" for mail in mails), "")


def require_unmoved(connected: RepositoryLink, forge: Forge) -> None:
    """Check that the path of a repository still leads to it. Raises ForgeError: a renamed one is found anew.

    Where a repository is read by its path, another one can take the path.
    """
    if FORGE_KINDS[Vendor(connected.connection.vendor)].reads_repository_by_id:
        return
    if forge.reader.read_repository(connected.path).repository.id != connected.forge_id:
        raise moved_repository_error(connected.path)


@contextlib.contextmanager
def report_problems(connection: Connection) -> Iterator[None]:
    """Report failures of this block on the connection's page if they concern all of it, such as a revoked token.

    If a repository moved, the visible repositories are read again: its new path is found there.
    """
    try:
        yield
    except ForgeError as error:
        if error.code is ForgeCode.REDIRECTED:
            enqueue("list-repositories", connection=connection.pk)
        if is_connection_wide(error):
            store_problem(connection, error)
        raise


@contextlib.contextmanager
def end_at_refused_credential(connection: Connection) -> Iterator[None]:
    """End this block where the forge refuses our credential, which was reported: a retry would be refused too.

    The repositories are listed again in the next round, and when a new credential is stored.
    """
    try:
        yield
    except ForgeError as error:
        if error.code is not ForgeCode.NOT_SIGNED_IN:
            raise
        Connection.objects.filter(pk=connection.pk).update(listed_at=None)


def is_connection_wide(error: MunimentError | None) -> bool:
    """Whether the error concerns every repository of the connection."""
    return isinstance(error, ForgeError) and error.code in CONNECTION_ERRORS


def store_problem(connection: Connection, error: MunimentError | None) -> None:
    """Store the present problem of a connection for people to see; None for none."""
    problem = f"{error.message}. {error.remedy}" if error is not None else ""
    now = timezone.now()
    Connection.objects.filter(pk=connection.pk).update(problem=problem, checked_at=now)
    refused = isinstance(error, ForgeError) and error.code is ForgeCode.NOT_SIGNED_IN
    if error is None:
        Connection.objects.filter(pk=connection.pk).update(credential_refused_at=None)
    if refused:
        _notify_of_refused_credential(connection, now)


def _notify_of_refused_credential(connection: Connection, now: datetime) -> None:
    """Notify the administrators, once until the credential is accepted again or replaced."""
    with transaction.atomic():
        # The update decides who notifies: of two processes that were refused, only one changes the row. A credential
        # that was replaced meanwhile has another moment, and its refusal is not known yet.
        rows = Connection.objects.filter(pk=connection.pk, credential_refused_at=None)
        if rows.filter(credential_set_at=connection.credential_set_at).update(credential_refused_at=now):
            notify_people(
                find_role_holders((Role.ADMIN,), None),
                f"Connection {connection.slug} does not work: the forge refuses our credential. Nothing is read or "
                "shown there. Store a new credential on the page of the connection.",
                f"/connections/{connection.slug}",
            )
