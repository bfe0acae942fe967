"""Scan of all files at the tip of a branch, in confined children. A file that was scanned before is read from a cache.

The cache knows a file by its path, its content, the engines' own code and, for Python, the modules that it may import:
the same input gives the same result, in every repository.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Protocol

import msgspec

from muniment import scanners
from muniment.git.repository import Repository
from muniment.scanners.child import ENGINES, ScanRequest
from muniment.scanners.comments.engine import COMMENT_ENGINE
from muniment.scanners.findings import CoverageState, Finding, ScanResult, SourceFile
from muniment.scanners.isolation import scan_isolated
from muniment.scanners.python.analysis import PYTHON_ENGINE
from muniment.scanners.secrets.engine import SECRETS_ENGINE
from muniment.workflows.code_files import list_code_files, read_code_files, split_by_size
from muniment.workflows.workflow_scan import WORKFLOW_ENGINE, scan_workflows

BRANCH_PART_BYTES = 64_000_000  # what is held in memory at a time, besides the Python files
# Without the engine for Python, which follows imports, and the one for comments, which have no effect on a branch.
_FILE_ENGINES = tuple(engine for engine in ENGINES if engine not in (PYTHON_ENGINE, COMMENT_ENGINE))
_IMPORT = re.compile(rb"\b(?:from|import)\b[^\n]*")
_WORD = re.compile(rb"\w+")
# How `scanners.isolation` and `scanners.engine` begin the reason of a failure that is not the file's.
_MACHINE_FAILURES = ("the scanner ", "this machine ", "the engine ")


class FileResult(msgspec.Struct, frozen=True):
    """Result of one engine for one file."""

    path: str
    engine: str
    state: CoverageState
    because: str = ""
    findings: tuple[Finding, ...] = ()


class ResultCache(Protocol):
    """Cache of results by key, 64 hexadecimal digits."""

    def find_results(self, keys: Collection[str]) -> Mapping[str, tuple[FileResult, ...]]:
        """Find the results of those keys that are stored."""
        ...

    def store_results(self, results: Mapping[str, tuple[FileResult, ...]]) -> None:
        """Store results, each under its key."""
        ...


class BranchScanResult(msgspec.Struct, frozen=True):
    """Result of a scan: of each file its size in bytes, and one result for each engine. `scanned` counts those that no
    cache had.
    """

    sizes: dict[str, int]
    results: dict[str, tuple[FileResult, ...]]
    scanned: int


@cache
def digest_engines() -> tuple[str, str]:
    """Compute the digests of the code and rules of the engines for single files, and of the one for Python."""
    root = Path(scanners.__file__).parent
    digests = hashlib.sha256(), hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".toml")):
        name = path.relative_to(root)
        data = f"{name}\0".encode() + path.read_bytes() + b"\0"
        own = _PYTHON_PARTS if name.parts[0] in ("python", "rules") else _BOTH if len(name.parts) == 1 else _FILE_PARTS
        for digest in (digests[number] for number in own):
            digest.update(data)
    return digests[0].hexdigest(), digests[1].hexdigest()


_FILE_PARTS, _PYTHON_PARTS, _BOTH = (0,), (1,), (0, 1)


def scan_branch(repository: Repository, commit: str, key: bytes, known: ResultCache) -> BranchScanResult:
    """Scan the files at a commit. `key` is the key of the digests of secrets. Raises GitError."""
    files = list_code_files(repository, commit)
    sizes = repository.objects.read_sizes(list(files.values()))
    measured = {path: size or 0 for path, size in zip(files, sizes, strict=True)}
    results: dict[str, list[FileResult]] = {path: [] for path in files}
    scanned: set[str] = set()
    of_files = _scan_files(repository, files, measured, key, known)
    for lines, was_scanned in chain(of_files, _scan_python(repository, files, known)):
        if was_scanned:
            scanned.update(line.path for line in lines)
        for line in lines:
            results[line.path].append(line)
    return BranchScanResult(measured, {path: tuple(lines) for path, lines in results.items()}, len(scanned))


def _is_lasting(lines: tuple[FileResult, ...]) -> bool:
    """Whether the same input gives this result again: some failures are the machine's."""
    return not any(line.state is CoverageState.FAILED and line.because.startswith(_MACHINE_FAILURES) for line in lines)


_Results = Iterator[tuple[tuple[FileResult, ...], bool]]  # with whether they were scanned now


