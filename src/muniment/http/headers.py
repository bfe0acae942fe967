"""Writes the head of a request. No name, password or line of an attacker's becomes a part of it."""

import re
from collections.abc import Mapping

from muniment.errors import HttpCode, HttpError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "proxy-authorization"})


def write_request(
    method: str, target: str, authority: str, headers: Mapping[str, str], own: Mapping[str, str], body: bytes | None
) -> bytes:
    """A request as it is sent. `own` are the client's headers, which `headers` cannot replace.

    Raises HttpError (REQUEST), without the value, for a header that would not stay one line.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}"]
    if _TOKEN.fullmatch(method) is None or not (target.isascii() and target.isprintable()) or " " in target:
        raise _refusal("the method or path")
    for name, value in (*own.items(), *headers.items()):
        if _TOKEN.fullmatch(name) is None or (name in headers and name.lower() in _OURS):
            raise _refusal("the name of a header")
        if not value.isascii() or not value.isprintable():
            raise _refusal(f"the header {name}")
        lines.append(f"{name}: {value}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode("ascii") + (body or b"")


def _refusal(what: str) -> HttpError:
    return HttpError(
        HttpCode.REQUEST,
        f"{what} has a character that it may not have",
        "See that the token or name has no line break, and letters and signs of ASCII only.",
    )
