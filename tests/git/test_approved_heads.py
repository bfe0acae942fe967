"""Approved heads that a machine may have carried into a change, each with its machine merge."""

from functools import partial
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts.change import ApprovedHead, Revision
from muniment.facts.maybe import Known
from muniment.git import approved_heads, changed_files, history
from muniment.git.history import History
from muniment.git.repository import Repository
from tests.support.repos import Repo

LINES = [f"line {n}\n" for n in range(30)]


def text(**changes: str) -> str:
    return "".join(changes.get(f"l{n}", line) for n, line in enumerate(LINES))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository where `topic` has two commits on the former `main`, and `main` has moved on."""
    made = Repo(tmp_path / "shop")
    base = made.commit({"a": text(), "b": "1\n"})
    made.commit({"a": text(l2="one\n")}, on="topic", parents=[base])
    made.commit({"c": "two\n"}, on="topic")
    made.commit({"a": text(l25="main\n")})
    return made


def find_approved_heads(
    repository: Repository, base: str, head: str, change: History, names: set[str]
) -> tuple[ApprovedHead, ...]:
    revision = Revision("shop", "refs/heads/main", base, head, Known(change.update))
    touched = partial(changed_files.read_changed_files, repository, change.bases, head)
    return approved_heads.find_approved_heads(repository, revision, change, touched, names)


def found(repo: Repo, head: str, *names: str, base: str = "main") -> dict[str, ApprovedHead]:
    with Repository.open(str(repo.path)) as repository:
        ids = (repo.id(base), repo.id(head))
        change = history.read_history(repository, *ids)
        heads = find_approved_heads(repository, *ids, change, {repo.id(name) for name in names})
    assert len({one.head for one in heads}) == len(heads)
    return {one.head: one for one in heads}


def carried(repo: Repo, head: str, *names: str, base: str = "main") -> bool:
    """Whether the only approved head has, merged by machine, the tree of `head`."""
    (one,) = found(repo, head, *names, base=base).values()
    return one.merged_tree == repo.tree_of(head)


def test_finds_head_that_is_itself_approved(repo: Repo) -> None:
    one = found(repo, "topic", "topic", base="main~1")[repo.tip("topic")]
    assert [commit.id for commit in one.commits] == [repo.tip("topic"), repo.id("topic~1")]
    assert (one.merged_tree, one.replayed_trees) == (repo.tree_of("topic"), ())


def test_finds_clean_merge_of_approved_head(repo: Repo) -> None:
    repo.branch("merge", "main")
    repo.merge(repo.tip("topic"), on="merge")
    assert carried(repo, "merge", "topic")


def test_merge_with_added_line_differs_from_machine_merge(repo: Repo) -> None:
    repo.branch("merge", "main")
    repo.merge(repo.tip("topic"), on="merge", files={"d": "smuggled\n"})
    assert not carried(repo, "merge", "topic")


def test_finds_approved_head_with_base_merged_in(repo: Repo) -> None:
    repo.merge(repo.tip("main"), on="topic")
    both = found(repo, "topic", "topic", "topic~1")
    assert set(both) == {repo.tip("topic"), repo.id("topic~1")}
    assert both[repo.id("topic~1")].merged_tree == repo.tree_of("topic")


def test_finds_squash_of_approved_head(repo: Repo) -> None:
    tree = repo.merged_tree(repo.tip("main"), repo.tip("topic"))
    repo.commit(on="squash", parents=["main"], tree=tree)
    assert carried(repo, "squash", "topic")
    assert found(repo, "squash", "topic")[repo.tip("topic")].replayed_trees[-1] == tree


def test_finds_squash_of_head_with_base_merged_in(repo: Repo) -> None:
    repo.merge(repo.tip("main"), on="topic")
    repo.commit(on="squash", parents=["main"], tree=repo.tree_of("topic"))
    (one,) = found(repo, "squash", "topic").values()
    assert (one.merged_tree, one.replayed_trees) == (repo.tree_of("squash"), ())


def test_squash_with_added_line_differs_from_machine_squash(repo: Repo) -> None:
    tree = repo.merged_tree(repo.tip("main"), repo.tip("topic"))
    repo.commit(on="clean", parents=["main"], tree=tree)
    repo.commit({"c": "two, and more\n"}, on="squash", parents=["clean"])
    repo.commit(on="squash", parents=["main"], tree=repo.tree_of("squash"))
    assert not carried(repo, "squash", "topic")


def test_finds_rebase_of_approved_head(repo: Repo) -> None:
    repo.commit({"a": text(l2="one\n", l25="main\n")}, on="rebased", parents=["main"])
    repo.commit({"c": "two\n"}, on="rebased")
    one = found(repo, "rebased", "topic")[repo.tip("topic")]
    assert one.replayed_trees == tuple(repo.tree_of(name) for name in ("main", "rebased~1", "rebased"))
    assert one.merged_tree == repo.tree_of("rebased")


def test_finds_approved_commit_inside_change(repo: Repo) -> None:
    both = found(repo, "topic", "topic~1", base="main")
    assert [len(one.commits) for one in both.values()] == [1]


def test_renamed_file_is_compared_by_both_names(repo: Repo) -> None:
    repo.commit({"a": None, "z": text(l2="one\n")}, on="renamed", parents=["topic~1"])
    repo.commit({"a": None, "z": text(l2="one\n", l25="main\n")}, on="squash", parents=["main"])
    assert carried(repo, "squash", "renamed")


@pytest.mark.parametrize("name", ["main", "main~1", "unrelated"])
def test_excludes_heads_in_base_or_with_other_files(repo: Repo, name: str) -> None:
    repo.commit({"other": "1\n"}, on="unrelated", parents=["main~1"])
    repo.commit({"c": "two\n"}, on="squash", parents=["main"])
    assert found(repo, "squash", name) == {}


def test_excludes_head_that_does_not_touch_every_path(repo: Repo) -> None:
    repo.commit({"c": "two\n", "e": "1\n"}, on="squash", parents=["main"])
    assert found(repo, "squash", "topic") == {}


def test_excludes_missing_ids_and_non_commits(repo: Repo) -> None:
    repo.commit({"c": "two\n"}, on="squash", parents=["main"])
    repo.git("tag", "-a", "-m", "v", "v1", "topic")
    alien = ("1" * 40, "2" * 64, repo.tree_of("main"), repo.blob("x"), repo.git("rev-parse", "v1"))
    assert found(repo, "squash", *alien) == {}


def test_change_with_merge_is_not_matched_with_outside_heads(repo: Repo) -> None:
    repo.commit({"x": "1\n"}, on="other", parents=["main"])
    repo.branch("merge", "main")
    repo.merge(repo.tip("other"), on="merge")
    repo.commit({"c": "two\n", "x": "1\n"}, on="elsewhere", parents=["main~1"])
    assert found(repo, "merge", "elsewhere") == {}


def test_two_merge_bases_give_no_machine_merge(repo: Repo) -> None:
    one, two = repo.tip("main"), repo.tip("topic")
    tree = repo.merged_tree(one, two)
    repo.commit(on="main", parents=[one, two], tree=tree)
    head = repo.commit(on="topic", parents=[two, one], tree=tree)
    assert found(repo, "topic", head)[head].merged_tree == ""


def test_a_conflicting_head_has_no_machine_merge(repo: Repo) -> None:
    repo.commit({"a": text(l25="topic\n")}, on="conflict", parents=["main~1"])
    repo.commit({"a": text(l25="both\n")}, on="squash", parents=["main"])
    (one,) = found(repo, "squash", "conflict").values()
    assert (one.merged_tree, one.replayed_trees) == ("", ())


def test_refuses_too_many_approved_heads(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approved_heads, "MOST_OUTSIDE_COMMITS", 2)
    made = [repo.commit({"c": f"{n}\n"}, on=f"t{n}", parents=["main~1"]) for n in range(3)]
    repo.commit({"c": "two\n"}, on="squash", parents=["main"])
    assert len(found(repo, "squash", *made[:2])) == 2
    with pytest.raises(GitError, match="more than 2 approved heads"):
        found(repo, "squash", *made)


def test_a_new_branch_has_no_machine_merge(repo: Repo) -> None:
    with Repository.open(str(repo.path)) as repository:
        head = repo.tip("topic")
        change = history.read_history(repository, "", head)
        (one,) = find_approved_heads(repository, "", head, change, {head})
    assert (one.merged_tree, len(one.commits)) == ("", 3)


def test_head_on_base_merges_to_itself(repo: Repo) -> None:
    """Compare the shortcut for a head on the base with git's own merge."""
    repo.commit({"a": text(l7="x\n"), "b": None}, on="fresh", parents=["main"])
    one = found(repo, "fresh", "fresh")[repo.tip("fresh")]
    assert one.merged_tree == repo.tree_of("fresh") == repo.merged_tree(repo.tip("main"), repo.tip("fresh"))
