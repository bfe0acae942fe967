"""GitLab's publisher and protector: statuses per head, a single comment, and branch rules by tier."""

import hashlib
import hmac
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.branch_rules import RequiredStatus, WantedProtection
from muniment.forges.events import ForgeEventKind
from muniment.forges.forge import Forge
from muniment.forges.gitlab import listener
from muniment.forges.shapes import ChangeEdit, ChangeState, ForgeRepository
from muniment.forges.statuses import Status, StatusState
from tests.support.forges import described, ours
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault, Request
from tests.support.forges.gitlab_requests import OURS

MAIN = "refs/heads/main"
MARKER = "muniment-decision"
HOOK = "https://m.example/hook"
SECRET = "-".join(("a", "hook's", "word"))
ALONE = WantedProtection(MAIN, "muniment/main", approvals=2, only_we_merge=True)


@pytest.fixture(name="repository")
def _repository(lab: Forge) -> ForgeRepository:
    return lab.reader.read_repository("shop/api").repository


def _status(saying: StatusState, context: str = "muniment/main") -> Status:
    return Status(context, saying, "Denied\nBob is missing", "https://m.example/1")


def _change(gitlab: FakeGitLab, source: str = "topic") -> int:
    gitlab.world.push("ada", source, {f"{source}.py": "1\n"})
    return gitlab.world.open("ada", source)


