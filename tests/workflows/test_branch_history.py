"""Branch updates are matched with allowed changes, regardless of who merged and how; the rest are bypasses."""

from pathlib import Path

import pytest

from muniment.git import history
from muniment.git.repository import Repository
from muniment.workflows import branch_steps
from muniment.workflows.branch_steps import BranchStep, find_branch_steps, is_revert_of
from tests.support.repos import Repo

MAIN = "refs/heads/main"
BOB = "Bob <bob@example.test>"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    found = Repo(tmp_path / "shop")
    found.commit({"app.py": "x = 1\n", "other.py": "y = 1\n"})
    return found


class WatchedBranch:
    """A branch with one change next to it, and its steps since a known commit."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.old = repo.git("rev-parse", "main")
        first = repo.commit({"app.py": "x = 2\n"}, on="topic", parents=[self.old], author=BOB)
        self.head = repo.commit({"app.py": "x = 3\n"}, on="topic", author=BOB)
        self.first = first

    def steps(self, *heads: str, ends: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        return [(step.commit, step.allowed) for step in self.whole(*heads, ends=ends)]

    def whole(self, *heads: str, ends: tuple[str, ...] = ()) -> tuple[BranchStep, ...]:
        with Repository.open(str(self.repo.path)) as git:
            return find_branch_steps(git, MAIN, self.old, self.tip, heads, ends)

    @property
    def tip(self) -> str:
        return self.repo.git("rev-parse", "main")

    def move_on(self) -> None:
        """Advance the branch by an allowed change of somebody else, before the watched change is merged."""
        self.old = self.repo.commit({"other.py": "y = 2\n"}, on="main")


@pytest.fixture
def watch(repo: Repo) -> WatchedBranch:
    return WatchedBranch(repo)


def test_unmoved_branch_has_no_step(watch: WatchedBranch) -> None:
    assert watch.steps() == []


def test_fast_forward_to_allowed_head_is_allowed(watch: WatchedBranch) -> None:
    watch.repo.git("update-ref", MAIN, watch.head)
    assert watch.steps(watch.head) == [(watch.head, watch.head)]
    assert watch.steps() == [(watch.first, ""), (watch.head, "")]


def test_machine_merge_of_allowed_head_is_allowed(watch: WatchedBranch) -> None:
    watch.move_on()
    merged = watch.repo.merge("topic", on="main")
    assert watch.steps(watch.head) == [(merged, watch.head)]
    assert set(watch.whole(watch.head)[0].brought) == {merged, watch.head, watch.first}
    assert watch.steps() == [(merged, "")]


def test_squash_of_allowed_head_is_allowed_for_any_committer(watch: WatchedBranch) -> None:
    squashed = watch.repo.commit({"app.py": "x = 3\n"}, on="main", author="Somebody <else@example.test>")
    assert watch.steps(watch.head) == [(squashed, watch.head)]


def test_replay_of_allowed_head_is_allowed_at_end_reported_by_forge(watch: WatchedBranch) -> None:
    watch.move_on()
    watch.repo.commit({"app.py": "x = 2\n"}, on="main", author=BOB)
    last = watch.repo.commit({"app.py": "x = 3\n"}, on="main", author=BOB)
    assert watch.steps(watch.head, ends=(last,)) == [(last, watch.head)]


def replayed(watch: WatchedBranch, onto: str) -> str:
    """Replay the change on a commit, as a machine does."""
    for text in ("x = 2\n", "x = 3\n"):
        onto = watch.repo.commit({"app.py": text}, on="", parents=[onto], author=BOB)
    return onto


def merge_copy(watch: WatchedBranch, copy: str, files: dict[str, str] | None = None) -> str:
    """Tip of main after a merge commit of `copy` with `files` added to it."""
    tree = watch.repo.merged_tree(watch.old, copy)
    made = watch.repo.commit(on="", parents=[watch.old, copy], tree=tree)
    if files:
        tree = watch.repo.tree_of(watch.repo.commit(files, on="", parents=[made]))
        made = watch.repo.commit(on="", parents=[watch.old, copy], tree=tree)
    watch.repo.git("update-ref", MAIN, made)
    return made


def test_merge_of_replayed_allowed_head_is_no_bypass(watch: WatchedBranch) -> None:
    watch.move_on()
    merged = merge_copy(watch, replayed(watch, watch.old))
    assert watch.steps(watch.head) == [(merged, watch.head)]
    assert watch.steps() == [(merged, "")]


def test_merge_of_squash_on_older_tip_is_no_bypass(watch: WatchedBranch) -> None:
    squashed = watch.repo.commit({"app.py": "x = 3\n"}, on="", parents=[watch.old], author=BOB)
    watch.move_on()
    merged = merge_copy(watch, squashed)
    assert watch.steps(watch.head) == [(merged, watch.head)]


def test_merge_of_replay_with_additional_commit_is_bypass(watch: WatchedBranch) -> None:
    watch.move_on()
    more = watch.repo.commit({"back.door": "open\n"}, on="", parents=[replayed(watch, watch.old)], author=BOB)
    undone = watch.repo.commit(on="", parents=[more], tree=watch.repo.tree_of(replayed(watch, watch.old)), author=BOB)
    for copy in (more, undone):
        merged = merge_copy(watch, copy)
        assert watch.steps(watch.head) == [(merged, "")]


def test_merge_of_replay_with_own_content_is_bypass(watch: WatchedBranch) -> None:
    watch.move_on()
    evil = merge_copy(watch, replayed(watch, watch.old), {"other.py": "y = 666\n"})
    assert watch.steps(watch.head) == [(evil, "")]


def test_squash_with_additional_line_is_bypass(watch: WatchedBranch) -> None:
    more = watch.repo.commit({"app.py": "x = 3\n", "back.door": "open\n"}, on="main", author=BOB)
    assert watch.steps(watch.head, ends=(more,)) == [(more, "")]


def test_merge_with_own_content_is_bypass(watch: WatchedBranch) -> None:
    watch.move_on()
    tree = watch.repo.tree({"app.py": "x = 3\n", "other.py": "y = 666\n"})
    evil = watch.repo.commit(on="main", parents=[watch.old, watch.head], tree=tree)
    assert watch.steps(watch.head) == [(evil, "")]


def test_direct_push_between_two_merges_is_bypass(watch: WatchedBranch) -> None:
    merged = watch.repo.merge("topic", on="main")
    pushed = watch.repo.commit({"other.py": "y = 666\n"}, on="main")
    assert watch.steps(watch.head) == [(merged, watch.head), (pushed, "")]


def test_rewound_branch_is_reported(watch: WatchedBranch) -> None:
    gone = watch.repo.commit({"other.py": "y = 2\n"}, on="main")
    watch.repo.git("update-ref", MAIN, watch.old)
    watch.old = gone
    assert [(step.commit, step.allowed, step.rewound) for step in watch.whole(watch.tip)] == [(watch.tip, "", True)]


def test_foxtrot_merge_is_one_step(watch: WatchedBranch) -> None:
    watch.move_on()
    tree = watch.repo.merged_tree("main", "topic")
    foxtrot = watch.repo.commit(on="main", parents=[watch.head, watch.old], tree=tree)
    assert watch.steps(watch.head) == [(foxtrot, watch.head)]
    assert watch.steps() == [(foxtrot, "")]


def test_step_above_commit_limit_is_bypass(watch: WatchedBranch, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = watch.repo.merge("topic", on="main")
    assert watch.steps(watch.head) == [(merged, watch.head)]
    for module in (branch_steps, history):
        monkeypatch.setattr(module, "MOST_COMMITS", 2)
    assert watch.steps(watch.head) == [(merged, "")]
    for number in range(3):
        watch.repo.commit({"other.py": f"y = {number}\n"}, on="main")
    assert watch.steps() == [(watch.tip, "")]


def test_revert_is_recognised_only_if_it_undoes_exactly_whole_step(watch: WatchedBranch) -> None:
    watch.repo.commit({"app.py": "x = 666\n"}, on="main")
    escape = watch.whole()[0]
    watch.old = watch.repo.commit({"other.py": "y = 2\n"}, on="main")
    watch.repo.commit({"app.py": "x = 1\n"}, on="main")
    whole = watch.whole()[0]
    watch.repo.git("update-ref", MAIN, watch.old)
    watch.repo.commit({"app.py": "x = 667\n"}, on="main")
    half = watch.whole()[0]
    with Repository.open(str(watch.repo.path)) as git:
        assert is_revert_of(git, whole, escape)
        assert not is_revert_of(git, half, escape)
