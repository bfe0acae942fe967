"""What we make of Gitea's answers, call by call: any that fails, lies or lags never becomes a yes."""

import hashlib
import hmac
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.decision.decision import Outcome
from muniment.errors import ForgeCode, ForgeError, GitError
from muniment.facts.maybe import Known, Unknown
from muniment.forges.events import Happened
from muniment.forges.gitea import moves, rules, timeline
from muniment.forges.gitea.client import Gitea, account, place
from muniment.forges.gitea.collect import GiteaReader, _own
from muniment.forges.gitea.listen import GiteaListener
from muniment.forges.rules import Wanted
from muniment.forges.shapes import Ability, Account, ForgeCommit, Vendor
from muniment.forges.statuses import Saying, context_for
from muniment.git import signatures
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import LIMITS, Fault
from tests.support.forges.stage import MAIN, Stage

READS = ("pull", "reviews", "timeline", "feed", "permission", "commits")
WANTED = Wanted(MAIN, context_for(MAIN))


class Scene:
    """An open change that two others approved, and the fake that it is at."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake = fake
        self.acting = GiteaActing(fake.url, fake.administrator)
        self.stage = Stage(self.acting, Vendor.GITEA, folder)
        self.head = self.stage.work.commit("ada", {"app.py": "x = 1\n"}, self.stage.work.tip("main"))
        self.stage.work.push("ada", self.head, "topic")
        self.number = self.acting.open("ada", "topic", "main", "a topic")
        for name in ("bob", "carol"):
            self.acting.approve(name, self.number)

    def forget(self) -> None:
        """Whoever reads now knows nothing that was read before."""
        self.stage.forge = self.stage.connected()
        self.stage.forge.reader._client._http._seconds = 2  # type: ignore[attr-defined]

    def outcome(self) -> Outcome:
        """What the policy says now; what cannot be judged is denied."""
        try:
            return self.stage.judge(self.number).decision.outcome
        except (ForgeError, GitError):
            return Outcome.DENY


@pytest.fixture(name="scene", scope="module")
def _scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("gitea")
    with FakeGitea(folder / "forge") as fake:
        scene = Scene(fake, folder)
        scene.forget()
        assert scene.outcome() is Outcome.ALLOW
        yield scene


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "scene" in request.fixturenames:
        request.getfixturevalue("scene").fake.mend()


READING_FAULTS = [fault for fault in Fault if fault not in (Fault.STALE, Fault.LOST, Fault.TRUNCATED)]


@pytest.mark.parametrize("call", READS)
def test_a_call_that_fails_in_any_way_is_never_a_yes_and_mends_by_itself(scene: Scene, call: str) -> None:
    for fault in READING_FAULTS:
        scene.forget()
        scene.fake.fail(call, fault)
        if call == "commits" and fault in LIMITS:  # it is the last call at times, and denies nothing else then
            scene.outcome()
        elif call == "commits":  # whose addresses these are is in people.toml too
            assert scene.outcome() is Outcome.ALLOW, fault
        else:
            assert scene.outcome() is Outcome.DENY, fault
        scene.fake.mend()
    assert scene.outcome() is Outcome.ALLOW


@pytest.mark.parametrize("call", ["reviews", "feed"])
def test_a_list_that_lacks_an_item_is_never_a_yes(scene: Scene, call: str) -> None:
    scene.forget()
    scene.fake.fail(call, Fault.TRUNCATED)
    assert scene.outcome() is Outcome.DENY


def test_a_git_that_does_not_answer_is_never_a_yes(scene: Scene) -> None:
    scene.fake.fail("git", Fault.FAILED)
    assert scene.outcome() is Outcome.DENY


def test_what_is_read_as_it_was_before_the_last_write_becomes_right_by_itself(scene: Scene) -> None:
    scene.acting.reject("bob", scene.number)
    scene.fake.fail("reviews", Fault.STALE, times=1)
    scene.outcome()  # of an older state, which was whole
    assert scene.outcome() is Outcome.DENY
    scene.acting.approve("bob", scene.number)
    assert scene.outcome() is Outcome.ALLOW


def test_a_status_whose_answer_is_lost_is_an_error_and_stands_all_the_same(scene: Scene) -> None:
    scene.fake.fail("publish", Fault.LOST, times=1)
    with pytest.raises(ForgeError):
        scene.stage.say(scene.head, MAIN, Saying.DENIED)
    found = scene.stage.forge.reader.statuses(scene.stage.repository, scene.head)
    assert [(check.context, check.state) for check in found] == [("muniment/main", "failure")]


def test_a_fork_that_is_gone_leaves_a_pusher_nobody_knows(scene: Scene) -> None:
    reader = scene.stage.forge.reader
    assert isinstance(reader, GiteaReader)
    found = structs.replace(reader.change(scene.stage.repository, scene.number), source_repository="")
    for events in (Known(()), Unknown("no timeline")):
        with pytest.raises(ForgeError, match="is gone"):
            reader._moves(scene.stage.repository, found, events)


def test_a_plan_that_is_no_longer_true_is_not_done(scene: Scene) -> None:
    protector = scene.stage.forge.protector
    plan = protector.plan(scene.stage.repository, WANTED)
    protector.apply(scene.stage.repository, plan)
    with pytest.raises(ForgeError) as caught:
        protector.apply(scene.stage.repository, plan)
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE


@pytest.mark.parametrize("vendor", [Vendor.GITEA, Vendor.FORGEJO])
def test_a_rule_that_the_forge_did_not_take_is_an_error(vendor: Vendor) -> None:
    asked = rules.wanted_fields(WANTED, {}, "muniment", vendor)
    rules.certain({"rule_name": "main", **asked}, asked)
    for name in asked:
        without = {key: value for key, value in asked.items() if key != name}
        if asked[name]:
            with pytest.raises(ForgeError, match="left some of the rule"):
                rules.certain({"rule_name": "main", **without}, asked)


def test_who_asked_whom_is_read_from_assignments_and_comments() -> None:
    bob, agent, at = {"id": 2, "login": "bob"}, {"id": 9, "login": "agent"}, "2026-11-24T08:00:00Z"
    rows: list[dict[str, Any]] = [
        {"type": "assignees", "user": bob, "assignee": agent, "removed_assignee": False, "created_at": at},
        {"type": "assignees", "user": bob, "assignee": agent, "removed_assignee": True, "created_at": at},
        {"type": "comment", "user": bob, "body": "@agent make it faster, mail a@b.example", "created_at": at},
        {"type": "comment", "user": agent, "body": "@agent is me", "created_at": at},
        {"type": "comment", "user": bob, "body": None, "created_at": at},
        {"type": "review", "user": bob, "body": "@agent", "created_at": at},
    ]
    found = timeline.requests(rows, "where")
    assert [(one.by.login, one.asked, one.at) for one in found] == [
        ("bob", Account("9", "agent"), ""),
        ("bob", Account("", "agent"), "2026-11-24T08:00:00.000000Z"),
    ]
    with pytest.raises(ForgeError):
        timeline.requests([{"type": "comment", "user": bob, "body": "@agent"}], "where")


def test_what_a_rule_holds_beyond_is_kept_and_nothing_weaker_is_asked_for() -> None:
    held = {"enable_status_check": True, "status_check_contexts": ["ci", "muniment/main"], "required_approvals": 3}
    asked = rules.wanted_fields(WANTED, held, "muniment", Vendor.GITEA)
    assert asked["status_check_contexts"] == ["ci", "muniment/main"]
    assert asked["required_approvals"] == 3
    assert "merge_whitelist_usernames" not in asked


@pytest.mark.parametrize(
    ("weaker", "who"),
    [
        ({"block_admin_merge_override": False}, ("administrators of the repository",)),
        ({"unprotected_file_patterns": "docs/**"}, ("whoever changes docs/**",)),
        ({"enable_push": True}, ("*",)),
        (
            {"enable_push": True, "enable_push_whitelist": True, "push_whitelist_usernames": ["eve"]}
            | {"push_whitelist_teams": ["ops"], "push_whitelist_deploy_keys": True},
            ("eve", "team ops", "deploy keys"),
        ),
    ],
)
def test_each_way_around_a_rule_is_told(weaker: dict[str, Any], who: tuple[str, ...]) -> None:
    asked = rules.wanted_fields(WANTED, {}, "muniment", Vendor.GITEA)
    assert rules.shaped(MAIN, {**asked, **weaker}, Vendor.GITEA).bypass == who


def test_one_who_may_only_read_misses_what_judging_takes(scene: Scene) -> None:
    other = Stage(scene.acting, Vendor.GITEA, scene.stage.folder / "eve", ours="eve")
    assert other.listed.missing_abilities == (
        Ability.PERMISSIONS,
        Ability.RULES,
        Ability.STATUS,
        Ability.PROTECT,
        Ability.HOOKS,
        Ability.PROPOSE,
    )
    assert isinstance(other.read(scene.number).writers, Unknown)


def test_one_comment_is_edited_in_place_and_goes(scene: Scene) -> None:
    publisher, repository = scene.stage.forge.publisher, scene.stage.repository
    comments = scene.fake.pulls[scene.acting.path, scene.number]["comments"]
    publisher.comment(repository, scene.number, "m", "one")
    first = dict(comments[0])
    publisher.comment(repository, scene.number, "m", "two")
    assert [(row["id"], row["body"]) for row in comments] == [(first["id"], "<!-- m -->\ntwo")], "which nobody reads"
    publisher.comment(repository, scene.number, "m", "")
    assert comments == []


def test_a_comment_of_before_whose_marker_people_read_is_edited(scene: Scene) -> None:
    publisher, repository = scene.stage.forge.publisher, scene.stage.repository
    comments = scene.fake.pulls[scene.acting.path, scene.number]["comments"]
    publisher.comment(repository, scene.number, "m", "one")
    comments[0]["body"] = "m\none"
    first = dict(comments[0])
    publisher.comment(repository, scene.number, "m", "two")
    assert [(row["id"], row["body"]) for row in comments] == [(first["id"], "<!-- m -->\ntwo")]


def test_a_hook_is_made_once_and_its_secret_renewed(scene: Scene) -> None:
    for word in ("one", "two"):
        scene.stage.forge.protector.hook(scene.stage.repository, "https://muniment.example/hook", word)
    hooks = scene.fake.hooked[scene.acting.path]
    assert [hook["config"]["secret"] for hook in hooks] == ["two"]
    with pytest.raises(ForgeError, match="without a secret"):
        scene.stage.forge.protector.hook(scene.stage.repository, "https://muniment.example/hook", "")


def test_a_version_that_is_too_old_says_so(tmp_path: Path) -> None:
    with FakeGitea(tmp_path, "1.19.3") as fake, pytest.raises(ForgeError) as caught:
        _ = Gitea(fake.url, lambda: "").version
    assert caught.value.code is ForgeCode.UNSUPPORTED


# commits of the forge's own

OURS = "forge@forge.example"


def _signed_by(key: Path) -> tuple[str, str]:
    """A signature by a new key, and the key as the forge shows it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().split()
    return signatures.sign(b"commit", "git", str(key)), " ".join(public[:2])


