"""Response cache for Gitea: cached answers hide no later event; a reader with empty caches reads the same.

Each event shows in a timeline or in the change itself, as observed on Gitea 1.25.4 and Forgejo 7.0.10.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from muniment.facts.maybe import Known, Unknown
from muniment.forges.gitea import reader, timeline, wire
from muniment.forges.shapes import NOT_READ, Reading, Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.forge_under_test import ForgeUnderTest


class ChangeSetup:
    """A change with three pushers and two reviewers, and the events that tests apply to it."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake, self.acting = fake, GiteaActing(fake.url, fake.administrator)
        self.tested = ForgeUnderTest(self.acting, Vendor.GITEA, folder)
        self.work = self.tested.work
        self.first = self.work.commit("ada", {"app.py": "x = 1\n"}, self.work.tip("main"))
        self.head = self.work.commit("dave", {"b.py": "x = 1\n"}, self.first)
        self.work.push("ada", self.first, "topic")
        self.number = self.acting.open("ada", "topic", "main", "a topic")
        self.work.push("dave", self.head, "topic")
        for name in ("bob", "carol"):
            self.acting.approve(name, self.number)

    def read(self, tested: ForgeUnderTest | None = None) -> Reading:
        forge = self.tested.forge if tested is None else tested.connect()
        return structs.replace(forge.reader.read_full_change(self.tested.repository, self.number), read_at="")

    def anew(self) -> Reading:
        """Read the change by a new reader with empty caches."""
        return self.read(self.tested)

    def asked(self, names: tuple[str, ...] = ("user", "version", "key")) -> list[str]:
        """Calls of one more reading, without those that are cached for ever."""
        before = len(self.fake.calls)
        self.read()
        return sorted(name for name in self.fake.calls[before:] if name not in names)

    def at(self, method: str, path: str, name: str, body: Any = None) -> Any:
        return self.acting._at(method, f"pulls/{self.number}{path}", self.acting.token(name), body)

    def review(self, name: str) -> int:
        """The newest review of a person."""
        rows = self.at("GET", "/reviews", "muniment")
        found: int = [row["id"] for row in rows if row["user"]["login"] == self.acting.login(name)][-1]
        return found

    def dismiss(self) -> None:
        self.acting.dismiss("muniment", self.number, "bob")

    def drop(self) -> None:
        self.at("DELETE", f"/reviews/{self.review('bob')}", "bob")

    def away_and_back(self) -> None:
        self.work.push("carol", self.first, "topic", force=True)
        self.work.push("bob", self.head, "topic")

    def away_while_closed(self) -> None:
        self.at("PATCH", "", "ada", {"state": "closed"})
        self.away_and_back()
        self.at("PATCH", "", "ada", {"state": "open"})

    def retarget(self) -> None:
        where = f"repos/{self.acting.path}/branches"
        self.acting._call("POST", where, self.acting.token("muniment"), _RELEASE)
        self.acting.retarget("ada", self.number, "release")

    def rename_target(self) -> None:
        """The branch that the change is for gets the name of a protected one."""
        self.acting.rename_branch("muniment", "main", "release/1")

    def remove(self) -> None:
        self.fake.repos[self.acting.path]["people"][self.acting.login("bob")] = "read"


_RELEASE = {"new_branch_name": "release", "old_branch_name": "main"}


@pytest.fixture(name="setup")
def _setup(tmp_path: Path) -> Iterator[ChangeSetup]:
    with FakeGitea(tmp_path / "gitea") as fake:
        yield ChangeSetup(fake, tmp_path)


def lose_review(setup: ChangeSetup) -> None:
    """Remove a review without a trace in the timeline."""
    setup.fake.pulls[setup.acting.path, setup.number]["reviews"].pop()


HAPPENS: dict[str, Callable[[ChangeSetup], None]] = {
    "dismissed": ChangeSetup.dismiss,
    "review deleted": ChangeSetup.drop,
    "review lost": lose_review,
    "changes requested": lambda setup: setup.acting.reject("bob", setup.number),
    "asked again": lambda setup: setup.acting.ask("ada", setup.number, "bob"),
    "pushed": lambda setup: setup.work.push("ada", setup.work.commit("ada", {"c": "1"}, setup.head), "topic"),
    "away and back": ChangeSetup.away_and_back,
    "away while closed": ChangeSetup.away_while_closed,
    "retargeted": ChangeSetup.retarget,
    "target renamed": ChangeSetup.rename_target,
    "member removed": ChangeSetup.remove,
    "relabelled": lambda setup: setup.fake.pulls[setup.acting.path, setup.number]["labels"].append("late"),
}


