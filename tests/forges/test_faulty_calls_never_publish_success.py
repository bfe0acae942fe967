"""Failing forge calls: no success is posted without a complete reading, and the status recovers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.decision.decision import Outcome
from muniment.decision.report import build_decision_report
from muniment.errors import MunimentError
from muniment.forges.shapes import Reading, Vendor
from muniment.forges.statuses import make_context
from muniment.workflows import forge_changes, forge_status_text
from muniment.workflows.status_publisher import ReadingResult, StatusPublisher
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.memory import MemoryKeeper
from tests.support.forges.stage import MAIN, Stage, now

CALLS = ("pull", "reviews", "commits", "feed", "timeline", "statuses", "permission", "publish", "comments", "git")
FAULTS = (Fault.FAILED, Fault.LIMITED, Fault.TRUNCATED, Fault.LOST)


class Scene:
    """One change at a fake Gitea, evaluated like in the service, with an in-memory store."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake = fake
        self.acting = GiteaActing(fake.url, fake.administrator)
        self.stage = Stage(self.acting, Vendor.GITEA, folder)
        self.keeper = MemoryKeeper()
        self.judging = StatusPublisher(self.stage.forge, self.stage.repository, self.keeper, self.judge)
        made = self.stage.work.commit("ada", {"app.py": "x = 1\n"}, self.stage.work.tip("main"))
        self.stage.work.push("ada", made, "topic")
        self.number = self.acting.open("ada", "topic", "main", "a topic")
        self.head = made

    def judge(self, reading: Reading, now: str) -> ReadingResult:
        forge_changes.fetch_change(self.stage.forge, self.stage.mirror, reading)
        found, _ = forge_changes.evaluate_open_change(*self.stage.at, reading, self.stage.rules_at, now)
        told = build_decision_report(found.decision, found.policy, found.facts)
        assert (told.decision is Outcome.ALLOW) is (found.decision.outcome is Outcome.ALLOW)
        return ReadingResult(forge_status_text.decision_status(told, make_context(MAIN), "https://m.test"), "")

    def look(self) -> None:
        try:
            self.judging.evaluate_and_publish(self.number, now())
        except MunimentError:
            return

    def shown(self) -> list[str]:
        return [row["status"] for row in self.fake.marks.get((self.acting.path, self.head), [])]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("forge")
    with FakeGitea(folder / "gitea") as fake:
        yield Scene(fake, folder)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("call", CALLS)
def test_failing_call_posts_no_success_and_status_recovers(scene: Scene, call: str, fault: Fault) -> None:
    scene.acting.reject("bob", scene.number)
    scene.fake.fail(call, fault, times=1)
    before = len(scene.shown())
    scene.look()
    assert "success" not in scene.shown()[before:]
    scene.fake.mend()
    scene.look()
    assert scene.shown()[-1] == "failure"
    for name in ("bob", "carol"):
        scene.acting.approve(name, scene.number)
    scene.fake.fail(call, fault, times=1)
    scene.look()
    scene.fake.mend()
    scene.look()
    assert scene.shown()[-1] == "success"
