"""muniment scan: what it prints, its exit code, and what is new since a branch."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from muniment.cli.scan import command
from tests.support.repos import Repo

BAD = "import hashlib\ndigest = hashlib.md5(b'')\n"


def run(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(command, list(arguments), standalone_mode=False)
    if outcome.exception is not None:
        raise outcome.exception
    return outcome.return_value, outcome.output


def test_a_finding_is_printed_with_requirement_place_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BAD)
    code, out = run(str(tmp_path))
    assert code == 1
    assert "Weak hash  app.py:2" in out
    assert "hashlib.sha256(content)" in out
    assert "Findings: 1. Files scanned: 1 of 1." in out
    assert "counts as no evidence" in out


def test_clean_code_is_exit_0_and_an_unknown_file_exit_1(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = 1\n")
    assert run(str(tmp_path))[0] == 0
    (tmp_path / "new.py").write_text("x = (\n")
    code, out = run(str(tmp_path))
    assert code == 1
    assert "UNKNOWN  new.py: failed, because the syntax is not known at line 1." in out


def test_links_and_devices_are_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(BAD)
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "link.py").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.py")
    code, out = run(str(folder), "--format", "json")
    lines = list_coverage(json.loads(out))
    assert code == 1
    assert lines == {"link.py": "skipped", "pipe.py": "failed"}


def test_sarif_is_printed_whole(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BAD)
    code, out = run(str(tmp_path), "--format", "sarif")
    document: Any = json.loads(out)
    assert code == 1
    assert [one["ruleId"] for run in document["runs"] for one in run["results"]] == ["weak-hash"]


def test_only_what_a_change_introduces_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repo(tmp_path / "repo")
    repo.commit({"old.py": BAD, "helper.py": "x = 1\n"}, on="main")
    repo.branch("topic", "main")
    repo.commit(
        {"old.py": "# moved\n\n" + BAD, "new.py": "import hashlib\ndef f():\n    hashlib.sha1(b'')\n"}, on="topic"
    )
    repo.git("checkout", "-q", "topic")
    code, out = run(str(repo.path), "--diff", "main", "--format", "json")
    document = json.loads(out)
    assert code == 1
    assert [one["location"]["path"] for one in document["results"][0]["findings"]] == ["new.py"]
    assert list_coverage(document) == {"new.py": "scanned", "old.py": "scanned"}


def test_secrets_infrastructure_workflows_and_languages_are_named(tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/ci.yml").write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: echo ${{ github.head_ref }}\n"
    )
    (tmp_path / "Dockerfile").write_text("FROM a\nRUN curl https://x | sh\n")
    (tmp_path / "main.go").write_text("package main\n" * 10)
    (tmp_path / "app.ts").write_text("const token = '" + "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK" + "';\n")
    code, out = run(str(tmp_path))
    assert code == 1
    assert "Token in code  app.ts:1" in out
    assert "Download is used without verification  Dockerfile:2" in out
    assert "zizmor/" in out
    assert "Go, 69 % of the code: only secrets were looked for." in out
    assert "TypeScript" not in out
    assert "q7Rk2Zt9" not in out


def list_coverage(document: Any) -> dict[str, str]:
    """The state of each file in the first run that lists it."""
    found: dict[str, str] = {}
    for result in document["results"]:
        for line in result["coverage"]:
            found.setdefault(line["path"], line["state"])
    return found
