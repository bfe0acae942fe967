"""What strangers and colleagues try at a real Gitea or Forgejo, beyond the story; run like it, skipped like it."""

import base64
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.decision.account import DecisionReport as Told
from muniment.decision.account import account
from muniment.decision.decision import Outcome
from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known
from muniment.forges.connecting import connect
from muniment.forges.forge import Forge
from muniment.forges.rules import Wanted
from muniment.forges.shapes import Reading, Vendor
from muniment.forges.statuses import Saying, context_for
from muniment.workflows import forge_changes
from tests.support.forges.acting import GiteaActing, Refused, Work
from tests.support.forges.stage import MAIN, Stage, now
from tests.support.forges.story import eventually, moves, pushers

NAMES = ("MUNIMENT_LIVE_FORGE", "MUNIMENT_LIVE_FORGE_URL", "MUNIMENT_LIVE_FORGE_TOKEN")


class Scene(Stage):
    """A stage at a forge that speaks Gitea's API, and what can be done there besides."""

    acting: GiteaActing

    def opened(self, name: str, *commits: str, branch: str = "", target: str = "main") -> int:
        """A change of somebody's with these commits, once it is known who pushed it."""
        branch = branch or f"topic-{secrets.token_hex(3)}"
        self.work.push(name, commits[-1], branch)
        number = self.acting.open(name, branch, target, branch)
        eventually(lambda: pushers(self, number) == {name}, "it is known who pushed")
        time.sleep(1)
        return number

    def told(self, number: int) -> Told:
        """What the policy says of it, in full."""
        judgement = self.judge(number)
        return account(judgement.decision, judgement.policy, judgement.facts)

    def landed(self, number: int) -> list[str]:
        """What the policy says of what the branch took."""
        found, _ = forge_changes.landed(*self.at, self.read(number), self.rules_at, now())
        return self.codes(found)

    def counted(self, number: int) -> set[str]:
        """Whose approvals count."""
        return {approval.person for approval in self.told(number).approvals if approval.counted}

    def contributors(self, number: int) -> set[str]:
        """Who had a hand."""
        return {one.person or one.identity for one in self.told(number).contributors}


