"""What a branch took is matched with what was allowed, whoever merged and however; the rest are escapes."""

from pathlib import Path

import pytest

from muniment.git import history
from muniment.git.repository import Repository
from muniment.workflows import watch_branch
from muniment.workflows.watch_branch import Step, reverts, steps
from tests.support.repos import Repo

MAIN = "refs/heads/main"
BOB = "Bob <bob@example.test>"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    found = Repo(tmp_path / "shop")
    found.commit({"app.py": "x = 1\n", "other.py": "y = 1\n"})
    return found


class Watch:
    """A branch with one change beside it, and the steps that it takes from where it was."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.old = repo.git("rev-parse", "main")
        first = repo.commit({"app.py": "x = 2\n"}, on="topic", parents=[self.old], author=BOB)
        self.head = repo.commit({"app.py": "x = 3\n"}, on="topic", author=BOB)
        self.first = first

    def steps(self, *heads: str, ends: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        return [(step.commit, step.allowed) for step in self.whole(*heads, ends=ends)]

    def whole(self, *heads: str, ends: tuple[str, ...] = ()) -> tuple[Step, ...]:
        with Repository.open(str(self.repo.path)) as git:
            return steps(git, MAIN, self.old, self.tip, heads, ends)

    @property
    def tip(self) -> str:
        return self.repo.git("rev-parse", "main")

    def move_on(self) -> None:
        """The branch moves by somebody else's allowed change, before ours is merged."""
        self.old = self.repo.commit({"other.py": "y = 2\n"}, on="main")


@pytest.fixture
def watch(repo: Repo) -> Watch:
    return Watch(repo)


def test_nothing_new_is_no_step(watch: Watch) -> None:
    assert watch.steps() == []


def test_a_head_that_was_allowed_may_simply_be_taken(watch: Watch) -> None:
    watch.repo.git("update-ref", MAIN, watch.head)
    assert watch.steps(watch.head) == [(watch.head, watch.head)]
    assert watch.steps() == [(watch.first, ""), (watch.head, "")]


def test_a_machine_merge_of_it_is_allowed(watch: Watch) -> None:
    watch.move_on()
    merged = watch.repo.merge("topic", on="main")
    assert watch.steps(watch.head) == [(merged, watch.head)]
    assert set(watch.whole(watch.head)[0].brought) == {merged, watch.head, watch.first}
    assert watch.steps() == [(merged, "")]


def test_a_squash_of_it_is_allowed_whoever_made_it(watch: Watch) -> None:
    squashed = watch.repo.commit({"app.py": "x = 3\n"}, on="main", author="Somebody <else@example.test>")
    assert watch.steps(watch.head) == [(squashed, watch.head)]


def test_its_replay_is_allowed_where_the_forge_says_it_ended(watch: Watch) -> None:
    watch.move_on()
    watch.repo.commit({"app.py": "x = 2\n"}, on="main", author=BOB)
    last = watch.repo.commit({"app.py": "x = 3\n"}, on="main", author=BOB)
    assert watch.steps(watch.head, ends=(last,)) == [(last, watch.head)]


def replayed(watch: Watch, onto: str) -> str:
    """The change, replayed on a commit by a machine."""
    for text in ("x = 2\n", "x = 3\n"):
        onto = watch.repo.commit({"app.py": text}, on="", parents=[onto], author=BOB)
    return onto


def merged_in(watch: Watch, copy: str, files: dict[str, str] | None = None) -> str:
    """The tip of main after a merge commit of `copy`, with `files` slipped into it."""
    tree = watch.repo.merged_tree(watch.old, copy)
    made = watch.repo.commit(on="", parents=[watch.old, copy], tree=tree)
    if files:
        tree = watch.repo.tree_of(watch.repo.commit(files, on="", parents=[made]))
        made = watch.repo.commit(on="", parents=[watch.old, copy], tree=tree)
    watch.repo.git("update-ref", MAIN, made)
    return made


def test_its_replay_and_then_a_merge_of_that_after_the_branch_moved_is_no_bypass(watch: Watch) -> None:
    watch.move_on()
    merged = merged_in(watch, replayed(watch, watch.old))
    assert watch.steps(watch.head) == [(merged, watch.head)]
    assert watch.steps() == [(merged, "")]


