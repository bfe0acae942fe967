"""Pushes that the forge does not show make the first pusher unknown, and no ordinary push does."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import F
from msgspec import structs

from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Unknown
from muniment.forges.gitea import moves, wire
from muniment.forges.shapes import Account, ForgeContributor, Vendor
from muniment.server.connections import first_pushes, forge_access, webhook_deliveries
from muniment.server.connections.models import FirstPush, ForgeChange, ObservedPush, RepositoryLink
from muniment.server.connections.work_requests import add_earlier_requests
from tests.support import forge_setup
from tests.support.forge_setup import ForgeSetup
from tests.support.service import as_role, browser

pytestmark = pytest.mark.usefixtures("service")
ZERO = "0" * 40


def make_disguised_commit(setup: ForgeSetup) -> str:
    """A commit in ada's name, on no branch."""
    return setup.work.commit("ada", {"app.py": "x = 1\n"}, setup.work.tip("main"))


def open_by_ada(setup: ForgeSetup, commit: str) -> int:
    """A change by ada, whose branch she pushes in everybody's sight."""
    setup.work.push("ada", commit, "adas")
    return setup.acting.open("ada", "adas", "main", "disguised")


def evaluate_approved(setup: ForgeSetup, number: int, *names: str) -> str:
    """Status of the change after these people approved."""
    for name in names:
        setup.acting.approve(name, number)
    setup.evaluate(number)
    return setup.get_status(setup.load_change(number).head)


def let_time_pass(setup: ForgeSetup) -> None:
    """What was observed so far was observed long ago; then the updates of branches are read."""
    with as_role("owner"):
        ObservedPush.objects.update(observed_at=F("observed_at") - timedelta(hours=1))
        FirstPush.objects.update(recorded_at=F("recorded_at") - timedelta(hours=1))
    setup.read_updates()


def deliver_push(setup: ForgeSetup, who: str, branch: str, before: str, after: str) -> None:
    """The forge's delivery of a push, which it sends whatever the privacy of the account."""
    login = setup.acting.login(who)
    about = setup.fake.repos[setup.acting.path]
    body = {
        "ref": f"refs/heads/{branch}",
        "before": before,
        "after": after,
        "repository": {"id": about["id"], "full_name": setup.acting.path},
        "sender": {"id": setup.fake.users[login]["id"], "login": login},
    }
    raw = json.dumps(body).encode()
    secret = webhook_deliveries.find_webhook_secret(setup.connection)
    headers: dict[str, Any] = {
        "HTTP_X_GITEA_EVENT": "push",
        "HTTP_X_GITEA_DELIVERY": hashlib.sha256(raw).hexdigest()[:20],
        "HTTP_X_GITEA_SIGNATURE": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest(),
    }
    url = f"/webhooks/{setup.connection.slug}"
    assert browser().post(url, raw, content_type="application/json", **headers).status_code == 202


