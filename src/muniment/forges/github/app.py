"""Identities at GitHub: our App, or a read-only token to try before connecting.

The App proves itself with a token that it signs (RS256, nine minutes); for a repository it gets an installation's
token, valid for an hour, which is cached in memory until five minutes before its end. Neither is shown anywhere.
Source: https://docs.github.com/en/apps, "Authenticating as a GitHub App installation".
"""

import base64
import datetime
import threading
import time
from collections.abc import Callable
from typing import Protocol

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Struct

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.forge_client import UNSHARED_TRANSPORT, Transport, malformed_error
from muniment.forges.github import conversion, wire
from muniment.forges.github.client import GitHubClient
from muniment.forges.shapes import Account

_JWT_SECONDS = 540
_CLOCKS_DIFFER = 60  # seconds that our clock may be ahead of GitHub's
_BEFORE_THE_END = 300  # seconds before its end at which a token is no longer used


class Installation(Struct, frozen=True):
    """An installation of the App."""

    id: int
    account: wire.User | None = None


class InstallationToken(Struct, frozen=True):
    """An access token of an installation, with its expiry and permissions."""

    token: str
    expires_at: str
    permissions: dict[str, str]

    def __repr__(self) -> str:
        return f"Issued(until {self.expires_at})"


class GitHubIdentity(Protocol):
    """Account that we use at GitHub.

    `hub` has the rights for repositories, `account_client` those for requests about our account.
    """

    hub: GitHubClient
    account_client: GitHubClient
    publishes: bool  # whether it is our App, which posts, comments and protects

    def get_token(self) -> str:
        """Secret token for git over HTTP; never store it."""

    def get_permissions(self) -> dict[str, str]:
        """Our permissions by name."""

    def read_account(self) -> Account:
        """Our account at GitHub."""

    def list_repositories(self) -> tuple[wire.RepositoryAnswer, ...]:
        """Repositories that our account can see."""


class ReadOnlyIdentity:
    """A read-only token, to try before connecting: nothing is published or protected with it."""

    publishes = False

    def __init__(
        self, url: str, token: Callable[[], str], *, seconds: float = 15, transport: Transport = UNSHARED_TRANSPORT
    ) -> None:
        self.get_token = token
        self.hub = GitHubClient(url, lambda: _format_bearer(token()), seconds=seconds, transport=transport)
        self.account_client = self.hub

    def get_permissions(self) -> dict[str, str]:
        """Permissions that such a token is made for; a missing one shows when it is used."""
        return {"metadata": "read", "contents": "read", "pull_requests": "read"}

    def read_account(self) -> Account:
        """Owner of the token."""
        return conversion.convert_account(self.hub.read_one(wire.User, "user"))

    def list_repositories(self) -> tuple[wire.RepositoryAnswer, ...]:
        """Repositories that the token's owner can see."""
        return self.hub.read_list(wire.RepositoryAnswer, "user/repos")


class AppIdentity:
    """Our App at the GitHub with the page `url`. `installation` "" is the only one there is."""

    publishes = True

    def __init__(
        self,
        url: str,
        app_id: str,
        pem: str,
        *,
        installation: str = "",
        seconds: float = 15,
        transport: Transport = UNSHARED_TRANSPORT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._id = app_id
        self._key = _load_private_key(pem)
        self._installation = installation
        self._clock = clock
        self._lock = threading.Lock()
        self._app: wire.App | None = None
        self._token: tuple[InstallationToken, float] | None = None
        transport = transport.share_limits()
        self.account_client = GitHubClient(
            url, self._make_jwt, seconds=seconds, transport=transport._replace(cache=None), resource="app"
        )
        self.hub = GitHubClient(url, lambda: f"Bearer {self.get_token()}", seconds=seconds, transport=transport)

    def __repr__(self) -> str:
        return f"App({self._id})"

    def read_account(self) -> Account:
        """The App as an account at GitHub."""
        if self._app is None:
            self._app = self.account_client.read_one(wire.App, "app")
        return conversion.convert_app(self._app)

    def get_token(self) -> str:
        """Access token of the installation."""
        return self.issue_token().token

    def get_permissions(self) -> dict[str, str]:
        """Permissions of the installation."""
        return self.issue_token().permissions

    def list_repositories(self) -> tuple[wire.RepositoryAnswer, ...]:
        """Repositories that the App is installed for."""
        return self.hub.read_counted_list(wire.RepositoryAnswer, "installation/repositories", "repositories")

    def issue_token(self) -> InstallationToken:
        """A token of the installation that is valid for some more minutes."""
        with self._lock:
            # One thread asks, the others wait for its token: each request for one counts against the rate limit.
            if self._token is None or self._token[1] - _BEFORE_THE_END <= self._clock():
                self._token = self._request_token()
            return self._token[0]

    def _request_token(self) -> tuple[InstallationToken, float]:
        path = f"app/installations/{self._find_installation()}/access_tokens"
        issued = self.account_client.rest.send_and_read(InstallationToken, "POST", path)
        return issued, _parse_expiry(issued.expires_at)

    def _find_installation(self) -> str:
        if not self._installation:
            found = self.account_client.read_list(Installation, "app/installations")
            if len(found) != 1:
                raise ForgeError(
                    ForgeCode.REFUSED,
                    f"the App is installed {len(found)} times, and the right one is unknown",
                    "Install it in one organisation, or name the installation.",
                )
            self._installation = str(found[0].id)
        return self._installation

    def _make_jwt(self) -> str:
        now = int(self._clock())
        claims = {"iat": now - _CLOCKS_DIFFER, "exp": now + _JWT_SECONDS, "iss": self._id}
        signed = b".".join(
            _encode_base64url(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims)
        )
        signature = self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return f"Bearer {(signed + b'.' + _encode_base64url(signature)).decode()}"


def _format_bearer(token: str) -> str:
    """Value of the header; "" without a token, for what is public."""
    return f"Bearer {token}" if token else ""


def app_number(account: Account) -> int:
    """Number by which rulesets name an App. Raises for an account that is no App."""
    if not account.id.startswith("app:"):
        raise ForgeError(
            ForgeCode.UNSUPPORTED, "only an App can be required by a rule of GitHub's", "Connect GitHub as an App."
        )
    return int(account.id.removeprefix("app:"))


def _parse_expiry(moment: str) -> float:
    try:
        return datetime.datetime.fromisoformat(moment).timestamp()
    except ValueError:
        raise malformed_error("access_tokens") from None


def _load_private_key(pem: str) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ForgeError(
            ForgeCode.NOT_SIGNED_IN,
            "the App's private key cannot be read",
            "Make a new one on the App's page at GitHub.",
        ) from None
    return key


def _encode_base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
