"""Encodes the head of a request. No name, password or line of an attacker becomes a part of it."""

import re
from collections.abc import Mapping

from muniment.errors import HttpCode, HttpError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "proxy-authorization"})


def encode_request(
    method: str, target: str, authority: str, headers: Mapping[str, str], own: Mapping[str, str], body: bytes | None
) -> bytes:
    """A request as it is sent. `own` are the client's headers, which `headers` cannot replace.

    Raises HttpError (REQUEST), without the value, for a header that would not stay one line.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}"]
    if _TOKEN.fullmatch(method) is None or not (target.isascii() and target.isprintable()) or " " in target:
        raise _refusal_error("the method or path")
    for name, value in (*own.items(), *headers.items()):
        if _TOKEN.fullmatch(name) is None or (name in headers and name.lower() in _OURS):
            raise _refusal_error("the name of a header")
        if not value.isascii() or not value.isprintable():
            raise _refusal_error(f"the header {name}")
        lines.append(f"{name}: {value}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode("ascii") + (body or b"")


def _refusal_error(what: str) -> HttpError:
    return HttpError(
        HttpCode.REQUEST,
        f"{what} has a character that it may not have",
        "See that the token or name has no line break, and letters and signs of ASCII only.",
    )
