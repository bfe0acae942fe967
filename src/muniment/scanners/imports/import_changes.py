"""Changes that an import makes to the known findings of a product: which are new, seen again, moved, or closed.

An import closes only what it covers: findings of the same tool and category, on the same branch, in files that the run
says it scanned. The same file again changes nothing. Decisions are of a finding, not of an import: none is touched.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct

from muniment.scanners.imports.import_coverage import CoverageKind, ImportCanary, ImportCoverage, is_canary
from muniment.scanners.imports.sarif_import import ImportedFinding, ImportedRun


class KnownFinding(Struct, frozen=True):
    """Finding that is stored, with the tool, category and branch that reported it. `key` is the store's own name."""

    key: str
    tool: str
    category: str
    branch: str
    fingerprint: str
    place: str
    is_open: bool


class SeenFinding(Struct, frozen=True):
    """Known finding that an import reports, as it is now."""

    known: KnownFinding
    finding: ImportedFinding


class ImportChanges(Struct, frozen=True):
    """Changes of one run. `is_repeated`: this very file was imported for the branch before, and changes nothing.

    `seen` are open and stay open, `reopened` were closed, `moved` are open in another file, `closed` are not found any
    more.
    """

    is_repeated: bool
    new: tuple[ImportedFinding, ...] = ()
    seen: tuple[SeenFinding, ...] = ()
    reopened: tuple[SeenFinding, ...] = ()
    moved: tuple[SeenFinding, ...] = ()
    closed: tuple[KnownFinding, ...] = ()


def compare_import(
    known: Iterable[KnownFinding],
    run: ImportedRun,
    *,
    branch: str,
    coverage: ImportCoverage,
    canary: ImportCanary | None = None,
    digest: str = "",
    imported_digests: Collection[str] = (),
    removed_places: Collection[str] = (),
) -> ImportChanges:
    """Compare a run with the known findings. `imported_digests` are those of the last import of each run of this tool,
    category and branch: an older file is not the same again. `removed_places` are files that the branch has no more: no
    tool lists them, and their findings are closed, or moved.
    """
    if digest and digest in imported_digests:
        return ImportChanges(is_repeated=True)
    own = [one for one in known if (one.tool, one.category, one.branch) == (run.tool, run.category, branch)]
    by_place = {(one.fingerprint, one.place): one for one in own}
    found = {(one.fingerprint, one.place): one for one in run.findings if canary is None or not is_canary(one, canary)}
    gone = [
        one
        for place, one in by_place.items()
        if one.is_open and place not in found and (one.place in removed_places or _is_covered(coverage, one.place))
    ]
    again = [SeenFinding(by_place[place], one) for place, one in found.items() if place in by_place]
    fresh = [one for place, one in found.items() if place not in by_place]
    moved = _pair_moved(gone, fresh)
    was_moved = {id(one.finding) for one in moved}
    left = {one.known.key for one in moved}
    return ImportChanges(
        is_repeated=False,
        new=tuple(one for one in fresh if id(one) not in was_moved),
        seen=tuple(one for one in again if one.known.is_open),
        reopened=tuple(one for one in again if not one.known.is_open),
        moved=tuple(moved),
        closed=tuple(one for one in gone if one.key not in left),
    )


def _is_covered(coverage: ImportCoverage, place: str) -> bool:
    """Whether silence closes a finding. One without a place is closed by nobody but a person."""
    return coverage.kind is not CoverageKind.NONE and bool(place) and coverage.covers_place(place)


def _pair_moved(gone: Iterable[KnownFinding], fresh: Iterable[ImportedFinding]) -> list[SeenFinding]:
    """Pair findings that left a file with the same ones in another file, each once."""
    waiting: dict[str, list[KnownFinding]] = {}
    for one in gone:
        waiting.setdefault(one.fingerprint, []).append(one)
    return [SeenFinding(waiting[one.fingerprint].pop(0), one) for one in fresh if waiting.get(one.fingerprint)]
