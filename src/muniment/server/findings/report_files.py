"""Reports of other tools as bytes: read from a request within limits, compressed, and unpacked within limits."""

import zlib
from typing import NamedTuple, Protocol

from django.utils.translation import gettext as _

from muniment.errors import RefusedError, UsageError
from muniment.facts import canonical
from muniment.scanners.imports.document import MOST_DOCUMENT_BYTES

_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 16


class ReadableFile(Protocol):
    """Request, or file of a form."""

    def read(self, size: int = ..., /) -> bytes:
        """Next bytes, b"" at the end."""


class PackedReport(NamedTuple):
    """Report compressed by gzip, and the digest of its unpacked bytes."""

    content: bytes
    digest: str


def read_report(file: ReadableFile) -> PackedReport:
    """Read a report, compressed or not. Raises RefusedError for one that is empty, damaged or too large."""
    pieces: list[bytes] = []
    size = 0
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > MOST_DOCUMENT_BYTES:
            raise _make_size_error()
        pieces.append(piece)
    content = b"".join(pieces)
    try:
        plain = unpack_report(content) if content.startswith(_MAGIC) else content
    except UsageError as error:
        raise RefusedError("report-damaged", error.message, error.remedy) from None
    if not plain:
        raise RefusedError("report-empty", _("There is no report."), _("Send a SARIF file."))
    return PackedReport(pack_report(plain), canonical.digest_bytes(plain))


def pack_report(content: bytes) -> bytes:
    """Compress a report as it is stored."""
    packer = zlib.compressobj(1, wbits=_GZIP)
    return packer.compress(content) + packer.flush()


def unpack_report(content: bytes) -> bytes:
    """Unpack a report. Raises UsageError for one that is damaged, or too large: no more than the limit is unpacked."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        found = unpacker.decompress(content, MOST_DOCUMENT_BYTES + 1)
    except zlib.error:
        raise UsageError(_("The report is damaged."), _("Send it again.")) from None
    if len(found) > MOST_DOCUMENT_BYTES:
        raise UsageError(_("The report is too large."), _("Import the parts of the code apart."))
    if not unpacker.eof:
        raise UsageError(_("The report is damaged."), _("Send it again."))
    return found


def _make_size_error() -> RefusedError:
    sentence = _("A report has at most %(most)d bytes.") % {"most": MOST_DOCUMENT_BYTES}
    return RefusedError("report-too-large", sentence, _("Import the parts of the code apart."))
