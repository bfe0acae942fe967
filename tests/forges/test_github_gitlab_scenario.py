"""Scenario of the live tests on the fakes of GitHub and GitLab, without steps specific to Gitea."""

from pathlib import Path

import pytest

from muniment.decision.decision import Outcome
from muniment.forges.branch_rules import WantedProtection
from muniment.forges.shapes import Vendor
from muniment.forges.statuses import StatusState, make_context
from tests.support.forges import ours, story
from tests.support.forges.acting import Refused
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.stage import MAIN, Stage, now

WANTED = WantedProtection(MAIN, make_context(MAIN), approvals=1)


def _run_common_scenario(stage: Stage) -> None:
    """Scenario steps that are the same for all forges, after the branch is protected."""
    story.direct_push_is_refused(stage)
    number = story.open_and_push(stage)
    story.approve(stage, number)
    story.stale(stage, number)
    story.force_push(stage, number)
    story.changes_requested(stage, number)
    story.retarget(stage, number)
    story.first_pusher_elsewhere(stage)
    story.comment(stage, number)
    story.squash(stage, number)
    story.merge(stage)


def _check_forged_status(stage: Stage) -> None:
    """Post a status under our context by another account: it is detected and its poster is named."""
    number = story.open_another(stage)
    head = stage.forge.reader.read_change(stage.repository, number).head
    stage.say(head, MAIN, StatusState.DENIED)
    stage.acting.world.status("ada", head, make_context(MAIN), "success")  # type: ignore[attr-defined]  # of fakes
    found = stage.forge.reader.list_statuses(stage.repository, head)
    us = stage.forge.reader.describe_forge().ours.id
    assert {(check.by.id == us, check.state) for check in found} == {(True, "failure"), (False, "success")}
    with pytest.raises(Refused):
        stage.acting.merge("bob", number, "merge")


def test_live_scenario_passes_on_fake_github(tmp_path: Path) -> None:
    with FakeGitHub(tmp_path / "forge") as fake:
        stage = Stage(GitHubActing(fake), Vendor.GITHUB, tmp_path, forge=ours.github(fake, seconds=15, now=now))
        story.connect(stage)
        story.protect(stage)
        _run_common_scenario(stage)
        _check_forged_status(stage)
        story.bypass(stage)
        story.revert(stage)


@pytest.mark.parametrize("tier", ["free", "ultimate"])
def test_live_scenario_passes_on_fake_gitlab(tmp_path: Path, tier: str) -> None:
    with FakeGitLab(tmp_path / "forge", tier) as fake:
        everybody = [{"id": 1, "access_level": 30}]
        fake.protected = [
            {
                "id": 2,
                "name": "main",
                "allow_force_push": True,
                "merge_access_levels": everybody,
                "push_access_levels": everybody,
            }
        ]
        stage = Stage(GitLabActing(fake), Vendor.GITLAB, tmp_path, forge=ours.gitlab(fake, seconds=15, now=now))
        story.connect(stage)
        plan = stage.forge.protector.plan_protection(stage.repository, WANTED)
        stage.forge.protector.apply_protection(stage.repository, plan)
        assert [step.setting for step in stage.forge.protector.plan_protection(stage.repository, WANTED).steps] == (
            ["the external check muniment/main has to pass"] if tier == "ultimate" else []
        )
        _run_common_scenario(stage)
        _check_forged_status(stage)
        _check_sole_merger(stage, fake)
        story.bypass(stage)
        story.revert(stage)


def _check_sole_merger(stage: Stage, fake: FakeGitLab) -> None:
    wanted = WantedProtection(MAIN, make_context(MAIN), only_we_merge=True)
    stage.forge.protector.apply_protection(
        stage.repository, stage.forge.protector.plan_protection(stage.repository, wanted)
    )
    head = stage.work.commit("carol", {"ours.py": "y = 1\n"}, stage.work.tip("main"))
    stage.work.push("carol", head, "ours")
    number = stage.acting.open("carol", "ours", "main", "ours")
    for name in ("ada", "bob"):
        stage.acting.approve(name, number)
    assert stage.verdict(number) is Outcome.ALLOW
    with pytest.raises(Refused):
        stage.acting.merge("bob", number, "merge")
    stage.forge.publisher.merge_change(stage.repository, number, head, "squash")
    assert fake.world.changes[number].state == "merged"
