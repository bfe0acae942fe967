"""Scan of a change in git: what is new in it, in every commit, and what could not be scanned."""

from pathlib import Path

import pytest

from muniment.facts.change import Revision, UpdateKind
from muniment.facts.code_facts import ChangeScan
from muniment.facts.maybe import Known, Unknown
from muniment.git.repository import Repository
from muniment.programs import confinement
from muniment.programs.process import ProcessResult
from muniment.scanners import isolation
from muniment.workflows import change_scan
from muniment.workflows.change_scan import scan_change, scan_revision
from tests.support.repos import Repo

BAD = "import hashlib\ndigest = hashlib.md5(b'')\n"
TOKEN = "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
WORKFLOW = "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: echo ${{ github.head_ref }}\n"


def scan(repo: Repo, base: str = "main", head: str = "topic") -> ChangeScan:
    with Repository.open(str(repo.path)) as git:
        return scan_change(git, git.resolve_commit(base), git.resolve_commit(head))


def list_rules(found: ChangeScan) -> list[tuple[str, str]]:
    return sorted((one.rule, one.path) for one in found.findings)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({"old.py": BAD, "helper.py": "x = 1\n", "kept.txt": f"{TOKEN}\n"}, on="main")
    made.branch("topic", "main")
    return made


def test_only_what_the_change_introduces_is_a_finding(repo: Repo) -> None:
    repo.commit({"old.py": "# above\n" + BAD, "kept.txt": f"# moved\n{TOKEN}\n", "new.py": BAD}, on="topic")
    repo.commit({"main.py": "import hashlib\nhashlib.sha1(b'')\n"}, on="main")
    found = scan(repo)
    assert list_rules(found) == []  # the same line as in old.py: moved or copied code is not new
    assert (found.scanned, found.unscanned) == (3, ())
    repo.commit({"other.py": "import hashlib\n\ndef f():\n    return hashlib.sha1(b'')\n"}, on="topic")
    assert list_rules(scan(repo)) == [("weak-hash", "other.py")]


def test_a_secret_that_a_later_commit_removes_has_leaked(repo: Repo) -> None:
    other = TOKEN.swapcase().replace("GHP", "ghp")
    repo.commit({"settings.py": f"token = '{other}'\n"}, on="topic")
    repo.commit({"settings.py": "token = read()\n"}, on="topic")
    found = scan(repo)
    assert [(one.rule, one.path, one.is_secret) for one in found.findings] == [("token-in-code", "settings.py", True)]
    assert other not in repr(found)


def test_a_secret_in_a_name_that_a_later_commit_changes_has_leaked(repo: Repo) -> None:
    repo.commit({f"keys/{TOKEN[:-1]}9.txt": "x = 1\n"}, on="topic")
    repo.commit({f"keys/{TOKEN[:-1]}9.txt": None, "keys/shop.txt": "x = 1\n"}, on="topic")
    found = scan(repo)
    assert [(one.rule, one.path) for one in found.findings] == [("token-in-code", "keys/[secret].txt")]
    assert TOKEN[:-1] not in repr(found)


def test_workflows_and_infrastructure_are_scanned(repo: Repo) -> None:
    repo.commit({".github/workflows/ci.yml": WORKFLOW, "Dockerfile": "FROM a\nRUN curl x | sh\nUSER b\n"}, on="topic")
    rules = {rule for rule, _ in list_rules(scan(repo))}
    assert {"unverified-download", "zizmor/template-injection"} <= rules
    repo.branch("next", "topic")
    repo.commit({".github/workflows/ci.yml": f"# comment\n{WORKFLOW}"}, on="next")
    assert list_rules(scan(repo, "topic", "next")) == []


def test_broken_files_are_unknown_and_languages_named(repo: Repo) -> None:
    repo.commit({"a.py": "x = (\n", ".github/workflows/ci.yml": "on: [\n", "b.go": "package b\n"}, on="topic")
    found = scan(repo)
    assert [one.path for one in found.unscanned] == [".github/workflows/ci.yml", "a.py"]
    assert found.languages == ("Go",)


def test_a_new_branch_without_base_is_scanned_whole(repo: Repo) -> None:
    assert list_rules(scan(repo, "main", "main")) == []
    with Repository.open(str(repo.path)) as git:
        whole = scan_change(git, "", git.resolve_commit("main"))
    assert list_rules(whole) == [("token-in-code", "kept.txt"), ("weak-hash", "old.py")]


def test_links_and_submodules_have_no_content(repo: Repo) -> None:
    link = repo.blob("/etc/passwd")
    tree = f"120000 blob {link}\tlink.py\n".encode()
    made = repo.git("mktree", input=tree.decode()).strip()
    repo.git("update-ref", "refs/heads/topic", repo.git("commit-tree", made, "-p", repo.tip("main"), "-m", "x").strip())
    found = scan(repo)
    assert (found.scanned, found.findings, found.unscanned) == (0, (), ())


def test_an_unreadable_commit_is_unknown_and_a_failure_is_not_remembered(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = repo.commit({"new.py": "import hashlib\n\ndef f():\n    return hashlib.sha1(b'')\n"}, on="topic")
    update = Known(UpdateKind.FAST_FORWARD)
    revision = Revision("shop", "refs/heads/main", repo.tip("main"), head, update)
    with Repository.open(str(repo.path)) as git:
        assert isinstance(scan_revision(git, Revision("shop", "m", "0" * 40, head, update)), Unknown)
        with monkeypatch.context() as patched:
            patched.setattr(isolation, "run_program", lambda *a, **k: ProcessResult(confinement.NO_CHILD, b"", b""))
            failed = scan_revision(git, revision)
        assert isinstance(failed, Known)
        assert [one.path for one in failed.value.unscanned] == ["new.py"]
        found = scan_revision(git, revision)
        assert isinstance(found, Known)
        assert [one.path for one in found.value.findings] == ["new.py"]
        monkeypatch.setattr(change_scan, "scan_change", None)
        assert scan_revision(git, revision) == found
        assert scan_revision(git, Revision("shop", "m", head, "", update)).value.scanned == 0  # type: ignore[union-attr]