def test_its_squash_on_an_older_tip_and_then_a_merge_of_that_is_no_bypass(watch: Watch) -> None:
    squashed = watch.repo.commit({"app.py": "x = 3\n"}, on="", parents=[watch.old], author=BOB)
    watch.move_on()
    merged = merged_in(watch, squashed)
    assert watch.steps(watch.head) == [(merged, watch.head)]


def test_a_merge_of_a_replay_with_a_commit_more_is_a_bypass(watch: Watch) -> None:
    watch.move_on()
    more = watch.repo.commit({"back.door": "open\n"}, on="", parents=[replayed(watch, watch.old)], author=BOB)
    undone = watch.repo.commit(on="", parents=[more], tree=watch.repo.tree_of(replayed(watch, watch.old)), author=BOB)
    for copy in (more, undone):
        merged = merged_in(watch, copy)
        assert watch.steps(watch.head) == [(merged, "")]


def test_a_merge_of_a_replay_that_says_something_of_its_own_is_a_bypass(watch: Watch) -> None:
    watch.move_on()
    evil = merged_in(watch, replayed(watch, watch.old), {"other.py": "y = 666\n"})
    assert watch.steps(watch.head) == [(evil, "")]


def test_a_squash_with_a_line_more_is_an_escape(watch: Watch) -> None:
    more = watch.repo.commit({"app.py": "x = 3\n", "back.door": "open\n"}, on="main", author=BOB)
    assert watch.steps(watch.head, ends=(more,)) == [(more, "")]


def test_a_merge_that_says_something_of_its_own_is_an_escape(watch: Watch) -> None:
    watch.move_on()
    tree = watch.repo.tree({"app.py": "x = 3\n", "other.py": "y = 666\n"})
    evil = watch.repo.commit(on="main", parents=[watch.old, watch.head], tree=tree)
    assert watch.steps(watch.head) == [(evil, "")]


def test_a_push_between_two_merges_is_found(watch: Watch) -> None:
    merged = watch.repo.merge("topic", on="main")
    pushed = watch.repo.commit({"other.py": "y = 666\n"}, on="main")
    assert watch.steps(watch.head) == [(merged, watch.head), (pushed, "")]


def test_a_branch_that_lost_commits_is_told_as_such(watch: Watch) -> None:
    gone = watch.repo.commit({"other.py": "y = 2\n"}, on="main")
    watch.repo.git("update-ref", MAIN, watch.old)
    watch.old = gone
    assert [(step.commit, step.allowed, step.rewound) for step in watch.whole(watch.tip)] == [(watch.tip, "", True)]


def test_a_branch_merged_the_other_way_round_is_one_step(watch: Watch) -> None:
    watch.move_on()
    tree = watch.repo.merged_tree("main", "topic")
    foxtrot = watch.repo.commit(on="main", parents=[watch.head, watch.old], tree=tree)
    assert watch.steps(watch.head) == [(foxtrot, watch.head)]
    assert watch.steps() == [(foxtrot, "")]


def test_more_than_anybody_could_judge_is_one_step_that_nothing_allowed(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = watch.repo.merge("topic", on="main")
    assert watch.steps(watch.head) == [(merged, watch.head)]
    for module in (watch_branch, history):
        monkeypatch.setattr(module, "LIMIT", 2)
    assert watch.steps(watch.head) == [(merged, "")]
    for number in range(3):
        watch.repo.commit({"other.py": f"y = {number}\n"}, on="main")
    assert watch.steps() == [(watch.tip, "")]


def test_a_revert_takes_back_all_of_it_and_nothing_else(watch: Watch) -> None:
    watch.repo.commit({"app.py": "x = 666\n"}, on="main")
    escape = watch.whole()[0]
    watch.old = watch.repo.commit({"other.py": "y = 2\n"}, on="main")
    watch.repo.commit({"app.py": "x = 1\n"}, on="main")
    whole = watch.whole()[0]
    watch.repo.git("update-ref", MAIN, watch.old)
    watch.repo.commit({"app.py": "x = 667\n"}, on="main")
    half = watch.whole()[0]
    with Repository.open(str(watch.repo.path)) as git:
        assert reverts(git, whole, escape)
        assert not reverts(git, half, escape)