@pytest.mark.parametrize(
    ("changed", "own"),
    [
        ({}, True),
        ({"verified": False}, False),
        ({"verified": None}, False),
        ({"signer": None}, False),
        ({"signer": {"email": "ada@example.test"}}, False),
        ({"signature": "of another key"}, False),
        ({"committer": {"id": 5, "login": "mallory"}}, False),
        ({"email": ""}, False),
    ],
)
def test_a_commit_is_the_forges_own_only_by_its_own_key_and_address(
    tmp_path: Path, changed: dict[str, Any], own: bool
) -> None:
    signature, key = _signed_by(tmp_path / "forge")
    other, _ = _signed_by(tmp_path / "other")
    said = {"verified": True, "signer": {"email": OURS}, "signature": signature}
    said |= {name: value for name, value in changed.items() if name in said}
    if said["signature"] == "of another key":
        said["signature"] = other
    email = changed.get("email", OURS)
    found: dict[str, Any] = {"sha": A, "commit": {"committer": {"email": email}, "verification": said}}
    found["committer"] = changed.get("committer")
    assert (_own(found, ("", key), "commits") == ForgeCommit(A, OURS)) is own
    assert _own(found, ("", ""), "commits") is None


# the feed

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
REF = "refs/heads/topic"


def row(number: int, old: str, new: str, who: Any = 1, **more: Any) -> dict[str, Any]:
    content = {"CompareURL": f"shop/api/compare/{old}...{new}", "Commits": [{"Sha1": new}], "HeadCommit": {"Sha1": new}}
    user = {"id": who, "login": f"user{who}"} if who else None
    return {
        "id": number,
        "op_type": "commit_repo",
        "ref_name": REF,
        "act_user": user,
        "created": "2026-11-24T08:00:00Z",
        "content": json.dumps(content),
        **more,
    }


