"""Scan of the code of a change: what it introduces, compared with the code before it, in confined children."""

import os
from collections.abc import Iterable

from msgspec import structs

from muniment.errors import GitError
from muniment.facts.change import Revision
from muniment.facts.code_facts import ChangeScan, CodeFinding, UnscannedFile
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.received_push import find_merge_base
from muniment.git.repository import Repository
from muniment.scanners.child import ENGINES, ScanRequest
from muniment.scanners.comments.engine import list_hard_rules
from muniment.scanners.findings import CoverageState, Finding, ScanResult, SourceFile
from muniment.scanners.isolation import scan_isolated
from muniment.scanners.languages import list_unread_languages
from muniment.scanners.secrets.engine import SECRETS_ENGINE
from muniment.workflows.code_files import list_code_files, list_written_files, read_code_files
from muniment.workflows.remembered_scans import RememberedScans
from muniment.workflows.workflow_scan import WORKFLOW_ENGINE, scan_workflows

MOST_LISTED = 200  # findings and unscanned files of one fact: one blocks as well as a thousand


def scan_revision(repository: Repository, revision: Revision) -> Maybe[ChangeScan]:
    """Scan what a revision brings. It never raises."""
    if not revision.head:
        return Known(ChangeScan(ENGINES, 0, (), (), ()))
    key = (repository.object_format, revision.base, revision.head)
    known = _REMEMBERED.find_scan(key)
    if known is not None:
        return Known(known)
    try:
        found = scan_change(repository, revision.base, revision.head)
    except GitError as error:
        return Unknown(error.message)
    if not found.unscanned:  # a failure may be the machine's: it is tried again
        _REMEMBERED.store_scan(key, found)
    return Known(found)


_REMEMBERED: RememberedScans[ChangeScan] = RememberedScans(256)


def scan_change(repository: Repository, base: str, head: str) -> ChangeScan:
    """Scan the change from `base` ("" for none) to `head`, both full ids. Raises GitError."""
    before = find_merge_base(repository, head, [base]) if base else ""
    old, new = list_code_files(repository, before), list_code_files(repository, head)
    changed = {path: blob for path, blob in new.items() if old.get(path) != blob}
    vanished = {path: blob for path, blob in old.items() if new.get(path) != blob}
    known = {*old.values(), *new.values(), *list_code_files(repository, base).values()}
    written = dict.fromkeys(
        (path, blob)
        for path, blob in list_written_files(repository, before, head)
        if blob not in known or (path not in old and path not in new)  # a name may be a secret too
    )
    context = {}
    if any(path.endswith(".py") for path in changed):
        context = {path: blob for path, blob in new.items() if path.endswith(".py") and path not in changed}
    files = read_code_files(repository, changed)
    previous = read_code_files(repository, vanished)
    removed = read_code_files(repository, tuple(written))
    request = ScanRequest(
        files=(*files.files, *read_code_files(repository, context).files),
        targets=tuple(file.path for file in files.files),
        before=previous.files,
        added=tuple(path for path in changed if path not in old),
        removed=removed.files,
        key=os.urandom(32),
    )
    results = scan_isolated(request) if request.targets or request.removed else ()
    results = (*results, scan_new_workflows(files.files, previous.files))
    return _build_scan(results, (*files.unread, *removed.unread), changed)


def _build_scan(
    results: tuple[ScanResult, ...],
    unread: tuple[tuple[str, str], ...],
    changed: dict[str, str],
) -> ChangeScan:
    findings = [_convert_finding(one, result.engine) for result in results for one in result.findings]
    unscanned = dict(unread)
    for result in results:
        for line in result.coverage:
            if line.state in (CoverageState.FAILED, CoverageState.PARTIAL):
                unscanned.setdefault(line.path, line.because)
    listed = [UnscannedFile(path, why) for path, why in sorted(unscanned.items())]
    return ChangeScan(
        engines=(*ENGINES, WORKFLOW_ENGINE),
        scanned=len(changed) - len(unscanned.keys() & changed.keys()),
        findings=tuple(findings[:MOST_LISTED]),
        unscanned=tuple(listed[:MOST_LISTED]),
        languages=list_unread_languages(changed),
        comments=tuple(comment for result in results for comment in result.comments)[:MOST_LISTED],
    )


def _convert_finding(finding: Finding, engine: str) -> CodeFinding:
    return CodeFinding(
        rule=finding.rule,
        requirement=finding.requirement,
        cwe=finding.cwe,
        severity=finding.severity.value,
        path=finding.location.path,
        line=finding.location.line,
        fingerprint=finding.fingerprint,
        is_secret=engine == SECRETS_ENGINE,
        is_hard=finding.rule in list_hard_rules(),
    )


def scan_new_workflows(files: Iterable[SourceFile], previous: Iterable[SourceFile]) -> ScanResult:
    """Scan workflows that a change alters. Findings that they had before are left out."""
    now = scan_workflows(files)
    if not now.findings:
        return now
    known = {one.fingerprint for one in scan_workflows(previous).findings}
    return structs.replace(now, findings=tuple(one for one in now.findings if one.fingerprint not in known))
