"""Scanner child: it reads a request from its input, scans in this process, and writes the answer.

Started confined (`programs.confinement`): no network, little memory and time. Before it reads a byte of the request, it
scans the canaries, which loads every module and text that the engines need, and then refuses itself every further
file, program and signal. What it is given is hostile; none of it is executed.
"""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import msgspec
from msgspec import structs

from muniment.programs.child_request import answer_one_request
from muniment.scanners.comments.engine import COMMENT_ENGINE, CommentEngine
from muniment.scanners.engine import Engine, run_engine
from muniment.scanners.findings import Finding, ScanResult, SourceFile
from muniment.scanners.infrastructure.engine import INFRASTRUCTURE_ENGINE, InfrastructureEngine
from muniment.scanners.javascript.engine import JAVASCRIPT_ENGINE, ScriptEngine
from muniment.scanners.python.analysis import PYTHON_ENGINE
from muniment.scanners.python.engine import PythonEngine
from muniment.scanners.secrets.engine import SECRETS_ENGINE, CredentialEngine

ENGINES = (PYTHON_ENGINE, SECRETS_ENGINE, INFRASTRUCTURE_ENGINE, JAVASCRIPT_ENGINE, COMMENT_ENGINE)
# Encodings that source files declare. Another one cannot be loaded later: such a file is `failed`.
_ENCODINGS = (
    "latin-1",
    "cp1252",
    "iso8859-15",
    "utf-16",
    "utf-8-sig",
    "ascii",
    "cp1251",
    "euc-jp",
    "shift-jis",
    "gbk",
    "cp437",
)
_PACKERS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("gz", gzip.compress),
    ("bz2", bz2.compress),
    ("xz", lzma.compress),
)
_REMOVED = "An earlier commit of the change has it. The history keeps it, though the line is removed."


class ScanRequest(msgspec.Struct, frozen=True):
    """Files to scan.

    `files` are those that the analysis may follow imports into, `targets` the paths to report on. `before` are the
    files that a change alters or deletes, as they were; `added` the paths that it adds: findings of the code before the
    change are not new. `removed` were written by a commit of the change and are gone: only secrets are looked for.
    `key` is the key of the digests of secrets. `engines` are the names of those that scan.
    """

    files: tuple[SourceFile, ...]
    targets: tuple[str, ...]
    before: tuple[SourceFile, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[SourceFile, ...] = ()
    key: bytes = b""
    engines: tuple[str, ...] = ENGINES


def scan_request(request: ScanRequest) -> tuple[ScanResult, ...]:
    """Scan a request with its engines. Findings that the files before the change have are left out."""
    secrets = CredentialEngine(request.key)
    engines: tuple[Engine, ...] = (PythonEngine(), secrets, InfrastructureEngine(), ScriptEngine(), CommentEngine())
    results = []
    for engine in engines:
        if engine.name not in request.engines:
            continue
        result = run_engine(engine, request.files, request.targets)
        findings = list(result.findings)
        if engine is secrets and request.removed:
            present = {one.fingerprint for one in findings}
            earlier = _find_removed_secrets(secrets, request.removed)
            findings += [one for one in earlier if one.fingerprint not in present]
        if request.before and findings:
            known = _list_known_fingerprints(engine, request)
            findings = [one for one in findings if one.fingerprint not in known]
        unique = {(one.fingerprint, one.location.path): one for one in findings}
        results.append(ScanResult(result.engine, tuple(unique.values()), result.coverage, result.comments))
    return tuple(results)


def _list_known_fingerprints(engine: Engine, request: ScanRequest) -> set[str]:
    """Fingerprints of the findings before the change, in the files that it alters."""
    previous = {file.path: file for file in request.files if file.path not in request.added}
    previous |= {file.path: file for file in request.before}
    changed = [file.path for file in request.before]
    return {one.fingerprint for one in run_engine(engine, tuple(previous.values()), changed).findings}


def _find_removed_secrets(engine: CredentialEngine, removed: tuple[SourceFile, ...]) -> list[Finding]:
    """Find secrets in earlier contents of files. Contents of one path are scanned one by one."""
    found = []
    for file in removed:
        for one in engine.scan_files([file], {file.path}).findings:
            found.append(structs.replace(one, message=f"{one.message} {_REMOVED}"))
    return found


def warm_up() -> None:
    """Load all that the engines need, by scanning their canaries."""
    for name in _ENCODINGS:
        codecs.lookup(name)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("warm.txt", b"x")
    files = (
        SourceFile("warm.py", b"# muniment\nx = 1\n"),
        SourceFile("warm.zip", packed.getvalue()),
        SourceFile("warm.ipynb", b'{"cells": []}'),
        *(SourceFile(f"warm.{name}", pack(b"x")) for name, pack in _PACKERS),
    )
    scan_request(ScanRequest(files, tuple(file.path for file in files), key=b"warm"))


def answer_request() -> int:
    """Answer the request at standard input; `NO_CHILD` if files could not be refused before it is read."""
    return answer_one_request(ScanRequest, warm_up, scan_request)


if __name__ == "__main__":
    raise SystemExit(answer_request())
