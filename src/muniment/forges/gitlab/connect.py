"""The four interfaces of GitLab for one connection: with a group's token, or a renewed one of an OAuth application.

An OAuth token is valid for two hours, and GitLab issues a new one once for each refresh token: the new pair is stored
in the vault before it is used, or the connection would be lost with this process.
"""

import threading
import time
from collections.abc import Callable, Mapping

from msgspec import Struct

from muniment.forges.forge import Forge
from muniment.forges.forge_client import UNSHARED_TRANSPORT, ForgeClient, Transport
from muniment.forges.gitlab.client import GitLabClient
from muniment.forges.gitlab.listener import GitLabListener
from muniment.forges.gitlab.protector import GitLabProtector
from muniment.forges.gitlab.publisher import GitLabPublisher
from muniment.forges.gitlab.reader import GitLabReader

_BEFORE_THE_END = 300  # seconds before its end at which a token is no longer used


def connect_gitlab(
    name: str,
    url: str,
    token: Callable[[], str],
    now: Callable[[], str],
    *,
    transport: Transport = UNSHARED_TRANSPORT,
    seconds: float = 15,
    clock: Callable[[], float] = time.monotonic,
) -> Forge:
    """The forge. `token` is called for each request; `clock` counts seconds."""
    lab = GitLabClient(url, token, transport=transport, seconds=seconds)
    return Forge(name, GitLabReader(lab, now, clock), GitLabPublisher(lab), GitLabProtector(lab), GitLabListener())


class _RenewedToken(Struct, frozen=True):
    """GitLab's answer to a refresh token."""

    access_token: str
    refresh_token: str
    expires_in: int
    created_at: int

    def __repr__(self) -> str:
        return "_Renewed(...)"


class OAuthToken:
    """Token of an OAuth application, to be given to `connect_gitlab`.

    `credential` has `client_id`, `client_secret`, `access_token`, `refresh_token` and `expires` (seconds since 1970);
    `store_credential` is called with all of them renewed, before the new token is used.
    """

    def __init__(
        self,
        url: str,
        credential: Mapping[str, str],
        store_credential: Callable[[Mapping[str, str]], None],
        *,
        seconds: float = 15,
        transport: Transport = UNSHARED_TRANSPORT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = ForgeClient(
            url, dict, seconds=seconds, transport=transport._replace(cache=None), resource="oauth"
        )
        self._credential = dict(credential)
        self._keep = store_credential
        self._clock = clock
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"OAuth({self._client.base!r})"

    def __call__(self) -> str:
        """A token that is valid for some more minutes. Raises ForgeError if it cannot be renewed."""
        with self._lock:
            # GitLab accepts a refresh token once: two threads that renew at one moment would end the connection.
            ends = self._credential.get("expires", "0")
            if not ends.isdigit() or int(ends) - _BEFORE_THE_END <= self._clock():
                self._renew_token()
            return self._credential["access_token"]

    def _renew_token(self) -> None:
        given = self._credential
        body = {name: given.get(name, "") for name in ("client_id", "client_secret", "refresh_token")}
        renewed = self._client.send_and_read(
            _RenewedToken, "POST", "oauth/token", {**body, "grant_type": "refresh_token"}
        )
        fresh = {
            **given,
            "access_token": renewed.access_token,
            "refresh_token": renewed.refresh_token,
            "expires": str(renewed.created_at + renewed.expires_in),
        }
        self._keep(fresh)
        self._credential = fresh
