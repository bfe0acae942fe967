"""Addresses that git is given: allowed schemes and forms, so that none names a command or an option.

There are `https://`, `http://`, `ssh://` with its short form `user@host:path`, and repositories on this machine
(`file:///path`, `/path`); the caller of the parser states which of them are allowed. All others are refused, such as:

- `ext::` and every other `helper::`, and `fd::`: they run a program, or use one of our open files;
- `git://`: its content is not authenticated;
- hosts and names that ssh could take for options, also percent-encoded ones: git decodes before it starts ssh.
"""

import re
from collections.abc import Container
from enum import StrEnum
from urllib.parse import unquote

from msgspec import Struct

from muniment.errors import ParseError

LONGEST_ADDRESS = 2_000  # characters

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?(/[^?#]+)")
_SHORT = re.compile(rf"\A(?!https?:|ssh:|file:)(?:{_USER}@)?{_HOST}:([A-Za-z0-9_~.-][^?#]*|/(?!/)[^?#]*)")
_HTTP = rf"://(?:[^/@?#]+@)?{_HOST}(?::[0-9]{{1,5}})?(/[^?#]+)"
_FILE = re.compile(r"(?:file://)?(/.*)")
_UNUSUAL = re.compile(r"[\s\"\\]")


class Scheme(StrEnum):
    """Transport of a repository, in git's words (`protocol.<scheme>.allow`)."""

    HTTPS = "https"
    HTTP = "http"
    SSH = "ssh"
    FILE = "file"


class RepositoryAddress(Struct, frozen=True):
    """Address of a repository: `url` as git takes it; `path` is that part of it, without percent-encoding."""

    scheme: Scheme
    url: str
    path: str


_EXAMPLES = (
    (Scheme.HTTPS, "https://host/path"),
    (Scheme.HTTP, "http://host/path"),
    (Scheme.SSH, "ssh://user@host/path"),
    (Scheme.SSH, "user@host:path"),
    (Scheme.FILE, "/path"),
)
_FORMS = (
    (Scheme.HTTPS, re.compile("https" + _HTTP)),
    (Scheme.HTTP, re.compile("http" + _HTTP)),
    (Scheme.SSH, _SSH),
    (Scheme.SSH, _SHORT),
    (Scheme.FILE, _FILE),
)


def parse_repository_address(text: str, allowed: Container[Scheme]) -> RepositoryAddress:
    """Address that a person wrote. Raises ParseError, with the reason why git is not given it."""
    if len(text) > LONGEST_ADDRESS:
        raise _wrong_address_error(f"it has more than {LONGEST_ADDRESS} characters")
    if not text.isprintable() or not unquote(text).isprintable() or _UNUSUAL.search(text):
        raise _wrong_address_error("it has spaces, quotes, or characters that cannot be seen")
    for scheme, form in _FORMS:
        found = form.fullmatch(text)
        if found is not None and scheme in allowed:
            return RepositoryAddress(scheme, text, _check_path(unquote(found[1]) if "://" in text else found[1]))
    forms = ", ".join(example for scheme, example in _EXAMPLES if scheme in allowed)
    raise _wrong_address_error(f"it is not one of {forms}")


def _wrong_address_error(problem: str) -> ParseError:
    return ParseError("repository-address", problem, "Write it like https://forge.example.com/shop.git.")


def _check_path(path: str) -> str:
    if path.startswith("-"):
        raise _wrong_address_error("its path begins with - as options do")
    if ".." in path.split("/"):
        raise _wrong_address_error("its path leads upwards (..)")
    return path
