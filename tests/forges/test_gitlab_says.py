"""GitLab, written to: a verdict stands on its head alone, one comment at most, and what binds is told by tier."""

import hashlib
import hmac
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.events import Happened
from muniment.forges.forge import Forge
from muniment.forges.gitlab import listen
from muniment.forges.rules import Required, Wanted
from muniment.forges.shapes import Repo, State
from muniment.forges.statuses import Saying, Status
from tests.support.forges import described, ours
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault, Request
from tests.support.forges.gitlab_requests import OURS

MAIN = "refs/heads/main"
MARKER = "muniment-decision"
HOOK = "https://m.example/hook"
SECRET = "-".join(("a", "hook's", "word"))
ALONE = Wanted(MAIN, "muniment/main", approvals=2, only_we_merge=True)


@pytest.fixture(name="repository")
def _repository(lab: Forge) -> Repo:
    return lab.reader.repository("shop/api").repository


def _status(saying: Saying, context: str = "muniment/main") -> Status:
    return Status(context, saying, "Denied\nBob is missing", "https://m.example/1")


def _change(gitlab: FakeGitLab, source: str = "topic") -> int:
    gitlab.world.push("ada", source, {f"{source}.py": "1\n"})
    return gitlab.world.open("ada", source)


def test_a_status_follows_the_verdict_and_may_be_said_twice(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    head = gitlab.world.base
    for saying, state in (
        (Saying.PENDING, "pending"),
        (Saying.PENDING, "pending"),
        (Saying.ALLOWED, "success"),
        (Saying.PENDING, "pending"),
        (Saying.DENIED, "failure"),
    ):
        lab.publisher.publish(repository, head, _status(saying))
        (check,) = lab.reader.statuses(repository, head)
        assert (check.context, check.state, check.by.login) == ("muniment/main", state, OURS)


def test_a_refusal_is_no_success_if_something_else_stands_there(
    gitlab: FakeGitLab, lab: Forge, repository: Repo
) -> None:
    lab.publisher.publish(repository, gitlab.world.base, _status(Saying.PENDING))
    gitlab.world.statuses[0]["by"] = gitlab.world.users["eve"]
    gitlab.fail("post status", Fault.LOST, times=1)
    with pytest.raises(ForgeError):
        lab.publisher.publish(repository, gitlab.world.base, _status(Saying.PENDING))
    gitlab.fail("statuses", Fault.FORBIDDEN)
    with pytest.raises(ForgeError):
        lab.publisher.publish(repository, gitlab.world.base, _status(Saying.PENDING))


def test_an_external_check_is_answered_for_each_request_with_this_head_and_target(
    gitlab: FakeGitLab, lab: Forge, repository: Repo
) -> None:
    number = _change(gitlab)
    head = gitlab.world.changes[number].head
    gitlab.world.repo.branch("release", gitlab.world.base)
    gitlab.world.open("eve", "topic", "release")
    gitlab.checks = [{"id": 3, "name": "muniment/main"}, {"id": 4, "name": "muniment/release"}]
    for saying in (Saying.PENDING, Saying.ALLOWED):
        lab.publisher.publish(repository, head, _status(saying))
    assert [(one["number"], one["external_status_check_id"], one["status"]) for one in gitlab.answers] == [
        (number, 3, "pending"),
        (number, 3, "passed"),
    ]
    assert {one["sha"] for one in gitlab.answers} == {head}


def test_a_tier_without_external_checks_is_asked_once(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    gitlab.tier = "premium"
    for saying in (Saying.PENDING, Saying.ALLOWED):
        lab.publisher.publish(repository, gitlab.world.base, _status(saying))
    assert gitlab.calls.count("checks") == 1


def test_a_check_that_could_not_be_answered_is_an_error(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    head = gitlab.world.changes[_change(gitlab)].head
    gitlab.checks = [{"id": 3, "name": "muniment/main"}]
    for call in ("answer", "requests of commit", "checks"):
        gitlab.fail(call, Fault.FAILED)
        with pytest.raises(ForgeError):
            ours.gitlab(gitlab).publisher.publish(repository, head, _status(Saying.DENIED))
        gitlab.mend()


def test_checks_are_asked_for_once_in_a_burst_and_one_that_is_gone_is_an_error(
    gitlab: FakeGitLab, lab: Forge, repository: Repo
) -> None:
    head = gitlab.world.changes[_change(gitlab)].head
    gitlab.checks = [{"id": 3, "name": "muniment/main"}]
    for saying in (Saying.PENDING, Saying.DENIED):
        lab.publisher.publish(repository, head, _status(saying))
    assert gitlab.calls.count("checks") == 1
    gitlab.fail("answer", Fault.NOT_FOUND)
    with pytest.raises(ForgeError):
        lab.publisher.publish(repository, head, _status(Saying.ALLOWED))
    gitlab.mend()
    gitlab.checks = []
    lab.publisher.publish(repository, head, _status(Saying.ALLOWED))
    assert gitlab.calls.count("checks") == 2, "and then they are asked for again"


def test_there_is_one_comment_edited_in_place_and_taken_away(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    number = _change(gitlab)
    comments = gitlab.world.changes[number].comments
    gitlab.world.comment("eve", number, f"{MARKER} I am Muniment")
    for text in ("Bob is missing", "Carol is missing", "Carol is missing"):
        lab.publisher.comment(repository, number, MARKER, text)
    assert [comment.text for comment in comments[1:]] == [f"Carol is missing\n\n<!-- {MARKER} -->"]
    lab.publisher.comment(repository, number, MARKER, "")
    assert [comment.by.login for comment in comments] == ["eve"]


def test_a_comment_of_before_whose_marker_people_read_is_edited(
    gitlab: FakeGitLab, lab: Forge, repository: Repo
) -> None:
    number = _change(gitlab)
    old = gitlab.world.comment(OURS, number, f"Bob is missing\n\n{MARKER}")
    lab.publisher.comment(repository, number, MARKER, "Carol is missing")
    assert [(one.id, one.text) for one in gitlab.world.changes[number].comments] == [
        (old.id, f"Carol is missing\n\n<!-- {MARKER} -->")
    ]


def test_people_are_asked_beside_those_who_are_and_a_change_is_proposed_once(
    gitlab: FakeGitLab, lab: Forge, repository: Repo
) -> None:
    gitlab.world.push("ada", "revert", {"a": "1"})
    proposed = [lab.publisher.propose(repository, "refs/heads/revert", MAIN, "Revert", "why") for _ in range(2)]
    assert proposed[0] == proposed[1]
    gitlab.world.ask("ada", proposed[0].number, "dave")
    lab.publisher.ask(repository, proposed[0].number, ("bob", "carol"))
    asked = [user.login for user in gitlab.world.changes[proposed[0].number].reviewers]
    assert asked == ["dave", "bob", "carol"]
    with pytest.raises(ForgeError, match="nobody called"):
        lab.publisher.ask(repository, proposed[0].number, ("who",))


def test_only_the_head_that_was_judged_is_merged(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    number = _change(gitlab)
    old = gitlab.world.changes[number].head
    new = gitlab.world.push("eve", "topic", {"b": "1"})
    with pytest.raises(ForgeError) as caught:
        lab.publisher.merge(repository, number, old, "squash")
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    lab.publisher.merge(repository, number, new, "squash")
    assert gitlab.world.changes[number].state == "merged"


# Protecting


@pytest.mark.parametrize("tier", ["free", "premium", "ultimate"])
def test_what_is_planned_is_made_and_then_holds(tmp_path: Path, tier: str) -> None:
    with FakeGitLab(tmp_path, tier) as gitlab:
        lab = ours.gitlab(gitlab)
        repository = lab.reader.repository("shop/api").repository
        lab.protector.hook(repository, HOOK, SECRET)
        plan = lab.protector.plan(repository, ALONE)
        assert plan.steps
        holds = lab.protector.apply(repository, plan)
        us = gitlab.world.users[OURS].id
        assert holds.mergers == holds.bypass == (("maintainers",) if tier == "free" else (f"user:{us}",))
        assert (holds.pushers, holds.force_push, holds.deletable) == ((), False, False)
        assert (holds.approvals, holds.stale_dismissed) == ((0, False) if tier == "free" else (2, True))
        required = {"free": 1, "premium": 1, "ultimate": 2}[tier]
        assert holds.required_statuses == (Required("muniment/main"), Required("pipeline"))[-required:]
        again = lab.protector.plan(repository, ALONE)
        assert again.steps == ()
        assert any("only name roles" in end for end in again.remaining_gaps) is (tier == "free")
        lab.protector.apply(repository, again)
        assert len(gitlab.protected) == 1


@pytest.mark.parametrize("tier", ["free", "premium"])
def test_a_rule_that_was_weakened_is_found_and_made_again(tmp_path: Path, tier: str) -> None:
    with FakeGitLab(tmp_path, tier) as gitlab:
        lab = ours.gitlab(gitlab)
        repository = lab.reader.repository("shop/api").repository
        lab.protector.apply(repository, lab.protector.plan(repository, ALONE))
        gitlab.protected[0]["merge_access_levels"].append({"id": 1, "access_level": 30})
        gitlab.protected[0]["push_access_levels"] = [{"id": 2, "access_level": 40}]
        gitlab.protected[0]["allow_force_push"] = True
        gitlab.project["only_allow_merge_if_pipeline_succeeds"] = False
        plan = lab.protector.plan(repository, ALONE)
        assert [step.previous_value for step in plan.steps] == ["anybody who may write", "maintainers", "yes", "no"]
        lab.protector.apply(repository, plan)
        assert lab.protector.plan(repository, ALONE).steps == ()


def test_where_a_rule_cannot_be_changed_the_old_one_comes_back_if_the_new_one_does_not(tmp_path: Path) -> None:
    with FakeGitLab(tmp_path, "free") as gitlab:
        lab = ours.gitlab(gitlab)
        repository = lab.reader.repository("shop/api").repository
        lab.protector.apply(repository, lab.protector.plan(repository, ALONE))
        gitlab.protected[0]["push_access_levels"] = [{"id": 2, "access_level": 40}]
        plan = lab.protector.plan(repository, ALONE)
        gitlab.fail("protect", Fault.FAILED, times=1)
        with pytest.raises(ForgeError):
            lab.protector.apply(repository, plan)
        (rule,) = gitlab.protected
        assert [level["access_level"] for level in rule["push_access_levels"]] == [40]
        assert lab.reader.rules(repository, MAIN).protected


def test_who_merges_is_left_alone_unless_somebody_wants_it(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    plan = lab.protector.plan(repository, Wanted(MAIN, "muniment/main"))
    assert any("forged status" in end for end in plan.remaining_gaps)
    assert lab.protector.apply(repository, plan).mergers == ("maintainers",)


def test_the_more_permissive_of_two_patterns_counts_and_is_told(
    gitlab: FakeGitLab, lab: Forge, repository: Repo
) -> None:
    lab.protector.apply(repository, lab.protector.plan(repository, ALONE))
    levels = [{"id": 8, "access_level": 30}]
    gitlab.protected.append(
        {"id": 7, "name": "m*", "push_access_levels": levels, "merge_access_levels": levels, "allow_force_push": True}
    )
    rules = lab.reader.rules(repository, MAIN)
    assert (rules.mergers, rules.pushers, rules.force_push) == (("*",), ("*",), True)
    assert any("m*" in end for end in lab.protector.plan(repository, ALONE).remaining_gaps)


def test_a_plan_that_is_old_is_not_done(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    plan = lab.protector.plan(repository, ALONE)
    gitlab.project["only_allow_merge_if_pipeline_succeeds"] = True
    with pytest.raises(ForgeError) as caught:
        lab.protector.apply(repository, plan)
    assert caught.value.code is ForgeCode.CHANGED_MEANWHILE
    assert gitlab.protected == []


@pytest.mark.parametrize("call", ["protected", "project"])
def test_rules_that_cannot_be_read_are_an_error(gitlab: FakeGitLab, lab: Forge, repository: Repo, call: str) -> None:
    gitlab.fail(call, Fault.FORBIDDEN)
    with pytest.raises(ForgeError):
        lab.reader.rules(repository, MAIN)


@pytest.mark.parametrize("call", ["approval settings", "approval rules", "checks"])
def test_rules_of_a_tier_that_fail_are_an_error_or_weak(
    gitlab: FakeGitLab, lab: Forge, repository: Repo, call: str
) -> None:
    lab.protector.apply(repository, lab.protector.plan(repository, ALONE))
    gitlab.fail(call, Fault.FAILED)
    with pytest.raises(ForgeError):
        lab.reader.rules(repository, MAIN)


def test_a_hook_is_made_once_and_needs_a_secret(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    for _ in range(2):
        lab.protector.hook(repository, HOOK, SECRET)
    assert [(one["url"], one["token"], one["merge_requests_events"]) for one in gitlab.hooked] == [(HOOK, SECRET, True)]
    with pytest.raises(ForgeError):
        lab.protector.hook(repository, HOOK, "")


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


def _everything(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    """Every request that we can make."""
    own = gitlab.world.commit({"own": "1"}, committer="GitLab <noreply@gitlab.com>")
    gitlab.world.move("ada", "topic", own)
    number = _change(gitlab)
    head = gitlab.world.changes[number].head
    lab.reader.about()
    lab.reader.repositories()
    lab.reader.changes(repository, State.OPEN, "2026-01-01T00:00:00.000000Z")
    gitlab.world.review("bob", number, "approved")
    lab.reader.read(repository, number)
    gitlab.twist = lambda answer: answer["data"]["project"]["projectMembers"].update(
        nodes=[], pageInfo={"hasNextPage": True}
    )
    lab.reader.read(repository, number)
    gitlab.lacks, gitlab.project["merge_trains_enabled"] = "NoteConnection.count", True
    ours.gitlab(gitlab).reader.read(repository, number)
    gitlab.train = [{"merge_request": {"iid": number}, "pipeline": {"sha": head}}]
    lab.reader.group(repository, MAIN, head)
    lab.reader.statuses(repository, head)
    lab.reader.settings(repository)
    lab.reader.tips(repository)
    lab.reader.tip(repository, MAIN)
    lab.protector.hook(repository, HOOK, SECRET)
    for wanted in (ALONE, Wanted(MAIN, "muniment/main", approvals=3)):
        lab.protector.apply(repository, lab.protector.plan(repository, wanted))
    lab.protector.hook(repository, HOOK, SECRET)
    for saying in (Saying.PENDING, Saying.DENIED):
        lab.publisher.publish(repository, head, _status(saying))
    for text in ("one", "two", ""):
        lab.publisher.comment(repository, number, MARKER, text)
    lab.publisher.ask(repository, number, ("carol",))
    gitlab.world.push("ada", "revert", {"r.py": "1\n"})
    lab.publisher.propose(repository, "refs/heads/revert", MAIN, "Revert", "why")
    lab.publisher.merge(repository, number, head, "merge")
    gitlab.tier = "free"
    free = ours.gitlab(gitlab)
    gitlab.protected[0]["push_access_levels"] = [{"id": 1, "access_level": 30}]
    free.protector.apply(repository, free.protector.plan(repository, ALONE))


def test_every_request_fits_what_gitlab_publishes(gitlab: FakeGitLab, lab: Forge, repository: Repo) -> None:
    name = os.environ.get("MUNIMENT_GITLAB_OPENAPI", "")
    if not name:
        pytest.skip("MUNIMENT_GITLAB_OPENAPI names no file: GitLab's doc/api/openapi/openapi_v3.yaml, or the older v2")
    _everything(gitlab, lab, repository)
    assert {route.name for route in gitlab.routes} - {"git", "renew"} == set(gitlab.calls)
    found = {f"{one.method} {one.path}": described.unfit(one, root="", name=name) for one in gitlab.requests}
    missing = {place for place, told in found.items() if told == f"there is no {place}"}
    assert {place for place in missing if not UNDESCRIBED.fullmatch(place)} == set()
    assert [told for place, told in found.items() if told and place not in missing and not IN_PAGES.match(told)] == []


def test_a_description_in_a_file_is_held_against_requests(
    gitlab: FakeGitLab, lab: Forge, repository: Repo, tmp_path: Path
) -> None:
    _everything(gitlab, lab, repository)
    paths: dict[str, object] = {"/api/v4/user": {"get": {"parameters": []}}}
    (tmp_path / "some.yaml").write_text(json.dumps({"paths": paths, "components": {}}))
    told = {described.unfit(request, root="", name=str(tmp_path / "some.yaml")) for request in gitlab.requests}
    assert "" in told
    assert "there is no GET /api/v4/metadata" in told


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
def test_a_description_of_the_older_form_is_held_against_requests(
    tmp_path: Path, method: str, query: dict[str, str], body: object, fits: bool
) -> None:
    thing = {"type": "object", "properties": {"name": {"type": "string"}}}
    told = {"swagger": "2.0", "paths": OLDER, "definitions": {"thing": thing}}
    (tmp_path / "older.yaml").write_text(json.dumps(told))
    request = Request(method, "/api/v4/things", query, {}, body, ())
    assert (described.unfit(request, root="", name=str(tmp_path / "older.yaml")) == "") is fits


# Hearing


def _payload(kind: str, **more: Any) -> bytes:
    project = {"id": 5, "path_with_namespace": "shop/api"}
    return json.dumps({"object_kind": kind, "project": project, "user": {"id": 7, "username": "ada"}, **more}).encode()


HEARD = [
    (_payload("merge_request", object_attributes={"iid": 3}), Happened.CHANGE, 3, "", ""),
    (_payload("note", merge_request={"iid": 3}), Happened.CHANGE, 3, "", ""),
    (_payload("note", issue={"iid": 3}), Happened.NOTHING, 0, "", ""),
    (_payload("push", ref=MAIN, after="a" * 40), Happened.BRANCH, 0, MAIN, "a" * 40),
    (_payload("push", ref=MAIN, after="0" * 40), Happened.BRANCH, 0, MAIN, ""),
    (_payload("pipeline", object_attributes={"sha": "a" * 40, "ref": "topic"}), Happened.STATUS, 0, "", "a" * 40),
    (_payload("build", sha="a" * 40, build_name="tests", build_status="failed"), Happened.STATUS, 0, "", "a" * 40),
    (
        _payload(
            "pipeline",
            object_attributes={"sha": "a" * 40, "ref": "refs/merge-requests/3/train"},
            merge_request={"iid": 3, "target_branch": "main"},
        ),
        Happened.GROUP,
        0,
        MAIN,
        "a" * 40,
    ),
    (json.dumps({"event_name": "user_add_to_team", "project_id": 5}).encode(), Happened.RULES, 0, "", ""),
    (json.dumps({"event_name": "project_rename", "project_id": 5}).encode(), Happened.REPOSITORY, 0, "", ""),
    (_payload("wiki_page"), Happened.NOTHING, 0, "", ""),
]


@pytest.mark.parametrize(("body", "happened", "number", "ref", "head"), HEARD)
def test_a_delivery_is_understood(
    lab: Forge, body: bytes, happened: Happened, number: int, ref: str, head: str
) -> None:
    event = lab.listener.heard({"x-gitlab-event-uuid": "u", "idempotency-key": "k"}, body)
    assert (event.delivery, event.happened, event.number, event.ref, event.head) == ("k", happened, number, ref, head)
    assert event.repository_id == "5"


EARLY, LATE = "2026-11-02 09:00:00 UTC", "2026-11-02 09:00:07 UTC"
TOLD = "2026-11-02T09:00:07.000000Z"


def _updated(action: str, changes: dict[str, Any]) -> bytes:
    about = {"iid": 3, "action": action, "updated_at": LATE}
    return _payload("merge_request", object_attributes=about, changes=changes)


def _said(created: Any, touched: Any) -> bytes:
    return _payload("note", object_attributes={"created_at": created}, merge_request={"iid": 3, "updated_at": touched})


TOUCHED = {
    "open": (_updated("open", {}), TOLD),
    "update": (_updated("update", {"updated_at": {"previous": EARLY, "current": LATE}}), TOLD),
    "update of what touches nothing": (_updated("update", {"reviewers": {"current": []}}), ""),
    "approved": (_updated("approved", {}), ""),
    "unapproved": (_updated("unapproved", {}), ""),
    "comment": (_said(EARLY, LATE), TOLD),
    "comment, in the newer form": (_said("2026-11-02T09:00:00.300Z", "2026-11-02T09:00:07.900Z"), TOLD),
    "comment that has not touched it yet": (_said(LATE, EARLY), ""),
    "comment of no moment": (_said(None, LATE), ""),
    "comment of an odd moment": (_said("yesterday", LATE), ""),
    "comment of an odd touch": (_said(EARLY, 7), ""),
    "push": (_payload("push", ref=MAIN, after="a" * 40), ""),
}


@pytest.mark.parametrize("what", TOUCHED)
def test_when_it_was_touched_is_told_only_where_the_delivery_shows_it(lab: Forge, what: str) -> None:
    body, touched = TOUCHED[what]
    assert lab.listener.heard({}, body).updated == touched


def test_all_that_is_handled_is_tried() -> None:
    tried = {json.loads(body).get("object_kind") or json.loads(body)["event_name"] for body, *_ in HEARD}
    assert {"build", "merge_request", "note", "push", "pipeline"} == tried & set(listen.HANDLED) - {
        "user_add_to_team",
        "project_rename",
    }


def test_a_delivery_without_an_id_goes_by_its_content(lab: Forge) -> None:
    first, second = (
        lab.listener.heard({}, body).delivery for body in (_payload("push", ref=MAIN, after="a" * 40),) * 2
    )
    assert first == second
    assert first != lab.listener.heard({}, _payload("push", ref=MAIN, after="b" * 40)).delivery


@pytest.mark.parametrize(
    "body",
    [b"no", b"[]", b"\xff", _payload("push"), _payload("merge_request"), _payload("note", merge_request={"iid": "3"})],
)
def test_a_delivery_of_another_form_is_refused(lab: Forge, body: bytes) -> None:
    with pytest.raises(ForgeError):
        lab.listener.heard({}, body)


def test_a_delivery_is_genuine_by_its_token_or_its_signature_alone(lab: Forge) -> None:
    body = b"{}"
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert lab.listener.genuine(SECRET, {"x-gitlab-token": SECRET}, body)
    assert lab.listener.genuine(SECRET, {"x-gitlab-signature": signature}, body)
    refused = [
        (SECRET, {}, body),
        (SECRET, {"x-gitlab-token": SECRET + "x"}, body),
        (SECRET, {"x-gitlab-token": "ü"}, body),
        (SECRET, {"x-gitlab-signature": signature}, b"{} "),
        ("", {"x-gitlab-token": ""}, body),
        ("", {"x-gitlab-signature": hmac.new(b"", body, hashlib.sha256).hexdigest()}, body),
    ]
    assert not any(lab.listener.genuine(secret, headers, data) for secret, headers, data in refused)
