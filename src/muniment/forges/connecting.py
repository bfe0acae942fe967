"""Makes the `Forge` of an address: the one place that knows every vendor by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from muniment.errors import ForgeCode, ForgeError, UsageError
from muniment.forges.forge import Forge, Listener
from muniment.forges.gitea.client import Gitea
from muniment.forges.gitea.collect import GiteaReader
from muniment.forges.gitea.listen import GiteaListener
from muniment.forges.gitea.protect import GiteaProtector
from muniment.forges.gitea.publish import GiteaPublisher
from muniment.forges.github import connect as github
from muniment.forges.github.listen import GitHubListener
from muniment.forges.gitlab import connect as gitlab
from muniment.forges.gitlab.listen import GitLabListener
from muniment.forges.http import ALONE, Client, Transport
from muniment.forges.shapes import Account, Vendor


class Connection(NamedTuple):
    """Where a forge is. `name` stands before logins in people.toml; `noreply` are further domains of its addresses."""

    vendor: Vendor
    url: str
    name: str
    noreply: tuple[str, ...] = ()

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains whose addresses belong to accounts of this forge."""
        host = urlsplit(self.url).hostname or ""
        return (*_NOREPLY[self.vendor](host), *self.noreply)

    def address(self, account: Account) -> str:
        """The address at this forge that belongs to an account, as git writes it."""
        if not self.numbered:
            return f"{account.login} <{account.login}@{self.domains[0]}>"
        between = "-" if self.vendor is Vendor.GITLAB else "+"
        return f"{account.login} <{account.id}{between}{account.login}@{self.domains[0]}>"

    def diff_page(self, repository_url: str, base: str, head: str) -> str:
        """The address of the forge's page with the diff from a commit to another, of `head` alone if `base` is ""."""
        place = f"{repository_url.rstrip('/')}{'/-' if self.vendor is Vendor.GITLAB else ''}"
        return f"{place}/compare/{base}...{head}" if base else f"{place}/commit/{head}"

    @property
    def numbered(self) -> bool:
        """Whether those addresses carry the account's lasting id."""
        return self.vendor in (Vendor.GITHUB, Vendor.GITLAB)


def connect(
    connection: Connection, token: Callable[[], str], now: Callable[[], str], transport: Transport = ALONE
) -> Forge:
    """The forge. `token` is asked for each request, so that it may be renewed; it may give "" where none is needed."""
    if connection.vendor is Vendor.GITHUB:
        return github.guest(connection.name, connection.url, token, now, transport=transport)
    if connection.vendor is Vendor.GITLAB:
        return gitlab.forge(connection.name, connection.url, token, now, transport=transport)
    gitea = Gitea(connection.url, token, transport=transport)
    reader, publisher = GiteaReader(gitea, now), GiteaPublisher(gitea)
    return Forge(connection.name, reader, publisher, GiteaProtector(gitea), listener(connection.vendor))


def open_forge(
    connection: Connection,
    credential: Mapping[str, str],
    now: Callable[[], str],
    transport: Transport = ALONE,
    keep: Callable[[Mapping[str, str]], None] | None = None,
) -> Forge:
    """The forge with what the vault holds for it; what is in it reaches no error and no log.

    It is `{"token": ...}`, for GitHub's App `{"app_id": ..., "pem": ..., "installation": ...}`, and for GitLab's OAuth
    application what `gitlab.connect.OAuth` has, which `keep` puts into the vault whenever it was renewed.
    """
    if connection.vendor is Vendor.GITHUB and "token" not in credential:
        return github.app(connection.name, connection.url, credential, now, transport=transport)
    if connection.vendor is Vendor.GITLAB and "refresh_token" in credential and keep is not None:
        return connect(connection, gitlab.OAuth(connection.url, credential, keep, transport=transport), now, transport)
    return connect(connection, lambda: credential.get("token", ""), now, transport)


def listener(vendor: Vendor) -> Listener:
    """What understands a vendor's deliveries. It needs no credential."""
    if vendor is Vendor.GITHUB:
        return GitHubListener()
    return GitLabListener() if vendor is Vendor.GITLAB else GiteaListener()


def found_at(url: str, ask: Callable[[str], Client] = lambda base: Client(base, dict)) -> tuple[Vendor, str, str]:
    """The vendor, the forge's own address and the repository's path, from the address of the repository's page.

    Raises UsageError if it is no such address, or no forge that we know answers there.
    """
    parts = urlsplit(url)
    owner, _, name = parts.path.strip("/").removesuffix(".git").rpartition("/")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or not owner or not name:
        raise UsageError(
            f"{url} is no address of a repository at a forge", "Write it like https://forge.example.com/shop/api."
        )
    root = f"{parts.scheme}://{parts.netloc}"
    vendor = _vendor(root, ask)
    return vendor, root, _repository(vendor, f"{owner}/{name}")


def _repository(vendor: Vendor, path: str) -> str:
    """The repository whose page, or a page of which, has that path: at GitLab alone groups lie in groups."""
    if vendor is Vendor.GITLAB:
        return path.split("/-/")[0]
    return "/".join(path.split("/")[:2])


def _vendor(root: str, ask: Callable[[str], Client]) -> Vendor:
    host = (urlsplit(root).hostname or "").lower()
    if host in ("github.com", "www.github.com") or host.endswith(".ghe.com"):
        return Vendor.GITHUB
    told = _told(ask(f"{root}/api/v1"), "version")
    if told is not None:
        version = told.get("version") if isinstance(told, dict) else ""
        return Vendor.FORGEJO if "+gitea-" in str(version) else Vendor.GITEA
    # GitLab has no such address, and tells nobody its version
    return Vendor.GITLAB if _told(ask(f"{root}/api/v3"), "meta") is None else Vendor.GITHUB


_ASKS_FOR_A_TOKEN = (ForgeCode.NOT_SIGNED_IN, ForgeCode.FORBIDDEN)


def _told(client: Client, path: str) -> object:
    """What stands there, "" if only for whoever has a token, None if there is nothing. Raises if nobody answers."""
    try:
        found: object = client.get(path)
    except ForgeError as error:
        if error.code in (ForgeCode.UNREACHABLE, ForgeCode.TIMED_OUT):
            raise
        return "" if error.code in _ASKS_FOR_A_TOKEN and path == "meta" else None
    return found


def _host(host: str) -> tuple[str, ...]:
    return (f"noreply.{host}",)


def _github(host: str) -> tuple[str, ...]:
    return (f"users.noreply.{host.removeprefix('api.')}",)


def _gitlab(host: str) -> tuple[str, ...]:
    return (f"users.noreply.{host}",)


_NOREPLY: dict[Vendor, Callable[[str], tuple[str, ...]]] = {
    Vendor.GITHUB: _github,
    Vendor.GITLAB: _gitlab,
    Vendor.GITEA: _host,
    Vendor.FORGEJO: _host,
}
