"""Makes the `Forge` of an address: the only module that knows every vendor by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from muniment.errors import ForgeCode, ForgeError, UsageError
from muniment.forges.forge import Forge, Listener
from muniment.forges.forge_client import UNSHARED_TRANSPORT, ForgeClient, Transport
from muniment.forges.gitea.client import GiteaClient
from muniment.forges.gitea.listener import GiteaListener
from muniment.forges.gitea.protector import GiteaProtector
from muniment.forges.gitea.publisher import GiteaPublisher
from muniment.forges.gitea.reader import GiteaReader
from muniment.forges.github import connect as github
from muniment.forges.github.listener import GitHubListener
from muniment.forges.gitlab import connect as gitlab
from muniment.forges.gitlab.listener import GitLabListener
from muniment.forges.shapes import Account, Vendor


class Connection(NamedTuple):
    """Address of a forge.

    `name` stands before logins in people.toml; `noreply` are further domains of its addresses.
    """

    vendor: Vendor
    url: str
    name: str
    noreply: tuple[str, ...] = ()

    @property
    def noreply_domains(self) -> tuple[str, ...]:
        """The domains whose addresses belong to accounts of this forge."""
        host = urlsplit(self.url).hostname or ""
        return (*_NOREPLY[self.vendor](host), *self.noreply)

    def format_address(self, account: Account) -> str:
        """Address at this forge that belongs to an account, as git writes it."""
        if not self.has_numbered_addresses:
            return f"{account.login} <{account.login}@{self.noreply_domains[0]}>"
        between = "-" if self.vendor is Vendor.GITLAB else "+"
        return f"{account.login} <{account.id}{between}{account.login}@{self.noreply_domains[0]}>"

    def diff_url(self, repository_url: str, base: str, head: str) -> str:
        """URL of the forge's page with the diff between two commits, of `head` alone if `base` is ""."""
        place = f"{repository_url.rstrip('/')}{'/-' if self.vendor is Vendor.GITLAB else ''}"
        return f"{place}/compare/{base}...{head}" if base else f"{place}/commit/{head}"

    @property
    def has_numbered_addresses(self) -> bool:
        """Whether noreply addresses carry the account's lasting id."""
        return self.vendor in (Vendor.GITHUB, Vendor.GITLAB)


def connect_forge(
    connection: Connection, token: Callable[[], str], now: Callable[[], str], transport: Transport = UNSHARED_TRANSPORT
) -> Forge:
    """The forge.

    `token` is called for each request, so that it can be renewed; it may return "" where none is needed.
    """
    if connection.vendor is Vendor.GITHUB:
        return github.connect_read_only(connection.name, connection.url, token, now, transport=transport)
    if connection.vendor is Vendor.GITLAB:
        return gitlab.connect_gitlab(connection.name, connection.url, token, now, transport=transport)
    gitea = GiteaClient(connection.url, token, transport=transport)
    reader, publisher = GiteaReader(gitea, now), GiteaPublisher(gitea)
    return Forge(connection.name, reader, publisher, GiteaProtector(gitea), make_listener(connection.vendor))


def open_forge(
    connection: Connection,
    credential: Mapping[str, str],
    now: Callable[[], str],
    transport: Transport = UNSHARED_TRANSPORT,
    store_credential: Callable[[Mapping[str, str]], None] | None = None,
) -> Forge:
    """The forge with its credential from the vault; no part of it reaches an error or a log.

    The credential is `{"token": ...}`, for GitHub's App `{"app_id": ..., "pem": ..., "installation": ...}`, and for
    GitLab's OAuth application the fields of `gitlab.connect.OAuthToken`, which `store_credential` stores in the vault
    after each renewal.
    """
    if connection.vendor is Vendor.GITHUB and "token" not in credential:
        return github.connect_app(connection.name, connection.url, credential, now, transport=transport)
    if connection.vendor is Vendor.GITLAB and "refresh_token" in credential and store_credential is not None:
        return connect_forge(
            connection,
            gitlab.OAuthToken(connection.url, credential, store_credential, transport=transport),
            now,
            transport,
        )
    return connect_forge(connection, lambda: credential.get("token", ""), now, transport)


def make_listener(vendor: Vendor) -> Listener:
    """Parser of a vendor's webhook deliveries. No credential is needed."""
    if vendor is Vendor.GITHUB:
        return GitHubListener()
    return GitLabListener() if vendor is Vendor.GITLAB else GiteaListener()


def find_forge(
    url: str, make_client: Callable[[str], ForgeClient] = lambda base: ForgeClient(base, dict)
) -> tuple[Vendor, str, str]:
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
    vendor = _detect_vendor(root, make_client)
    return vendor, root, _strip_subpage(vendor, f"{owner}/{name}")


def _strip_subpage(vendor: Vendor, path: str) -> str:
    """Path of the repository, from the path of one of its pages: only GitLab nests groups."""
    if vendor is Vendor.GITLAB:
        return path.split("/-/")[0]
    return "/".join(path.split("/")[:2])


def _detect_vendor(root_url: str, make_client: Callable[[str], ForgeClient]) -> Vendor:
    host = (urlsplit(root_url).hostname or "").lower()
    if host in ("github.com", "www.github.com") or host.endswith(".ghe.com"):
        return Vendor.GITHUB
    answer = _probe_path(make_client(f"{root_url}/api/v1"), "version")
    if answer is not None:
        version = answer.get("version") if isinstance(answer, dict) else ""
        return Vendor.FORGEJO if "+gitea-" in str(version) else Vendor.GITEA
    # GitLab has no such address, and tells nobody its version
    return Vendor.GITLAB if _probe_path(make_client(f"{root_url}/api/v3"), "meta") is None else Vendor.GITHUB


_LONGEST_ADDRESS = 200  # characters of it in a message
_ASKS_FOR_A_TOKEN = (ForgeCode.NOT_SIGNED_IN, ForgeCode.FORBIDDEN)


def _probe_path(client: ForgeClient, path: str) -> object:
    """The answer at `path`, "" if only a token may read it, None if there is none.

    Raises if the host does not answer.
    """
    try:
        found: object = client.get_json(path)
    except ForgeError as error:
        if error.code in (ForgeCode.UNREACHABLE, ForgeCode.TIMED_OUT):
            raise
        return "" if error.code in _ASKS_FOR_A_TOKEN and path == "meta" else None
    return found


def _gitea_domains(host: str) -> tuple[str, ...]:
    return (f"noreply.{host}",)


def _github_domains(host: str) -> tuple[str, ...]:
    return (f"users.noreply.{host.removeprefix('api.')}",)


def _gitlab_domains(host: str) -> tuple[str, ...]:
    return (f"users.noreply.{host}",)


_NOREPLY: dict[Vendor, Callable[[str], tuple[str, ...]]] = {
    Vendor.GITHUB: _github_domains,
    Vendor.GITLAB: _gitlab_domains,
    Vendor.GITEA: _gitea_domains,
    Vendor.FORGEJO: _gitea_domains,
}
