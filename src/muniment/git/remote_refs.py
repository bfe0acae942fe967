"""Lists the refs of a remote repository in one HTTP request: command `ls-refs` of git's protocol, version 2.

`git ls-remote` sends two, and starts two programs for it. Only a complete answer of the known form counts; otherwise,
as for errors, there is no list, and git is started, whose message names the problem.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from muniment.errors import HttpError
from muniment.http.client import HttpClient
from muniment.http.proxies import NO_PROXY

_SECONDS = 20
_LARGEST = 64 << 20  # bytes: of about a million refs
_FLUSH, _DELIMITER = b"0000", b"0001"
_RESULT = "application/x-git-upload-pack-result"
_HEADERS = {
    "Content-Type": "application/x-git-upload-pack-request",
    "Accept": _RESULT,
    "Git-Protocol": "version=2",
}
_LENGTH = re.compile(rb"[0-9a-f]{4}")
_ID = rb"[0-9a-f]{40}|[0-9a-f]{64}"
_LINE = re.compile(rb"(%b) ([^ \n]+)(?: peeled:(%b))?\n?" % (_ID, _ID))
_HEADER_LENGTH = 4


def list_refs(
    url: str, header: Mapping[str, str], proxy: str, prefixes: Iterable[str], *, peeled: bool = False
) -> dict[str, str] | None:
    """Every ref with a name that begins with one of `prefixes`, and its value; None if git has to be used.

    `header` goes with the request, through `proxy` ("" for none). No redirect is followed. `peeled`: the value of an
    annotated tag is what it names.
    """
    wanted = [_encode_packet(f"ref-prefix {prefix}\n".encode("utf-8", "surrogateescape")) for prefix in prefixes]
    options = [_encode_packet(b"peel\n")] if peeled else []
    body = b"".join((_encode_packet(b"command=ls-refs\n"), _DELIMITER, *options, *wanted, _FLUSH))
    try:
        client = HttpClient(url, seconds=_SECONDS, largest=_LARGEST, plain=True, proxy=proxy or NO_PROXY)
        answer = client.request("POST", "/git-upload-pack", body, {**_HEADERS, **header})
    except HttpError:
        return None
    if answer.status != 200 or answer.headers.get("content-type", "") != _RESULT:
        return None
    found: dict[str, str] = {}
    for line in _decode_packets(answer.body):
        match = _LINE.fullmatch(line)
        if match is None or (match[3] and not peeled):  # also where the answer ended before its end
            return None
        found[match[2].decode("utf-8", "surrogateescape")] = (match[3] or match[1]).decode("ascii")
    return found


def _encode_packet(line: bytes) -> bytes:
    return b"%04x" % (len(line) + _HEADER_LENGTH) + line


def _decode_packets(body: bytes) -> Iterator[bytes]:
    """Lines of one answer; at last an empty one if the answer has any other content."""
    at = 0
    while body[at : at + _HEADER_LENGTH] != _FLUSH:
        header = body[at : at + _HEADER_LENGTH]
        length = int(header, 16) if _LENGTH.fullmatch(header) else 0
        line = body[at + _HEADER_LENGTH : at + length]
        if length <= _HEADER_LENGTH or len(line) != length - _HEADER_LENGTH:
            yield b""
            return
        yield line
        at += length
    if at + _HEADER_LENGTH != len(body):
        yield b""
