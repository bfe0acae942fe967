"""Git collector: requested facts are complete or Unknown, and one failure does not affect other facts."""

import re
from pathlib import Path
from typing import Any

import pytest

from muniment.facts import kinds
from muniment.facts.change import Pushes, Revision, UpdateKind
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.git import approved_heads, history
from muniment.git.git_collector import GitCollector
from muniment.git.repository import Repository
from muniment.programs import process
from muniment.programs.command import Command
from tests.support.repos import Repo

NOW = "2026-11-24T09:30:00.000000Z"
OWN = ("revision", "commits", "files", "pushes", "approved_heads", "approvals")
NOBODY: Maybe[People] = Known(People((), ()))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a": "1\n"})
    made.commit({"b": "1\n"}, on="topic", parents=["main"])
    approve(made, made.tip("topic"))
    return made


def approve(repo: Repo, head: str, person: str = "bob") -> None:
    """Create an approval ref with malformed content."""
    repo.branch(f"refs/muniment/approvals/{head}/{person}", repo.raw_commit(repo.tree({"x": "1\n"})))


def collected(
    repo: Repo,
    base: str = "main",
    head: str = "topic",
    people: Maybe[People] = NOBODY,
    names: tuple[str, ...] = OWN,
    extra: dict[str, Maybe[Any]] | None = None,
) -> Facts:
    with Repository.open(str(repo.path)) as repository:
        collector = GitCollector(repository, people, NOW)
        ids = [repo.id(name) if name else "" for name in (base, head)]
        revision = collector.make_revision("shop", "refs/heads/main", *ids)
        return collector.collect_facts(revision, names, extra or {})


def test_reads_every_fact_kind(repo: Repo) -> None:
    facts = collected(repo)
    base, head = repo.tip("main"), repo.tip("topic")
    expected = Revision("shop", "refs/heads/main", base, head, Known(UpdateKind.FAST_FORWARD))
    assert facts.get(kinds.REVISION) == Known(expected)
    assert facts.get(kinds.PUSHES) == Known(Pushes(True, (), (), ()))
    commits, files = facts.get(kinds.COMMITS), facts.get(kinds.FILES)
    heads, approvals = facts.get(kinds.APPROVED_HEADS), facts.get(kinds.APPROVALS)
    assert isinstance(commits, Known)
    assert isinstance(files, Known)
    assert isinstance(heads, Known)
    assert isinstance(approvals, Known)
    assert [commit.id for commit in commits.value] == [head]
    assert [file.path for file in files.value] == ["b"]
    assert [one.head for one in heads.value] == [head]
    assert [(one.ref_head, one.ref_person) for one in approvals.value] == [(head, "bob")]


def test_each_fact_has_source_time_and_own_salt(repo: Repo) -> None:
    people: Maybe[People] = Known(People((), ()))
    facts = collected(repo, people=people, extra={"people": people}).items()
    assert set(facts) == {*OWN, "people"}
    assert {fact.read_at for fact in facts.values()} == {NOW}
    assert {facts[name].source for name in OWN} == {"git"}
    assert facts["people"].value is people
    salts = {fact.salt for fact in facts.values()}
    assert len(salts) == len(facts)
    assert all(re.fullmatch("[0-9a-f]{32}", salt) for salt in salts)


def test_reads_only_requested_facts(repo: Repo) -> None:
    assert set(collected(repo, names=("files", "exceptions")).items()) == {"files"}


def test_reads_approval_of_head_without_new_commits(repo: Repo) -> None:
    approve(repo, repo.tip("main"))
    approvals = collected(repo, head="main").get(kinds.APPROVALS)
    assert isinstance(approvals, Known)
    assert [one.ref_head for one in approvals.value] == [repo.tip("main")]


def test_does_not_read_approvals_of_other_changes(repo: Repo) -> None:
    approve(repo, repo.commit({"z": "1\n"}, on="other", parents=["main"]))
    approve(repo, "1" * 40)
    approvals = collected(repo).get(kinds.APPROVALS)
    assert isinstance(approvals, Known)
    assert {one.ref_head for one in approvals.value} == {repo.tip("topic")}


def test_reads_branch_deletion_and_creation(repo: Repo) -> None:
    gone = collected(repo, head="")
    assert [gone.get(kind) for kind in (kinds.COMMITS, kinds.APPROVED_HEADS)] == [Known(())] * 2
    lost = gone.get(kinds.FILES)
    assert isinstance(lost, Known)
    assert [(file.path, file.new_mode) for file in lost.value] == [("a", "000000")]
    made = collected(repo, base="")
    files = made.get(kinds.FILES)
    assert isinstance(files, Known)
    assert [file.path for file in files.value] == ["a", "b"]
    revision = made.get(kinds.REVISION)
    assert isinstance(revision, Known)
    assert revision.value.update == Known(UpdateKind.CREATED)


