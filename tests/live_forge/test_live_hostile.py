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
from tests.support.forges import evaluating
from tests.support.forges.acting import GiteaActing, Refused, Work
from tests.support.forges.forge_under_test import MAIN, ForgeUnderTest, now
from tests.support.forges.scenario_steps import eventually, moves, pushers

NAMES = ("MUNIMENT_LIVE_FORGE", "MUNIMENT_LIVE_FORGE_URL", "MUNIMENT_LIVE_FORGE_TOKEN")


class HostileForge(ForgeUnderTest):
    """A tested at a forge with Gitea's API, with further hostile steps."""

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
        evaluation = self.evaluate(number)
        return build_decision_report(evaluation.decision, evaluation.policy, evaluation.facts)

    def landed(self, number: int) -> list[str]:
        """Codes of the decision on the merged commit."""
        found, _ = evaluating.evaluate_merged_change(*self.at, self.read_change(number), self.rules_at, now())
        return self.list_codes(found)

    def find_counted_reviewers(self, number: int) -> set[str]:
        """Persons whose approvals count."""
        return {approval.person for approval in self.describe_decision(number).approvals if approval.counted}

    def find_contributors(self, number: int) -> set[str]:
        """Contributors of the change."""
        return {one.person or one.identity for one in self.describe_decision(number).contributors}


