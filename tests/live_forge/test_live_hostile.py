"""Attacks of strangers and colleagues at a real Gitea or Forgejo; run and skipped like the story."""

import base64
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.decision.decision import Outcome
from muniment.decision.report import DecisionReport, build_decision_report
from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known
from muniment.forges.branch_rules import WantedProtection
from muniment.forges.forge import Forge
from muniment.forges.forge_connection import connect_forge
from muniment.forges.shapes import Reading, Vendor
from muniment.forges.statuses import StatusState, make_context
from muniment.workflows import forge_changes
from tests.support.forges.acting import GiteaActing, Refused, Work
from tests.support.forges.stage import MAIN, Stage, now
from tests.support.forges.story import eventually, moves, pushers

NAMES = ("MUNIMENT_LIVE_FORGE", "MUNIMENT_LIVE_FORGE_URL", "MUNIMENT_LIVE_FORGE_TOKEN")


class HostileStage(Stage):
    """A stage at a forge with Gitea's API, with further hostile steps."""

    acting: GiteaActing

    def open_change(self, name: str, *commits: str, branch: str = "", target: str = "main") -> int:
        """A change of this person with these commits, once its pusher is known."""
        branch = branch or f"topic-{secrets.token_hex(3)}"
        self.work.push(name, commits[-1], branch)
        number = self.acting.open(name, branch, target, branch)
        eventually(lambda: pushers(self, number) == {name}, "it is known who pushed")
        time.sleep(1)
        return number

    def describe_decision(self, number: int) -> DecisionReport:
        """Full description of the decision by the policy."""
        evaluation = self.judge(number)
        return build_decision_report(evaluation.decision, evaluation.policy, evaluation.facts)

    def landed(self, number: int) -> list[str]:
        """Codes of the decision on the merged commit."""
        found, _ = forge_changes.evaluate_merged_change(*self.at, self.read(number), self.rules_at, now())
        return self.codes(found)

    def find_counted_reviewers(self, number: int) -> set[str]:
        """Persons whose approvals count."""
        return {approval.person for approval in self.describe_decision(number).approvals if approval.counted}

    def find_contributors(self, number: int) -> set[str]:
        """Contributors of the change."""
        return {one.person or one.identity for one in self.describe_decision(number).contributors}


