"""Scenario of the live tests on the fakes of GitHub and GitLab, without steps specific to Gitea."""

from pathlib import Path

import pytest

from muniment.decision.decision import Outcome
from muniment.forges.branch_rules import WantedProtection
from muniment.forges.shapes import Vendor
from muniment.forges.statuses import StatusState, make_context
from tests.support.forges import ours, scenario_steps
from tests.support.forges.acting import Refused
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.forge_under_test import MAIN, ForgeUnderTest, now

WANTED = WantedProtection(MAIN, make_context(MAIN), approvals=1)


def _run_common_scenario(tested: ForgeUnderTest) -> None:
    """Scenario steps that are the same for all forges, after the branch is protected."""
    scenario_steps.direct_push_is_refused(tested)
    number = scenario_steps.open_and_push(tested)
    scenario_steps.approve(tested, number)
    scenario_steps.stale(tested, number)
    scenario_steps.force_push(tested, number)
    scenario_steps.changes_requested(tested, number)
    scenario_steps.retarget(tested, number)
    scenario_steps.first_pusher_elsewhere(tested)
    scenario_steps.comment(tested, number)
    scenario_steps.squash(tested, number)
    scenario_steps.merge(tested)


def _check_forged_status(tested: ForgeUnderTest) -> None:
    """Post a status under our context by another account: it is detected and its poster is named."""
    number = scenario_steps.open_another(tested)
    head = tested.forge.reader.read_change(tested.repository, number).head
    tested.publish(head, MAIN, StatusState.DENIED)
    tested.acting.world.status("ada", head, make_context(MAIN), "success")  # type: ignore[attr-defined]  # of fakes
    found = tested.forge.reader.list_statuses(tested.repository, head)
    us = tested.forge.reader.describe_forge().ours.id
    assert {(check.by.id == us, check.state) for check in found} == {(True, "failure"), (False, "success")}
    with pytest.raises(Refused):
        tested.acting.merge("bob", number, "merge")


def test_live_scenario_passes_on_fake_github(tmp_path: Path) -> None:
    with FakeGitHub(tmp_path / "forge") as fake:
        tested = ForgeUnderTest(
            GitHubActing(fake), Vendor.GITHUB, tmp_path, forge=ours.github(fake, seconds=15, now=now)
        )
        scenario_steps.connect(tested)
        scenario_steps.protect(tested)
        _run_common_scenario(tested)
        _check_forged_status(tested)
        scenario_steps.bypass(tested)
        scenario_steps.revert(tested)


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
        tested = ForgeUnderTest(
            GitLabActing(fake), Vendor.GITLAB, tmp_path, forge=ours.gitlab(fake, seconds=15, now=now)
        )
        scenario_steps.connect(tested)
        plan = tested.forge.protector.plan_protection(tested.repository, WANTED)
        tested.forge.protector.apply_protection(tested.repository, plan)
        assert [step.setting for step in tested.forge.protector.plan_protection(tested.repository, WANTED).steps] == (
            ["the external check muniment/main has to pass"] if tier == "ultimate" else []
        )
        _run_common_scenario(tested)
        _check_forged_status(tested)
        _check_sole_merger(tested, fake)
        scenario_steps.bypass(tested)
        scenario_steps.revert(tested)


def _check_sole_merger(tested: ForgeUnderTest, fake: FakeGitLab) -> None:
    wanted = WantedProtection(MAIN, make_context(MAIN), only_we_merge=True)
    tested.forge.protector.apply_protection(
        tested.repository, tested.forge.protector.plan_protection(tested.repository, wanted)
    )
    head = tested.work.commit("carol", {"ours.py": "y = 1\n"}, tested.work.tip("main"))
    tested.work.push("carol", head, "ours")
    number = tested.acting.open("carol", "ours", "main", "ours")
    for name in ("ada", "bob"):
        tested.acting.approve(name, number)
    assert tested.evaluate_and_publish(number) is Outcome.ALLOW
    with pytest.raises(Refused):
        tested.acting.merge("bob", number, "merge")
    tested.forge.publisher.merge_change(tested.repository, number, head, "squash")
    assert fake.world.changes[number].state == "merged"
