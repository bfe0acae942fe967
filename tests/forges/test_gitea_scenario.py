"""Scenario of the live tests on the fake Gitea, which behaves as observed on real forges."""

from pathlib import Path

import pytest

from muniment.decision.decision import Outcome
from muniment.forges.shapes import Vendor
from tests.support.forges import scenario_steps
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.forge_under_test import ForgeUnderTest


@pytest.mark.parametrize(
    ("vendor", "version"),
    [(Vendor.GITEA, "1.25.4"), (Vendor.FORGEJO, "7.0.10+gitea-1.21.11")],
    ids=["gitea", "forgejo"],
)
def test_live_scenario_passes_on_fake_gitea(tmp_path: Path, vendor: Vendor, version: str) -> None:
    with FakeGitea(tmp_path / "forge", version) as fake:
        scenario_steps.tell(ForgeUnderTest(GiteaActing(fake.url, fake.administrator), vendor, tmp_path))


def test_approval_given_before_target_was_renamed_does_not_count(tmp_path: Path) -> None:
    with FakeGitea(tmp_path / "gitea") as fake:
        acting = GiteaActing(fake.url, fake.administrator)
        tested = ForgeUnderTest(acting, Vendor.GITEA, tmp_path)
        acting.branch("dev")
        head = tested.work.commit("ada", {"app.py": "x = 1\n"}, tested.work.tip("dev"))
        tested.work.push("ada", head, "topic")
        number = acting.open("ada", "topic", "dev", "a topic")
        for name in ("bob", "carol"):
            acting.approve(name, number)
        acting.rename_branch("ada", "dev", "release/1")
        assert tested.evaluate(number).decision.outcome is Outcome.DENY
        for name in ("bob", "carol"):
            acting.approve(name, number)
        assert tested.evaluate(number).decision.outcome is Outcome.ALLOW


def test_first_commits_of_account_that_hides_its_activity_have_unknown_pusher(tmp_path: Path) -> None:
    with FakeGitea(tmp_path / "gitea") as fake:
        acting = GiteaActing(fake.url, fake.administrator)
        tested = ForgeUnderTest(acting, Vendor.GITEA, tmp_path)
        acting.hide_activity("bob")
        disguised = tested.work.commit("ada", {"app.py": "x = 1\n"}, tested.work.tip("main"))
        tested.work.push("bob", disguised, "topic")
        tested.work.push("ada", tested.work.commit("ada", {"b.py": "x = 1\n"}, disguised), "topic")
        number = acting.open("ada", "topic", "main", "a topic")
        for name in ("bob", "carol"):
            acting.approve(name, number)
        evaluation = tested.evaluate(number)
        assert evaluation.decision.outcome is Outcome.DENY
        assert any("hides its activity" in reason for reason in tested.list_codes(evaluation))
        acting.hide_activity("bob", hidden=False)
        acting.approve("dave", number)
        assert tested.evaluate(number).decision.outcome is Outcome.ALLOW, "by carol and dave: bob is a contributor"
