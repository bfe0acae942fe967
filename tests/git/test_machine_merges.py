"""Machine merges are git's own clean merges, without drivers and attributes."""

from pathlib import Path

import pytest

from muniment.git import machine_merges
from muniment.git.history import read_commits
from muniment.git.repository import Repository
from tests.support.repos import SUBMODULE, Entry, Repo

LINES = [f"line {n}\n" for n in range(30)]


def text(**changes: str) -> str:
    """Thirty lines, some of them replaced: `l3="x"`."""
    return "".join(changes.get(f"l{n}", line) for n, line in enumerate(LINES))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a": text(), "b": "1\n"})
    return made


def fork(repo: Repo, ours: dict[str, str | None], theirs: dict[str, str | None]) -> tuple[str, str]:
    base = repo.tip("main")
    return repo.commit(ours, on="ours", parents=[base]), repo.commit(theirs, on="theirs", parents=[base])


def merged(repo: Repo, ours: str, theirs: str) -> str:
    with Repository.open(str(repo.path)) as repository:
        return machine_merges.merge_trees(repository, ours, theirs)


def test_a_clean_merge_has_the_lines_of_both(repo: Repo) -> None:
    ours, theirs = fork(repo, {"a": text(l1="ours\n")}, {"a": text(l20="theirs\n"), "c": "new\n"})
    assert merged(repo, ours, theirs) == repo.tree({"a": text(l1="ours\n", l20="theirs\n"), "b": "1\n", "c": "new\n"})


def test_conflict_gives_no_machine_merge(repo: Repo) -> None:
    ours, theirs = fork(repo, {"a": text(l1="ours\n")}, {"a": text(l1="theirs\n")})
    assert merged(repo, ours, theirs) == ""


def test_deletion_against_modification_gives_no_machine_merge(repo: Repo) -> None:
    ours, theirs = fork(repo, {"b": None}, {"b": "2\n"})
    assert merged(repo, ours, theirs) == ""


def test_added_line_differs_from_machine_merge(repo: Repo) -> None:
    ours, theirs = fork(repo, {"a": text(l1="ours\n")}, {"c": "new\n"})
    repo.merge(theirs, on="ours", files={"d": "smuggled\n"})
    assert merged(repo, ours, theirs) not in ("", repo.tree_of("ours"))


def test_rename_on_one_side_merges_with_modification_on_other(repo: Repo) -> None:
    ours, theirs = fork(repo, {"a": None, "z": text()}, {"a": text(l9="theirs\n")})
    assert merged(repo, ours, theirs) == repo.tree({"z": text(l9="theirs\n"), "b": "1\n"})


@pytest.mark.parametrize("attributes", ["* merge=union", "* merge=ours", "* merge=evil", "a -merge"])
def test_gitattributes_and_merge_drivers_are_ignored(repo: Repo, tmp_path: Path, attributes: str) -> None:
    base = repo.commit({".gitattributes": attributes + "\n"})
    (repo.git_dir / "info").mkdir(exist_ok=True)
    (repo.git_dir / "info" / "attributes").write_text(attributes + "\n")
    ran = tmp_path / "ran"
    repo.git("config", "merge.evil.driver", f"touch {ran}; true")
    repo.git("config", "merge.ours.driver", f"touch {ran}; true")
    repo.git("config", "merge.default", "evil")
    ours, theirs = fork(repo, {"a": text(l1="ours\n")}, {"a": text(l1="theirs\n")})
    assert merged(repo, ours, theirs) == ""
    clean = repo.commit({"a": text(l9="clean\n")}, on="clean", parents=[base])
    assert merged(repo, ours, clean) == repo.tree(
        {".gitattributes": attributes + "\n", "a": text(l1="ours\n", l9="clean\n"), "b": "1\n"}
    )
    assert not ran.exists()


def test_rename_configuration_is_ignored(repo: Repo) -> None:
    repo.git("config", "merge.renames", "false")
    repo.git("config", "merge.conflictStyle", "diff3")
    ours, theirs = fork(repo, {"a": None, "z": text()}, {"a": text(l9="theirs\n")})
    assert merged(repo, ours, theirs) == repo.tree({"z": text(l9="theirs\n"), "b": "1\n"})


def test_diverged_submodules_give_no_machine_merge(repo: Repo) -> None:
    base = repo.commit({"s": Entry(SUBMODULE, id="1" * 40)})
    ours = repo.commit({"s": Entry(SUBMODULE, id="2" * 40)}, on="ours", parents=[base])
    theirs = repo.commit({"s": Entry(SUBMODULE, id="3" * 40)}, on="theirs", parents=[base])
    assert merged(repo, ours, theirs) == ""


