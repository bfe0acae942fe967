"""As whom we speak to GitHub: as our App, or to try before connecting with a token that only reads.

The App proves itself with a token that it signs (RS256, nine minutes); for a repository it gets an installation's
token, good for an hour, which is kept in memory until five minutes before its end. Neither is shown anywhere.
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
from muniment.forges.github import shaped, wire
from muniment.forges.github.client import Hub
from muniment.forges.http import ALONE, Transport, malformed
from muniment.forges.shapes import Account

_JWT_SECONDS = 540
_CLOCKS_DIFFER = 60  # seconds that our clock may be ahead of GitHub's
_BEFORE_THE_END = 300  # seconds before its end at which a token is no longer used


class Installation(Struct, frozen=True):
    """Where the App is installed."""

    id: int
    account: wire.User | None = None


class Issued(Struct, frozen=True):
    """A token of an installation."""

    token: str
    expires_at: str
    permissions: dict[str, str]

    def __repr__(self) -> str:
        return f"Issued(until {self.expires_at})"


class Identity(Protocol):
    """As whom we speak to GitHub: `hub` with the rights for repositories, `itself` for what is about us."""

    hub: Hub
    itself: Hub
    publishes: bool  # whether it is our App, which posts, comments and protects

    def token(self) -> str:
        """What opens the door; keep it nowhere."""

    def permissions(self) -> dict[str, str]:
        """What we may."""

    def account(self) -> Account:
        """Who we are."""

    def repositories(self) -> tuple[wire.Repository, ...]:
        """All that we see."""


class Guest:
    """A read-only token, to try before connecting: it publishes and protects nothing."""

    publishes = False

    def __init__(
        self, url: str, token: Callable[[], str], *, seconds: float = 15, transport: Transport = ALONE
    ) -> None:
        self.token = token
        self.hub = Hub(url, lambda: f"Bearer {token()}", seconds=seconds, transport=transport)
        self.itself = self.hub

    def permissions(self) -> dict[str, str]:
        """What such a token is made for; what it lacks shows when it is used."""
        return {"metadata": "read", "contents": "read", "pull_requests": "read"}

    def account(self) -> Account:
        """Whose token it is."""
        return shaped.account(self.hub.one(wire.User, "user"))

    def repositories(self) -> tuple[wire.Repository, ...]:
        """All that its owner sees."""
        return self.hub.many(wire.Repository, "user/repos")


class App:
    """Our App at the GitHub that people see at `url`. `installation` "" is the only one there is."""

    publishes = True

    def __init__(
        self,
        url: str,
        app_id: str,
        pem: str,
        *,
        installation: str = "",
        seconds: float = 15,
        transport: Transport = ALONE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._id = app_id
        self._key = _key(pem)
        self._installation = installation
        self._clock = clock
        self._lock = threading.Lock()
        self._itself: wire.App | None = None
        self._issued: tuple[Issued, float] | None = None
        transport = transport.share_limits()
        self.itself = Hub(url, self._proof, seconds=seconds, transport=transport._replace(cache=None), resource="app")
        self.hub = Hub(url, lambda: f"Bearer {self.token()}", seconds=seconds, transport=transport)

    def __repr__(self) -> str:
        return f"App({self._id})"

    def account(self) -> Account:
        """The App as an account at GitHub."""
        if self._itself is None:
            self._itself = self.itself.one(wire.App, "app")
        return shaped.app_account(self._itself)

    def token(self) -> str:
        """The installation's token."""
        return self.issued().token

    def permissions(self) -> dict[str, str]:
        """What the installation was given."""
        return self.issued().permissions

    def repositories(self) -> tuple[wire.Repository, ...]:
        """Those that the App was installed for."""
        return self.hub.counted(wire.Repository, "installation/repositories", "repositories")

    def issued(self) -> Issued:
        """A token of the installation that is good for some minutes yet."""
        with self._lock:
            if self._issued is None or self._issued[1] - _BEFORE_THE_END <= self._clock():
                self._issued = self._new()
            return self._issued[0]

    def _new(self) -> tuple[Issued, float]:
        path = f"app/installations/{self._where()}/access_tokens"
        issued = wire.decoded(Issued, self.itself.rest.send("POST", path), path)
        return issued, _seconds(issued.expires_at)

    def _where(self) -> str:
        if not self._installation:
            found = self.itself.many(Installation, "app/installations")
            if len(found) != 1:
                raise ForgeError(
                    ForgeCode.REFUSED,
                    f"the App is installed {len(found)} times, and the right one is unknown",
                    "Install it in one organisation, or name the installation.",
                )
            self._installation = str(found[0].id)
        return self._installation

    def _proof(self) -> str:
        now = int(self._clock())
        claims = {"iat": now - _CLOCKS_DIFFER, "exp": now + _JWT_SECONDS, "iss": self._id}
        signed = b".".join(_base64(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
        signature = self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return f"Bearer {(signed + b'.' + _base64(signature)).decode()}"


def number_of(account: Account) -> int:
    """The number by which rulesets name an App. Raises for whoever is none."""
    if not account.id.startswith("app:"):
        raise ForgeError(
            ForgeCode.UNSUPPORTED, "only an App can be required by a rule of GitHub's", "Connect GitHub as an App."
        )
    return int(account.id.removeprefix("app:"))


def _seconds(moment: str) -> float:
    try:
        return datetime.datetime.fromisoformat(moment).timestamp()
    except ValueError:
        raise malformed("access_tokens") from None


def _key(pem: str) -> rsa.RSAPrivateKey:
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


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
