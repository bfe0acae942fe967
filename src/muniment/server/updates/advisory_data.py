"""Reads advisories from their sources into the database: whole exports or nothing, with the history of each advisory.

A source that cannot be read, is damaged, or has lost many advisories at once keeps its earlier advisories, with the
problem and their age: it never reads as "no vulnerabilities".
"""

import time
from collections.abc import Iterator

import msgspec
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from muniment.errors import MunimentError, ParseError
from muniment.server import moments
from muniment.server.error_text import format_error_text
from muniment.server.updates.models import AdvisoryRevision, AdvisorySource, LockEntry, StoredAdvisory
from muniment.updates.advisories import Advisory
from muniment.updates.advisory_exports import AdvisoryExport, ExportEntry, fetch_export, official_location
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Ecosystem

_AT_ONCE = 2_000  # rows of one statement
_MOST_LOST = 0.05  # share of the advisories that may vanish in one reading
_FEW = 20  # advisories, of which any number may vanish
_UNMATCHED = (Ecosystem.IMAGE,)


def list_locations() -> tuple[str, ...]:
    """Sources of advisories: those of the setting, else the exports that OSV publishes for the locks that were read."""
    if settings.ADVISORIES:
        return tuple(settings.ADVISORIES)
    return tuple(official_location(each) for each in list_used_ecosystems())


def list_used_ecosystems() -> tuple[Ecosystem, ...]:
    """Ecosystems of the locks of all products that advisories can be matched with."""
    used = set(LockEntry.objects.values_list("ecosystem", flat=True).distinct())
    return tuple(each for each in Ecosystem if each.value in used and each not in _UNMATCHED)


def read_sources() -> bool:
    """Read every source. Returns whether an advisory changed."""
    locations = list_locations()
    changed = [read_source(location) for location in locations]
    sources = AdvisorySource.objects.all()
    if locations and not sources.filter(location__in=locations).exclude(problem="").exists():
        count, _rows = sources.exclude(location__in=locations).delete()  # only once its successors were read
        changed.append(bool(count))
    return any(changed)


def read_source(location: str) -> bool:
    """Read one source. Returns whether an advisory changed."""
    source, _made = AdvisorySource.objects.get_or_create(location=location)
    source.tried_at = timezone.now()
    previous = load_export(source)
    try:
        export = fetch_export(location, moments.current_moment(), previous)
        _check_losses(previous, export)
    except MunimentError as error:
        source.problem = format_error_text(error)
        source.save(update_fields=["tried_at", "problem"])
        return False
    return store_export(source, previous, export)


def store_export(source: AdvisorySource, previous: AdvisoryExport, export: AdvisoryExport) -> bool:
    """Store an export in place of the previous one. Returns whether an advisory changed."""
    with transaction.atomic():
        changed = _store_advisories(source, previous, export)
        source.problem, source.read_at, source.as_of = "", source.tried_at, export.as_of
        source.ecosystems = sorted(each.value for each in export.ecosystems)
        source.advisory_count = len(export.entries)
        if changed:
            source.version = time.time_ns()  # never one that another state had, in a restored database either
        source.save()
    return changed


def _check_losses(previous: AdvisoryExport, export: AdvisoryExport) -> None:
    lost = len(previous.entries.keys() - export.entries.keys())
    if lost > max(_FEW, _MOST_LOST * len(previous.entries)):
        problem = ngettext(
            "it has %(count)d advisory fewer than before, so it may be incomplete",
            "it has %(count)d advisories fewer than before, so it may be incomplete",
            lost,
        )
        remedy = _("Check the source; remove it from MUNIMENT_ADVISORIES if it ended.")
        raise ParseError("advisories", problem % {"count": lost}, remedy)


def _store_advisories(source: AdvisorySource, previous: AdvisoryExport, export: AdvisoryExport) -> bool:
    rows = {row.document: row for row in source.advisories.all()}
    new = [name for name in export.entries if name not in rows]
    changed = [name for name, entry in export.entries.items() if name in rows and entry != previous.entries.get(name)]
    gone = [row for name, row in rows.items() if name not in export.entries]
    _note_revisions([*gone, *(rows[name] for name in changed)])
    StoredAdvisory.objects.bulk_create(
        (_fill_row(StoredAdvisory(source=source, document=name), export.entries[name]) for name in new),
        batch_size=_AT_ONCE,
    )
    columns = ("checksum", "size", "advisory", "names", "modified", "is_withdrawn", "content")
    for name in changed:
        _fill_row(rows[name], export.entries[name])
    StoredAdvisory.objects.bulk_update([rows[name] for name in changed], columns, batch_size=_AT_ONCE)
    StoredAdvisory.objects.filter(pk__in=[row.pk for row in gone]).delete()
    return bool(new or changed or gone)


def _note_revisions(rows: list[StoredAdvisory]) -> None:
    AdvisoryRevision.objects.bulk_create(
        (AdvisoryRevision(advisory=row.advisory, modified=row.modified, content=row.content) for row in rows),
        batch_size=_AT_ONCE,
    )


def _fill_row(row: StoredAdvisory, entry: ExportEntry) -> StoredAdvisory:
    row.checksum, row.size, row.advisory = entry.checksum, entry.size, entry.advisory.id[:200]
    row.modified, row.is_withdrawn = entry.advisory.modified, bool(entry.advisory.withdrawn)
    row.names = [clean_advisory_text(name).upper() for name in (entry.advisory.id, *entry.advisory.aliases)]
    row.content = msgspec.msgpack.encode(entry.advisory)
    return row


def clean_advisory_text(text: str) -> str:
    """Text without characters that the database refuses."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def load_export(source: AdvisorySource) -> AdvisoryExport:
    """Stored export of a source."""
    rows = source.advisories.values_list("document", "checksum", "size", "content")
    entries = {name: ExportEntry(checksum, size, _decode_advisory(data)) for name, checksum, size, data in rows}
    return AdvisoryExport(entries, source.as_of)


def _decode_advisory(content: bytes | memoryview) -> Advisory:
    return msgspec.msgpack.decode(content, type=Advisory)


_State = tuple[tuple[int, int], ...]
_remembered: list[tuple[_State, AdvisoryIndex]] = []


def load_index() -> AdvisoryIndex:
    """Index of all stored advisories, built once for each state of the sources."""
    state = tuple(AdvisorySource.objects.order_by("pk").values_list("pk", "version"))
    for known, index in _remembered:
        if known == state:
            return index
    index = AdvisoryIndex(_load_advisories())
    _remembered[:] = [(state, index)]
    return index


def _load_advisories() -> Iterator[Advisory]:
    for content in StoredAdvisory.objects.order_by("pk").values_list("content", flat=True).iterator(_AT_ONCE):
        yield _decode_advisory(content)


def find_first_sight(names: set[str]) -> dict[str, str]:
    """Moment at which each advisory was first stored, by its identifier."""
    rows = StoredAdvisory.objects.filter(advisory__in=names).values_list("advisory", "first_seen_at")
    found: dict[str, str] = {}
    for name, at in rows:
        seen = moments.format_moment(at)
        found[name] = min(seen, found.get(name, seen))
    return found
