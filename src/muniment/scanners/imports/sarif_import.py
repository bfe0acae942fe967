"""Findings and coverage of other tools' SARIF, as values: nothing is read or stored here.

A file says "no finding" only for what it says that it scanned. A result that cannot be read makes the whole file an
error.
"""

import hashlib
import hmac
import re
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from muniment.scanners.findings import Severity
from muniment.scanners.fingerprints import compute_fingerprint
from muniment.scanners.imports.document import Artifact, Rule, Run, SarifError, SarifResult, SarifText, parse_document
from muniment.scanners.imports.places import PlaceReader
from muniment.scanners.imports.severities import read_severity, read_weaknesses

_MOST_TEXT = 2_000
_MOST_NAME = 300
_FINDING_KINDS = ("fail", "open", "review")
_OTHER_KINDS = ("pass", "notApplicable", "informational")
# A file with another role alone, such as a configuration, was not scanned.
_SCANNED_ROLES = frozenset(
    {"analysisTarget", "resultFile", "added", "modified", "unmodified", "renamed", "uncontrolled"}
)
_NUMBER = re.compile(r"[0-9]+")
_PLACEHOLDER = re.compile(r"\{([0-9]{1,2})\}")
# Parts of fingerprints that change although the finding stays.
_MOVES = re.compile(r"(?i)column|commit|author|email|date|linenumber|startline")
_NO_FINGERPRINT = ("", "requires login")  # written by a tool that is not signed in
_REMEDY = "Import the file as the tool wrote it."


class ImportedFinding(Struct, frozen=True):
    """Finding of another tool.

    `place` is a path (`facts.paths`), an http address, or "" if the tool names none; `line` is 0 then. `severity` is
    high where the tool gives none, and `is_severity_assumed` then. `is_suppressed` by the tool: it counts all the same.
    """

    rule: str
    message: str
    severity: Severity
    is_severity_assumed: bool
    cwe: tuple[int, ...]
    place: str
    line: int
    fingerprint: str
    is_suppressed: bool = False


class RunEnd(StrEnum):
    """End of a run, as the tool tells it."""

    WELL = "well"
    PARTLY = "partly"  # it names every file that it could not scan
    BADLY = "badly"
    UNKNOWN = "unknown"


class ImportedRun(Struct, frozen=True):
    """Run of a tool. `listed` are the files that it says it scanned, `failed` those that it could not.

    `has_list`: it names files, if only some that it did not scan.
    """

    tool: str
    version: str
    category: str
    end: RunEnd
    findings: tuple[ImportedFinding, ...]
    listed: tuple[str, ...]
    failed: tuple[str, ...]
    has_list: bool


class SarifImport(Struct, frozen=True):
    """Import of one file. `digest` is the SHA-256 of its bytes."""

    digest: str
    runs: tuple[ImportedRun, ...]


def parse_import(content: bytes, key: bytes) -> SarifImport:
    """Parse a SARIF file of another tool. Raises SarifError.

    `key` is the key of the digests of code that stand in fingerprints, since the code may be a secret. The same key has
    to be given for each import.
    """
    document = parse_document(content)
    return SarifImport(hashlib.sha256(content).hexdigest(), tuple(_read_run(run, key) for run in document.runs))


def _read_run(run: Run, key: bytes) -> ImportedRun:
    reader = PlaceReader(run.original_uri_base_ids, tuple(one.location for one in run.artifacts))
    driver = run.tool.driver
    errors = [
        [reader.read_place(one.physical_location.artifact_location) for one in note.locations if one.physical_location]
        for invocation in run.invocations
        for note in invocation.tool_execution_notifications
        if note.level == "error"
    ]
    failed = {place for places in errors for place in places}
    failed |= {reader.read_place(one.location) for one in run.artifacts if _is_failed(one)}
    listed = {reader.read_place(one.location) for one in run.artifacts if _is_scanned(one)} - failed
    occurrences: dict[tuple[str, str, str], int] = {}
    return ImportedRun(
        tool=_cut_text(driver.name, _MOST_NAME),
        version=_cut_text(driver.semantic_version or driver.version or "", _MOST_NAME),
        category=_cut_text((run.automation_details and run.automation_details.id) or "", _MOST_NAME),
        end=_find_end(
            run, has_unplaced_error=any(not any(places) for places in errors), has_failed=bool(failed - {""})
        ),
        findings=tuple(
            _read_result(result, number, run, _Reading(reader, occurrences, key))
            for number, result in enumerate(run.results or ())
            if _is_finding(result, number)
        ),
        listed=tuple(sorted(listed - {""})),
        failed=tuple(sorted(failed - {""})),
        has_list=bool(run.artifacts),
    )


def _find_end(run: Run, *, has_unplaced_error: bool, has_failed: bool) -> RunEnd:
    if has_unplaced_error:
        return RunEnd.BADLY
    if not run.invocations:
        return RunEnd.UNKNOWN
    if all(one.execution_successful for one in run.invocations):
        return RunEnd.WELL
    return RunEnd.PARTLY if has_failed else RunEnd.BADLY


def _is_failed(artifact: Artifact) -> bool:
    """Whether a file of our own SARIF was not scanned whole."""
    return artifact.properties.get("coverage") in ("failed", "partial")


