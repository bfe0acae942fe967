"""Scan of all files at a commit for secrets, part by part, in confined children."""

import os
from itertools import islice

from muniment.errors import GitError
from muniment.facts.code_facts import CodeSecret, CodeSecrets, UnscannedFile
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git.repository import Repository
from muniment.scanners.child import ScanRequest
from muniment.scanners.findings import CoverageState
from muniment.scanners.isolation import scan_isolated
from muniment.scanners.secrets.engine import SECRETS_ENGINE
from muniment.workflows.code_files import list_code_files, read_code_files, split_by_size
from muniment.workflows.remembered_scans import RememberedScans

PART_BYTES = 64_000_000  # what is held in memory at a time
MOST_LISTED = 200  # secrets and unscanned files of one fact
_REMEMBERED: RememberedScans[CodeSecrets] = RememberedScans(512)


def scan_commit_for_secrets(repository: Repository, commit: str) -> Maybe[CodeSecrets]:
    """Scan the files at a commit. It never raises."""
    key = (repository.object_format, commit)
    known = _REMEMBERED.find_scan(key)
    if known is not None:
        return Known(known)
    try:
        found = _scan_files(repository, list_code_files(repository, commit))
    except GitError as error:
        return Unknown(error.message)
    if not found.unscanned:  # a failure may be the machine's: it is tried again
        _REMEMBERED.store_scan(key, found)
    return Known(found)


def _scan_files(repository: Repository, files: dict[str, str]) -> CodeSecrets:
    sizes = repository.objects.read_sizes(list(files.values()))
    known = {path: size or 0 for path, size in zip(files, sizes, strict=True)}
    secrets: list[CodeSecret] = []
    unscanned: dict[str, str] = {}
    for part in split_by_size(known, PART_BYTES):
        contents = read_code_files(repository, {path: files[path] for path in part})
        unscanned.update(contents.unread)
        targets = tuple(file.path for file in contents.files)
        if not targets:
            continue
        request = ScanRequest(contents.files, targets, key=os.urandom(32), engines=(SECRETS_ENGINE,))
        for result in scan_isolated(request):
            for finding in result.findings:
                secrets.append(CodeSecret(finding.location.path, finding.location.line, finding.rule))
            for line in result.coverage:
                if line.state is not CoverageState.SCANNED:
                    unscanned[line.path] = line.because
    listed = (UnscannedFile(path, why) for path, why in sorted(unscanned.items()))
    return CodeSecrets(
        scanned=len(files) - len(unscanned),
        secrets=tuple(secrets[:MOST_LISTED]),
        unscanned=tuple(islice(listed, MOST_LISTED)),
    )
