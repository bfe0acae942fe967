"""The story of the live suite on the fakes of GitHub and GitLab, less what is done there in another way."""

from pathlib import Path

import pytest

from muniment.decision.decision import Outcome
from muniment.forges.rules import Wanted
from muniment.forges.shapes import Vendor
from muniment.forges.statuses import Saying, context_for
from tests.support.forges import ours, story
from tests.support.forges.acting import Refused
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.stage import MAIN, Stage, now

WANTED = Wanted(MAIN, context_for(MAIN), approvals=1)


def _tell(stage: Stage) -> None:
    """What is the same everywhere, once the branch is protected."""
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


def _forged(stage: Stage) -> None:
    """Somebody posts a status of our name: it is seen, with who did it."""
    number = story.open_another(stage)
    head = stage.forge.reader.change(stage.repository, number).head
    stage.say(head, MAIN, Saying.DENIED)
    stage.acting.world.status("ada", head, context_for(MAIN), "success")  # type: ignore[attr-defined]  # of fakes
    found = stage.forge.reader.statuses(stage.repository, head)
    us = stage.forge.reader.about().ours.id
    assert {(check.by.id == us, check.state) for check in found} == {(True, "failure"), (False, "success")}
    with pytest.raises(Refused):
        stage.acting.merge("bob", number, "merge")


def test_github_tells_the_story(tmp_path: Path) -> None:
    with FakeGitHub(tmp_path / "forge") as fake:
        stage = Stage(GitHubActing(fake), Vendor.GITHUB, tmp_path, forge=ours.github(fake, seconds=15, now=now))
        story.connect(stage)
        story.protect(stage)
        _tell(stage)
        _forged(stage)
        story.bypass(stage)
        story.revert(stage)


@pytest.mark.parametrize("tier", ["free", "ultimate"])
def test_gitlab_tells_the_story(tmp_path: Path, tier: str) -> None:
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
        plan = stage.forge.protector.plan(stage.repository, WANTED)
        stage.forge.protector.apply(stage.repository, plan)
        assert [step.setting for step in stage.forge.protector.plan(stage.repository, WANTED).steps] == (
            ["the external check muniment/main has to pass"] if tier == "ultimate" else []
        )
        _tell(stage)
        _forged(stage)
        _our_account_alone_merges(stage, fake)
        story.bypass(stage)
        story.revert(stage)


def _our_account_alone_merges(stage: Stage, fake: FakeGitLab) -> None:
    wanted = Wanted(MAIN, context_for(MAIN), only_we_merge=True)
    stage.forge.protector.apply(stage.repository, stage.forge.protector.plan(stage.repository, wanted))
    head = stage.work.commit("carol", {"ours.py": "y = 1\n"}, stage.work.tip("main"))
    stage.work.push("carol", head, "ours")
    number = stage.acting.open("carol", "ours", "main", "ours")
    for name in ("ada", "bob"):
        stage.acting.approve(name, number)
    assert stage.verdict(number) is Outcome.ALLOW
    with pytest.raises(Refused):
        stage.acting.merge("bob", number, "merge")
    stage.forge.publisher.merge(stage.repository, number, head, "squash")
    assert fake.world.changes[number].state == "merged"
