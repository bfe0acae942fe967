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
from tests.support.forges import evaluating
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import Fault
from tests.support.forges.forge_under_test import MAIN, ForgeUnderTest, now
from tests.support.forges.memory import MemoryChangeStore

CALLS = ("pull", "reviews", "commits", "feed", "timeline", "statuses", "permission", "publish", "comments", "git")
FAULTS = (Fault.FAILED, Fault.LIMITED, Fault.TRUNCATED, Fault.LOST)


class ChangeSetup:
    """One change at a fake Gitea, evaluated like in the service, with an in-memory store."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake = fake
        self.acting = GiteaActing(fake.url, fake.administrator)
        self.tested = ForgeUnderTest(self.acting, Vendor.GITEA, folder)
        self.change_store = MemoryChangeStore()
        self.publisher = StatusPublisher(
            self.tested.forge, self.tested.repository, self.change_store, self.evaluate_reading
        )
        made = self.tested.work.commit("ada", {"app.py": "x = 1\n"}, self.tested.work.tip("main"))
        self.tested.work.push("ada", made, "topic")
        self.number = self.acting.open("ada", "topic", "main", "a topic")
        self.head = made

    def evaluate_reading(self, reading: Reading, now: str) -> ReadingResult:
        forge_changes.fetch_change(self.tested.forge, self.tested.mirror, reading)
        found, _ = evaluating.evaluate_open_change(*self.tested.at, reading, self.tested.rules_at, now)
        report = build_decision_report(found.decision, found.policy, found.facts)
        assert (report.decision is Outcome.ALLOW) is (found.decision.outcome is Outcome.ALLOW)
        return ReadingResult(forge_status_text.decision_status(report, make_context(MAIN), "https://m.test"), "")

    def look(self) -> None:
        try:
            self.publisher.evaluate_and_publish(self.number, now())
        except MunimentError:
            return

    def read_statuses(self) -> list[str]:
        return [row["status"] for row in self.fake.marks.get((self.acting.path, self.head), [])]


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangeSetup]:
    folder = tmp_path_factory.mktemp("forge")
    with FakeGitea(folder / "gitea") as fake:
        yield ChangeSetup(fake, folder)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("call", CALLS)
def test_failing_call_posts_no_success_and_status_recovers(setup: ChangeSetup, call: str, fault: Fault) -> None:
    setup.acting.reject("bob", setup.number)
    setup.fake.fail(call, fault, times=1)
    before = len(setup.read_statuses())
    setup.look()
    assert "success" not in setup.read_statuses()[before:]
    setup.fake.mend()
    setup.look()
    assert setup.read_statuses()[-1] == "failure"
    for name in ("bob", "carol"):
        setup.acting.approve(name, setup.number)
    setup.fake.fail(call, fault, times=1)
    setup.look()
    setup.fake.mend()
    setup.look()
    assert setup.read_statuses()[-1] == "success"
