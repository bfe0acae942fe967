"""Plan of what a scan changes: findings that are new, moved, gone or there again, and secrets in the code.

Rows are matched with what the engines found by fingerprint, then by path, then by order, so that moved lines, renamed
files and copies neither lose nor double one. What could not be scanned closes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import structs

from muniment.scanners.findings import CoverageState, Finding
from muniment.scanners.fingerprints import normalise_snippet
from muniment.scanners.secrets.engine import SECRETS_ENGINE
from muniment.workflows.branch_scan import BranchScanResult


class StoredFinding(msgspec.Struct, frozen=True):
    """Finding of a scan as it is stored."""

    number: int
    tool: str
    rule: str
    fingerprint: str
    copy: int
    path: str
    line: int
    snippet: str
    severity: str
    is_gone: bool


class PlannedFinding(msgspec.Struct, frozen=True):
    """Finding that a scan adds."""

    tool: str
    copy: int
    finding: Finding


class MatchedFinding(msgspec.Struct, frozen=True):
    """Stored finding with what the scan found at its place now."""

    number: int
    copy: int
    finding: Finding


class ScanPlan(msgspec.Struct, frozen=True):
    """Changes of a scan. `changed` have another fingerprint or a higher severity; `moved` another place alone."""

    new: tuple[PlannedFinding, ...] = ()
    reopened: tuple[MatchedFinding, ...] = ()
    changed: tuple[MatchedFinding, ...] = ()
    moved: tuple[MatchedFinding, ...] = ()
    gone: tuple[int, ...] = ()
    secrets: tuple[Finding, ...] = ()
    gone_secrets: tuple[str, ...] = ()  # fingerprints

    @property
    def needs_record(self) -> bool:
        """Whether it changes something that a record holds."""
        return bool(self.new or self.reopened or self.changed or self.gone or self.secrets or self.gone_secrets)


_SEVERITIES = ("low", "medium", "high", "critical")
_Key = tuple[str, str]  # tool and fingerprint


def plan_scan(result: BranchScanResult, stored: Iterable[StoredFinding], known_secrets: frozenset[str]) -> ScanPlan:
    """Plan what the result of a scan changes. `known_secrets` are the fingerprints of secrets in the code."""
    rows: dict[_Key, list[StoredFinding]] = {}
    for row in stored:
        rows.setdefault((row.tool, row.fingerprint), []).append(row)
    found: dict[_Key, list[Finding]] = {}
    secrets: dict[str, Finding] = {}
    for tool, finding in _list_findings(result):
        if tool == SECRETS_ENGINE:
            secrets.setdefault(finding.fingerprint, finding)
        else:
            found.setdefault((tool, finding.fingerprint), []).append(finding)
    unread = _list_unread(result)
    pairs, left, spare = _match_fingerprints(rows, found)
    renamed = list(_match_snippets(left, spare))
    taken = {row.number for row, _, _ in renamed}
    used = {id(finding) for _, _, finding in renamed}
    added = [(key, copy, one) for key, copy, one in spare if id(one) not in used]
    gone = (
        row for row in left if not row.is_gone and row.number not in taken and not _may_be_there(row, result, unread)
    )
    matched = [(row, MatchedFinding(row.number, row.copy, finding)) for row, finding in pairs]
    changed = [MatchedFinding(row.number, copy, one) for row, copy, one in renamed]
    changed += [one for row, one in matched if not row.is_gone and _is_raised(row.severity, one.finding.severity)]
    new_secrets = tuple(one for digest, one in secrets.items() if digest not in known_secrets)
    gone_secrets = () if unread.get(SECRETS_ENGINE) else tuple(sorted(known_secrets - secrets.keys()))
    return ScanPlan(
        new=tuple(PlannedFinding(tool, copy, one) for (tool, _), copy, one in added),
        reopened=tuple(one for row, one in matched if row.is_gone),
        changed=tuple(changed),
        moved=tuple(one for row, one in matched if _is_elsewhere(row, one.finding)),
        gone=tuple(row.number for row in gone),
        secrets=new_secrets,
        gone_secrets=gone_secrets,
    )


def _list_findings(result: BranchScanResult) -> Iterator[tuple[str, Finding]]:
    for lines in result.results.values():
        for line in lines:
            for finding in line.findings:
                yield line.engine, clean_finding(finding)


def clean_finding(finding: Finding) -> Finding:
    """Copy of a finding without characters that the database refuses."""
    cleaned = {
        name: value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        for name, value in structs.asdict(finding).items()
        if type(value) is str
    }
    steps = tuple(structs.replace(one, text=one.text.replace("\0", "\ufffd")) for one in finding.steps)
    return structs.replace(finding, **cleaned, steps=steps)


def _list_unread(result: BranchScanResult) -> dict[str, set[str]]:
    """Paths that each engine should have read and did not, or not to the end."""
    unread: dict[str, set[str]] = {}
    for path, lines in result.results.items():
        for line in lines:
            if line.state in (CoverageState.FAILED, CoverageState.PARTIAL):
                unread.setdefault(line.engine, set()).add(path)
    return unread


def _may_be_there(row: StoredFinding, result: BranchScanResult, unread: Mapping[str, set[str]]) -> bool:
    """Whether a finding that was not found may still be in the code: its file was not read, or it is no longer there
    and another file was not read.
    """
    own = unread.get(row.tool, set())
    return row.path in own or (bool(own) and row.path not in result.results)


def _match_fingerprints(
    rows: Mapping[_Key, list[StoredFinding]], found: Mapping[_Key, list[Finding]]
) -> tuple[list[tuple[StoredFinding, Finding]], list[StoredFinding], list[tuple[_Key, int, Finding]]]:
    """Match by fingerprint: the same path first, open rows before gone ones. Returns pairs, rows, and findings left."""
    pairs: list[tuple[StoredFinding, Finding]] = []
    left: list[StoredFinding] = []
    spare: list[tuple[_Key, int, Finding]] = []
    for key in dict.fromkeys((*rows, *found)):
        own = sorted(rows.get(key, ()), key=lambda row: (row.is_gone, row.copy))
        places = sorted(found.get(key, ()), key=lambda one: one.location)
        for same_path in (True, False):
            for one in list(places):
                row = next((row for row in own if not same_path or row.path == one.location.path), None)
                if row is not None:
                    pairs.append((row, one))
                    own.remove(row)
                    places.remove(one)
        taken = {row.copy for row in rows.get(key, ())}
        free = (number for number in range(len(taken) + len(places)) if number not in taken)
        spare += [(key, copy, one) for copy, one in zip(free, places, strict=False)]
        left += own
    return pairs, left, spare


def _match_snippets(
    left: list[StoredFinding], spare: list[tuple[_Key, int, Finding]]
) -> Iterator[tuple[StoredFinding, int, Finding]]:
    """Match what is left by rule and snippet: code keeps its finding if the function around it has another name."""
    waiting: dict[tuple[str, str, str], list[StoredFinding]] = {}
    for row in left:
        if not row.is_gone and row.snippet:
            waiting.setdefault((row.tool, row.rule, normalise_snippet(row.snippet)), []).append(row)
    for (tool, _), copy, one in spare:
        rows = waiting.get((tool, one.rule, normalise_snippet(one.snippet)), [])
        same = [row for row in rows if row.path == one.location.path] or rows
        if same:
            row = same[0]
            rows.remove(row)
            yield row, copy, one


def _is_raised(before: str, now: str) -> bool:
    return _SEVERITIES.index(now) > _SEVERITIES.index(before) if before in _SEVERITIES else False


def _is_elsewhere(row: StoredFinding, one: Finding) -> bool:
    return (row.path, row.line) != (one.location.path, one.location.line)
