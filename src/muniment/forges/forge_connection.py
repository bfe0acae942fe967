"""Opens the forge at an address, with or without a credential, by its kind."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from muniment.errors import UsageError
from muniment.forges.forge import Forge, Listener
from muniment.forges.forge_client import UNSHARED_TRANSPORT, ForgeClient, Transport
from muniment.forges.forge_kind import ForgeKind, ForgeSession, MakeClient, SaveCredential
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Account, Vendor

_LONGEST_ADDRESS = 200  # characters of it in a message


class Connection(NamedTuple):
    """Address of a forge.

    `name` stands before logins in people.toml; `noreply` are further domains of its addresses.
    """

    vendor: Vendor
    url: str
    name: str
    noreply: tuple[str, ...] = ()

    @property
    def _forge_kind(self) -> ForgeKind:
        return FORGE_KINDS[self.vendor]

    @property
    def noreply_domains(self) -> tuple[str, ...]:
        """The domains whose addresses belong to accounts of this forge."""
        return (self._forge_kind.make_noreply_domain(urlsplit(self.url).hostname or ""), *self.noreply)

    def format_address(self, account: Account) -> str:
        """Address at this forge that belongs to an account, as git writes it."""
        number = f"{account.id}{self._forge_kind.id_separator}" if self.has_numbered_addresses else ""
        return f"{account.login} <{number}{account.login}@{self.noreply_domains[0]}>"

    def diff_url(self, repository_url: str, base: str, head: str) -> str:
        """URL of the forge's page with the diff between two commits, of `head` alone if `base` is ""."""
        place = f"{repository_url.rstrip('/')}{self._forge_kind.page_prefix}"
        return f"{place}/compare/{base}...{head}" if base else f"{place}/commit/{head}"

    @property
    def has_numbered_addresses(self) -> bool:
        """Whether noreply addresses carry the account's lasting id."""
        return bool(self._forge_kind.id_separator)


def connect_forge(
    connection: Connection, token: Callable[[], str], now: Callable[[], str], transport: Transport = UNSHARED_TRANSPORT
) -> Forge:
    """The forge.

    `token` is called for each request, so that it can be renewed; it may return "" where none is needed.
    """
    session = ForgeSession(connection.name, connection.url, now, transport)
    return FORGE_KINDS[connection.vendor].connect(session, token)


def open_forge(
    connection: Connection,
    credential: Mapping[str, str],
    now: Callable[[], str],
    transport: Transport = UNSHARED_TRANSPORT,
    store_credential: SaveCredential | None = None,
) -> Forge:
    """The forge with its credential from the vault; no part of it reaches an error or a log.

    The credential is `{"token": ...}`, or has the fields that the forge's kind takes in its place. `store_credential`
    stores it in the vault after each renewal.
    """
    kind = FORGE_KINDS[connection.vendor]
    session = ForgeSession(connection.name, connection.url, now, transport)
    found = kind.connect_with_credential(session, credential, store_credential)
    return found if found is not None else kind.connect(session, lambda: credential.get("token", ""))


def make_listener(vendor: Vendor) -> Listener:
    """Parser of a vendor's webhook deliveries. No credential is needed."""
    return FORGE_KINDS[vendor].make_listener()


def find_forge(url: str, make_client: MakeClient = lambda base: ForgeClient(base, dict)) -> tuple[Vendor, str, str]:
    """Vendor, root address of the forge and path of the repository, from the address of the repository's page.

    Raises UsageError if it is no such address, or no known forge answers there.
    """
    wrong = UsageError(
        f"{url[:_LONGEST_ADDRESS]} is no address of a repository at a forge",
        "Write it like https://forge.example.com/shop/api.",
    )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.username and parts.port != 0
    except ValueError as error:  # half an IPv6 address, or a port that is none
        raise wrong from error
    owner, _, name = parts.path.strip("/").removesuffix(".git").rpartition("/")
    if not usable or not owner or not name:
        raise wrong
    root = f"{parts.scheme}://{parts.netloc}"
    vendor = _find_vendor(root, make_client)
    if vendor is None:
        raise wrong
    return vendor, root, _strip_subpage(FORGE_KINDS[vendor], f"{owner}/{name}")


def _find_vendor(root_url: str, make_client: MakeClient) -> Vendor | None:
    host = (urlsplit(root_url).hostname or "").lower()
    for kind in FORGE_KINDS.values():
        if kind.is_own_host(host):
            return kind.vendor
    recognised = (kind.recognise(root_url, make_client) for kind in FORGE_KINDS.values())
    return next((vendor for vendor in recognised if vendor is not None), None)


def _strip_subpage(kind: ForgeKind, path: str) -> str:
    """Path of the repository, from the path of one of its pages."""
    return path.split("/-/")[0] if kind.has_nested_groups else "/".join(path.split("/")[:2])