@pytest.fixture(name="scene", scope="module")
def _scene(tmp_path_factory: pytest.TempPathFactory) -> HostileStage:
    missing = [name for name in NAMES if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no real forge is named: set {', '.join(missing)}")
    vendor = Vendor(os.environ["MUNIMENT_LIVE_FORGE"])
    if vendor not in (Vendor.GITEA, Vendor.FORGEJO):
        pytest.skip(f"these are for Gitea and Forgejo, not for {vendor.value}")
    acting = GiteaActing(os.environ["MUNIMENT_LIVE_FORGE_URL"], os.environ["MUNIMENT_LIVE_FORGE_TOKEN"])
    return HostileStage(acting, vendor, tmp_path_factory.mktemp("live"))


def topic(scene: HostileStage, name: str, **more: str) -> str:
    """A commit by this person on top of main that adds a new file."""
    files = {f"{secrets.token_hex(3)}.py": "x = 1\n"}
    return scene.work.commit(name, files, scene.work.tip("main"), **more)


def test_editor_of_change_on_forge_pages_is_contributor(scene: HostileStage) -> None:
    number = scene.open_change("ada", topic(scene, "ada"), branch="edited")
    body = {"branch": "edited", "content": base64.b64encode(b"y = 1\n").decode(), "message": "from the pages"}
    scene.acting._at("POST", "contents/pages.py", scene.acting.token("bob"), body)
    eventually(lambda: pushers(scene, number) == {"ada", "bob"}, "it is known who edited")
    tip = scene.forge.reader.read_branch_tip(scene.repository, "refs/heads/edited")
    eventually(lambda: scene.forge.reader.read_change(scene.repository, number).head == tip, "it has its new head")
    time.sleep(2)  # forges end approvals late
    for name in ("bob", "carol", "dave"):
        scene.acting.approve(name, number)
    assert scene.find_counted_reviewers(number) == {"carol", "dave"}
    assert "bob" in scene.find_contributors(number)


def test_update_by_forge_button_keeps_approvals(scene: HostileStage) -> None:
    number = scene.open_change("ada", topic(scene, "ada"))
    for name in ("bob", "carol"):
        scene.acting.approve(name, number)
    assert scene.find_counted_reviewers(number) == {"bob", "carol"}
    scene.work.push("dave", topic(scene, "dave"), "main")
    before = len(moves(scene, number))
    eventually(lambda: updated(scene, number), "the forge has noticed that main moved")
    eventually(lambda: len(moves(scene, number)) > before, "it is known who updated it")
    assert scene.find_counted_reviewers(number) == {"bob", "carol"}


def updated(scene: HostileStage, number: int) -> bool:
    try:
        scene.acting._at("POST", f"pulls/{number}/update?style=merge", scene.acting.token("bob"))
    except Refused:
        return False
    return True


def test_change_rebased_by_forge_merges_as_approved(scene: HostileStage) -> None:
    first = topic(scene, "ada")
    second = scene.work.commit("ada", {"second.py": "x = 2\n"}, first)
    number = scene.open_change("ada", first, second)
    scene.work.push("dave", topic(scene, "dave"), "main")
    for name in ("bob", "carol"):
        scene.acting.approve(name, number)
    eventually(lambda: merge_change(scene, number, "rebase"), "it merges")
    eventually(lambda: scene.landed(number) == ["reviewed"], "what landed is what was approved")


def merge_change(scene: HostileStage, number: int, method: str) -> bool:
    try:
        scene.acting.merge("bob", number, method)
    except Refused:
        return False
    return True


def test_pusher_with_another_commit_author_stays_contributor(scene: HostileStage) -> None:
    number = scene.open_change("ada", topic(scene, "bob"))
    for name in ("bob", "carol", "dave"):
        scene.acting.approve(name, number)
    assert scene.find_counted_reviewers(number) == {"carol", "dave"}
    assert scene.find_contributors(number) == {"ada", "bob"}


def test_a_co_author_is_a_contributor(scene: HostileStage) -> None:
    trailer = f"change\n\nCo-authored-by: {scene.work.who('carol')}\n"
    number = scene.open_change("ada", topic(scene, "ada", message=trailer))
    scene.acting.approve("carol", number)
    assert scene.find_counted_reviewers(number) == set()


def test_approval_of_head_counts_for_one_target_branch_only(scene: HostileStage) -> None:
    scene.work.push("ada", scene.work.tip("main"), "release")
    head = topic(scene, "ada")
    first = scene.open_change("ada", head, branch="shared")
    second = scene.acting.open("ada", "shared", "release", "the same for release")
    for name in ("bob", "carol"):
        scene.acting.approve(name, first)
    assert scene.verdict(first) is Outcome.ALLOW
    assert scene.verdict(second) is Outcome.DENY
    found = {(check.context, check.state) for check in scene.forge.reader.list_statuses(scene.repository, head)}
    assert found == {("muniment/main", "success"), ("muniment/release", "failure")}


def test_approval_of_older_commit_does_not_count(scene: HostileStage) -> None:
    first = topic(scene, "ada")
    number = scene.open_change("ada", first, scene.work.commit("ada", {"more.py": "x\n"}, first))
    body = {"event": "APPROVED", "body": "yes", "commit_id": first}
    scene.acting._at("POST", f"pulls/{number}/reviews", scene.acting.token("bob"), body)
    scene.acting.approve("carol", number)
    assert scene.find_counted_reviewers(number) == {"carol"}


def test_approval_ends_with_loss_of_write_access(scene: HostileStage) -> None:
    number = scene.open_change("ada", topic(scene, "ada"))
    scene.acting.approve("dave", number)
    assert scene.find_counted_reviewers(number) == {"dave"}
    login = scene.acting.login("dave")
    scene.acting._at("PUT", f"collaborators/{login}", scene.acting._admin, {"permission": "read"})
    try:
        assert scene.find_counted_reviewers(number) == set()
    finally:
        scene.acting._at("PUT", f"collaborators/{login}", scene.acting._admin, {"permission": "write"})


def test_change_by_service_account_needs_two_people(scene: HostileStage) -> None:
    number = scene.open_change("muniment", topic(scene, "muniment"))
    scene.acting.approve("bob", number)
    assert scene.verdict(number) is Outcome.DENY
    scene.acting.approve("carol", number)
    assert scene.find_contributors(number) == {"machine:muniment"}
    assert scene.verdict(number) is Outcome.ALLOW


def test_unreadable_fork_leaves_pusher_unknown(scene: HostileStage) -> None:
    token = scene.acting.token("eve")
    scene.acting._at("POST", "forks", token, {"name": "mine"})
    fork = Fork(scene.acting)
    work = Work(scene.folder / "fork", fork)
    head = work.commit("eve", {"fork.py": "x = 1\n"}, work.tip("main"))
    work.push("eve", head, "offer")
    body = {"head": f"{scene.acting.login('eve')}:offer", "base": "main", "title": "an offer"}
    number = scene.acting._at("POST", "pulls", token, body)["number"]
    for name in ("bob", "carol"):
        scene.acting.approve(name, number)
    assert scene.verdict(number) is Outcome.DENY


class Fork(GiteaActing):
    """A fork of the repository that belongs to eve."""

    def __init__(self, origin: GiteaActing) -> None:
        self.__dict__.update(origin.__dict__)
        self.path = f"{origin.login('eve')}/mine"

    def header(self, name: str) -> str:
        return super().header("eve")


def test_merge_by_forged_status_is_denied_afterwards(scene: HostileStage) -> None:
    plan = scene.forge.protector.plan_protection(
        scene.repository, WantedProtection(MAIN, make_context(MAIN), approvals=0)
    )
    scene.forge.protector.apply_protection(scene.repository, plan)
    head = topic(scene, "ada")
    number = scene.open_change("ada", head)
    assert scene.verdict(number) is Outcome.DENY
    Stage(scene.acting, scene.connection.vendor, scene.folder / "ada", ours="ada").say(head, MAIN, StatusState.ALLOWED)
    eventually(lambda: merge_change(scene, number, "squash"), "a status binds nobody who may write")
    evaluation, _ = forge_changes.evaluate_merged_change(*scene.at, scene.read(number), scene.rules_at, now())
    assert evaluation.decision.outcome is Outcome.DENY


def test_invalid_token_reads_nothing(scene: HostileStage, tmp_path: Path) -> None:
    stranger = connect_forge(scene.connection, lambda: "0" * 40, now)
    with pytest.raises(ForgeError) as caught:
        stranger.reader.read_repository(scene.acting.path)
    assert caught.value.code in (ForgeCode.NOT_SIGNED_IN, ForgeCode.NOT_FOUND)


def test_cached_responses_hide_no_later_event(scene: HostileStage) -> None:
    first = topic(scene, "ada")
    second = scene.work.commit("dave", {f"{secrets.token_hex(3)}.py": "x = 1\n"}, first)
    number = scene.open_change("ada", first, branch="kept")
    scene.acting._at("POST", "branches", scene.acting.token("muniment"), {"new_branch_name": "other"})

    def at(method: str, path: str, name: str, **body: str) -> Any:
        return scene.acting._at(method, f"pulls/{number}{path}", scene.acting.token(name), body)

    def newest(name: str) -> str:
        rows = at("GET", "/reviews", "muniment")
        return f"/reviews/{[row['id'] for row in rows if row['user']['login'] == scene.acting.login(name)][-1]}"

    def read(forge: Forge) -> Reading:
        return structs.replace(forge.reader.read_full_change(scene.repository, number), read_at="")

    def away_and_back() -> None:
        scene.work.push("bob", first, "kept", force=True)
        scene.work.push("carol", second, "kept", force=True)

    happens: tuple[tuple[str, Callable[[], object]], ...] = (
        ("approved", lambda: scene.acting.approve("bob", number)),
        ("changes requested", lambda: scene.acting.reject("carol", number)),
        ("dismissed", lambda: scene.acting.dismiss("muniment", number, "carol")),
        ("taken back", lambda: at("POST", f"{newest('carol')}/undismissals", "muniment")),
        ("asked again", lambda: scene.acting.ask("ada", number, "bob")),
        ("deleted", lambda: at("DELETE", newest("carol"), "carol")),
        ("pushed", lambda: scene.work.push("dave", second, "kept")),
        ("away and back", away_and_back),
        ("retargeted", lambda: scene.acting.retarget("ada", number, "other")),
    )
    for what, happened in happens:
        read(scene.forge)
        before = read(scene.forge)
        happened()
        eventually(lambda: read(scene.forge) == read(scene.connected()) != before, f"{what} is seen")  # noqa: B023
    client = scene.forge.reader._client  # type: ignore[attr-defined]
    eventually(lambda: not has_unknown_contributor(read(scene.forge)), "who pushed is known")
    asked = client.asked
    given = known(read(scene.forge).reviews)
    asked_of = len({review.by.id for review in given}) + any(review.dismissed for review in given)
    assert client.asked - asked == 2 + asked_of, "the change, its timeline, who may write, and what may be taken back"


def known(part: Any) -> Any:
    assert isinstance(part, Known), part
    return part.value


def has_unknown_contributor(reading: Reading) -> bool:
    return any(not isinstance(move.who, Known) for move in known(reading.moves))
