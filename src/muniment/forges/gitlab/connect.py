"""The four parts of GitLab for one connection: with a group's token, or an OAuth application's, renewed in time.

An OAuth token is good for two hours, and GitLab gives a new one once for each refresh token: the new pair is kept in
the vault before it is used, or the connection would be lost with this process.
"""

import threading
import time
from collections.abc import Callable, Mapping

from msgspec import Struct

from muniment.forges.forge import Forge
from muniment.forges.gitlab.client import Lab, decoded
from muniment.forges.gitlab.collect import GitLabReader
from muniment.forges.gitlab.listen import GitLabListener
from muniment.forges.gitlab.protect import GitLabProtector
from muniment.forges.gitlab.publish import GitLabPublisher
from muniment.forges.http import ALONE, Client, Transport

_BEFORE_THE_END = 300  # seconds before its end at which a token is no longer used


def forge(
    name: str,
    url: str,
    token: Callable[[], str],
    now: Callable[[], str],
    *,
    transport: Transport = ALONE,
    seconds: float = 15,
    clock: Callable[[], float] = time.monotonic,
) -> Forge:
    """The forge; `token` is asked for each request, `clock` counts seconds."""
    lab = Lab(url, token, transport=transport, seconds=seconds)
    return Forge(name, GitLabReader(lab, now, clock), GitLabPublisher(lab), GitLabProtector(lab), GitLabListener())


class _Renewed(Struct, frozen=True):
    """What GitLab gives for a refresh token."""

    access_token: str
    refresh_token: str
    expires_in: int
    created_at: int

    def __repr__(self) -> str:
        return "_Renewed(...)"


class OAuth:
    """The token of an OAuth application, to be given to `forge`.

    `credential` has `client_id`, `client_secret`, `access_token`, `refresh_token` and `expires` (seconds since 1970);
    `keep` is called with all of them renewed, before the new token is used.
    """

    def __init__(
        self,
        url: str,
        credential: Mapping[str, str],
        keep: Callable[[Mapping[str, str]], None],
        *,
        seconds: float = 15,
        transport: Transport = ALONE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = Client(url, dict, seconds=seconds, transport=transport._replace(cache=None), resource="oauth")
        self._credential = dict(credential)
        self._keep = keep
        self._clock = clock
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"OAuth({self._client.base!r})"

    def __call__(self) -> str:
        """A token that is good for some minutes yet. Raises ForgeError if it cannot be renewed."""
        with self._lock:
            ends = self._credential.get("expires", "0")
            if not ends.isdigit() or int(ends) - _BEFORE_THE_END <= self._clock():
                self._renew()
            return self._credential["access_token"]

    def _renew(self) -> None:
        given = self._credential
        body = {name: given.get(name, "") for name in ("client_id", "client_secret", "refresh_token")}
        answer = self._client.send("POST", "oauth/token", {**body, "grant_type": "refresh_token"})
        renewed = decoded(_Renewed, answer, "oauth/token")
        fresh = {
            **given,
            "access_token": renewed.access_token,
            "refresh_token": renewed.refresh_token,
            "expires": str(renewed.created_at + renewed.expires_in),
        }
        self._keep(fresh)
        self._credential = fresh
