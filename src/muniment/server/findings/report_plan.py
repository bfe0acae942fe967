"""Plan of what a report of another tool changes: which findings are new, open again, moved or closed."""

from collections.abc import Iterable, Mapping

import msgspec

from muniment.scanners.imports.import_changes import ImportChanges, KnownFinding, SeenFinding, compare_import
from muniment.scanners.imports.import_coverage import (
    CoverageDeclaration,
    CoverageKind,
    ImportCanary,
    ImportCoverage,
    find_coverage,
)
from muniment.scanners.imports.sarif_import import ImportedFinding, ImportedRun
from muniment.scanners.languages import find_unread_language

_MOST_TOOL = 100  # characters
_SEVERITIES = ("low", "medium", "high", "critical")


class NumberedFinding(msgspec.Struct, frozen=True):
    """Finding of a report with a number: that of the stored finding, or of a new one its copy."""

    number: int
    finding: ImportedFinding


class RunPlan(msgspec.Struct, frozen=True):
    """Changes of one run of a tool. `is_first`: the tool has no earlier import, so its findings are a baseline."""

    tool: str
    category: str
    version: str
    digest: str
    is_first: bool
    coverage: CoverageKind
    because: str
    file_count: int
    languages: tuple[str, ...]
    new: tuple[NumberedFinding, ...] = ()
    reopened: tuple[NumberedFinding, ...] = ()
    moved: tuple[NumberedFinding, ...] = ()
    raised: tuple[NumberedFinding, ...] = ()  # in severity
    closed: tuple[int, ...] = ()


class StoredImport(msgspec.Struct, frozen=True):
    """Finding of an earlier report as it is stored."""

    number: int
    tool: str
    category: str
    fingerprint: str
    copy: int
    place: str
    line: int
    severity: str
    is_gone: bool


def plan_run(
    run: ImportedRun,
    stored: Iterable[StoredImport],
    declaration: tuple[CoverageDeclaration, ImportCanary] | None,
    files: frozenset[str] | None,
    digest: str,
    earlier_digest: str | None,
) -> RunPlan | None:
    """Plan the changes of a run; None if this very file was imported before.

    `files` are the paths of the branch, None where they are not known. `earlier_digest` is that of the newest import
    of this tool and category, None for none.
    """
    canary = declaration[1] if declaration is not None else None
    coverage = find_coverage(run, canary=canary, declaration=declaration[0] if declaration is not None else None)
    rows = list(stored)
    known = [_describe_known(row) for row in rows]
    removed = {row.place for row in rows if files is not None and _is_removed(row.place, files)}
    changes = compare_import(
        known,
        msgspec.structs.replace(run, tool=run.tool[:_MOST_TOOL]),
        branch="",
        coverage=coverage,
        canary=canary,
        digest=digest,
        imported_digests=(earlier_digest,) if earlier_digest is not None else (),
        removed_places=removed,
    )
    if changes.is_repeated:
        return None
    by_number = {row.number: row for row in rows}
    again = _number_seen((*changes.moved, *changes.seen, *changes.reopened))
    return RunPlan(
        tool=run.tool[:_MOST_TOOL],
        category=run.category,
        version=run.version,
        digest=digest,
        is_first=earlier_digest is None,
        coverage=coverage.kind,
        because=coverage.because,
        file_count=len(coverage.listed),
        languages=_list_covered_languages(coverage, files),
        new=tuple(_number_copies(changes, rows, run.tool[:_MOST_TOOL])),
        reopened=_number_seen(changes.reopened),
        moved=tuple(one for one in again if _is_moved(by_number[one.number], one.finding)),
        raised=tuple(one for one in again if _is_raised(by_number[one.number], one.finding)),
        closed=tuple(int(one.key) for one in changes.closed),
    )


def _is_removed(place: str, files: frozenset[str]) -> bool:
    """Whether a file is no longer on the branch. An address of running software never was there."""
    return bool(place) and "://" not in place and place not in files


def _describe_known(row: StoredImport) -> KnownFinding:
    return KnownFinding(str(row.number), row.tool, row.category, "", row.fingerprint, row.place, not row.is_gone)


def _number_seen(seen: Iterable[SeenFinding]) -> tuple[NumberedFinding, ...]:
    return tuple(NumberedFinding(int(one.known.key), one.finding) for one in seen)


def _is_moved(row: StoredImport, found: ImportedFinding) -> bool:
    return (row.place, row.line) != (found.place, found.line)


def _is_raised(row: StoredImport, found: ImportedFinding) -> bool:
    return _SEVERITIES.index(found.severity.value) > _SEVERITIES.index(row.severity)


def _number_copies(changes: ImportChanges, rows: Iterable[StoredImport], tool: str) -> Iterable[NumberedFinding]:
    """Give each new finding the lowest copy that no finding of its tool and fingerprint has."""
    used: dict[str, set[int]] = {}
    for row in rows:
        if row.tool == tool:
            used.setdefault(row.fingerprint, set()).add(row.copy)
    for finding in changes.new:
        taken = used.setdefault(finding.fingerprint, set())
        copy = next(number for number in range(len(taken) + 1) if number not in taken)
        taken.add(copy)
        yield NumberedFinding(copy, finding)


def _list_covered_languages(coverage: ImportCoverage, files: frozenset[str] | None) -> tuple[str, ...]:
    """List the languages without an engine of ours of which a run covers every file of the branch."""
    if files is None or coverage.kind is CoverageKind.NONE:
        return ()
    is_whole: dict[str, bool] = {}
    for path in files:
        language = find_unread_language(path)
        if language:
            is_whole[language] = is_whole.get(language, True) and coverage.covers_place(path)
    return tuple(sorted(language for language, whole in is_whole.items() if whole))


def find_declaration(
    rows: Mapping[str, tuple[CoverageDeclaration, ImportCanary]], tool: str
) -> tuple[CoverageDeclaration, ImportCanary] | None:
    """Find the declaration for a tool by its name; capitals make no difference."""
    return rows.get(tool[:_MOST_TOOL].lower())