def _is_scanned(artifact: Artifact) -> bool:
    if artifact.properties.get("coverage") not in (None, "scanned"):
        return False
    return not artifact.roles or bool(_SCANNED_ROLES & set(artifact.roles))


def _is_finding(result: SarifResult, number: int) -> bool:
    if result.kind not in (*_FINDING_KINDS, *_OTHER_KINDS):
        raise SarifError(f"result {number} has a kind that SARIF does not have", _REMEDY)
    return result.kind in _FINDING_KINDS and result.baseline_state != "absent"


class _Reading(NamedTuple):
    """Values that all results of a run share."""

    places: PlaceReader
    occurrences: dict[tuple[str, str, str], int]
    key: bytes


def _read_result(result: SarifResult, number: int, run: Run, reading: _Reading) -> ImportedFinding:
    name, rule = _find_rule(result, number, run)
    given = read_severity(result, rule)
    places = [one.physical_location for one in result.locations if one.physical_location is not None]
    first = places[0] if places else None
    place = reading.places.read_place(first.artifact_location) if first else ""
    region = first.region if first else None
    message = _read_message(result.message, rule)
    snippet = (region.snippet.text if region and region.snippet else None) or ""
    basis = _find_basis(result, snippet, message, reading.key)
    occurrence = reading.occurrences.get((name, basis, place), 0)
    reading.occurrences[name, basis, place] = occurrence + 1
    return ImportedFinding(
        rule=name,
        message=message,
        severity=given or Severity.HIGH,
        is_severity_assumed=given is None,
        cwe=read_weaknesses(result, rule),
        place=place,
        line=_read_line(region.start_line if region else None, number),
        fingerprint=compute_fingerprint(f"{run.tool.driver.name}/{name}", basis, "", occurrence),
        is_suppressed=any(one.status in (None, "accepted") for one in result.suppressions or ()),
    )


def _read_line(line: int | None, number: int) -> int:
    if line is not None and not 1 <= line < 1 << 31:
        raise SarifError(f"result {number} has a line that no file has", _REMEDY)
    return line or 0


def _find_rule(result: SarifResult, number: int, run: Run) -> tuple[str, Rule | None]:
    """Find id and texts of the rule of a result. Raises SarifError if the result names none that exists."""
    reference = result.rule
    component = run.tool.driver
    if reference is not None and reference.tool_component is not None and reference.tool_component.index >= 0:
        if reference.tool_component.index >= len(run.tool.extensions):
            raise SarifError(f"result {number} names a part of the tool that the file does not have", _REMEDY)
        component = run.tool.extensions[reference.tool_component.index]
    index = result.rule_index if result.rule_index != -1 or reference is None else reference.index
    name = result.rule_id or (reference.id if reference is not None else None)
    if index != -1:
        if not 0 <= index < len(component.rules):
            raise SarifError(f"result {number} names rule {index}, which the file does not have", _REMEDY)
        found = component.rules[index]
        return _cut_text(name or found.id, _MOST_NAME), found
    if not name:
        raise SarifError(f"result {number} names no rule", _REMEDY)
    known = {rule.id: rule for part in (run.tool.driver, *run.tool.extensions) for rule in part.rules}
    # An id may have parts that only the result adds: `weak-hash/md5` is of the rule `weak-hash`.
    return _cut_text(name, _MOST_NAME), known.get(name) or known.get(name.rpartition("/")[0])


def _read_message(message: SarifText | None, rule: Rule | None) -> str:
    text = message.text if message else None
    if text is None and message is not None and message.id is not None and rule is not None:
        pattern = rule.message_strings.get(message.id)
        text = _fill_text((pattern.text if pattern else None) or "", message.arguments)
    if not text and rule is not None:
        described = rule.short_description or rule.full_description
        text = described.text if described else ""
    return _cut_text(text or "", _MOST_TEXT)


def _fill_text(pattern: str, arguments: tuple[str, ...]) -> str:
    """Put arguments in the place of `{0}`; a number without argument stays."""

    def take_argument(match: re.Match[str]) -> str:
        return arguments[int(match[1])] if int(match[1]) < len(arguments) else match[0]

    return _PLACEHOLDER.sub(take_argument, pattern)


def _cut_text(text: str, most: int) -> str:
    """Cut a text of a tool, with the characters that steer a terminal or the direction of text replaced."""
    printable = "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text[:most])
    return printable.strip()


def _find_basis(result: SarifResult, snippet: str, message: str, key: bytes) -> str:
    """Find what tells findings of one rule apart, and stays when lines move: the tool's own fingerprint, the code, or
    the message without its numbers.
    """
    for given in (result.fingerprints, result.partial_fingerprints):
        usable = sorted(
            f"{name}={value}"
            for name, value in given.items()
            if value not in _NO_FINGERPRINT and not _MOVES.search(name)
        )
        if usable:
            return "\n".join(usable)
    if snippet:
        code = " ".join(snippet.split()).encode("utf-8", "surrogatepass")
        return hmac.new(key, code, hashlib.sha256).hexdigest()
    return _NUMBER.sub("#", message)