def _scan_files(
    repository: Repository, files: Mapping[str, str], sizes: Mapping[str, int], key: bytes, known: ResultCache
) -> _Results:
    """Scan by the engines that look at one file at a time."""
    shared = _join_key(digest_engines()[0], WORKFLOW_ENGINE, hashlib.sha256(b"key\0" + key).hexdigest())
    keys = {path: _join_key("files", shared, blob, path) for path, blob in files.items()}
    cached = known.find_results(keys.values())
    yield from ((cached[digest], False) for digest in keys.values() if digest in cached)
    new = {path: sizes[path] for path, digest in keys.items() if digest not in cached}
    for part in split_by_size(new, BRANCH_PART_BYTES):
        found = _scan_part(repository, {path: files[path] for path in part}, key)
        known.store_results({keys[path]: lines for path, lines in found.items() if _is_lasting(lines)})
        yield from ((lines, True) for lines in found.values())


def _scan_part(repository: Repository, files: Mapping[str, str], key: bytes) -> dict[str, tuple[FileResult, ...]]:
    contents = read_code_files(repository, files)
    targets = tuple(file.path for file in contents.files)
    results: list[ScanResult] = []
    if targets:
        results += scan_isolated(ScanRequest(contents.files, targets, key=key, engines=_FILE_ENGINES))
        results.append(scan_workflows(contents.files))
    found = _split_results(results)
    unread = {path: (_make_unread(path, SECRETS_ENGINE, why),) for path, why in contents.unread}
    return found | unread


def _scan_python(repository: Repository, files: Mapping[str, str], known: ResultCache) -> _Results:
    """Scan Python files. Those that may import each other are scanned together: input can pass from any to any."""
    contents = read_code_files(repository, {path: blob for path, blob in files.items() if path.endswith(".py")})
    if contents.unread:
        yield tuple(_make_unread(path, PYTHON_ENGINE, why) for path, why in contents.unread), True
    routes = sorted(files[file.path] for file in contents.files if b"urlpatterns" in file.content)
    shared = _join_key(digest_engines()[1], *routes)  # the analysis takes the names of views from there
    groups = group_by_imports(contents.files)
    keys = {_join_key("python", shared, *(f"{path} {files[path]}" for path in group)): group for group in groups}
    cached = known.find_results(keys)
    yield from ((lines, False) for lines in cached.values())
    by_path = {file.path: file for file in contents.files}
    for digest, group in keys.items():
        if digest in cached:
            continue
        request = ScanRequest(tuple(by_path[path] for path in group), group, engines=(PYTHON_ENGINE,))
        found = _split_results(scan_isolated(request))
        lines = tuple(line for path in group for line in found[path])
        if _is_lasting(lines):
            known.store_results({digest: lines})
        yield lines, True


def _make_unread(path: str, engine: str, why: str) -> FileResult:
    return FileResult(path, engine, CoverageState.FAILED, why)


def group_by_imports(files: Collection[SourceFile]) -> list[tuple[str, ...]]:
    """Group Python files such that no import leads from one group to another. Paths are sorted."""
    groups = {file.path: file.path for file in files}  # each leads to another of its group, the first to itself

    def find_first(path: str) -> str:
        while groups[path] != path:
            groups[path] = path = groups[groups[path]]
        return path

    named: dict[str, list[str]] = {}
    for path in groups:
        parts = path.removesuffix(".py").split("/")
        named.setdefault(parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1], []).append(path)
    for file in files:
        for word in _list_import_words(file.content) & named.keys():
            for other in named[word]:
                groups[find_first(other)] = find_first(file.path)
    found: dict[str, list[str]] = {}
    for path in sorted(groups):
        found.setdefault(find_first(path), []).append(path)
    return [tuple(paths) for paths in found.values()]


def _list_import_words(content: bytes) -> frozenset[str]:
    """List the words of everything that may be an import: too many cost a scan, too few would hide a finding."""
    found: set[bytes] = set()
    for match in _IMPORT.finditer(content):
        text, end = match.group(), match.end()
        if b"(" in text and b")" not in text:
            close = content.find(b")", end)
            text += content[end : close if close >= 0 else len(content)]
        while text.rstrip().endswith(b"\\") and end < len(content):
            following = content.find(b"\n", end + 1)
            following = following if following >= 0 else len(content)
            text, end = text + content[end:following], following
        found.update(_WORD.findall(text))
    return frozenset(word.decode("utf-8", "replace") for word in found)


def _join_key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _split_results(results: Collection[ScanResult]) -> dict[str, tuple[FileResult, ...]]:
    """Split the results of engines into those of each file."""
    found: dict[str, tuple[FileResult, ...]] = {}
    for result in results:
        by_path: dict[str, list[Finding]] = {}
        for finding in result.findings:
            by_path.setdefault(finding.location.path, []).append(finding)
        for line in result.coverage:
            own = tuple(by_path.get(line.path, ()))
            one = FileResult(line.path, result.engine, line.state, line.because, own)
            found[line.path] = (*found.get(line.path, ()), one)
    return found