@pytest.mark.parametrize("what", HAPPENS)
def test_cached_reader_sees_every_later_event(setup: ChangeSetup, what: str) -> None:
    setup.read()
    before = setup.read()
    HAPPENS[what](setup)
    after = setup.read()
    assert after == setup.anew()
    assert after != before


def test_new_name_of_target_is_seen_although_feed_tells_of_it_late(setup: ChangeSetup) -> None:
    setup.read()
    feed = setup.fake.feeds[setup.acting.path]
    setup.rename_target()
    late = [feed.pop(), feed.pop()]
    assert setup.read().retargets == Known(())
    feed += reversed(late)
    retargets = setup.read().retargets
    assert isinstance(retargets, Known)
    assert [(one.old, one.new) for one in retargets.value] == [("", "refs/heads/release/1")]


def test_reverted_dismissal_is_seen_without_timeline_entry(setup: ChangeSetup) -> None:
    setup.acting.reject("bob", setup.number)
    setup.read()
    setup.dismiss()
    dismissed = setup.read()
    setup.at("POST", f"/reviews/{setup.review('bob')}/undismissals", "muniment")
    assert setup.read() == setup.anew() != dismissed


def test_cached_reading_requests_change_timeline_reviews_and_access(
    setup: ChangeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_FEED_MINUTES", 0)
    setup.read()
    warm = ["permission", "permission", "pull", "reviews", "timeline"]
    assert setup.asked() == warm
    setup.fake.happened(setup.fake.pulls[setup.acting.path, setup.number], setup.acting.login("carol"), type="label")
    assert setup.asked() == warm
    setup.acting.approve("dave", setup.number)
    assert setup.asked() == sorted([*warm, "permission"]), "and no pushes"
    assert setup.read().checks == NOT_READ


@pytest.mark.parametrize("call", ["reviews", "feed", "commits"])
def test_failed_or_stale_answer_is_not_cached(setup: ChangeSetup, call: str) -> None:
    for fault in (Fault.FAILED, Fault.LIMITED, Fault.TRUNCATED):
        reader = setup.tested.forge = setup.tested.connect()
        setup.fake.fail(call, fault)
        setup.read()
        setup.fake.mend()
        assert setup.read() == setup.anew(), fault
        assert reader is setup.tested.forge
    setup.acting.reject("bob", setup.number)
    setup.fake.fail(call, Fault.STALE)
    setup.read()
    setup.fake.mend()
    assert setup.read() == setup.anew(), "a timeline that tells more than the list"


def test_commit_list_from_before_push_is_not_cached_for_new_head(setup: ChangeSetup) -> None:
    setup.read()
    setup.fake.written()
    setup.work.push("carol", setup.work.commit("carol", {"c": "1"}, setup.head), "topic")
    setup.fake.fail("commits", Fault.STALE)
    old = setup.read()
    setup.fake.mend()
    assert setup.read() == setup.anew() != old


def test_unverified_addresses_are_read_again(setup: ChangeSetup) -> None:
    login = setup.acting.login("ada")
    setup.fake.users[login]["email"] = "another@example.test"
    assert "commits" in setup.asked()
    assert "commits" in setup.asked()
    setup.fake.users[login]["email"] = f"{login}@example.test"
    assert "commits" in setup.asked()
    assert "commits" not in setup.asked()


def test_unknown_pusher_is_read_again(setup: ChangeSetup) -> None:
    feed = setup.fake.feeds[setup.acting.path]
    late = feed.pop()
    assert any(isinstance(move.who, Unknown) for move in _moves(setup.read()))
    feed.append(late)
    assert all(isinstance(move.who, Known) for move in _moves(setup.read()))


def _moves(reading: Reading) -> tuple[Any, ...]:
    assert isinstance(reading.moves, Known)
    return reading.moves.value


def test_timeline_comparison_ignores_account_details_except_identity() -> None:
    ada, later, renamed = (
        msgspec.convert({"type": "pull_push", "id": 1, "user": {"id": 5, **user}}, wire.TimelineEvent)
        for user in (
            {"login": "ada", "last_login": "today"},
            {"login": "ada", "last_login": "tomorrow"},
            {"login": "eve"},
        )
    )
    assert (
        timeline.select_branch_events([ada])
        == timeline.select_branch_events([later])
        != timeline.select_branch_events([renamed])
    )
    unknown = wire.TimelineEvent(2, "something new")
    assert timeline.select_branch_events([wire.TimelineEvent(1, "review"), unknown]) == [unknown]
