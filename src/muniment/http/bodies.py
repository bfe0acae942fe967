"""Reads bodies: whole or not at all, with a limit that counts what is unpacked."""

import zlib
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse, IncompleteRead

_PIECE = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS


class BodyTooLarge(Exception):
    """A body has more bytes than its limit."""


def read_body(response: HTTPResponse, largest: int) -> bytes:
    """The body, of at most `largest` bytes. Raises BodyTooLarge, HTTPException, OSError."""
    encoding = (response.getheader("Content-Encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise HTTPException
    pieces = _read_pieces(response)
    found = bytearray()
    for piece in pieces if encoding == "identity" else _unpack_pieces(pieces, largest):
        found += piece
        if len(found) > largest:
            raise BodyTooLarge
    if response.length:  # bytes that Content-Length promised and that did not come
        raise IncompleteRead(b"")
    return bytes(found)


def _read_pieces(response: HTTPResponse) -> Iterator[bytes]:
    while piece := response.read(_PIECE):
        yield piece


def _unpack_pieces(pieces: Iterator[bytes], largest: int) -> Iterator[bytes]:
    """Pieces without gzip; no more is unpacked into memory than may be returned."""
    decoder = zlib.decompressobj(_GZIP)
    empty = True
    try:
        for piece in pieces:
            empty = False
            yield decoder.decompress(piece, largest + 1)
            if decoder.unconsumed_tail:
                raise BodyTooLarge
            if decoder.unused_data:
                raise HTTPException
    except zlib.error:
        raise HTTPException from None
    if not decoder.eof and not empty:
        raise IncompleteRead(b"")
