"""muniment hook pre-commit: secrets are stopped in real commits, whichever way git is told to commit."""

import os
import subprocess
from pathlib import Path

import pytest

from muniment.cli.command_line import run_command_line
from muniment.git.git_process import GitProcess
from muniment.workflows import staged_scan
from muniment.workflows.staged_scan import scan_staged_files

TOKEN = "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
SECRET = f"token = '{TOKEN}'\n"


class Clone:
    """A work tree with the hook in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "ada")
        self.git("config", "user.email", "ada@example.com")

    def git(self, *words: str, code: int = 0) -> str:
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def scan(clone: Clone) -> list[str]:
    return [finding.location.path for finding in scan_staged_files(str(clone.folder), {}).findings]


def test_only_what_the_commit_brings_is_scanned(clone: Clone) -> None:
    clone.write("old.py", SECRET)
    clone.write("unstaged.py", "x = 1\n")
    clone.git("add", ".")
    assert scan(clone) == ["old.py"]  # before the first commit
    clone.git("commit", "-qm", "x")
    clone.write("old.py", f"# above\n{SECRET}")
    clone.write("unstaged.py", SECRET.replace("ghp", "ghs"))
    clone.write("new name.py", "x = 1\n")
    clone.git("add", "old.py", "new name.py")
    found = scan_staged_files(str(clone.folder), {})
    assert (found.findings, found.unscanned, found.scanned) == ((), (), 2)
    clone.git("add", "unstaged.py")
    assert scan(clone) == ["unstaged.py"]


def test_a_file_that_cannot_be_read_stops_the_commit(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone.folder / "broken.zip").write_bytes(b"PK\x03\x04 no zip")
    clone.git("add", ".")
    assert [line.path for line in scan_staged_files(str(clone.folder), {}).unscanned] == ["broken.zip"]
    monkeypatch.setattr(staged_scan, "MOST_SECRET_BYTES", 5)
    assert "larger" in scan_staged_files(str(clone.folder), {}).unscanned[0].because


def test_a_deleted_file_a_link_and_an_empty_commit_have_nothing_to_scan(clone: Clone) -> None:
    clone.write("a.py", SECRET)
    clone.git("add", ".")
    clone.git("commit", "-qm", "x")
    clone.git("rm", "-q", "a.py")
    (clone.folder / "link").symlink_to(TOKEN)
    clone.git("add", ".")
    assert scan_staged_files(str(clone.folder), {}).scanned == 0


def test_without_findings_no_content_is_read_twice(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.write("a.py", "x = 1\n")
    clone.git("add", ".")
    started: list[str] = []
    original = GitProcess.__init__

    def count(self: GitProcess, verb: str, *rest: object, **more: object) -> None:
        started.append(verb)
        original(self, verb, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(GitProcess, "__init__", count)
    assert scan(clone) == []
    assert started == ["cat-file"]


@pytest.mark.slow
def test_the_installed_hook_stops_a_commit_and_names_the_place_but_not_the_value(clone: Clone) -> None:
    assert run_command_line(["hook", "install-pre-commit", "--repo", str(clone.folder)]) == 0
    clone.write("a.py", "x = 1\n")
    clone.git("add", ".")
    clone.git("commit", "-qm", "fine")
    clone.write("a.py", SECRET)
    clone.git("add", ".")
    out = clone.git("commit", "-qm", "leak", code=1)
    assert "a.py:1  github-token, Token in code (token-in-code)" in out
    assert TOKEN not in out
    clone.git("reset", "-q")
    assert "a.py:1" in clone.git("commit", "-qam", "leak by an index of its own", code=1)
    assert "a.py:1" in clone.git("commit", "-qm", "leak by a path", "a.py", code=1)
    clone.write("sub/b.py", SECRET)
    clone.git("add", "sub")
    assert "sub/b.py:1" in clone.git("-C", "sub", "commit", "-qm", "leak from a folder", code=1)
    clone.git("commit", "-q", "--no-verify", "-m", "as the message says")
