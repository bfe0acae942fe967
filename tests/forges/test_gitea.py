"""Gitea's answers, call by call: failing, wrong or stale answers never allow a change."""

import hashlib
import hmac
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from muniment.decision.decision import Outcome
from muniment.errors import ForgeCode, ForgeError, GitError
from muniment.facts.maybe import Known, Unknown
from muniment.forges.branch_rules import WantedProtection
from muniment.forges.events import ForgeEventKind
from muniment.forges.gitea import moves, rules, timeline, wire
from muniment.forges.gitea.client import GiteaClient, api_path, convert_account
from muniment.forges.gitea.commits import find_own_commit
from muniment.forges.gitea.listener import GiteaListener
from muniment.forges.gitea.reader import GiteaReader
from muniment.forges.shapes import Ability, Account, ChangeEdit, ForgeCommit, Vendor
from muniment.forges.statuses import StatusState, make_context
from muniment.git import signatures
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.faulty import LIMITS, Fault
from tests.support.forges.forge_under_test import MAIN, ForgeUnderTest

READS = ("pull", "reviews", "timeline", "feed", "permission", "commits")
WANTED = WantedProtection(MAIN, make_context(MAIN))


class ChangeSetup:
    """An open change with two approvals, and the fake that hosts it."""

    def __init__(self, fake: FakeGitea, folder: Path) -> None:
        self.fake = fake
        self.acting = GiteaActing(fake.url, fake.administrator)
        self.tested = ForgeUnderTest(self.acting, Vendor.GITEA, folder)
        self.head = self.tested.work.commit("ada", {"app.py": "x = 1\n"}, self.tested.work.tip("main"))
        self.tested.work.push("ada", self.head, "topic")
        self.number = self.acting.open("ada", "topic", "main", "a topic")
        for name in ("bob", "carol"):
            self.acting.approve(name, self.number)

    def forget(self) -> None:
        """Drop the readers' caches, as a restarted process does."""
        self.tested.forge = self.tested.connect()
        self.tested.forge.reader._client._http._seconds = 2  # type: ignore[attr-defined]

    def outcome(self) -> Outcome:
        """Decision by the policy now; deny if the change cannot be evaluated."""
        try:
            return self.tested.evaluate(self.number).decision.outcome
        except (ForgeError, GitError):
            return Outcome.DENY


@pytest.fixture(name="setup", scope="module")
def _setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangeSetup]:
    folder = tmp_path_factory.mktemp("gitea")
    with FakeGitea(folder / "forge") as fake:
        setup = ChangeSetup(fake, folder)
        setup.forget()
        assert setup.outcome() is Outcome.ALLOW
        yield setup


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "setup" in request.fixturenames:
        request.getfixturevalue("setup").fake.mend()


READING_FAULTS = [fault for fault in Fault if fault not in (Fault.STALE, Fault.LOST, Fault.TRUNCATED)]


@pytest.mark.parametrize("call", READS)
def test_failing_call_never_allows_and_next_reading_recovers(setup: ChangeSetup, call: str) -> None:
    for fault in READING_FAULTS:
        setup.forget()
        setup.fake.fail(call, fault)
        if call == "commits" and fault in LIMITS:  # it is the last call at times, and denies nothing else then
            setup.outcome()
        elif call == "commits":  # whose addresses these are is in people.toml too
            assert setup.outcome() is Outcome.ALLOW, fault
        else:
            assert setup.outcome() is Outcome.DENY, fault
        setup.fake.mend()
    assert setup.outcome() is Outcome.ALLOW


@pytest.mark.parametrize("call", ["reviews", "feed"])
def test_incomplete_list_never_allows(setup: ChangeSetup, call: str) -> None:
    setup.forget()
    setup.fake.fail(call, Fault.TRUNCATED)
    assert setup.outcome() is Outcome.DENY


def test_unavailable_git_server_never_allows(setup: ChangeSetup) -> None:
    setup.fake.fail("git", Fault.FAILED)
    assert setup.outcome() is Outcome.DENY


def test_stale_answer_is_corrected_by_later_reading(setup: ChangeSetup) -> None:
    setup.acting.reject("bob", setup.number)
    setup.fake.fail("reviews", Fault.STALE, times=1)
    setup.outcome()  # of an older state, which was whole
    assert setup.outcome() is Outcome.DENY
    setup.acting.approve("bob", setup.number)
    assert setup.outcome() is Outcome.ALLOW


