"""SSH keys that a forge publishes for a login: GitHub, GitLab, Gitea and Forgejo do so at /LOGIN.keys.

MUNIMENT_FORGES  such as "github=https://github.com, work=https://git.example.test": the forges that logins name
"""

import os
import re
from typing import NamedTuple

from django.apps import apps

from muniment.errors import HttpError, ParseError
from muniment.http.client import send_request
from muniment.policy.ssh_keys import parse_ssh_key
from muniment.server.setting_addresses import split_address
from muniment.server.text_marks import gettext_noop

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z")
_HERE = ("localhost", "127.0.0.1")
_SECONDS = 15
_LARGEST = 64 << 10  # bytes
_MOST = 50


def read_named_forges() -> dict[str, str]:
    """Address of each forge in MUNIMENT_FORGES. Raises ParseError for a malformed or unencrypted address."""
    return parse_forges(os.environ.get("MUNIMENT_FORGES", ""))


class ProvableForge(NamedTuple):
    """Forge whose logins can be proven: its address, and the proxy of its connection ("" for the service's own)."""

    address: str
    proxy: str = ""


def find_provable_forges() -> dict[str, ProvableForge]:
    """Each forge in MUNIMENT_FORGES, and each connected one, by its name. Raises ParseError.

    Raises RowsDifferError for a connection that differs from the ledger: its address decides whose keys are believed.
    """
    from muniment.server.records import row_checks  # which knows the tables of all apps: this module is read first

    connections = apps.get_model("connections", "Connection").objects.filter(ended_at=None)
    found = {}
    for row in connections:
        row_checks.require_recorded(row)
        found[row.slug] = ProvableForge(row.url.rstrip("/"), row.proxy)
    return found | {name: ProvableForge(address) for name, address in read_named_forges().items()}


def parse_forges(text: str) -> dict[str, str]:
    """Address of each forge in a list. Raises ParseError, whose message repeats no part of the list."""
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _sign, address = (word.strip() for word in pair.partition("="))
        parts = split_address("MUNIMENT_FORGES", address)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)
        if not _NAME.match(name) or not safe or not parts.hostname or parts.query or parts.username is not None:
            raise ParseError(
                "no-forge-address",
                gettext_noop("MUNIMENT_FORGES has an entry that is not a forge with its address"),  # before translation
                gettext_noop("Write name=https://address, with commas between."),
            )
        found[name] = address.rstrip("/")
    return found


def fetch_keys(forge: ProvableForge, login: str) -> tuple[str, ...]:
    """Keys that the forge publishes for the login; none for an unknown login. Raises OSError."""
    if not _LOGIN.match(login):
        return ()
    url, headers = f"{forge.address}/{login}.keys", {"Accept": "text/plain"}
    try:
        answer = send_request("GET", url, headers=headers, seconds=_SECONDS, largest=_LARGEST, proxy=forge.proxy)
    except HttpError as error:
        raise OSError(error.message) from None
    if answer.status == 404:
        return ()
    if answer.status != 200:
        raise OSError(f"the forge answered {answer.status}")
    data = answer.body
    return tuple(_parse_keys(data.decode("ascii", "replace")))[:_MOST]


def _parse_keys(text: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        try:
            found.append(parse_ssh_key(line.strip()))
        except ParseError:
            continue  # a kind of key that is not taken here
    return found