def test_status_follows_decision_and_may_be_posted_twice(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    head = gitlab.world.base
    for saying, state in (
        (StatusState.PENDING, "pending"),
        (StatusState.PENDING, "pending"),
        (StatusState.ALLOWED, "success"),
        (StatusState.PENDING, "pending"),
        (StatusState.DENIED, "failure"),
    ):
        lab.publisher.publish_status(repository, head, _status(saying))
        (check,) = lab.reader.list_statuses(repository, head)
        assert (check.context, check.state, check.by.login) == ("muniment/main", state, OURS)


def test_refused_post_is_error_if_another_status_is_present(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    lab.publisher.publish_status(repository, gitlab.world.base, _status(StatusState.PENDING))
    gitlab.world.statuses[0]["by"] = gitlab.world.users["eve"]
    gitlab.fail("post status", Fault.LOST, times=1)
    with pytest.raises(ForgeError):
        lab.publisher.publish_status(repository, gitlab.world.base, _status(StatusState.PENDING))
    gitlab.fail("statuses", Fault.FORBIDDEN)
    with pytest.raises(ForgeError):
        lab.publisher.publish_status(repository, gitlab.world.base, _status(StatusState.PENDING))


def test_external_check_is_answered_for_each_merge_request_with_head_and_target(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    number = _change(gitlab)
    head = gitlab.world.changes[number].head
    gitlab.world.repo.branch("release", gitlab.world.base)
    gitlab.world.open("eve", "topic", "release")
    gitlab.checks = [{"id": 3, "name": "muniment/main"}, {"id": 4, "name": "muniment/release"}]
    for saying in (StatusState.PENDING, StatusState.ALLOWED):
        lab.publisher.publish_status(repository, head, _status(saying))
    assert [(one["number"], one["external_status_check_id"], one["status"]) for one in gitlab.answers] == [
        (number, 3, "pending"),
        (number, 3, "passed"),
    ]
    assert {one["sha"] for one in gitlab.answers} == {head}


def test_tier_without_external_checks_is_queried_once(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    gitlab.tier = "premium"
    for saying in (StatusState.PENDING, StatusState.ALLOWED):
        lab.publisher.publish_status(repository, gitlab.world.base, _status(saying))
    assert gitlab.calls.count("checks") == 1


def test_unanswered_external_check_is_error(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    head = gitlab.world.changes[_change(gitlab)].head
    gitlab.checks = [{"id": 3, "name": "muniment/main"}]
    for call in ("answer", "requests of commit", "checks"):
        gitlab.fail(call, Fault.FAILED)
        with pytest.raises(ForgeError):
            ours.gitlab(gitlab).publisher.publish_status(repository, head, _status(StatusState.DENIED))
        gitlab.mend()


def test_external_checks_are_cached_briefly_and_missing_check_is_error(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    head = gitlab.world.changes[_change(gitlab)].head
    gitlab.checks = [{"id": 3, "name": "muniment/main"}]
    for saying in (StatusState.PENDING, StatusState.DENIED):
        lab.publisher.publish_status(repository, head, _status(saying))
    assert gitlab.calls.count("checks") == 1
    gitlab.fail("answer", Fault.NOT_FOUND)
    with pytest.raises(ForgeError):
        lab.publisher.publish_status(repository, head, _status(StatusState.ALLOWED))
    gitlab.mend()
    gitlab.checks = []
    lab.publisher.publish_status(repository, head, _status(StatusState.ALLOWED))
    assert gitlab.calls.count("checks") == 2, "and then they are asked for again"


def test_single_comment_is_edited_and_deleted(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = _change(gitlab)
    comments = gitlab.world.changes[number].comments
    gitlab.world.comment("eve", number, f"{MARKER} I am Muniment")
    for text in ("Bob is missing", "Carol is missing", "Carol is missing"):
        lab.publisher.update_comment(repository, number, MARKER, text)
    assert [comment.text for comment in comments[1:]] == [f"Carol is missing\n\n<!-- {MARKER} -->"]
    lab.publisher.update_comment(repository, number, MARKER, "")
    assert [comment.by.login for comment in comments] == ["eve"]


def test_comment_with_former_visible_marker_is_edited(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    number = _change(gitlab)
    old = gitlab.world.comment(OURS, number, f"Bob is missing\n\n{MARKER}")
    lab.publisher.update_comment(repository, number, MARKER, "Carol is missing")
    assert [(one.id, one.text) for one in gitlab.world.changes[number].comments] == [
        (old.id, f"Carol is missing\n\n<!-- {MARKER} -->")
    ]


def test_reviewers_are_added_to_existing_ones_and_change_is_opened_once(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    gitlab.world.push("ada", "revert", {"a": "1"})
    proposed = [lab.publisher.open_change(repository, "refs/heads/revert", MAIN, "Revert", "why") for _ in range(2)]
    assert proposed[0] == proposed[1]
    gitlab.world.ask("ada", proposed[0].number, "dave")
    lab.publisher.request_reviews(repository, proposed[0].number, ("bob", "carol"))
    asked = [user.login for user in gitlab.world.changes[proposed[0].number].reviewers]
    assert asked == ["dave", "bob", "carol"]
    with pytest.raises(ForgeError, match="nobody called"):
        lab.publisher.request_reviews(repository, proposed[0].number, ("who",))


def test_own_change_is_edited_labelled_and_closed(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    gitlab.world.push("ada", "update", {"a": "1"})
    number = lab.publisher.open_change(repository, "refs/heads/update", MAIN, "Update", "why").number
    change = gitlab.world.changes[number]
    lab.publisher.edit_change(repository, number, ChangeEdit(labels=("dependencies",)))
    assert (change.title, change.text, change.labels, change.state) == ("Update", "why", ["dependencies"], "open")
    lab.publisher.edit_change(repository, number, ChangeEdit("Update two", "because", closes=True))
    assert (change.title, change.text, change.state) == ("Update two", "because", "closed")
    lab.publisher.edit_change(repository, number, ChangeEdit())


def test_merges_only_evaluated_head(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    number = _change(gitlab)
    old = gitlab.world.changes[number].head
    new = gitlab.world.push("eve", "topic", {"b": "1"})
    with pytest.raises(ForgeError) as caught:
        lab.publisher.merge_change(repository, number, old, "squash")
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    lab.publisher.merge_change(repository, number, new, "squash")
    assert gitlab.world.changes[number].state == "merged"


# Protecting


@pytest.mark.parametrize("tier", ["free", "premium", "ultimate"])
def test_applied_protection_plan_is_in_effect(tmp_path: Path, tier: str) -> None:
    with FakeGitLab(tmp_path, tier) as gitlab:
        lab = ours.gitlab(gitlab)
        repository = lab.reader.read_repository("shop/api").repository
        lab.protector.register_webhook(repository, HOOK, SECRET)
        plan = lab.protector.plan_protection(repository, ALONE)
        assert plan.steps
        holds = lab.protector.apply_protection(repository, plan)
        us = gitlab.world.users[OURS].id
        assert holds.mergers == holds.bypass == (("maintainers",) if tier == "free" else (f"user:{us}",))
        assert (holds.pushers, holds.force_push, holds.deletable) == ((), False, False)
        assert (holds.approvals, holds.stale_dismissed) == ((0, False) if tier == "free" else (2, True))
        required = {"free": 1, "premium": 1, "ultimate": 2}[tier]
        assert holds.required_statuses == (RequiredStatus("muniment/main"), RequiredStatus("pipeline"))[-required:]
        again = lab.protector.plan_protection(repository, ALONE)
        assert again.steps == ()
        assert any("only name roles" in end for end in again.remaining_gaps) is (tier == "free")
        lab.protector.apply_protection(repository, again)
        assert len(gitlab.protected) == 1


@pytest.mark.parametrize("tier", ["free", "premium"])
def test_weakened_rule_is_detected_and_restored(tmp_path: Path, tier: str) -> None:
    with FakeGitLab(tmp_path, tier) as gitlab:
        lab = ours.gitlab(gitlab)
        repository = lab.reader.read_repository("shop/api").repository
        lab.protector.apply_protection(repository, lab.protector.plan_protection(repository, ALONE))
        gitlab.protected[0]["merge_access_levels"].append({"id": 1, "access_level": 30})
        gitlab.protected[0]["push_access_levels"] = [{"id": 2, "access_level": 40}]
        gitlab.protected[0]["allow_force_push"] = True
        gitlab.project["only_allow_merge_if_pipeline_succeeds"] = False
        plan = lab.protector.plan_protection(repository, ALONE)
        assert [step.previous_value for step in plan.steps] == ["anybody who may write", "maintainers", "yes", "no"]
        lab.protector.apply_protection(repository, plan)
        assert lab.protector.plan_protection(repository, ALONE).steps == ()


def test_old_rule_is_restored_if_replacement_fails(tmp_path: Path) -> None:
    with FakeGitLab(tmp_path, "free") as gitlab:
        lab = ours.gitlab(gitlab)
        repository = lab.reader.read_repository("shop/api").repository
        lab.protector.apply_protection(repository, lab.protector.plan_protection(repository, ALONE))
        gitlab.protected[0]["push_access_levels"] = [{"id": 2, "access_level": 40}]
        plan = lab.protector.plan_protection(repository, ALONE)
        gitlab.fail("protect", Fault.FAILED, times=1)
        with pytest.raises(ForgeError):
            lab.protector.apply_protection(repository, plan)
        (rule,) = gitlab.protected
        assert [level["access_level"] for level in rule["push_access_levels"]] == [40]
        assert lab.reader.read_branch_rules(repository, MAIN).protected


def test_mergers_are_changed_only_on_request(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    plan = lab.protector.plan_protection(repository, WantedProtection(MAIN, "muniment/main"))
    assert any("forged status" in end for end in plan.remaining_gaps)
    assert lab.protector.apply_protection(repository, plan).mergers == ("maintainers",)


def test_more_permissive_of_two_rules_counts_and_is_reported(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository
) -> None:
    lab.protector.apply_protection(repository, lab.protector.plan_protection(repository, ALONE))
    levels = [{"id": 8, "access_level": 30}]
    gitlab.protected.append(
        {"id": 7, "name": "m*", "push_access_levels": levels, "merge_access_levels": levels, "allow_force_push": True}
    )
    rules = lab.reader.read_branch_rules(repository, MAIN)
    assert (rules.mergers, rules.pushers, rules.force_push) == (("*",), ("*",), True)
    assert any("m*" in end for end in lab.protector.plan_protection(repository, ALONE).remaining_gaps)


def test_refuses_outdated_protection_plan(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    plan = lab.protector.plan_protection(repository, ALONE)
    gitlab.project["only_allow_merge_if_pipeline_succeeds"] = True
    with pytest.raises(ForgeError) as caught:
        lab.protector.apply_protection(repository, plan)
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    assert gitlab.protected == []


@pytest.mark.parametrize("call", ["protected", "project"])
def test_unreadable_rules_are_error(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository, call: str) -> None:
    gitlab.fail(call, Fault.FORBIDDEN)
    with pytest.raises(ForgeError):
        lab.reader.read_branch_rules(repository, MAIN)


@pytest.mark.parametrize("call", ["approval settings", "approval rules", "checks"])
def test_unreadable_tier_rules_are_error_or_weak(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository, call: str
) -> None:
    lab.protector.apply_protection(repository, lab.protector.plan_protection(repository, ALONE))
    gitlab.fail(call, Fault.FAILED)
    with pytest.raises(ForgeError):
        lab.reader.read_branch_rules(repository, MAIN)


def test_webhook_is_created_once_and_needs_secret(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    for _ in range(2):
        lab.protector.register_webhook(repository, HOOK, SECRET)
    assert [(one["url"], one["token"], one["merge_requests_events"]) for one in gitlab.hooked] == [(HOOK, SECRET, True)]
    with pytest.raises(ForgeError):
        lab.protector.register_webhook(repository, HOOK, "")


# What GitLab publishes


# What GitLab's description leaves out: calls of the paid tiers, and some that it has not come to yet.
UNDESCRIBED = re.compile(
    r"GET /api/v4/users?"
    r"|POST /api/graphql|POST /oauth/token"
    r"|(GET|POST) /api/v4/projects/5/(approvals|approval_rules|external_status_checks)"
    r"|PUT /api/v4/projects/5/(approval_rules|external_status_checks)/[0-9]+"
    r"|POST /api/v4/projects/5/merge_requests/[0-9]+/status_check_responses"
    r"|GET /api/v4/projects/5/merge_trains/main"
    r"|[A-Z]+ /api/v4/projects/5/merge_requests/[0-9]+/notes(/[0-9]+)?"
)
# That reviewers come in pages is in GitLab's code (lib/api/merge_requests.rb), not in its description.
IN_PAGES = re.compile(r"GET /api/v4/projects/5/merge_requests/[0-9]+/reviewers has no parameter per_page")


def _send_every_request(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    """Send every request that the GitLab client can make."""
    own = gitlab.world.commit({"own": "1"}, committer="GitLab <noreply@gitlab.com>")
    gitlab.world.move("ada", "topic", own)
    number = _change(gitlab)
    head = gitlab.world.changes[number].head
    lab.reader.describe_forge()
    lab.reader.list_repositories()
    lab.reader.list_changes(repository, ChangeState.OPEN, "2026-01-01T00:00:00.000000Z")
    gitlab.world.review("bob", number, "approved")
    lab.reader.read_full_change(repository, number)
    gitlab.twist = lambda answer: answer["data"]["project"]["projectMembers"].update(
        nodes=[], pageInfo={"hasNextPage": True}
    )
    lab.reader.read_full_change(repository, number)
    gitlab.lacks, gitlab.project["merge_trains_enabled"] = "NoteConnection.count", True
    ours.gitlab(gitlab).reader.read_full_change(repository, number)
    gitlab.train = [{"merge_request": {"iid": number}, "pipeline": {"sha": head}}]
    lab.reader.read_merge_group(repository, MAIN, head)
    lab.reader.list_statuses(repository, head)
    lab.reader.read_job_settings(repository)
    lab.reader.list_branches(repository)
    lab.reader.read_branch_tip(repository, MAIN)
    lab.protector.register_webhook(repository, HOOK, SECRET)
    for wanted in (ALONE, WantedProtection(MAIN, "muniment/main", approvals=3)):
        lab.protector.apply_protection(repository, lab.protector.plan_protection(repository, wanted))
    lab.protector.register_webhook(repository, HOOK, SECRET)
    for saying in (StatusState.PENDING, StatusState.DENIED):
        lab.publisher.publish_status(repository, head, _status(saying))
    for text in ("one", "two", ""):
        lab.publisher.update_comment(repository, number, MARKER, text)
    lab.publisher.request_reviews(repository, number, ("carol",))
    gitlab.world.push("ada", "revert", {"r.py": "1\n"})
    lab.publisher.open_change(repository, "refs/heads/revert", MAIN, "Revert", "why")
    lab.publisher.merge_change(repository, number, head, "merge")
    gitlab.tier = "free"
    free = ours.gitlab(gitlab)
    gitlab.protected[0]["push_access_levels"] = [{"id": 1, "access_level": 30}]
    free.protector.apply_protection(repository, free.protector.plan_protection(repository, ALONE))


def test_requests_match_gitlab_openapi_description(gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository) -> None:
    name = os.environ.get("MUNIMENT_GITLAB_OPENAPI", "")
    if not name:
        pytest.skip("MUNIMENT_GITLAB_OPENAPI names no file: GitLab's doc/api/openapi/openapi_v3.yaml, or the older v2")
    _send_every_request(gitlab, lab, repository)
    assert {route.name for route in gitlab.routes} - {"git", "renew"} == set(gitlab.calls)
    found = {f"{one.method} {one.path}": described.unfit(one, root="", name=name) for one in gitlab.requests}
    missing = {place for place, text in found.items() if text == f"there is no {place}"}
    assert {place for place in missing if not UNDESCRIBED.fullmatch(place)} == set()
    assert [text for place, text in found.items() if text and place not in missing and not IN_PAGES.match(text)] == []


def test_requests_are_checked_against_description_file(
    gitlab: FakeGitLab, lab: Forge, repository: ForgeRepository, tmp_path: Path
) -> None:
    _send_every_request(gitlab, lab, repository)
    paths: dict[str, object] = {"/api/v4/user": {"get": {"parameters": []}}}
    (tmp_path / "some.yaml").write_text(json.dumps({"paths": paths, "components": {}}))
    content = {described.unfit(request, root="", name=str(tmp_path / "some.yaml")) for request in gitlab.requests}
    assert "" in content
    assert "there is no GET /api/v4/metadata" in content


OLDER = {
    "/api/v4/things": {
        "get": {"parameters": [{"in": "query", "name": "state", "type": "string", "enum": ["open"]}]},
        "post": {"parameters": [{"in": "body", "name": "thing", "schema": {"$ref": "#/definitions/thing"}}]},
        "put": {"parameters": [{"in": "formData", "name": "name", "type": "string"}]},
    }
}


@pytest.mark.parametrize(
    ("method", "query", "body", "fits"),
    [
        ("GET", {"state": "open"}, None, True),
        ("GET", {"state": "shut"}, None, False),
        ("GET", {"sort": "asc"}, None, False),
        ("POST", {}, {"name": "x"}, True),
        ("POST", {}, {"name": 5}, False),
        ("PUT", {}, {"name": "x"}, True),
        ("PUT", {}, {"size": 5}, False),
    ],
)
def test_requests_are_checked_against_swagger_2_description(
    tmp_path: Path, method: str, query: dict[str, str], body: object, fits: bool
) -> None:
    thing = {"type": "object", "properties": {"name": {"type": "string"}}}
    content = {"swagger": "2.0", "paths": OLDER, "definitions": {"thing": thing}}
    (tmp_path / "older.yaml").write_text(json.dumps(content))
    request = Request(method, "/api/v4/things", query, {}, body, ())
    assert (described.unfit(request, root="", name=str(tmp_path / "older.yaml")) == "") is fits


# Hearing


def _payload(kind: str, **more: Any) -> bytes:
    project = {"id": 5, "path_with_namespace": "shop/api"}
    return json.dumps({"object_kind": kind, "project": project, "user": {"id": 7, "username": "ada"}, **more}).encode()


DELIVERIES = [
    (_payload("merge_request", object_attributes={"iid": 3}), ForgeEventKind.CHANGE, 3, "", ""),
    (_payload("note", merge_request={"iid": 3}), ForgeEventKind.CHANGE, 3, "", ""),
    (_payload("note", issue={"iid": 3}), ForgeEventKind.NOTHING, 0, "", ""),
    (_payload("push", ref=MAIN, after="a" * 40), ForgeEventKind.BRANCH, 0, MAIN, "a" * 40),
    (_payload("push", ref=MAIN, after="0" * 40), ForgeEventKind.BRANCH, 0, MAIN, ""),
    (_payload("pipeline", object_attributes={"sha": "a" * 40, "ref": "topic"}), ForgeEventKind.STATUS, 0, "", "a" * 40),
    (
        _payload("build", sha="a" * 40, build_name="tests", build_status="failed"),
        ForgeEventKind.STATUS,
        0,
        "",
        "a" * 40,
    ),
    (
        _payload(
            "pipeline",
            object_attributes={"sha": "a" * 40, "ref": "refs/merge-requests/3/train"},
            merge_request={"iid": 3, "target_branch": "main"},
        ),
        ForgeEventKind.GROUP,
        0,
        MAIN,
        "a" * 40,
    ),
    (json.dumps({"event_name": "user_add_to_team", "project_id": 5}).encode(), ForgeEventKind.RULES, 0, "", ""),
    (json.dumps({"event_name": "project_rename", "project_id": 5}).encode(), ForgeEventKind.REPOSITORY, 0, "", ""),
    (_payload("wiki_page"), ForgeEventKind.NOTHING, 0, "", ""),
]


@pytest.mark.parametrize(("body", "happened", "number", "ref", "head"), DELIVERIES)
def test_delivery_is_parsed(
    lab: Forge, body: bytes, happened: ForgeEventKind, number: int, ref: str, head: str
) -> None:
    event = lab.listener.parse_event({"x-gitlab-event-uuid": "u", "idempotency-key": "k"}, body)
    assert (event.delivery, event.kind, event.number, event.ref, event.head) == ("k", happened, number, ref, head)
    assert event.repository_id == "5"


EARLY, LATE = "2026-11-02 09:00:00 UTC", "2026-11-02 09:00:07 UTC"
DELIVERED_AT = "2026-11-02T09:00:07.000000Z"


def _updated(action: str, changes: dict[str, Any]) -> bytes:
    about = {"iid": 3, "action": action, "updated_at": LATE}
    return _payload("merge_request", object_attributes=about, changes=changes)


def _said(created: Any, touched: Any) -> bytes:
    return _payload("note", object_attributes={"created_at": created}, merge_request={"iid": 3, "updated_at": touched})


TOUCHED = {
    "open": (_updated("open", {}), DELIVERED_AT),
    "update": (_updated("update", {"updated_at": {"previous": EARLY, "current": LATE}}), DELIVERED_AT),
    "update of what touches nothing": (_updated("update", {"reviewers": {"current": []}}), ""),
    "approved": (_updated("approved", {}), ""),
    "unapproved": (_updated("unapproved", {}), ""),
    "comment": (_said(EARLY, LATE), DELIVERED_AT),
    "comment, in the newer form": (_said("2026-11-02T09:00:00.300Z", "2026-11-02T09:00:07.900Z"), DELIVERED_AT),
    "comment that has not touched it yet": (_said(LATE, EARLY), ""),
    "comment of no moment": (_said(None, LATE), ""),
    "comment of an odd moment": (_said("yesterday", LATE), ""),
    "comment of an odd touch": (_said(EARLY, 7), ""),
    "push": (_payload("push", ref=MAIN, after="a" * 40), ""),
}


@pytest.mark.parametrize("what", TOUCHED)
def test_delivery_gives_update_time_of_change_only_if_shown(lab: Forge, what: str) -> None:
    body, touched = TOUCHED[what]
    assert lab.listener.parse_event({}, body).updated == touched


def test_every_handled_event_has_test_case() -> None:
    tried = {json.loads(body).get("object_kind") or json.loads(body)["event_name"] for body, *_ in DELIVERIES}
    assert {"build", "merge_request", "note", "push", "pipeline"} == tried & set(listener.HANDLED_EVENTS) - {
        "user_add_to_team",
        "project_rename",
    }


def test_delivery_without_id_is_identified_by_content(lab: Forge) -> None:
    first, second = (
        lab.listener.parse_event({}, body).delivery for body in (_payload("push", ref=MAIN, after="a" * 40),) * 2
    )
    assert first == second
    assert first != lab.listener.parse_event({}, _payload("push", ref=MAIN, after="b" * 40)).delivery


@pytest.mark.parametrize(
    "body",
    [b"no", b"[]", b"\xff", _payload("push"), _payload("merge_request"), _payload("note", merge_request={"iid": "3"})],
)
def test_refuses_malformed_delivery(lab: Forge, body: bytes) -> None:
    with pytest.raises(ForgeError):
        lab.listener.parse_event({}, body)


def test_delivery_is_genuine_by_token_or_signature_only(lab: Forge) -> None:
    body = b"{}"
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert lab.listener.is_genuine(SECRET, {"x-gitlab-token": SECRET}, body)
    assert lab.listener.is_genuine(SECRET, {"x-gitlab-signature": signature}, body)
    refused = [
        (SECRET, {}, body),
        (SECRET, {"x-gitlab-token": SECRET + "x"}, body),
        (SECRET, {"x-gitlab-token": "ü"}, body),
        (SECRET, {"x-gitlab-signature": signature}, b"{} "),
        ("", {"x-gitlab-token": ""}, body),
        ("", {"x-gitlab-signature": hmac.new(b"", body, hashlib.sha256).hexdigest()}, body),
    ]
    assert not any(lab.listener.is_genuine(secret, headers, data) for secret, headers, data in refused)