def told(*rows: dict[str, Any], head: str) -> list[tuple[str, str, bool]]:
    return [(one.old[:1], one.new[:1], isinstance(one.who, Known)) for one in moves.moves(rows, REF, head, "feed")]


def test_pushes_come_in_their_order() -> None:
    assert told(row(2, B, C), row(1, A, B), head=C) == [("a", "b", True), ("b", "c", True)]


def test_a_push_that_nobody_told_of_is_by_nobody_known() -> None:
    assert told(row(1, A, B), row(3, C, D), head=D) == [("a", "b", True), ("b", "c", False), ("c", "d", True)]
    assert told(row(1, A, B), head=C) == [("a", "b", True), ("b", "c", False)]
    assert told(head=C) == [("", "c", False)]


def test_rows_of_one_second_come_in_any_order_and_none_is_missed() -> None:
    second = "2026-11-24T08:00:05Z"
    rows = [
        row(4, A, C, created="2026-11-24T08:00:09Z"),
        row(2, "", "", created=second, content=""),
        row(3, A, B, created=second),
        row(1, A, D, created="2026-11-24T08:00:04Z"),
    ]
    older = moves.Older(REF, "2026-11-24T08:00:06.000000Z", "feed")
    assert [older(one) for one in rows] == [False, False, False, True]
    younger = moves.Older(REF, "2026-11-24T08:00:05.000000Z", "feed")  # made after it was opened: another life before
    assert not any(younger(one) for one in rows)
    later = moves.Older(REF, "2027-02-22T08:00:07.000000Z", "feed")
    assert [later(one) for one in rows] == [False, True, True, True]  # 90 days before, and no further


