"""Coverage of an import: the files for which its silence counts.

A run counts for the files that it lists, or that a list of the tool next to it names. Without a list it counts only if
it ended well and found its canary, and then for the paths and languages that the owner of the product and a second
person declared.
"""

import fnmatch
from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

from muniment.scanners.imports.sarif_import import ImportedFinding, ImportedRun, RunEnd
from muniment.scanners.languages import find_language


class CoverageKind(StrEnum):
    """Source of the coverage of an import."""

    LISTED = "listed"
    DECLARED = "declared"
    NONE = "none"


class ImportCanary(Struct, frozen=True):
    """Known weakness that a team planted: a run without list must find it."""

    rule: str
    place: str


class CoverageDeclaration(Struct, frozen=True):
    """Paths and languages that two people declared a tool to scan.

    `paths` are patterns with `*`, which stands for `/` too. `languages` are names of `scanners.languages`, none: any.
    """

    paths: tuple[str, ...]
    languages: tuple[str, ...] = ()


class ImportCoverage(Struct, frozen=True):
    """Files for which a run counts, and why for no more. A failed file is never among them."""

    kind: CoverageKind
    because: str
    listed: frozenset[str] = frozenset()
    declaration: CoverageDeclaration | None = None
    failed: frozenset[str] = frozenset()

    def covers_place(self, place: str) -> bool:
        """Whether the silence of the run counts for a place. "" is the place of a finding without one."""
        if place in self.failed:
            return False
        if self.kind is CoverageKind.LISTED:
            return place in self.listed
        return self.declaration is not None and _is_declared(self.declaration, place)


def find_coverage(
    run: ImportedRun,
    *,
    tool_list: Collection[str] | None = None,
    canary: ImportCanary | None = None,
    declaration: CoverageDeclaration | None = None,
) -> ImportCoverage:
    """Find the files for which a run counts. `tool_list` are the paths of the tool's own list, None for no list."""
    if run.end is RunEnd.BADLY:
        return _count_for_none("the tool says that it did not end well, and not for which files")
    failed = frozenset(run.failed)
    listed = frozenset(run.listed if tool_list is None else tool_list) - failed
    if tool_list is not None or run.has_list:
        if not listed:
            return _count_for_none("its list names no file that was scanned")
        return ImportCoverage(CoverageKind.LISTED, "", listed, None, failed)
    because = _explain_undeclared(run, canary, declaration)
    if because:
        return _count_for_none(because)
    return ImportCoverage(CoverageKind.DECLARED, "coverage declared", frozenset(), declaration, failed)


def _explain_undeclared(run: ImportedRun, canary: ImportCanary | None, declaration: CoverageDeclaration | None) -> str:
    """Reason why a run without list counts for no file, "" if it counts for what is declared."""
    if run.end is not RunEnd.WELL:
        return "it lists no file, and the tool does not say that it ended well"
    if canary is None:
        return "it lists no file, and no canary is declared"
    if not any(is_canary(one, canary) for one in run.findings):
        return f"it lists no file, and did not find its canary: {canary.rule} in {canary.place}"
    if declaration is None or not declaration.paths:
        return "it lists no file, and its coverage is not declared"
    return ""


def _count_for_none(because: str) -> ImportCoverage:
    return ImportCoverage(CoverageKind.NONE, because)


def is_canary(finding: ImportedFinding, canary: ImportCanary) -> bool:
    """Whether a finding is the planted one, which is no weakness of the product."""
    return finding.rule == canary.rule and finding.place == canary.place


def _is_declared(declaration: CoverageDeclaration, place: str) -> bool:
    if not any(fnmatch.fnmatchcase(place, pattern) for pattern in declaration.paths):
        return False
    return not declaration.languages or find_language(place) in declaration.languages
