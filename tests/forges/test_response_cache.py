"""Response cache: cached answers hide no later event; a reader with empty caches reads the same."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.facts.maybe import Known, Unknown
from muniment.forges.answer_cache import AnswerCache
from muniment.forges.forge import Forge
from muniment.forges.forge_client import MemoryResponseCache
from muniment.forges.shapes import ForgeCommit, ForgeRepository
from tests.support.forges import ours
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab

VENDORS: dict[str, tuple[Callable[[Path], Any], Callable[[Any], Forge]]] = {
    "github": (FakeGitHub, ours.github),
    "gitlab": (FakeGitLab, ours.gitlab),
}


class ChangeSetup:
    """A change with every kind of event, already read."""

    def __init__(self, fake: Any, forge_of: Callable[[Any], Forge]) -> None:
        self.fake, self.world, self._forge_of = fake, fake.world, forge_of
        self.reader = forge_of(fake).reader
        self.world.repo.branch("release", self.world.base)
        first = self.world.push("ada", "topic", {"a.py": "1\n"})
        self.number = self.world.open("ada", "topic")
        self.world.push("bob", "topic", {"b.py": "2\n"})
        self.world.push("dave", "topic", {"c.py": "3\n"}, over=first)
        self.world.review("carol", self.number, "approved")
        self.world.review("bob", self.number, "changes")
        fake.written()
        self.repository: ForgeRepository = self.reader.read_repository("shop/api").repository

    def read(self) -> Any:
        return self.reader.read_full_change(self.repository, self.number)

    def anew(self) -> Any:
        """Read the change by a new reader with empty caches."""
        return self._forge_of(self.fake).reader.read_full_change(self.repository, self.number)


@pytest.fixture(name="setup", params=VENDORS)
def _setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChangeSetup]:
    fake_of, forge_of = VENDORS[request.param]
    with fake_of(tmp_path) as fake:
        yield ChangeSetup(fake, forge_of)


HAPPENS: dict[str, Callable[[Any, int], object]] = {
    "push": lambda world, number: world.push("eve", "topic", {"e.py": "1\n"}),
    "force": lambda world, number: world.push("eve", "topic", {"e.py": "1\n"}, over=world.base),
    "dismiss": lambda world, number: world.dismiss("carol", number, "carol"),
    "ask": lambda world, number: world.ask("ada", number, "carol"),
    "retarget": lambda world, number: world.retarget("ada", number, "release"),
    "reject": lambda world, number: world.review("dave", number, "changes"),
    "label": lambda world, number: world.label(number, "late"),
    "removed": lambda world, number: world.levels.update(carol="none"),
}


@pytest.mark.parametrize("what", HAPPENS)
def test_cached_reader_sees_every_later_event(setup: ChangeSetup, what: str) -> None:
    setup.read()
    before = setup.read()
    HAPPENS[what](setup.world, setup.number)
    after = setup.read()
    assert after == setup.anew()
    assert after != before


def test_head_restored_after_force_push_is_read_again(setup: ChangeSetup) -> None:
    head = setup.read().change.head
    setup.world.push("eve", "topic", {"e.py": "1\n"})
    setup.world.move("bob", "topic", head)
    moves = setup.read().moves.value
    assert [move.who.value.login for move in moves][-2:] == ["eve", "bob"]
    assert moves[-1].new == head


def test_push_chain_with_gap_is_not_cached(setup: ChangeSetup) -> None:
    place, lost = next((at, move) for at, move in enumerate(setup.world.moves) if not move.old)
    setup.world.moves.remove(lost)
    assert any(isinstance(move.who, Unknown) for move in setup.read().moves.value)
    setup.world.moves.insert(place, lost)
    assert all(isinstance(move.who, Known) for move in setup.read().moves.value)


WARM = {
    "github": ["graphql", "pull"],
    "gitlab": ["graphql", "request"],
}


def test_cached_reading_requests_only_mutable_data(setup: ChangeSetup) -> None:
    setup.read()
    setup.fake.calls.clear()
    setup.read()
    assert sorted(setup.fake.calls) in WARM.values()


def test_commit_without_shown_signature_is_not_cached(tmp_path: Path) -> None:
    with FakeGitLab(tmp_path) as fake:
        own = fake.world.commit({"a": "1"}, committer="GitLab <noreply@gitlab.com>")
        fake.world.move("ada", "topic", own)
        number, reader = fake.world.open("ada", "topic"), ours.gitlab(fake).reader
        repository = reader.read_repository("shop/api").repository
        assert reader.read_full_change(repository, number).own_commits == Known(())
        fake.world.signed.add(own)
        for _ in range(2):
            assert reader.read_full_change(repository, number).own_commits == Known(
                (ForgeCommit(own, "noreply@gitlab.com"),)
            )
        assert fake.calls.count("signature") == 2


def test_answer_is_cached_by_full_key_and_only_if_immutable() -> None:
    cache, asked = MemoryResponseCache(), []

    def ask(stored: AnswerCache, place: str, *of: str, lasts: bool = True) -> tuple[str, ...]:
        def read() -> tuple[str, ...]:
            asked.append(of)
            return of

        return stored.read_once(tuple[str, ...], (place,), of, read, lambda _: lasts)

    first = AnswerCache(cache)
    assert [ask(first, "x", "a", "b"), ask(first, "x", "a", "b"), ask(first, "y", "ab")][1] == ("a", "b")
    assert asked == [("a", "b"), ("ab",)]
    for _ in range(2):
        ask(first, "x", "gap", lasts=False)
    assert asked[2:] == [("gap",), ("gap",)]
    assert ask(AnswerCache(cache), "x", "a", "b") == ("a", "b"), "another process"
    assert ask(first, "x", "ab") == ("ab",), "of another state"
    assert ask(first, "x", "a", "b") == ("a", "b"), "and of the one before, which is not taken from memory"
    assert asked[4:] == [("ab",), ("a", "b")]


def test_cache_entry_of_another_type_is_read_again() -> None:
    cache = MemoryResponseCache()
    AnswerCache(cache).read_once(dict[str, str], ("a",), 1, lambda: {"was": "other"}, lambda _: True)
    assert AnswerCache(cache).read_once(tuple[int, ...], ("a",), 1, lambda: (1,), lambda _: True) == (1,)
