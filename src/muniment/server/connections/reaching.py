"""Reaches a forge: the web knows how its deliveries are proven, the worker alone has its credential."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime

from django.db import connection as database
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import ForgeCode, ForgeError, MunimentError, RowsDifferError
from muniment.forges import connecting
from muniment.forges import shapes as forges
from muniment.forges.forge import Forge, Listener
from muniment.forges.http import CONCERNS_ALL, Transport, elsewhere
from muniment.forges.shapes import Repo, Vendor
from muniment.server import moments
from muniment.server.connections import credentials
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.rate_limits import SharedRateLimits
from muniment.server.connections.remembering import LastingCache
from muniment.server.people.messages import holding, tell
from muniment.server.people.models import Account, Person
from muniment.server.products.models import Repository
from muniment.server.records import row_checks
from muniment.server.work import soon

_here = threading.local()
_LISTED = """
    SELECT path, clone_url FROM connections_visiblerepository WHERE connection_id = %s AND forge_id = %s ORDER BY id
"""


def listener_of(vendor: str) -> Listener:
    """What understands that vendor's deliveries. It asks nothing of the network, and needs no credential."""
    return connecting.listener(Vendor(vendor))


def forge_of(connection: Connection) -> Forge:
    """The forge, for the worker: one for each thread, made anew when the credential is. Raises MunimentError.

    The credential goes to no address that the ledger does not have.
    """
    row_checks.require_recorded(connection)
    forges: dict[int, tuple[object, Forge]] = _here.__dict__.setdefault("forges", {})
    made_of = (connection.credential_set_at, connection.url, connection.proxy)
    known = forges.get(connection.pk)
    if known is None or known[0] != made_of:
        forge = connecting.open_forge(
            where(connection),
            credentials.of(connection),
            moments.now,
            Transport(LastingCache(connection), SharedRateLimits(connection), connection.proxy),
        )
        forges[connection.pk] = known = (made_of, forge)
    return known[1]


def connected_of(repository: Repository) -> RepositoryLink | None:
    """Where at a forge a repository of a product lives; None for one that no forge, or no longer one, is behind."""
    rows = RepositoryLink.objects.select_related("connection")
    return rows.filter(repository=repository, connection__ended_at=None).first()


def where(connection: Connection) -> connecting.Connection:
    """What says where it is, without a credential."""
    return connecting.Connection(Vendor(connection.vendor), connection.url, connection.slug)


def repo_of(connected: RepositoryLink) -> Repo:
    """The repository as the forge knows it. Raises RowsDifferError for one that the ledger does not link to it."""
    row_checks.require_recorded(connected)
    _require_as_listed(connected)
    return Repo(connected.forge_id, connected.path, connected.default_branch, connected.clone_url, connected.url)


def _require_as_listed(connected: RepositoryLink) -> None:
    """Refuse a path or an address for git that the worker did not read at the forge. Raises RowsDifferError.

    They change with the repository's name, so that no act records them; the list of what is seen there the web cannot
    write, and the credential is sent to no other address.
    """
    with database.cursor() as cursor:  # for each evaluation: without the time that a model takes
        cursor.execute(_LISTED, [connected.connection_id, connected.forge_id])
        found = cursor.fetchone()
    if found is not None and found != (connected.path, connected.clone_url):
        raise RowsDifferError(
            _("the path or the address of a repository is not what its forge told: %(path)s")
            % {"path": connected.path},
            _("Refresh the connection on its page. Then find out which database login wrote it."),
        )


def address_of(person: Person, connection: Connection) -> str:
    """How a commit names a person so that they are known in it (`name <address>`); "" if it cannot.

    The forge's own address of their account if it has one: an e-mail address is nobody else's to see.
    """
    there, prefix = where(connection), f"{connection.slug}/"
    accounts = person.accounts.filter(Account.counting()).order_by("pk").select_related("forge_account")
    for account in accounts.filter(kind=Account.Kind.LOGIN, value__startswith=prefix):
        login, number = account.value.removeprefix(prefix), getattr(account, "forge_account", None)
        if not login.startswith("#") and (number is not None or not there.numbered):
            return there.address(forges.Account(number.number if number is not None else "", login))
    mails = accounts.filter(kind=Account.Kind.EMAIL).values_list("value", flat=True)
    return next((f"{person.slug} <{mail}>" for mail in mails), "")


def still_there(connected: RepositoryLink, forge: Forge) -> None:
    """See that the path of a repository still leads to it. Raises ForgeError: one that was renamed is found anew.

    GitLab is asked by the id that stays. The others are asked by a path, and another repository can take it.
    """
    if connected.connection.vendor == Vendor.GITLAB:
        return
    if forge.reader.repository(connected.path).repository.id != connected.forge_id:
        raise elsewhere(connected.path)


@contextlib.contextmanager
def following(connection: Connection) -> Iterator[None]:
    """What fails here is told on the connection's page if it concerns all of it, such as a token that is none any more.

    Where a repository is not where it was, what the connection sees is read again: its new path is found there.
    """
    try:
        yield
    except ForgeError as error:
        if error.code is ForgeCode.REDIRECTED:
            soon("list-repositories", connection=connection.pk)
        if concerns_all(error):
            note(connection, error)
        raise


def concerns_all(error: MunimentError | None) -> bool:
    """Whether no other repository of the connection would fare better."""
    return isinstance(error, ForgeError) and error.code in CONCERNS_ALL


def note(connection: Connection, error: MunimentError | None) -> None:
    """Keep, for people to see, what is wrong with a connection, if anything."""
    told = f"{error.message}. {error.remedy}" if error is not None else ""
    now = timezone.now()
    Connection.objects.filter(pk=connection.pk).update(problem=told, checked_at=now)
    refused = isinstance(error, ForgeError) and error.code is ForgeCode.NOT_SIGNED_IN
    if error is None:
        Connection.objects.filter(pk=connection.pk).update(credential_refused_at=None)
    if refused:
        _tell_of_refused_credential(connection, now)


def _tell_of_refused_credential(connection: Connection, now: datetime) -> None:
    """Tell the administrators, once until the credential is accepted again or is another."""
    with transaction.atomic():
        rows = Connection.objects.filter(pk=connection.pk, credential_refused_at=None)
        if rows.filter(credential_set_at=connection.credential_set_at).update(credential_refused_at=now):
            tell(
                holding((Role.ADMIN,), None),
                f"{connection.slug} does not accept our credential any more: nothing is read or shown there. Store a "
                "new one on the page of the connection.",
                f"/connections/{connection.slug}",
            )