def test_unrelated_histories_and_missing_objects_give_no_machine_merge(repo: Repo) -> None:
    alien = repo.commit({"x": "1\n"}, on="alien", parents=[])
    assert merged(repo, repo.tip("main"), alien) == ""
    assert merged(repo, repo.tip("main"), "1" * 40) == ""
    ours, theirs = fork(repo, {"a": text(l1="ours\n")}, {"a": text(l20="theirs\n")})
    repo.forget(repo.id(f"{theirs}:a"))
    assert merged(repo, ours, theirs) == ""


def test_several_merges_are_returned_in_order(repo: Repo) -> None:
    ours, clean = fork(repo, {"a": text(l1="ours\n")}, {"c": "new\n"})
    conflict = repo.commit({"a": text(l1="x\n"), "two words": "1\n"}, on="conflict", parents=["main"])
    alien = repo.commit({"x": "1\n"}, on="alien", parents=[])
    expected = repo.tree({"a": text(l1="ours\n"), "b": "1\n", "c": "new\n"})
    with Repository.open(str(repo.path)) as repository:
        pairs = [(ours, clean), (ours, conflict), (ours, clean)]
        assert machine_merges.merge_pairs(repository, pairs) == [expected, "", expected]
        pairs = [(ours, conflict), (ours, alien), (ours, clean), ("1" * 40, clean)]
        assert machine_merges.merge_pairs(repository, pairs) == ["", "", expected, ""]
        assert machine_merges.merge_pairs(repository, []) == []


def test_machine_merge_writes_nothing_to_repository(repo: Repo) -> None:
    ours, theirs = fork(repo, {"a": text(l1="ours\n")}, {"a": text(l20="theirs\n")})
    before = sorted(repo.git_dir.rglob("*"))
    tree = merged(repo, ours, theirs)
    assert sorted(repo.git_dir.rglob("*")) == before
    assert repo.git("cat-file", "-t", tree, check=False) == ""


# Replays


def replayed(repo: Repo, onto: str, *commits: str) -> tuple[str, ...]:
    with Repository.open(str(repo.path)) as repository:
        return machine_merges.replay_commits(
            repository, repo.id(onto), read_commits(repository, [repo.id(c) for c in commits])
        )


def test_replay_onto_own_base_keeps_trees(repo: Repo) -> None:
    base = repo.tip("main")
    one, two = (repo.commit({"a": text(l1=f"{n}\n")}, on="topic", parents=[p]) for n, p in ((1, base), (2, "topic")))
    assert replayed(repo, base, one, two) == (repo.tree_of(base), repo.tree_of(one), repo.tree_of(two))


def test_replay_equals_git_rebase(repo: Repo, tmp_path: Path) -> None:
    base = repo.tip("main")
    made = [
        repo.commit({"a": text(l1=f"{n}\n"), f"f{n}": "1\n"}, on="topic", parents=[base if n == 0 else "topic"])
        for n in range(4)
    ]
    repo.commit({"a": text(l25="main\n"), "b": "2\n"})
    work = tmp_path / "work"
    repo.git("worktree", "add", "-q", str(work), "topic")
    repo.git("-C", str(work), "rebase", "-q", "main")
    rebased = repo.git("log", "--reverse", "--format=%T", "main..topic").split()
    assert replayed(repo, "main", *made) == (repo.tree_of("main"), *rebased)


def test_replay_with_conflict_gives_none(repo: Repo) -> None:
    base = repo.tip("main")
    one = repo.commit({"c": "1\n"}, on="topic", parents=[base])
    two = repo.commit({"b": "theirs\n"}, on="topic")
    repo.commit({"b": "ours\n"})
    assert replayed(repo, "main", one, two) == ()


def test_each_commit_is_cherry_picked_separately(repo: Repo) -> None:
    """Cherry-pick of the second commit needs its own parent: a merge of the whole would include the first."""
    base = repo.tip("main")
    repo.commit({"c": "first\n"}, on="topic", parents=[base])
    second = repo.commit({"d": "second\n"}, on="topic")
    repo.commit({"b": "2\n"})
    assert replayed(repo, "main", second)[1] == repo.tree({"a": text(), "b": "2\n", "d": "second\n"})


def test_replays_in_a_sha256_repository(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "long", object_format="sha256")
    base = repo.commit({"a": "1\n"})
    one = repo.commit({"b": "1\n"}, on="topic", parents=[base])
    repo.commit({"c": "1\n"})
    assert replayed(repo, "main", one)[1] == repo.tree({"a": "1\n", "b": "1\n", "c": "1\n"})
