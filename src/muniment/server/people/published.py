"""The SSH keys that a forge shows for a login to anybody: what GitHub, GitLab, Gitea and Forgejo give at /LOGIN.keys.

MUNIMENT_FORGES  such as "github=https://github.com, work=https://git.example.test": the forges that logins name
"""

import os
import re
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from muniment.errors import UsageError
from muniment.policy.keys import parse_key

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z")
_HERE = ("localhost", "127.0.0.1")
_SECONDS = 15
_LARGEST = 64 << 10  # bytes
_MOST = 50


def known() -> dict[str, str]:
    """Forge by forge, its address. Raises UsageError for what is none, or would be asked in the clear."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in os.environ.get("MUNIMENT_FORGES", "").split(","))):
        name, _, address = (word.strip() for word in pair.partition("="))
        parts = urlsplit(address)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)
        if not _NAME.match(name) or not safe or not parts.hostname or parts.query or parts.username:
            raise UsageError(
                f"MUNIMENT_FORGES: {name!r} is not a forge with its address",
                "Write name=https://address, with commas between.",
            )
        found[name] = address.rstrip("/")
    return found


def fetch(address: str, login: str) -> tuple[str, ...]:
    """The keys that the forge shows for the login; none if it knows no such login. Raises OSError."""
    if not _LOGIN.match(login):
        return ()
    request = urllib.request.Request(f"{address}/{login}.keys", headers={"Accept": "text/plain"})  # noqa: S310 -- known()
    try:
        with _OPENER.open(request, timeout=_SECONDS) as answer:
            data = answer.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return ()
        raise OSError(f"the forge answered {error.code}") from None
    if len(data) > _LARGEST:
        raise OSError("the forge answered with too much")
    return tuple(_keys(data.decode("ascii", "replace")))[:_MOST]


def _keys(text: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        try:
            found.append(parse_key(line.strip()))
        except ValueError:
            continue  # a kind of key that is not taken here
    return found


class _Stay(urllib.request.HTTPRedirectHandler):
    """Nobody is led elsewhere: what another address shows proves nothing of this one."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Never."""


_OPENER = urllib.request.build_opener(_Stay)