def test_a_branch_that_was_made_has_no_end_before() -> None:
    assert told(row(1, "main", B), head=B) == [("", "b", True)]


def test_other_branches_and_other_deeds_are_passed_over() -> None:
    other = row(2, B, C, ref_name="refs/heads/other")
    starred = row(3, B, C, op_type="star_repo")
    assert told(row(1, A, B), other, starred, head=B) == [("a", "b", True)]


def test_a_pusher_whose_account_was_deleted_is_unknown() -> None:
    assert told(row(1, A, B, who=None), head=B) == [("a", "b", False)]


@pytest.mark.parametrize(
    "content", ["{", '{"CompareURL": 1}', '{"CompareURL": "x"}', '{"HeadCommit": {"Sha1": "main"}}']
)
def test_a_push_that_cannot_be_understood_is_no_list(content: str) -> None:
    with pytest.raises(ForgeError) as caught:
        told(row(1, A, B, content=content), head=B)
    assert caught.value.code is ForgeCode.MALFORMED


# deliveries

SECRET = "-".join(("a", "made-up", "secret"))


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"x-gitea-signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), "x-gitea-delivery": "d1"}


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({}, SECRET),
        ({"x-gitea-signature": ""}, SECRET),
        ({"x-gitea-signature": "0" * 64}, SECRET),
        ({"x-gitea-signature": "é"}, SECRET),
        (signed(b"{}", "other"), SECRET),
        (signed(b"{}", ""), ""),
        (signed(b"{} "), SECRET),
    ],
)
def test_a_delivery_that_is_not_signed_by_us_is_not_genuine(headers: dict[str, str], secret: str) -> None:
    assert GiteaListener().genuine(secret, headers, b"{}") is False


def test_a_delivery_that_is_signed_is_genuine() -> None:
    assert GiteaListener().genuine(SECRET, signed(b"{}"), b"{}") is True


REPOSITORY = {"full_name": "org/shop", "id": 7}