@pytest.fixture(name="setup", scope="module")
def _setup(tmp_path_factory: pytest.TempPathFactory) -> HostileForge:
    missing = [name for name in NAMES if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no real forge is named: set {', '.join(missing)}")
    vendor = Vendor(os.environ["MUNIMENT_LIVE_FORGE"])
    if vendor not in (Vendor.GITEA, Vendor.FORGEJO):
        pytest.skip(f"these are for Gitea and Forgejo, not for {vendor.value}")
    acting = GiteaActing(os.environ["MUNIMENT_LIVE_FORGE_URL"], os.environ["MUNIMENT_LIVE_FORGE_TOKEN"])
    return HostileForge(acting, vendor, tmp_path_factory.mktemp("live"))


def topic(setup: HostileForge, name: str, **more: str) -> str:
    """A commit by this person on top of main that adds a new file."""
    files = {f"{secrets.token_hex(3)}.py": "x = 1\n"}
    return setup.work.commit(name, files, setup.work.tip("main"), **more)


def test_editor_of_change_on_forge_pages_is_contributor(setup: HostileForge) -> None:
    number = setup.open_change("ada", topic(setup, "ada"), branch="edited")
    body = {"branch": "edited", "content": base64.b64encode(b"y = 1\n").decode(), "message": "from the pages"}
    setup.acting._at("POST", "contents/pages.py", setup.acting.token("bob"), body)
    eventually(lambda: pushers(setup, number) == {"ada", "bob"}, "it is known who edited")
    tip = setup.forge.reader.read_branch_tip(setup.repository, "refs/heads/edited")
    eventually(lambda: setup.forge.reader.read_change(setup.repository, number).head == tip, "it has its new head")
    time.sleep(2)  # forges end approvals late
    for name in ("bob", "carol", "dave"):
        setup.acting.approve(name, number)
    assert setup.find_counted_reviewers(number) == {"carol", "dave"}
    assert "bob" in setup.find_contributors(number)


def test_update_by_forge_button_keeps_approvals(setup: HostileForge) -> None:
    number = setup.open_change("ada", topic(setup, "ada"))
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    assert setup.find_counted_reviewers(number) == {"bob", "carol"}
    setup.work.push("dave", topic(setup, "dave"), "main")
    before = len(moves(setup, number))
    eventually(lambda: updated(setup, number), "the forge has noticed that main moved")
    eventually(lambda: len(moves(setup, number)) > before, "it is known who updated it")
    assert setup.find_counted_reviewers(number) == {"bob", "carol"}


def updated(setup: HostileForge, number: int) -> bool:
    try:
        setup.acting._at("POST", f"pulls/{number}/update?style=merge", setup.acting.token("bob"))
    except Refused:
        return False
    return True


def test_change_rebased_by_forge_merges_as_approved(setup: HostileForge) -> None:
    first = topic(setup, "ada")
    second = setup.work.commit("ada", {"second.py": "x = 2\n"}, first)
    number = setup.open_change("ada", first, second)
    setup.work.push("dave", topic(setup, "dave"), "main")
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    eventually(lambda: merge_change(setup, number, "rebase"), "it merges")
    eventually(lambda: setup.landed(number) == ["reviewed"], "what landed is what was approved")


def merge_change(setup: HostileForge, number: int, method: str) -> bool:
    try:
        setup.acting.merge("bob", number, method)
    except Refused:
        return False
    return True


def test_pusher_with_another_commit_author_stays_contributor(setup: HostileForge) -> None:
    number = setup.open_change("ada", topic(setup, "bob"))
    for name in ("bob", "carol", "dave"):
        setup.acting.approve(name, number)
    assert setup.find_counted_reviewers(number) == {"carol", "dave"}
    assert setup.find_contributors(number) == {"ada", "bob"}


def test_a_co_author_is_a_contributor(setup: HostileForge) -> None:
    trailer = f"change\n\nCo-authored-by: {setup.work.who('carol')}\n"
    number = setup.open_change("ada", topic(setup, "ada", message=trailer))
    setup.acting.approve("carol", number)
    assert setup.find_counted_reviewers(number) == set()


def test_approval_of_head_counts_for_one_target_branch_only(setup: HostileForge) -> None:
    setup.work.push("ada", setup.work.tip("main"), "release")
    head = topic(setup, "ada")
    first = setup.open_change("ada", head, branch="shared")
    second = setup.acting.open("ada", "shared", "release", "the same for release")
    for name in ("bob", "carol"):
        setup.acting.approve(name, first)
    assert setup.evaluate_and_publish(first) is Outcome.ALLOW
    assert setup.evaluate_and_publish(second) is Outcome.DENY
    found = {(check.context, check.state) for check in setup.forge.reader.list_statuses(setup.repository, head)}
    assert found == {("muniment/main", "success"), ("muniment/release", "failure")}


def test_approval_given_before_target_was_renamed_does_not_count(setup: HostileForge) -> None:
    setup.work.push("ada", setup.work.tip("main"), "dev")
    number = setup.open_change("ada", topic(setup, "ada"), target="dev")
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.acting.rename_branch("ada", "dev", "release/1")
    eventually(lambda: setup.find_counted_reviewers(number) == set(), "the forge tells of the new name")
    time.sleep(1)  # an approval in the second of the new name may have come before it
    setup.acting.approve("bob", number)
    assert setup.find_counted_reviewers(number) == {"bob"}


def test_approval_of_older_commit_does_not_count(setup: HostileForge) -> None:
    first = topic(setup, "ada")
    number = setup.open_change("ada", first, setup.work.commit("ada", {"more.py": "x\n"}, first))
    body = {"event": "APPROVED", "body": "yes", "commit_id": first}
    setup.acting._at("POST", f"pulls/{number}/reviews", setup.acting.token("bob"), body)
    setup.acting.approve("carol", number)
    assert setup.find_counted_reviewers(number) == {"carol"}


def test_approval_ends_with_loss_of_write_access(setup: HostileForge) -> None:
    number = setup.open_change("ada", topic(setup, "ada"))
    setup.acting.approve("dave", number)
    assert setup.find_counted_reviewers(number) == {"dave"}
    login = setup.acting.login("dave")
    setup.acting._at("PUT", f"collaborators/{login}", setup.acting._admin, {"permission": "read"})
    try:
        assert setup.find_counted_reviewers(number) == set()
    finally:
        setup.acting._at("PUT", f"collaborators/{login}", setup.acting._admin, {"permission": "write"})


def test_change_by_service_account_needs_two_people(setup: HostileForge) -> None:
    number = setup.open_change("muniment", topic(setup, "muniment"))
    setup.acting.approve("bob", number)
    assert setup.evaluate_and_publish(number) is Outcome.DENY
    setup.acting.approve("carol", number)
    assert setup.find_contributors(number) == {"machine:muniment"}
    assert setup.evaluate_and_publish(number) is Outcome.ALLOW


def test_unreadable_fork_leaves_pusher_unknown(setup: HostileForge) -> None:
    token = setup.acting.token("eve")
    setup.acting._at("POST", "forks", token, {"name": "mine"})
    fork = Fork(setup.acting)
    work = Work(setup.folder / "fork", fork)
    head = work.commit("eve", {"fork.py": "x = 1\n"}, work.tip("main"))
    work.push("eve", head, "offer")
    body = {"head": f"{setup.acting.login('eve')}:offer", "base": "main", "title": "an offer"}
    number = setup.acting._at("POST", "pulls", token, body)["number"]
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    assert setup.evaluate_and_publish(number) is Outcome.DENY


class Fork(GiteaActing):
    """A fork of the repository that belongs to eve."""

    def __init__(self, origin: GiteaActing) -> None:
        self.__dict__.update(origin.__dict__)
        self.path = f"{origin.login('eve')}/mine"

    def header(self, name: str) -> str:
        return super().header("eve")


def test_merge_by_forged_status_is_denied_afterwards(setup: HostileForge) -> None:
    plan = setup.forge.protector.plan_protection(
        setup.repository, WantedProtection(MAIN, make_context(MAIN), approvals=0)
    )
    setup.forge.protector.apply_protection(setup.repository, plan)
    head = topic(setup, "ada")
    number = setup.open_change("ada", head)
    assert setup.evaluate_and_publish(number) is Outcome.DENY
    ForgeUnderTest(setup.acting, setup.connection.vendor, setup.folder / "ada", ours="ada").publish(
        head, MAIN, StatusState.ALLOWED
    )
    eventually(lambda: merge_change(setup, number, "squash"), "a status binds nobody who may write")
    evaluation, _ = evaluating.evaluate_merged_change(*setup.at, setup.read_change(number), setup.rules_at, now())
    assert evaluation.decision.outcome is Outcome.DENY


def test_invalid_token_reads_nothing(setup: HostileForge, tmp_path: Path) -> None:
    stranger = connect_forge(setup.connection, lambda: "0" * 40, now)
    with pytest.raises(ForgeError) as caught:
        stranger.reader.read_repository(setup.acting.path)
    assert caught.value.code in (ForgeCode.NOT_SIGNED_IN, ForgeCode.NOT_FOUND)


def test_cached_responses_hide_no_later_event(setup: HostileForge) -> None:
    first = topic(setup, "ada")
    second = setup.work.commit("dave", {f"{secrets.token_hex(3)}.py": "x = 1\n"}, first)
    number = setup.open_change("ada", first, branch="kept")
    setup.acting._at("POST", "branches", setup.acting.token("muniment"), {"new_branch_name": "other"})

    def at(method: str, path: str, name: str, **body: str) -> Any:
        return setup.acting._at(method, f"pulls/{number}{path}", setup.acting.token(name), body)

    def newest(name: str) -> str:
        rows = at("GET", "/reviews", "muniment")
        return f"/reviews/{[row['id'] for row in rows if row['user']['login'] == setup.acting.login(name)][-1]}"

    def read(forge: Forge) -> Reading:
        return structs.replace(forge.reader.read_full_change(setup.repository, number), read_at="")

    def away_and_back() -> None:
        setup.work.push("bob", first, "kept", force=True)
        setup.work.push("carol", second, "kept", force=True)

    happens: tuple[tuple[str, Callable[[], object]], ...] = (
        ("approved", lambda: setup.acting.approve("bob", number)),
        ("changes requested", lambda: setup.acting.reject("carol", number)),
        ("dismissed", lambda: setup.acting.dismiss("muniment", number, "carol")),
        ("taken back", lambda: at("POST", f"{newest('carol')}/undismissals", "muniment")),
        ("asked again", lambda: setup.acting.ask("ada", number, "bob")),
        ("deleted", lambda: at("DELETE", newest("carol"), "carol")),
        ("pushed", lambda: setup.work.push("dave", second, "kept")),
        ("away and back", away_and_back),
        ("retargeted", lambda: setup.acting.retarget("ada", number, "other")),
    )
    for what, happened in happens:
        read(setup.forge)
        before = read(setup.forge)
        happened()
        eventually(lambda: read(setup.forge) == read(setup.connect()) != before, f"{what} is seen")  # noqa: B023
    client = setup.forge.reader._client  # type: ignore[attr-defined]
    eventually(lambda: not has_unknown_contributor(read(setup.forge)), "who pushed is known")
    asked = client.asked
    given = known(read(setup.forge).reviews)
    asked_of = len({review.by.id for review in given})
    assert client.asked - asked == 4 + asked_of, "the change, its timeline, its reviews, the feed, and who may write"


def known(part: Any) -> Any:
    assert isinstance(part, Known), part
    return part.value


def has_unknown_contributor(reading: Reading) -> bool:
    return any(not isinstance(move.who, Known) for move in known(reading.moves))