def test_status_with_lost_response_raises_error_and_is_posted(setup: ChangeSetup) -> None:
    setup.fake.fail("publish", Fault.LOST, times=1)
    with pytest.raises(ForgeError):
        setup.tested.publish(setup.head, MAIN, StatusState.DENIED)
    found = setup.tested.forge.reader.list_statuses(setup.tested.repository, setup.head)
    assert [(check.context, check.state) for check in found] == [("muniment/main", "failure")]


def test_deleted_fork_leaves_unknown_pusher(setup: ChangeSetup) -> None:
    reader = setup.tested.forge.reader
    assert isinstance(reader, GiteaReader)
    found = structs.replace(reader.read_change(setup.tested.repository, setup.number), source_repository="")
    no_events: tuple[wire.TimelineEvent, ...] = ()
    for events in (Known(no_events), Unknown("no timeline")):
        with pytest.raises(ForgeError, match="is gone"):
            reader._read_moves(setup.tested.repository, found, events)


def test_refuses_outdated_protection_plan(setup: ChangeSetup) -> None:
    protector = setup.tested.forge.protector
    plan = protector.plan_protection(setup.tested.repository, WANTED)
    protector.apply_protection(setup.tested.repository, plan)
    with pytest.raises(ForgeError) as caught:
        protector.apply_protection(setup.tested.repository, plan)
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE


@pytest.mark.parametrize("vendor", [Vendor.GITEA, Vendor.FORGEJO])
def test_branch_rule_not_accepted_by_forge_is_error(vendor: Vendor) -> None:
    asked = rules.make_fields(WANTED, {}, "muniment", vendor)
    rules.require_applied({"rule_name": "main", **asked}, asked)
    for name in asked:
        without = {key: value for key, value in asked.items() if key != name}
        if asked[name]:
            with pytest.raises(ForgeError, match="left some of the rule"):
                rules.require_applied({"rule_name": "main", **without}, asked)


def test_machine_requesters_are_read_from_assignments_and_comments() -> None:
    bob, agent, at = wire.User(2, "bob"), wire.User(9, "agent"), "2026-11-24T08:00:00Z"
    rows = [
        wire.TimelineEvent(1, "assignees", bob, at, assignee=agent),
        wire.TimelineEvent(2, "assignees", bob, at, assignee=agent, removed_assignee=True),
        wire.TimelineEvent(3, "comment", bob, at, body="@agent make it faster, mail a@b.example"),
        wire.TimelineEvent(4, "comment", agent, at, body="@agent is me"),
        wire.TimelineEvent(5, "comment", bob, at, body=None),
        wire.TimelineEvent(6, "review", bob, at, body="@agent"),
    ]
    found = timeline.parse_work_requests(rows, "where")
    assert [(one.by.login, one.asked, one.at) for one in found] == [
        ("bob", Account("9", "agent"), ""),
        ("bob", Account("", "agent"), "2026-11-24T08:00:00.000000Z"),
    ]
    with pytest.raises(ForgeError):
        timeline.parse_work_requests([wire.TimelineEvent(1, "comment", bob, body="@agent")], "where")


def test_protection_keeps_existing_stricter_settings() -> None:
    held = {"enable_status_check": True, "status_check_contexts": ["ci", "muniment/main"], "required_approvals": 3}
    asked = rules.make_fields(WANTED, held, "muniment", Vendor.GITEA)
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
def test_lists_every_bypass_of_branch_rule(weaker: dict[str, Any], who: tuple[str, ...]) -> None:
    asked = rules.make_fields(WANTED, {}, "muniment", Vendor.GITEA)
    assert rules.convert_rule(MAIN, {**asked, **weaker}, Vendor.GITEA).bypass == who


def test_read_only_account_lacks_listed_abilities(setup: ChangeSetup) -> None:
    other = ForgeUnderTest(setup.acting, Vendor.GITEA, setup.tested.folder / "eve", ours="eve")
    assert other.listed.missing_abilities == (
        Ability.PERMISSIONS,
        Ability.RULES,
        Ability.STATUS,
        Ability.PROTECT,
        Ability.HOOKS,
        Ability.PROPOSE,
    )
    assert isinstance(other.read_change(setup.number).writers, Unknown)