@pytest.mark.parametrize(
    ("name", "body", "happened", "number", "ref"),
    [
        ("pull_request", {"pull_request": {"number": 4}}, Happened.CHANGE, 4, ""),
        ("pull_request_approved", {"pull_request": {"number": 4}}, Happened.CHANGE, 4, ""),
        ("issue_comment", {"issue": {"number": 4, "pull_request": {}}}, Happened.NOTHING, 0, ""),
        ("issue_comment", {"issue": {"number": 4, "pull_request": {"merged": False}}}, Happened.CHANGE, 4, ""),
        ("push", {"ref": MAIN, "after": A}, Happened.BRANCH, 0, MAIN),
        ("create", {"ref": "topic", "ref_type": "branch"}, Happened.BRANCH, 0, "refs/heads/topic"),
        ("delete", {"ref": "v1", "ref_type": "tag"}, Happened.BRANCH, 0, "refs/tags/v1"),
        ("status", {"sha": A, "context": "muniment/main"}, Happened.STATUS, 0, ""),
        ("repository", {"action": "deleted"}, Happened.REPOSITORY, 0, ""),
        ("star", {}, Happened.NOTHING, 0, ""),
        ("pull_request", {"pull_request": {"number": "4"}}, Happened.CHANGE, 0, ""),
    ],
)
def test_what_a_delivery_is_about(name: str, body: dict[str, Any], happened: Happened, number: int, ref: str) -> None:
    data = json.dumps({"repository": REPOSITORY, **body}).encode()
    event = GiteaListener().heard({"x-gitea-event": name, "x-gitea-delivery": "d1"}, data)
    assert (event.happened, event.number, event.ref) == (happened, number, ref)
    assert (event.delivery, event.repository, event.repository_id) == ("d1", "org/shop", "7")


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{"])
def test_a_delivery_that_cannot_be_understood_says_so(body: bytes) -> None:
    with pytest.raises(ForgeError) as caught:
        GiteaListener().heard({"x-gitea-event": "push"}, body)
    assert caught.value.code is ForgeCode.MALFORMED


@pytest.mark.parametrize("path", ["shop", "/shop", "org/", "org/shop/more", "../shop", "org/.."])
def test_what_is_no_name_of_a_repository_is_not_asked_for(path: str) -> None:
    with pytest.raises(ForgeError):
        place(path, "pulls")


def test_what_stands_in_a_path_stays_one_step_of_it() -> None:
    assert place("org/shop", "branches", "a/b?c") == "repos/org/shop/branches/a%2Fb%3Fc"


def test_a_deleted_account_and_the_forges_own_are_no_people() -> None:
    assert account(None, "x").machine is False
    assert account({"id": -2, "login": "gitea-actions"}, "x").machine is True


def test_who_moved_a_branch_since_it_stood_somewhere_is_told_oldest_first(scene: Scene) -> None:
    work, reader, where = scene.stage.work, scene.stage.forge.reader, scene.stage.repository
    made = [work.tip("main")]
    for name in ("ada", "bob", "dave"):
        made.append(work.commit(name, {"aside.py": f"{name}\n"}, made[-1]))
        work.push(name, made[-1], "aside")
        work.push("ada", made[-1], "elsewhere")
    told = reader.pushes(where, "refs/heads/aside", made[1], "2000-01-02T00:00:00.000000Z")
    logins = [move.who.value.login for move in told if isinstance(move.who, Known)]
    assert logins == [scene.acting.login("bob"), scene.acting.login("dave")]
    assert [(move.old, move.new) for move in told] == [(made[1], made[2]), (made[2], made[3])]
    assert reader.pushes(where, "refs/heads/aside", "", "2999-01-02T00:00:00.000000Z") == ()


def test_a_status_is_told_as_it_was_before_it_was_posted_again(scene: Scene) -> None:
    reader, repository = scene.stage.forge.reader, scene.stage.repository
    scene.stage.say(scene.head, MAIN, Saying.ALLOWED)
    (first,) = reader.statuses(repository, scene.head)
    scene.stage.say(scene.head, MAIN, Saying.DENIED)
    (then,) = reader.statuses(repository, scene.head, first.at)
    (now,) = reader.statuses(repository, scene.head)
    assert (then.state, now.state) == ("success", "failure")
