"""OSV's export of one ecosystem: a zip of JSON documents, read whole or not at all, and incrementally.

An export that cannot be fetched, is cut off, is empty, or has one document that cannot be read is an error: fewer
advisories than there are would read as fewer vulnerabilities. Source: https://google.github.io/osv.dev/data/
"""

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from muniment.errors import HttpCode, HttpError, ParseError, UsageError
from muniment.facts import moments
from muniment.http.client import send_request
from muniment.updates.advisories import Advisory, parse_advisory
from muniment.updates.dependencies import Ecosystem

_LARGEST = 1 << 30  # bytes of an export; npm's has about a fifth of it
_LARGEST_DOCUMENT = 16 << 20
_LARGEST_UNPACKED = 8 << 30
_MOST_DOCUMENTS = 1_000_000
_SECONDS = 300


class ExportEntry(Struct, frozen=True):
    """Advisory of an export, with the checksum and size of its document: the same ones are not read again."""

    checksum: int
    size: int
    advisory: Advisory


class AdvisoryExport(Struct, frozen=True):
    """Advisories of an export, by the name of their document.

    `as_of`: moment of the data, "" if unknown: the latest change of an advisory, or of the export where its server
    states it. What is dated after the moment of reading does not count.
    """

    entries: dict[str, ExportEntry]
    as_of: str

    @property
    def advisories(self) -> tuple[Advisory, ...]:
        """Parse all advisories, withdrawn ones among them."""
        return tuple(entry.advisory for entry in self.entries.values())

    @property
    def ecosystems(self) -> frozenset[Ecosystem]:
        """Ecosystems of which it has advisories."""
        return frozenset(each.ecosystem for advisory in self.advisories for each in advisory.affected)


class ExportChange(Struct, frozen=True):
    """Difference between two exports, as identifiers of advisories."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    withdrawn: tuple[str, ...]
    vanished: tuple[str, ...]


EMPTY_EXPORT = AdvisoryExport({}, "")


def official_location(ecosystem: Ecosystem) -> str:
    """Address at which OSV publishes the export of an ecosystem."""
    return f"https://storage.googleapis.com/osv-vulnerabilities/{quote(ecosystem.value)}/all.zip"


def fetch_export(location: str, now: str, previous: AdvisoryExport = EMPTY_EXPORT) -> AdvisoryExport:
    """Export in a file or at an address with https. Raises UsageError, HttpError or ParseError."""
    if "://" in location:
        response = send_request("GET", location, seconds=_SECONDS, largest=_LARGEST)
        if response.status != 200:
            raise _refused_export(response.status)
        stated = _parse_http_date(response.headers.get("last-modified", ""))
        return read_export(response.body, now, previous, stated)
    try:
        size = Path(location).stat().st_size
        content = Path(location).read_bytes() if size <= _LARGEST else b""
    except OSError as error:
        raise UsageError(
            f"the advisories in {location} cannot be read: {error.strerror}", "Name a file or an address."
        ) from None
    return read_export(content, now, previous)


def _refused_export(status: int) -> HttpError:
    return HttpError(
        HttpCode.MALFORMED, f"the server of the advisories answered with status {status}", "Check its address."
    )


def _parse_http_date(text: str) -> str:
    try:
        return moments.format_moment(parsedate_to_datetime(text))
    except ValueError:
        return ""


def read_export(content: bytes, now: str, previous: AdvisoryExport = EMPTY_EXPORT, stated: str = "") -> AdvisoryExport:
    """Export of a zip. Documents that `previous` has with the same checksum are not parsed again. Raises ParseError.

    `stated`: moment of the export as its server states it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            documents = [each for each in archive.infolist() if each.filename.endswith(".json")]
            _check_sizes(documents)
            entries = {each.filename: _read_entry(archive, each, previous.entries) for each in documents}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
        raise _damaged_export("is damaged, or cut off") from None
    dates = [stated, *(entry.advisory.modified for entry in entries.values())]
    return AdvisoryExport(entries, max((date for date in dates if date <= now), default=""))


def _check_sizes(documents: list[zipfile.ZipInfo]) -> None:
    if not documents:
        raise _damaged_export("holds no advisory")
    if len(documents) > _MOST_DOCUMENTS or sum(each.file_size for each in documents) > _LARGEST_UNPACKED:
        raise _damaged_export("is larger than any that OSV publishes")
    if any(each.file_size > _LARGEST_DOCUMENT for each in documents):
        raise _damaged_export("has an advisory that is larger than any that OSV publishes")


def _read_entry(
    archive: zipfile.ZipFile, document: zipfile.ZipInfo, previous: Mapping[str, ExportEntry]
) -> ExportEntry:
    known = previous.get(document.filename)
    if known is not None and (known.checksum, known.size) == (document.CRC, document.file_size):
        return known
    with archive.open(document) as stream:
        content = stream.read(document.file_size + 1)  # the size that is stated is no limit for what is packed
    if len(content) != document.file_size:
        raise _damaged_export("is damaged, or cut off")
    return ExportEntry(document.CRC, document.file_size, parse_advisory(content))


def _damaged_export(problem: str) -> ParseError:
    return ParseError("advisories", f"the export of advisories {problem}", "Fetch it again, whole.")


def compare_exports(before: AdvisoryExport, after: AdvisoryExport) -> ExportChange:
    """Advisories that came, changed, were withdrawn, or are no longer there. The last are news too: OSV withdraws."""
    old, new = (_by_id(each.advisories) for each in (before, after))
    both = [(old[key], new[key]) for key in new if key in old]
    return ExportChange(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(b.id for a, b in both if a != b)),
        tuple(sorted(b.id for a, b in both if b.withdrawn and not a.withdrawn)),
        tuple(sorted(old.keys() - new.keys())),
    )


def _by_id(advisories: Iterable[Advisory]) -> dict[str, Advisory]:
    return {each.id: each for each in advisories}


def is_stale(as_of: str, now: str, days: int) -> bool:
    """Whether data are older than so many days, or of unknown age."""
    return not as_of or moments.add_time(as_of, days=days) < now
