"""Scan of what the next commit brings, for secrets, in this process: it is one's own working copy.

It imports no more than that needs: whoever commits waits for it.
"""

import os
from collections.abc import Mapping

from msgspec import Struct

from muniment.errors import UsageError
from muniment.facts.paths import decode_path
from muniment.git.git_process import GitProcess, git_error, run_git
from muniment.git.objects import ObjectReader
from muniment.programs.environment import git_environment_in_place
from muniment.scanners.engine import run_engine
from muniment.scanners.findings import CoverageState, FileCoverage, Finding, SourceFile
from muniment.scanners.secrets.engine import MOST_SECRET_BYTES, CredentialEngine

# git tells its hooks by these variables which index and repository the commit is of.
_VARIABLES = ("GIT_INDEX_FILE", "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_NO_FILE = ("000000", "160000", "120000")  # not there, a submodule, a link


class StagedScan(Struct, frozen=True):
    """Secrets that the next commit would bring, and files that could not be scanned, out of `scanned` files."""

    findings: tuple[Finding, ...]
    unscanned: tuple[FileCoverage, ...]
    scanned: int


class _StagedFile(Struct, frozen=True):
    path: str
    old_id: str  # "" for a new file
    new_id: str


def scan_staged_files(folder: str, variables: Mapping[str, str]) -> StagedScan:
    """Scan the files of the index that differ from HEAD. `variables` are the process's own. Raises GitError."""
    environment = git_environment_in_place({name: variables[name] for name in _VARIABLES if name in variables})
    where = run_git("rev-parse", ("--path-format=absolute", "--git-dir"), environment, cwd=folder)
    if where.code:
        raise UsageError("this is no work tree of git", "Run it in a folder of a clone.")
    # Before the first commit, only this form compares the index with nothing.
    options = ("--cached", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "-z")
    done = run_git("diff", options, environment, cwd=folder)
    if done.code:
        raise git_error("git diff", done.err)
    staged = _parse_rows(done.out)
    if not staged:
        return StagedScan((), (), 0)
    environment["GIT_DIR"] = os.fsdecode(where.out.rstrip(b"\n"))
    new, unread = _read_files(environment, {one.path: one.new_id for one in staged})
    old, _ = _read_files(environment, {one.path: one.old_id for one in staged if one.old_id})
    engine = CredentialEngine(b"compared in this process only")
    result = run_engine(engine, new)
    findings = result.findings
    if findings and old:
        known = {one.fingerprint for one in engine.scan_files(old, {file.path for file in old}).findings}
        findings = tuple(one for one in findings if one.fingerprint not in known)
    failed = tuple(line for line in result.coverage if line.state is not CoverageState.SCANNED)
    return StagedScan(findings, (*unread, *failed), len(staged))


def _parse_rows(out: bytes) -> list[_StagedFile]:
    words = out.split(b"\0")
    found = []
    for row, name in zip(words[::2], words[1::2], strict=False):
        _, mode, old_id, new_id, _ = row.decode("ascii").split(" ")
        if mode not in _NO_FILE:
            found.append(_StagedFile(decode_path(name), old_id if old_id.strip("0") else "", new_id))
    return found


def _read_files(
    environment: Mapping[str, str], wanted: Mapping[str, str]
) -> tuple[list[SourceFile], list[FileCoverage]]:
    """Read contents by path and id; the files, and those that are too large or not here."""
    if not wanted:
        return [], []
    object_format = "sha1" if len(next(iter(wanted.values()))) == 40 else "sha256"
    options = ("--batch-command", "--buffer")
    objects = ObjectReader(lambda: GitProcess("cat-file", options, {**environment}), object_format)
    try:
        sizes = objects.read_sizes(list(wanted.values()))
        small = [
            path for path, size in zip(wanted, sizes, strict=True) if size is not None and size <= MOST_SECRET_BYTES
        ]
        contents = objects.read_git_objects([wanted[path] for path in small], MOST_SECRET_BYTES)
    finally:
        objects.close()
    files = [SourceFile(path, found.data) for path, found in zip(small, contents, strict=True) if found is not None]
    read = {file.path for file in files}
    because = f"it is larger than {MOST_SECRET_BYTES} bytes, or its content is not here"
    return files, [FileCoverage(path, CoverageState.FAILED, because) for path in wanted if path not in read]