def test_unknown_people_make_only_approvals_unknown(repo: Repo) -> None:
    facts = collected(repo, people=Unknown("people.toml is missing"))
    assert facts.get(kinds.APPROVALS) == Unknown("people.toml is missing")
    assert isinstance(facts.get(kinds.APPROVED_HEADS), Known)


def test_landed_revision_has_parent_as_base_or_is_creation(repo: Repo) -> None:
    with Repository.open(str(repo.path)) as repository:
        collector = GitCollector(repository, NOBODY, NOW)
        head, base = repo.tip("topic"), repo.id("topic^")
        assert collector.make_landed_revision("shop", "refs/heads/main", head).base == base
        first = repo.git("rev-list", "--max-parents=0", "topic").split()[0]
        assert collector.make_landed_revision("shop", "refs/heads/main", first).update == Known(UpdateKind.CREATED)
        assert isinstance(collector.make_landed_revision("shop", "refs/heads/main", "f" * 40).update, Unknown)


def test_missing_blob_makes_only_files_unknown(repo: Repo) -> None:
    repo.forget(repo.id("topic:b"))
    facts = collected(repo)
    unknown = {name for name, fact in facts.items().items() if isinstance(fact.value, Unknown)}
    assert unknown == {"files"}


def test_a_shallow_clone_makes_history_unknown(repo: Repo, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--bare", "--depth=1", "--branch=topic", f"file://{repo.path}", str(clone))
    repo.git("-C", str(clone), "fetch", "-q", "--depth=1", "origin", "+refs/muniment/*:refs/muniment/*")
    with Repository.open(str(clone)) as repository:
        collector = GitCollector(repository, NOBODY, NOW)
        revision = collector.make_revision("shop", "refs/heads/main", "", repo.tip("topic"))
        facts = collector.collect_facts(revision, OWN, {})
    assert revision.update == facts.get(kinds.COMMITS) == Unknown("the clone is shallow: run git fetch --unshallow")
    unknown = {name for name, fact in facts.items().items() if isinstance(fact.value, Unknown)}
    assert unknown == set(OWN) - {"revision", "pushes"}


def test_too_many_commits_or_heads_are_unknown(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approved_heads, "MOST_OUTSIDE_COMMITS", 0)
    approve(repo, repo.commit({"b": "2\n"}, on="other", parents=["main"]))
    facts = collected(repo)
    assert isinstance(facts.get(kinds.APPROVED_HEADS), Unknown)
    assert isinstance(facts.get(kinds.APPROVALS), Unknown)
    assert isinstance(facts.get(kinds.COMMITS), Known)
    monkeypatch.setattr(history, "MOST_COMMITS", 0)
    assert isinstance(collected(repo).get(kinds.COMMITS), Unknown)


def test_given_history_is_not_read_again(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = collected(repo)
    known: dict[str, Maybe[Any]] = {"commits": usual.get(kinds.COMMITS), "files": usual.get(kinds.FILES)}
    monkeypatch.setattr(history, "read_commits", None)
    with Repository.open(str(repo.path)) as repository:
        revision = usual.get(kinds.REVISION)
        assert isinstance(revision, Known)
        collector = GitCollector(repository, NOBODY, NOW)
        for _ in range(2):
            facts = collector.collect_facts(revision.value, OWN, known)
            assert facts.get(kinds.APPROVED_HEADS) == usual.get(kinds.APPROVED_HEADS)
            assert facts.get(kinds.APPROVALS) == usual.get(kinds.APPROVALS)


def test_collecting_starts_few_git_processes(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def count(command: Command, *args: Any) -> Any:
        started.append(command.name.removeprefix("git "))
        return start(command, *args)

    start = process._start_process
    monkeypatch.setattr(process, "_start_process", count)
    repo.commit({"a": "2\n"})
    repo.commit({"b": "1\n"}, on="squash", parents=["main"])
    facts = collected(repo, head="squash", names=OWN[:-1])
    heads = facts.get(kinds.APPROVED_HEADS)
    assert isinstance(heads, Known)
    assert len(heads.value) == 1
    assert sorted(started) == sorted(
        ("rev-parse", "cat-file", "rev-list", "diff-tree", "for-each-ref", "log", "merge-tree", "merge-tree")
    )