def test_single_comment_is_edited_and_deleted(setup: ChangeSetup) -> None:
    publisher, repository = setup.tested.forge.publisher, setup.tested.repository
    comments = setup.fake.pulls[setup.acting.path, setup.number]["comments"]
    publisher.update_comment(repository, setup.number, "m", "one")
    first = dict(comments[0])
    publisher.update_comment(repository, setup.number, "m", "two")
    assert [(row["id"], row["body"]) for row in comments] == [(first["id"], "<!-- m -->\ntwo")], "which nobody reads"
    publisher.update_comment(repository, setup.number, "m", "")
    assert comments == []


def test_own_change_is_edited_labelled_and_closed(setup: ChangeSetup) -> None:
    publisher, repository = setup.tested.forge.publisher, setup.tested.repository
    pull = setup.fake.pulls[setup.acting.path, setup.number]
    for _ in range(2):
        publisher.edit_change(repository, setup.number, ChangeEdit(labels=("dependencies",)))
    assert (pull["labels"], [row["name"] for row in setup.fake.made_labels]) == (["dependencies"], ["dependencies"])
    assert pull["state"] == "open"
    publisher.edit_change(repository, setup.number, ChangeEdit("Update two", "because", closes=True))
    assert (pull["title"], pull["body"], pull["state"]) == ("Update two", "because", "closed")
    publisher.edit_change(repository, setup.number, ChangeEdit())


def test_comment_with_former_visible_marker_is_edited(setup: ChangeSetup) -> None:
    publisher, repository = setup.tested.forge.publisher, setup.tested.repository
    comments = setup.fake.pulls[setup.acting.path, setup.number]["comments"]
    publisher.update_comment(repository, setup.number, "m", "one")
    comments[0]["body"] = "m\none"
    first = dict(comments[0])
    publisher.update_comment(repository, setup.number, "m", "two")
    assert [(row["id"], row["body"]) for row in comments] == [(first["id"], "<!-- m -->\ntwo")]


def test_webhook_is_created_once_and_its_secret_renewed(setup: ChangeSetup) -> None:
    for word in ("one", "two"):
        setup.tested.forge.protector.register_webhook(setup.tested.repository, "https://muniment.example/hook", word)
    hooks = setup.fake.hooked[setup.acting.path]
    assert [hook["config"]["secret"] for hook in hooks] == ["two"]
    with pytest.raises(ForgeError, match="without a secret"):
        setup.tested.forge.protector.register_webhook(setup.tested.repository, "https://muniment.example/hook", "")


def test_unsupported_forge_version_is_reported(tmp_path: Path) -> None:
    with FakeGitea(tmp_path, "1.19.3") as fake, pytest.raises(ForgeError) as caught:
        _ = GiteaClient(fake.url, lambda: "").version
    assert caught.value.code is ForgeCode.UNSUPPORTED


# commits of the forge's own

OURS = "forge@forge.example"