@pytest.fixture(name="scene", scope="module")
def _scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    missing = [name for name in NAMES if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no real forge is named: set {', '.join(missing)}")
    vendor = Vendor(os.environ["MUNIMENT_LIVE_FORGE"])
    if vendor not in (Vendor.GITEA, Vendor.FORGEJO):
        pytest.skip(f"these are for Gitea and Forgejo, not for {vendor.value}")
    acting = GiteaActing(os.environ["MUNIMENT_LIVE_FORGE_URL"], os.environ["MUNIMENT_LIVE_FORGE_TOKEN"])
    return Scene(acting, vendor, tmp_path_factory.mktemp("live"))


def topic(scene: Scene, name: str, **more: str) -> str:
    """A commit of somebody's on top of main, touching a file of its own."""
    files = {f"{secrets.token_hex(3)}.py": "x = 1\n"}
    return scene.work.commit(name, files, scene.work.tip("main"), **more)


def test_whoever_edits_anothers_change_in_the_pages_is_a_contributor(scene: Scene) -> None:
    number = scene.opened("ada", topic(scene, "ada"), branch="edited")
    body = {"branch": "edited", "content": base64.b64encode(b"y = 1\n").decode(), "message": "from the pages"}
    scene.acting._at("POST", "contents/pages.py", scene.acting.token("bob"), body)
    eventually(lambda: pushers(scene, number) == {"ada", "bob"}, "it is known who edited")
    tip = scene.forge.reader.tip(scene.repository, "refs/heads/edited")
    eventually(lambda: scene.forge.reader.change(scene.repository, number).head == tip, "it has its new head")
    time.sleep(2)  # forges end approvals late
    for name in ("bob", "carol", "dave"):
        scene.acting.approve(name, number)
    assert scene.counted(number) == {"carol", "dave"}
    assert "bob" in scene.contributors(number)


def test_updating_a_change_by_the_forges_button_keeps_its_approvals(scene: Scene) -> None:
    number = scene.opened("ada", topic(scene, "ada"))
    for name in ("bob", "carol"):
        scene.acting.approve(name, number)
    assert scene.counted(number) == {"bob", "carol"}
    scene.work.push("dave", topic(scene, "dave"), "main")
    before = len(moves(scene, number))
    eventually(lambda: updated(scene, number), "the forge has noticed that main moved")
    eventually(lambda: len(moves(scene, number)) > before, "it is known who updated it")
    assert scene.counted(number) == {"bob", "carol"}


def updated(scene: Scene, number: int) -> bool:
    try:
        scene.acting._at("POST", f"pulls/{number}/update?style=merge", scene.acting.token("bob"))
    except Refused:
        return False
    return True


def test_a_change_that_the_forge_replayed_landed_as_it_was_approved(scene: Scene) -> None:
    first = topic(scene, "ada")
    second = scene.work.commit("ada", {"second.py": "x = 2\n"}, first)
    number = scene.opened("ada", first, second)
    scene.work.push("dave", topic(scene, "dave"), "main")
    for name in ("bob", "carol"):
        scene.acting.approve(name, number)
    eventually(lambda: merged(scene, number, "rebase"), "it merges")
    eventually(lambda: scene.landed(number) == ["reviewed"], "what landed is what was approved")


def merged(scene: Scene, number: int, method: str) -> bool:
    try:
        scene.acting.merge("bob", number, method)
    except Refused:
        return False
    return True


def test_an_author_who_pretends_to_be_another_stays_a_contributor(scene: Scene) -> None:
    number = scene.opened("ada", topic(scene, "bob"))
    for name in ("bob", "carol", "dave"):
        scene.acting.approve(name, number)
    assert scene.counted(number) == {"carol", "dave"}
    assert scene.contributors(number) == {"ada", "bob"}


def test_a_co_author_is_a_contributor(scene: Scene) -> None:
    trailer = f"change\n\nCo-authored-by: {scene.work.who('carol')}\n"
    number = scene.opened("ada", topic(scene, "ada", message=trailer))
    scene.acting.approve("carol", number)
    assert scene.counted(number) == set()


def test_one_head_for_two_branches_is_approved_for_one_alone(scene: Scene) -> None:
    scene.work.push("ada", scene.work.tip("main"), "release")
    head = topic(scene, "ada")
    first = scene.opened("ada", head, branch="shared")
    second = scene.acting.open("ada", "shared", "release", "the same for release")
    for name in ("bob", "carol"):
        scene.acting.approve(name, first)
    assert scene.verdict(first) is Outcome.ALLOW
    assert scene.verdict(second) is Outcome.DENY
    found = {(check.context, check.state) for check in scene.forge.reader.statuses(scene.repository, head)}
    assert found == {("muniment/main", "success"), ("muniment/release", "failure")}


def test_an_approval_of_an_older_commit_by_name_does_not_count(scene: Scene) -> None:
    first = topic(scene, "ada")
    number = scene.opened("ada", first, scene.work.commit("ada", {"more.py": "x\n"}, first))
    body = {"event": "APPROVED", "body": "yes", "commit_id": first}
    scene.acting._at("POST", f"pulls/{number}/reviews", scene.acting.token("bob"), body)
    scene.acting.approve("carol", number)
    assert scene.counted(number) == {"carol"}


def test_who_may_write_no_longer_has_not_approved(scene: Scene) -> None:
    number = scene.opened("ada", topic(scene, "ada"))
    scene.acting.approve("dave", number)
    assert scene.counted(number) == {"dave"}
    login = scene.acting.login("dave")
    scene.acting._at("PUT", f"collaborators/{login}", scene.acting._admin, {"permission": "read"})
    try:
        assert scene.counted(number) == set()
    finally:
        scene.acting._at("PUT", f"collaborators/{login}", scene.acting._admin, {"permission": "write"})


def test_a_change_by_our_own_machine_needs_two_people(scene: Scene) -> None:
    number = scene.opened("muniment", topic(scene, "muniment"))
    scene.acting.approve("bob", number)
    assert scene.verdict(number) is Outcome.DENY
    scene.acting.approve("carol", number)
    assert scene.contributors(number) == {"machine:muniment"}
    assert scene.verdict(number) is Outcome.ALLOW


def test_a_fork_that_we_may_not_read_leaves_a_pusher_nobody_knows(scene: Scene) -> None:
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
    """Eve's copy of the repository."""

    def __init__(self, origin: GiteaActing) -> None:
        self.__dict__.update(origin.__dict__)
        self.path = f"{origin.login('eve')}/mine"

    def header(self, name: str) -> str:
        return super().header("eve")


def test_a_forged_status_lets_the_forge_merge_and_what_landed_is_denied(scene: Scene) -> None:
    plan = scene.forge.protector.plan(scene.repository, Wanted(MAIN, context_for(MAIN), approvals=0))
    scene.forge.protector.apply(scene.repository, plan)
    head = topic(scene, "ada")
    number = scene.opened("ada", head)
    assert scene.verdict(number) is Outcome.DENY
    Stage(scene.acting, scene.connection.vendor, scene.folder / "ada", ours="ada").say(head, MAIN, Saying.ALLOWED)
    eventually(lambda: merged(scene, number, "squash"), "a status binds nobody who may write")
    judgement, _ = forge_changes.landed(*scene.at, scene.read(number), scene.rules_at, now())
    assert judgement.decision.outcome is Outcome.DENY


def test_nobody_reads_anything_with_a_token_that_is_none(scene: Scene, tmp_path: Path) -> None:
    stranger = connect(scene.connection, lambda: "0" * 40, now)
    with pytest.raises(ForgeError) as caught:
        stranger.reader.repository(scene.acting.path)
    assert caught.value.code in (ForgeCode.NOT_SIGNED_IN, ForgeCode.NOT_FOUND)


def test_what_was_read_once_hides_nothing_that_happened_since(scene: Scene) -> None:
    first = topic(scene, "ada")
    second = scene.work.commit("dave", {f"{secrets.token_hex(3)}.py": "x = 1\n"}, first)
    number = scene.opened("ada", first, branch="kept")
    scene.acting._at("POST", "branches", scene.acting.token("muniment"), {"new_branch_name": "other"})

    def at(method: str, path: str, name: str, **body: str) -> Any:
        return scene.acting._at(method, f"pulls/{number}{path}", scene.acting.token(name), body)

    def newest(name: str) -> str:
        rows = at("GET", "/reviews", "muniment")
        return f"/reviews/{[row['id'] for row in rows if row['user']['login'] == scene.acting.login(name)][-1]}"

    def read(forge: Forge) -> Reading:
        return structs.replace(forge.reader.read(scene.repository, number), read_at="")

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
    eventually(lambda: not hands_unknown(read(scene.forge)), "who pushed is known")
    asked = client.asked
    given = known(read(scene.forge).reviews)
    asked_of = len({review.by.id for review in given}) + any(review.dismissed for review in given)
    assert client.asked - asked == 2 + asked_of, "the change, its timeline, who may write, and what may be taken back"


def known(part: Any) -> Any:
    assert isinstance(part, Known), part
    return part.value


def hands_unknown(reading: Reading) -> bool:
    return any(not isinstance(move.who, Known) for move in known(reading.moves))
