"""Dependencies of a change: only what it brings is new, and what cannot be read is unknown."""

from pathlib import Path

import pytest

from muniment.facts.change import Revision, UpdateKind
from muniment.facts.maybe import Known, Unknown
from muniment.facts.update_facts import ChangeDependencies
from muniment.git.repository import Repository
from muniment.workflows import change_dependencies
from muniment.workflows.change_dependencies import compare_dependencies, read_named_advisories
from tests.support.advisory_exports import NOW, fixed_in, pack_export, write_advisory
from tests.support.repos import Repo

DJANGO = write_advisory("PYSEC-1", "django", events=fixed_in("4.2"))
FLASK = write_advisory("PYSEC-2", "flask", events=fixed_in("3"))


def make_lock(**versions: str) -> str:
    return "version = 1\n" + "".join(
        f"[[package]]\nname = '{name}'\nversion = '{version}'\nsource = {{ registry = 'https://pypi.org/simple' }}\n"
        for name, version in versions.items()
    )


@pytest.fixture(autouse=True)
def advisories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(change_dependencies, "_PROVIDERS", [])
    export = tmp_path / "all.zip"
    export.write_bytes(pack_export(DJANGO, FLASK))
    monkeypatch.setenv("MUNIMENT_ADVISORIES", f"https://osv.example.test/all.zip {export}")
    return export


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({"uv.lock": make_lock(django="4.1"), "readme.md": "x\n"})
    made.branch("topic", "main")
    return made


def compare(repo: Repo) -> ChangeDependencies:
    with Repository.open(str(repo.path)) as git:
        base, head = git.resolve_commit("main"), git.resolve_commit("topic")
        revision = Revision("shop", "refs/heads/main", base, head, Known(UpdateKind.FAST_FORWARD))
        found = compare_dependencies(git, revision, NOW)
    assert isinstance(found, Known)
    return found.value


def list_new(found: ChangeDependencies) -> list[tuple[str, str, str]]:
    return [(one.package, one.advisory, one.safe_version) for one in found.vulnerabilities]


def test_a_change_of_no_lock_reads_no_advisories(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_dependencies, "read_named_advisories", None)
    repo.commit({"readme.md": "y\n"}, on="topic")
    assert compare(repo) == ChangeDependencies(0)


def test_only_what_the_change_brings_is_new(repo: Repo) -> None:
    repo.commit({"uv.lock": make_lock(django="4.1", flask="2", click="8")}, on="topic")
    found = compare(repo)
    assert (found.locks, list_new(found)) == (1, [("flask", "PYSEC-2", "3")])
    assert [(one.ecosystem, one.as_of[:10], one.problem) for one in found.data] == [("PyPI", "2026-01-09", "")]


def test_a_version_with_the_same_vulnerability_and_a_moved_lock_are_not_new(repo: Repo) -> None:
    repo.commit({"uv.lock": None, "app/uv.lock": make_lock(django="4.1.1")}, on="topic")
    assert list_new(compare(repo)) == []


def test_a_second_lock_with_the_same_vulnerability_is_new(repo: Repo) -> None:
    repo.commit({"app/uv.lock": make_lock(django="4.1")}, on="topic")
    assert [(one.path, one.advisory) for one in compare(repo).vulnerabilities] == [("app/uv.lock", "PYSEC-1")]


def test_a_lock_that_cannot_be_read_is_unknown_unless_it_was_before(repo: Repo) -> None:
    repo.commit({"uv.lock": "version = [", "web/package.json": '{"dependencies": {"qs": "^6"}}'}, on="topic")
    assert {file.path for file in compare(repo).unread} == {"uv.lock", "web/package.json"}
    repo.commit({"old/uv.lock": "version = ["}, on="main")
    repo.branch("topic", "main")
    repo.commit({"uv.lock": make_lock(django="4.2")}, on="topic")
    assert compare(repo).unread == ()


@pytest.mark.parametrize("content", [None, b"PK"])
def test_advisories_that_cannot_be_read_are_unknown_with_the_reason(
    repo: Repo, advisories: Path, content: bytes | None
) -> None:
    advisories.unlink() if content is None else advisories.write_bytes(content)
    repo.commit({"uv.lock": make_lock(django="4.2", flask="2")}, on="topic")
    (data,) = compare(repo).data
    assert (data.ecosystem, data.as_of) == ("PyPI", "")
    assert data.problem


def test_without_the_setting_no_advisories_are_known(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUNIMENT_ADVISORIES")
    repo.commit({"uv.lock": make_lock(flask="2")}, on="topic")
    assert [(one.ecosystem, one.as_of) for one in compare(repo).data] == [("PyPI", "")]
    assert read_named_advisories((), NOW).data == ()


def test_commits_that_cannot_be_read_are_unknown_and_a_deletion_brings_nothing(repo: Repo) -> None:
    with Repository.open(str(repo.path)) as git:
        known = Known(UpdateKind.FAST_FORWARD)
        found = compare_dependencies(git, Revision("shop", "refs/heads/main", "", "f" * 40, known), NOW)
        assert isinstance(found, Unknown)
        gone = Revision("shop", "refs/heads/main", git.resolve_commit("main"), "", known)
        assert compare_dependencies(git, gone, NOW) == Known(ChangeDependencies(0))


def test_the_first_commit_of_a_repository_brings_all_its_dependencies(repo: Repo) -> None:
    with Repository.open(str(repo.path)) as git:
        revision = Revision("shop", "refs/heads/main", "", git.resolve_commit("main"), Known(UpdateKind.FAST_FORWARD))
        found = compare_dependencies(git, revision, NOW)
    assert isinstance(found, Known)
    assert list_new(found.value) == [("django", "PYSEC-1", "4.2")]