def _signed_by(key: Path) -> tuple[str, str]:
    """A signature by a new key, and the key as the forge shows it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().split()
    return signatures.make_signature(b"commit", "git", str(key)), " ".join(public[:2])


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
def test_commit_is_made_by_forge_only_with_its_key_and_address(
    tmp_path: Path, changed: dict[str, Any], own: bool
) -> None:
    signature, key = _signed_by(tmp_path / "forge")
    other, _ = _signed_by(tmp_path / "other")
    content = {"verified": True, "signer": {"email": OURS}, "signature": signature}
    content |= {name: value for name, value in changed.items() if name in content}
    if content["signature"] == "of another key":
        content["signature"] = other
    email = changed.get("email", OURS)
    commit = {"committer": {"email": email}, "verification": content}
    found = msgspec.convert({"sha": A, "commit": commit, "committer": changed.get("committer")}, wire.ListedCommit)
    assert (find_own_commit(found, ("", key)) == ForgeCommit(A, OURS)) is own
    assert find_own_commit(found, ("", "")) is None


# the feed

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
REF = "refs/heads/topic"


def row(number: int, old: str, new: str, who: int | None = 1, **more: str) -> wire.FeedRow:
    content = {"CompareURL": f"shop/api/compare/{old}...{new}", "Commits": [{"Sha1": new}], "HeadCommit": {"Sha1": new}}
    user = {"id": who, "login": f"user{who}"} if who else None
    found = {
        "id": number,
        "op_type": "commit_repo",
        "ref_name": REF,
        "act_user": user,
        "created": "2026-11-24T08:00:00Z",
        "content": json.dumps(content),
    }
    return msgspec.convert({**found, **more}, wire.FeedRow)


def list_moves(*rows: wire.FeedRow, head: str, creator: int | None = 1) -> list[tuple[str, str, bool]]:
    """Moves of a branch that account `creator` created (None: the feed does not show it)."""
    made = [row(0, "", "", creator, content="")] if creator is not None else []
    found = moves.collect_moves([*rows, *made], REF, head, "feed")
    return [(one.old[:1], one.new[:1], isinstance(one.who, Known)) for one in found]


def test_pushes_are_listed_in_order() -> None:
    assert list_moves(row(2, B, C), row(1, A, B), head=C) == [("a", "b", True), ("b", "c", True)]


def test_push_missing_from_feed_has_unknown_pusher() -> None:
    assert list_moves(row(1, A, B), row(3, C, D), head=D) == [("a", "b", True), ("b", "c", False), ("c", "d", True)]
    assert list_moves(row(1, A, B), head=C) == [("a", "b", True), ("b", "c", False)]
    assert list_moves(head=C) == [("", "c", False)]


@pytest.mark.parametrize(
    "created",
    [None, row(0, "", "", 2, content=""), row(0, "", "", content="", created="2026-11-24T07:00:00Z")],
    ids=["not shown", "by another account", "long before"],
)
def test_push_before_first_shown_one_has_unknown_pusher(created: wire.FeedRow | None) -> None:
    rows = [row(1, A, B), *([created] if created else ())]
    assert list_moves(*rows, head=B, creator=None) == [("", "a", False), ("a", "b", True)]


def test_feed_rows_of_one_second_in_any_order_are_all_read() -> None:
    second = "2026-11-24T08:00:05Z"
    rows = [
        row(4, A, C, created="2026-11-24T08:00:09Z"),
        row(2, "", "", created=second, content=""),
        row(3, A, B, created=second),
        row(1, A, D, created="2026-11-24T08:00:04Z"),
    ]
    older = moves.FeedEnd(REF, "2026-11-24T08:00:06.000000Z", "feed")
    assert [older(one) for one in rows] == [False, False, False, True]
    younger = moves.FeedEnd(REF, "2026-11-24T08:00:05.000000Z", "feed")  # made after it was opened: another life before
    assert not any(younger(one) for one in rows)
    later = moves.FeedEnd(REF, "2027-02-22T08:00:07.000000Z", "feed")
    assert [later(one) for one in rows] == [False, True, True, True]  # 90 days before, and no further


def test_created_branch_has_no_previous_head() -> None:
    assert list_moves(row(1, "main", B), head=B) == [("", "b", True)]


def test_feed_rows_of_other_branches_and_actions_are_skipped() -> None:
    other = row(2, B, C, ref_name="refs/heads/other")
    starred = row(3, B, C, op_type="star_repo")
    assert list_moves(row(1, A, B), other, starred, head=B) == [("a", "b", True)]


def test_a_pusher_whose_account_was_deleted_is_unknown() -> None:
    assert list_moves(row(1, A, B, who=None), head=B, creator=0) == [("a", "b", False)]


@pytest.mark.parametrize(
    "content", ["{", '{"CompareURL": 1}', '{"CompareURL": "x"}', '{"HeadCommit": {"Sha1": "main"}}']
)
def test_unparsable_push_row_makes_list_unknown(content: str) -> None:
    with pytest.raises(ForgeError) as caught:
        list_moves(row(1, A, B, content=content), head=B)
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
def test_delivery_without_valid_signature_is_not_genuine(headers: dict[str, str], secret: str) -> None:
    assert GiteaListener().is_genuine(secret, headers, b"{}") is False


def test_signed_delivery_is_genuine() -> None:
    assert GiteaListener().is_genuine(SECRET, signed(b"{}"), b"{}") is True


REPOSITORY = {"full_name": "org/shop", "id": 7}


@pytest.mark.parametrize(
    ("name", "body", "happened", "number", "ref"),
    [
        ("pull_request", {"pull_request": {"number": 4}}, ForgeEventKind.CHANGE, 4, ""),
        ("pull_request_approved", {"pull_request": {"number": 4}}, ForgeEventKind.CHANGE, 4, ""),
        ("issue_comment", {"issue": {"number": 4, "pull_request": {}}}, ForgeEventKind.NOTHING, 0, ""),
        ("issue_comment", {"issue": {"number": 4, "pull_request": {"merged": False}}}, ForgeEventKind.CHANGE, 4, ""),
        ("push", {"ref": MAIN, "after": A}, ForgeEventKind.BRANCH, 0, MAIN),
        ("create", {"ref": "topic", "ref_type": "branch"}, ForgeEventKind.BRANCH, 0, "refs/heads/topic"),
        ("delete", {"ref": "v1", "ref_type": "tag"}, ForgeEventKind.BRANCH, 0, "refs/tags/v1"),
        ("status", {"sha": A, "context": "muniment/main"}, ForgeEventKind.STATUS, 0, ""),
        ("repository", {"action": "deleted"}, ForgeEventKind.REPOSITORY, 0, ""),
        ("star", {}, ForgeEventKind.NOTHING, 0, ""),
        ("pull_request", {"pull_request": {"number": "4"}}, ForgeEventKind.CHANGE, 0, ""),
    ],
)
def test_delivery_is_mapped_to_event_kind_number_and_ref(
    name: str, body: dict[str, Any], happened: ForgeEventKind, number: int, ref: str
) -> None:
    data = json.dumps({"repository": REPOSITORY, **body}).encode()
    event = GiteaListener().parse_event({"x-gitea-event": name, "x-gitea-delivery": "d1"}, data)
    assert (event.kind, event.number, event.ref) == (happened, number, ref)
    assert (event.delivery, event.repository, event.repository_id) == ("d1", "org/shop", "7")


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{"])
def test_unparsable_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(ForgeError) as caught:
        GiteaListener().parse_event({"x-gitea-event": "push"}, body)
    assert caught.value.code is ForgeCode.MALFORMED


@pytest.mark.parametrize("path", ["shop", "/shop", "org/", "org/shop/more", "../shop", "org/.."])
def test_refuses_invalid_repository_path(path: str) -> None:
    with pytest.raises(ForgeError):
        api_path(path, "pulls")


def test_slash_in_path_segment_is_escaped() -> None:
    assert api_path("org/shop", "branches", "a/b?c") == "repos/org/shop/branches/a%2Fb%3Fc"


def test_deleted_and_system_accounts_are_not_persons() -> None:
    assert convert_account(None).machine is False
    assert convert_account(wire.User(-2, "gitea-actions")).machine is True


def test_pushers_since_given_commit_are_listed_oldest_first(setup: ChangeSetup) -> None:
    work, reader, where = setup.tested.work, setup.tested.forge.reader, setup.tested.repository
    made = [work.tip("main")]
    for name in ("ada", "bob", "dave"):
        made.append(work.commit(name, {"aside.py": f"{name}\n"}, made[-1]))
        work.push(name, made[-1], "aside")
        work.push("ada", made[-1], "elsewhere")
    pushes = reader.list_pushes(where, "refs/heads/aside", made[1], "2000-01-02T00:00:00.000000Z")
    logins = [move.who.value.login for move in pushes if isinstance(move.who, Known)]
    assert logins == [setup.acting.login("bob"), setup.acting.login("dave")]
    assert [(move.old, move.new) for move in pushes] == [(made[1], made[2]), (made[2], made[3])]
    assert reader.list_pushes(where, "refs/heads/aside", "", "2999-01-02T00:00:00.000000Z") == ()


def test_status_before_repost_can_be_read(setup: ChangeSetup) -> None:
    reader, repository = setup.tested.forge.reader, setup.tested.repository
    setup.tested.publish(setup.head, MAIN, StatusState.ALLOWED)
    (first,) = reader.list_statuses(repository, setup.head)
    setup.tested.publish(setup.head, MAIN, StatusState.DENIED)
    (then,) = reader.list_statuses(repository, setup.head, first.at)
    (now,) = reader.list_statuses(repository, setup.head)
    assert (then.state, now.state) == ("success", "failure")
