"""Pushers of the commits of a branch: a commit is never attributed to a person if another may have pushed it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge
from muniment.forges.push_history import find_movers
from muniment.forges.shapes import Account, Move
from tests.support.forges import ours
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.whole_change import value


def move(old: str, new: str, who: str) -> Move:
    known = Known(Account(who, who)) if who != "?" else Unknown("the account was deleted")
    return Move(old, new, (), forced=False, who=known, at="t")


@pytest.mark.parametrize(
    ("moves", "found"),
    [
        pytest.param([], "? ? ?", id="no push is known"),
        pytest.param([("a", "d", "bob")], "bob bob bob", id="one push of all"),
        pytest.param([("a", "b", "bob"), ("b", "d", "dave")], "bob dave dave", id="two that meet"),
        pytest.param([("b", "d", "dave")], "? dave dave", id="the first push is unknown"),
        pytest.param([("a", "b", "bob")], "bob ? ?", id="the last push is unknown"),
        pytest.param([("a", "b", "bob"), ("c", "d", "dave")], "bob ? dave", id="a push between is unknown"),
        pytest.param([("", "d", "dave")], "? ? dave", id="its start is unknown"),
        pytest.param([("a", "d", "?")], "? ? ?", id="an account that is gone"),
        pytest.param([("z", "d", "dave")], "dave dave dave", id="forced, from another commit"),
        pytest.param([("a", "d", "bob"), ("d", "a", "bob"), ("a", "d", "eve")], "bob,eve bob,eve bob,eve", id="twice"),
    ],
)
def test_commit_has_pusher_of_first_push_in_unbroken_chain(moves: list[tuple[str, str, str]], found: str) -> None:
    result = find_movers([move(*one) for one in moves], ("b", "c", "d"))
    text = {
        at: ",".join(one.value.login if isinstance(one, Known) else "?" for one in who) for at, who in result.items()
    }
    assert " ".join(text[at] for at in "bcd") == found


@pytest.mark.parametrize(("made", "connected"), [(FakeGitHub, ours.github), (FakeGitLab, ours.gitlab)])
def test_pushers_since_given_commit_are_listed_oldest_first(
    made: Any, connected: Callable[[Any], Forge], tmp_path: Path
) -> None:
    with made(tmp_path) as fake:
        reader = connected(fake).reader
        repository = reader.read_repository("shop/api").repository
        first = fake.world.push("ada", "topic", {"a.py": "1\n"})
        fake.world.push("eve", "other", {"a.py": "1\n"})
        second = fake.world.push("bob", "topic", {"b.py": "2\n"})
        third = fake.world.push("dave", "topic", {"c.py": "3\n"})
        result = reader.list_pushes(repository, "refs/heads/topic", first, "2000-01-02T00:00:00.000000Z")
        assert [(move.old, move.new, value(move.who).login) for move in result] == [
            (first, second, "bob"),
            (second, third, "dave"),
        ]
        assert reader.list_pushes(repository, "refs/heads/topic", "", "2999-01-02T00:00:00.000000Z") == ()
