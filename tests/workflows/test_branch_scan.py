"""Scan of a whole branch: every file by every engine, and none twice that did not change."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from muniment.git.repository import Repository
from muniment.programs.process import ProcessResult
from muniment.scanners import isolation
from muniment.scanners.findings import CoverageState, SourceFile
from muniment.workflows.branch_scan import BranchScanResult, FileResult, group_by_imports, scan_branch
from tests.support.repos import Repo

WEAK = "import hashlib\ndigest = hashlib.md5(b'')\n"
VIEW = "from flask import Flask, request\nfrom shop import store\napp = Flask(__name__)\n"
VIEW += "@app.route('/a')\ndef show():\n    return store.find({})\n"
STORE = "import sqlite3\ndef find(name):\n    db = sqlite3.connect('a')\n"
STORE += "    return str(db.execute('SELECT * FROM a WHERE b = \"' + name + '\"').fetchall())\n"


class Results:
    """Cache in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, tuple[FileResult, ...]] = {}

    def find_results(self, keys: Collection[str]) -> Mapping[str, tuple[FileResult, ...]]:
        return {key: self.stored[key] for key in keys if key in self.stored}

    def store_results(self, results: Mapping[str, tuple[FileResult, ...]]) -> None:
        self.stored |= results


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({"tool.py": WEAK, "Dockerfile": "FROM a\nRUN curl x | sh\nUSER b\n", "notes.md": "x\n"})
    return made


def scan(repo: Repo, known: Results) -> BranchScanResult:
    with Repository.open(str(repo.path)) as git:
        return scan_branch(git, git.resolve_commit("main"), b"key", known)


def list_rules(found: BranchScanResult) -> list[tuple[str, str]]:
    return sorted(
        (finding.rule, path) for path, lines in found.results.items() for line in lines for finding in line.findings
    )


def test_an_unchanged_file_is_never_scanned_twice(repo: Repo) -> None:
    known = Results()
    first = scan(repo, known)
    assert first.scanned >= 3
    assert {path for _, path in list_rules(first)} == {"tool.py", "Dockerfile"}
    again = scan(repo, known)
    assert (again.scanned, list_rules(again)) == (0, list_rules(first))
    repo.commit({"notes.md": "y\n"})
    assert scan(repo, known).scanned == 1


def test_input_that_passes_from_file_to_file_is_found_whichever_changes(repo: Repo) -> None:
    known = Results()
    safe = VIEW.replace("{}", "'fixed'")
    repo.commit({"shop/__init__.py": "", "shop/views.py": safe, "shop/store.py": STORE})
    assert ("sql-injection", "shop/store.py") not in list_rules(scan(repo, known))
    repo.commit({"shop/views.py": VIEW.replace("{}", "request.args['name']")})
    assert ("sql-injection", "shop/store.py") in list_rules(scan(repo, known))
    repo.commit({"shop/views.py": safe})
    assert ("sql-injection", "shop/store.py") not in list_rules(scan(repo, known))


def test_files_that_no_import_joins_are_apart() -> None:
    files = [
        SourceFile("a.py", b"from shop import (\n    b,\n)\n"),
        SourceFile("shop/__init__.py", b""),
        SourceFile("shop/b.py", b""),
        SourceFile("c.py", b"import os\n"),
    ]
    assert group_by_imports(files) == [("a.py", "shop/__init__.py", "shop/b.py"), ("c.py",)]


def test_a_failure_of_the_machine_is_tried_again(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Results()
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "run_program", lambda *a, **k: ProcessResult(-9, b"", b""))
        failed = scan(repo, known)
    states = {line.state for lines in failed.results.values() for line in lines}
    assert states == {CoverageState.FAILED}
    assert list_rules(scan(repo, known)) != []