def test_refuses_approval_by_hidden_pusher_to_another_branch(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("bob")
    setup.work.push("bob", made, "bobs")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "failure"
    assert "it was pushed to bobs too, and the forge does not show by whom" in read_details(number)


def read_details(number: int) -> str:
    """Text behind the status, in one line."""
    shown = ForgeChange.objects.get(number=number).status
    assert shown is not None
    return " ".join(str(shown["details"]).split())


def test_hidden_push_whose_branch_is_gone_is_known_by_its_delivery(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("bob")
    setup.work.push("bob", made, "bobs")
    deliver_push(setup, "bob", "bobs", ZERO, made)
    setup.work.push("bob", "", "bobs")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "failure"


def test_delivered_push_is_not_forgotten_before_its_unknown_pusher_is_stored(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery comes once: a worker that ends in between finds its observation again."""
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("bob")
    setup.work.push("bob", made, "bobs")
    deliver_push(setup, "bob", "bobs", ZERO, made)
    setup.work.push("bob", "", "bobs")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    with monkeypatch.context() as patch:
        patch.setattr(first_pushes, "store_first_pushes", end_worker)
        with pytest.raises(SystemExit):
            let_time_pass(setup)
    assert ObservedPush.objects.filter(commit=made).exists()
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "failure"
    assert not ObservedPush.objects.filter(commit=made).exists()


def end_worker(*_: object) -> bool:
    """What a store does whose process ends."""
    raise SystemExit


def test_visible_push_to_branch_of_same_name_does_not_explain_hidden_one(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("bob")
    setup.work.push("bob", made, "adas")
    deliver_push(setup, "bob", "adas", ZERO, made)
    setup.work.push("bob", "", "adas")
    number = open_by_ada(setup, made)
    deliver_push(setup, "ada", "adas", ZERO, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "failure"


def test_delivery_that_comes_after_evaluation_takes_back_approval(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("bob")
    setup.work.push("bob", made, "bobs")
    setup.work.push("bob", "", "bobs")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "success"
    deliver_push(setup, "bob", "bobs", ZERO, made)
    let_time_pass(setup)
    setup.run_queue(put_off=False)
    assert setup.get_status(made) == "failure"


def test_hidden_push_that_a_visible_one_replaced_is_found_by_its_start(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("bob")
    setup.work.push("bob", made, "bobs")
    other = setup.work.commit("carol", {"other.py": "x = 1\n"}, setup.work.tip("main"))
    setup.work.push("carol", other, "bobs", force=True)
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "failure"


def test_new_commit_by_named_author_ends_unknown_pusher(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("bob")
    setup.work.push("bob", made, "bobs")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    again = setup.work.commit("ada", {"app.py": "x = 1\n"}, setup.work.tip("main"), message="anew\n")
    setup.work.push("ada", again, "adas", force=True)
    let_time_pass(setup)
    setup.work.push("ada", setup.work.commit("ada", {"app.py": "x = 2\n"}, setup.work.tip("main")), "clean")
    clean = setup.acting.open("ada", "clean", "main", "anew")
    assert evaluate_approved(setup, clean, "bob", "carol") == "success"


def test_branch_made_by_hidden_account_from_known_commit_keeps_its_pusher(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.read_updates()
    let_time_pass(setup)
    setup.acting.hide_activity("carol")
    setup.acting.branch("carols", "topic", "carol")
    deliver_push(setup, "carol", "carols", ZERO, setup.work.tip("topic"))
    assert evaluate_approved(setup, number, "bob", "carol") == "success"
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "success"


def test_merge_and_later_branch_by_hidden_account_deny_nothing(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    assert evaluate_approved(setup, number, "bob", "carol") == "success"
    setup.acting.hide_activity("carol")
    setup.acting.merge("carol", number, "squash", force=True)
    deliver_push(setup, "carol", "main", ZERO, setup.work.tip("main"))
    setup.acting.branch("next", "main", "carol")
    let_time_pass(setup)
    later = setup.open_change({"later.py": "x = 1\n"}, branch="later")
    assert evaluate_approved(setup, later, "bob", "carol") == "success"
    assert not ObservedPush.objects.exists()


def test_push_that_feed_shows_late_is_explained(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.acting.hide_activity("ada")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    setup.acting.hide_activity("ada", hidden=False)
    assert evaluate_approved(setup, number) == "success"
    assert not ObservedPush.objects.exists()


def test_delivery_of_visible_push_leaves_nothing_behind(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    deliver_push(setup, "ada", "topic", ZERO, setup.work.tip("topic"))
    setup.run_queue(put_off=False)
    assert not ObservedPush.objects.exists()
    assert evaluate_approved(setup, number, "bob", "carol") == "success"


@pytest.fixture(name="any_setup", params=[Vendor.GITEA, Vendor.GITHUB, Vendor.GITLAB])
def _any_setup(
    service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[ForgeSetup]:
    """A connected repository at a forge of each vendor."""
    with forge_setup.start_setup(tmp_path, monkeypatch, request.param) as found:
        found.connect()
        yield found


def test_refuses_approval_by_pusher_to_ref_that_is_no_branch(any_setup: ForgeSetup) -> None:
    setup = any_setup
    made = make_disguised_commit(setup)
    setup.work.push_ref("bob", made, "refs/foo/bobs")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "failure"
    assert "foo/bobs" in read_details(number)


def test_commit_at_tag_older_than_connection_has_unknown_pusher(
    service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with forge_setup.start_setup(tmp_path, monkeypatch) as setup:
        made = make_disguised_commit(setup)
        setup.work.push_ref("bob", made, "refs/tags/v0")
        setup.connect()
        number = open_by_ada(setup, made)
        assert evaluate_approved(setup, number, "bob", "carol") == "failure"


def test_renamed_source_branch_keeps_its_pushers(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.acting.rename_branch("carol", "topic", "renamed")
    assert evaluate_approved(setup, number, "bob", "carol") == "success"
    made = setup.work.commit("ada", {"app.py": "x = 2\n"}, setup.work.tip("renamed"))
    setup.work.push("dave", made, "renamed")
    assert evaluate_approved(setup, number, "bob", "dave") == "failure"
    assert evaluate_approved(setup, number, "carol") == "success"


def test_hidden_push_before_renaming_stays_unknown(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.acting.hide_activity("bob")
    setup.work.push("bob", setup.work.commit("ada", {"app.py": "x = 2\n"}, setup.work.tip("topic")), "topic")
    setup.acting.rename_branch("carol", "topic", "renamed")
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"


def test_push_by_job_of_forge_does_not_read_as_by_deleted_account() -> None:
    row = wire.FeedRow(1, "push_tag", "refs/tags/v0", wire.User(-2, "gitea-actions"), "2026-11-02T09:00:00Z", _PUSH)
    (move,) = moves.parse_moves([row], "refs/tags/v0", "feed")
    assert move.who == Unknown("a job of the forge pushed it, and the forge does not show who started the job")
    ghost = structs.replace(row, act_user=wire.User(-1, "Ghost"))
    assert moves.parse_moves([ghost], "refs/tags/v0", "feed")[0].who == Unknown(
        "the account that pushed it was deleted"
    )


_PUSH = json.dumps({"HeadCommit": {"Sha1": "a" * 40}, "CompareURL": f"o/r/compare/{ZERO}...{'a' * 40}", "Commits": []})


def test_request_in_deleted_comment_still_makes_its_author_a_requester(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    link = RepositoryLink.objects.select_related("repository", "connection").get()
    forge = forge_access.open_connected_forge(link.connection)
    reading = forge.reader.read_full_change(forge_access.require_linked_repository(link), number)
    asked = ForgeContributor("", Account("7", "bob"), ContributorRole.REQUESTER, Account("", "bot"), "2026-11-02")
    with as_role("worker"):
        seen = add_earlier_requests(link.repository, structs.replace(reading, contributors=Known((asked,))))
        assert seen.contributors == Known((asked,))
        later = add_earlier_requests(link.repository, structs.replace(reading, contributors=Known(())))
        assert later.contributors == Known((asked,))
        unread = structs.replace(reading, contributors=Unknown("not read"))
        assert add_earlier_requests(link.repository, unread) == unread


def test_change_without_branch_is_denied_until_somebody_attests_its_pusher(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.work.push_ref("bob", made, "refs/kept/bobs")
    number = setup.fake.open_without_branch(setup.acting.path, setup.acting.login("bob"), made, "main")
    assert evaluate_approved(setup, number, "carol", "dave") == "failure"
    assert "without a branch" in read_details(number)


def test_refuses_approval_by_opener_of_change_without_branch(setup: ForgeSetup) -> None:
    made = make_disguised_commit(setup)
    setup.fake.repos[setup.acting.path]["git"].git("config", "--add", "uploadpack.hideRefs", "refs/kept")
    setup.work.push_ref("bob", made, "refs/kept/bobs")
    setup.fake.open_without_branch(setup.acting.path, setup.acting.login("bob"), made, "main")
    number = open_by_ada(setup, made)
    assert evaluate_approved(setup, number, "bob", "carol") == "failure"
    let_time_pass(setup)
    assert evaluate_approved(setup, number) == "failure"
