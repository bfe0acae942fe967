"""Whichever call of a forge fails, and however: no yes is shown that no complete reading gave, and it comes right."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.errors import MunimentError
from muniment.forges.shapes import Reading, Vendor
from muniment.forges.statuses import context_for
from muniment.workflows import forge_changes, telling_forge
from muniment.workflows.judge_at_forge import Judging, Verdict
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.memory import MemoryKeeper
from tests.support.forges.stage import MAIN, Stage, now

CALLS = ("pull", "reviews", "commits", "feed", "timeline", "statuses", "permission", "publish", "comments", "git")
FAULTS = (Fault.FAILED, Fault.LIMITED, Fault.TRUNCATED, Fault.LOST)


class Scene:
    """One change on the fake, judged as the service does, what is kept of it kept in memory."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake = fake
        self.acting = GiteaActing(fake.url, fake.administrator)
        self.stage = Stage(self.acting, Vendor.GITEA, folder)
        self.keeper = MemoryKeeper()
        self.judging = Judging(self.stage.forge, self.stage.repository, self.keeper, self.judge)
        made = self.stage.work.commit("ada", {"app.py": "x = 1\n"}, self.stage.work.tip("main"))
        self.stage.work.push("ada", made, "topic")
        self.number = self.acting.open("ada", "topic", "main", "a topic")
        self.head = made

    def judge(self, reading: Reading, now: str) -> Verdict:
        forge_changes.bring(self.stage.forge, self.stage.mirror, reading)
        found, _ = forge_changes.judge_open(*self.stage.at, reading, self.stage.rules_at, now)
        told = account(found.decision, found.policy, found.facts)
        assert (told.decision is Outcome.ALLOW) is (found.decision.outcome is Outcome.ALLOW)
        return Verdict(telling_forge.verdict(told, context_for(MAIN), "https://m.test"), "")

    def look(self) -> None:
        try:
            self.judging.look(self.number, now())
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
def test_a_call_that_fails_shows_no_yes_and_the_verdict_comes_right(scene: Scene, call: str, fault: Fault) -> None:
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
