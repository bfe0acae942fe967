"""Response cache for Gitea: cached answers hide no later event; a reader with empty caches reads the same.

Each event shows in a timeline or in the change itself, as observed on Gitea 1.25.4 and Forgejo 7.0.10.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.facts.maybe import Known, Unknown
from muniment.forges.gitea import timeline
from muniment.forges.shapes import NOT_READ, Reading, Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.stage import Stage


class Scene:
    """A change with three pushers and two reviewers, and the events that tests apply to it."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake, self.acting = fake, GiteaActing(fake.url, fake.administrator)
        self.stage = Stage(self.acting, Vendor.GITEA, folder)
        self.work = self.stage.work
        self.first = self.work.commit("ada", {"app.py": "x = 1\n"}, self.work.tip("main"))
        self.head = self.work.commit("dave", {"b.py": "x = 1\n"}, self.first)
        self.work.push("ada", self.first, "topic")
        self.number = self.acting.open("ada", "topic", "main", "a topic")
        self.work.push("dave", self.head, "topic")
        for name in ("bob", "carol"):
            self.acting.approve(name, self.number)

    def read(self, stage: Stage | None = None) -> Reading:
        forge = self.stage.forge if stage is None else stage.connected()
        return structs.replace(forge.reader.read_full_change(self.stage.repository, self.number), read_at="")

    def anew(self) -> Reading:
        """Read the change by a new reader with empty caches."""
        return self.read(self.stage)

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

    def remove(self) -> None:
        self.fake.repos[self.acting.path]["people"][self.acting.login("bob")] = "read"


_RELEASE = {"new_branch_name": "release", "old_branch_name": "main"}


@pytest.fixture(name="scene")
def _scene(tmp_path: Path) -> Iterator[Scene]:
    with FakeGitea(tmp_path / "gitea") as fake:
        yield Scene(fake, tmp_path)


def lose_review(scene: Scene) -> None:
    """Remove a review without a trace in the timeline."""
    scene.fake.pulls[scene.acting.path, scene.number]["reviews"].pop()


HAPPENS: dict[str, Callable[[Scene], None]] = {
    "dismissed": Scene.dismiss,
    "review deleted": Scene.drop,
    "review lost": lose_review,
    "changes requested": lambda scene: scene.acting.reject("bob", scene.number),
    "asked again": lambda scene: scene.acting.ask("ada", scene.number, "bob"),
    "pushed": lambda scene: scene.work.push("ada", scene.work.commit("ada", {"c": "1"}, scene.head), "topic"),
    "away and back": Scene.away_and_back,
    "away while closed": Scene.away_while_closed,
    "retargeted": Scene.retarget,
    "member removed": Scene.remove,
    "relabelled": lambda scene: scene.fake.pulls[scene.acting.path, scene.number]["labels"].append("late"),
}


@pytest.mark.parametrize("what", HAPPENS)
def test_cached_reader_sees_every_later_event(scene: Scene, what: str) -> None:
    scene.read()
    before = scene.read()
    HAPPENS[what](scene)
    after = scene.read()
    assert after == scene.anew()
    assert after != before


def test_reverted_dismissal_is_seen_without_timeline_entry(scene: Scene) -> None:
    scene.acting.reject("bob", scene.number)
    scene.read()
    scene.dismiss()
    dismissed = scene.read()
    scene.at("POST", f"/reviews/{scene.review('bob')}/undismissals", "muniment")
    assert scene.read() == scene.anew() != dismissed


def test_cached_reading_requests_change_timeline_reviews_and_access(scene: Scene) -> None:
    scene.read()
    warm = ["permission", "permission", "pull", "reviews", "timeline"]
    assert scene.asked() == warm
    scene.fake.happened(scene.fake.pulls[scene.acting.path, scene.number], scene.acting.login("carol"), type="label")
    assert scene.asked() == warm
    scene.acting.approve("dave", scene.number)
    assert scene.asked() == sorted([*warm, "permission"]), "and no pushes"
    assert scene.read().checks == NOT_READ


@pytest.mark.parametrize("call", ["reviews", "feed", "commits"])
def test_failed_or_stale_answer_is_not_cached(scene: Scene, call: str) -> None:
    for fault in (Fault.FAILED, Fault.LIMITED, Fault.TRUNCATED):
        reader = scene.stage.forge = scene.stage.connected()
        scene.fake.fail(call, fault)
        scene.read()
        scene.fake.mend()
        assert scene.read() == scene.anew(), fault
        assert reader is scene.stage.forge
    scene.acting.reject("bob", scene.number)
    scene.fake.fail(call, Fault.STALE)
    scene.read()
    scene.fake.mend()
    assert scene.read() == scene.anew(), "a timeline that tells more than the list"


def test_commit_list_from_before_push_is_not_cached_for_new_head(scene: Scene) -> None:
    scene.read()
    scene.fake.written()
    scene.work.push("carol", scene.work.commit("carol", {"c": "1"}, scene.head), "topic")
    scene.fake.fail("commits", Fault.STALE)
    old = scene.read()
    scene.fake.mend()
    assert scene.read() == scene.anew() != old


def test_unverified_addresses_are_read_again(scene: Scene) -> None:
    login = scene.acting.login("ada")
    scene.fake.users[login]["email"] = "another@example.test"
    assert "commits" in scene.asked()
    assert "commits" in scene.asked()
    scene.fake.users[login]["email"] = f"{login}@example.test"
    assert "commits" in scene.asked()
    assert "commits" not in scene.asked()


def test_unknown_pusher_is_read_again(scene: Scene) -> None:
    feed = scene.fake.feeds[scene.acting.path]
    late = feed.pop()
    assert any(isinstance(move.who, Unknown) for move in _moves(scene.read()))
    feed.append(late)
    assert all(isinstance(move.who, Known) for move in _moves(scene.read()))


def _moves(reading: Reading) -> tuple[Any, ...]:
    assert isinstance(reading.moves, Known)
    return reading.moves.value


def test_timeline_comparison_ignores_account_details_except_identity() -> None:
    row = {"type": "pull_push", "id": 1, "user": {"id": 5, "login": "ada", "last_login": "today"}}
    later = {**row, "user": {"id": 5, "login": "ada", "last_login": "tomorrow"}}
    renamed = {**row, "user": {"id": 5, "login": "eve"}}
    assert (
        timeline.select_branch_events([row])
        == timeline.select_branch_events([later])
        != timeline.select_branch_events([renamed])
    )
    row = {"type": "review", "id": 1}
    assert timeline.select_branch_events([row, {"type": "something new", "id": 2}]) == [
        {"type": "something new", "id": 2}
    ]
