"""GitHub's published API description: our requests match it, and its example deliveries are parsed."""

import hashlib
import hmac
import json
from typing import Any

import graphql
import pytest

from muniment.errors import ForgeError
from muniment.facts.maybe import Known
from muniment.forges.branch_rules import WantedProtection
from muniment.forges.events import ForgeEventKind
from muniment.forges.forge import Forge, NewestChangesReader
from muniment.forges.github import connect, listener, manifest, queries
from muniment.forges.shapes import Account, ChangeEdit, ChangeState
from muniment.forges.statuses import Annotation, Status, StatusState
from tests.support.forges import described
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.faulty import Request

MAIN = "refs/heads/main"
SECRET = "-".join(("a", "hook's", "word"))


def _send_every_request(github: FakeGitHub, hub: Forge) -> None:
    """Send every request that the GitHub client can make."""
    world, reader, publisher, protector = github.world, hub.reader, hub.publisher, hub.protector
    world.user("helper[bot]", "write", bot=True)
    world.push("helper[bot]", "topic", {"a": "1"})
    number = world.open("helper[bot]", "topic")
    world.review("bob", number, "approved")
    reader.describe_forge()
    repository = reader.list_repositories()[0].repository
    reader.read_repository(repository.path)
    for state in ("open", "merged"):
        reader.list_changes(repository, type(reader.read_change(repository, number).state)(state))
    reader.read_full_change(repository, number)
    reader.list_branches(repository)
    head = reader.read_branch_tip(repository, "refs/heads/topic")
    github.queue = [
        {"position": 1, "headCommit": {"oid": head}, "baseCommit": {"oid": world.base}, "pullRequest": None}
    ]
    with pytest.raises(ForgeError):
        reader.read_merge_group(repository, MAIN, head)
    remarks = tuple(Annotation("a", line, line + 1, "look", "title") for line in range(1, 60))
    for saying in (StatusState.PENDING, StatusState.DENIED, StatusState.ALLOWED):
        publisher.publish_status(
            repository, head, Status("muniment/main", saying, "One\nTwo", "https://m/1", "text", remarks)
        )
    reader.list_statuses(repository, head)
    for text in ("one", "two", ""):
        publisher.update_comment(repository, number, "m", text)
    publisher.request_reviews(repository, number, ("carol",))
    world.push("ada", "revert", {"b": "1"})
    opened = publisher.open_change(repository, "refs/heads/revert", MAIN, "Revert", "why")
    publisher.edit_change(repository, opened.number, ChangeEdit("Revert it", "because", ("security",), closes=True))
    wanted = WantedProtection(MAIN, "muniment/main", break_glass=("shop/security", "owners", "role:admin", "app:9"))
    protector.apply_protection(repository, protector.plan_protection(repository, wanted))
    github.rulesets[0]["enforcement"] = "disabled"
    protector.apply_protection(repository, protector.plan_protection(repository, wanted))
    github.older["main"] = {"enforce_admins": {"enabled": True}}
    reader.read_branch_rules(repository, MAIN)
    reader.can_write(repository, Account("", "carol"))
    reader.list_writers(repository)
    github.permissions |= {"secrets": "read", "environments": "read", "actions": "read"}
    github.secrets["production"] = []
    reader.read_job_settings(repository)
    github.permissions |= {"secrets": "write"}
    github.secrets[""] = ["TOKEN"]
    protector.delete_secret(repository, "TOKEN")
    protector.register_webhook(repository, "https://m.example/hook", SECRET)
    publisher.merge_change(repository, number, head, "squash")
    manifest.exchange_code(github.url, "the-code")
    github.tokens["read-only"] = 0
    guest = connect.connect_read_only("github", github.url, lambda: "read-only", lambda: "")
    guest.reader.describe_forge()
    assert guest.reader.list_repositories()[0].repository == repository
    github.private = False
    public = connect.connect_read_only("github", github.url, str, lambda: "").reader
    assert isinstance(public, NewestChangesReader)
    assert public.list_newest_changes(repository, ChangeState.MERGED)
    assert isinstance(public.read_full_change(repository, number).reviews, Known)


def test_requests_match_github_openapi_description(github: FakeGitHub, hub: Forge) -> None:
    _send_every_request(github, hub)
    assert {route.name for route in github.routes} - {"git"} == set(github.calls)
    rest = [request for request in github.requests if request.path.startswith("/api/v3")]
    for name in ("ghes-3.17", "api.github.com"):
        newer = ("GET /repos/shop/api/actions/permissions/fork-pr-workflows-private-repos",) * (
            name != "api.github.com"
        )
        described_ones = [one for one in rest if f"{one.method} {one.path.removeprefix('/api/v3')}" not in newer]
        assert [text for request in described_ones if (text := described.unfit(request, name=name))] == []


@pytest.mark.parametrize(
    "odd",
    [
        Request("GET", "/api/v3/repos/a/b/pulls", {"sort": "age"}, {}, None, ()),
        Request("GET", "/api/v3/repos/a/b/pulls", {"limit": "5"}, {}, None, ()),
        Request("POST", "/api/v3/repos/a/b/check-runs", {}, {}, {"name": "x"}, ()),
        Request("POST", "/api/v3/repos/a/b/pulls", {}, {}, {"head": "a", "base": 5}, ()),
        Request("GET", "/api/v3/repositories/a", {}, {}, None, ()),
    ],
)
def test_request_outside_description_is_reported(odd: Request) -> None:
    assert described.unfit(odd)


@pytest.mark.parametrize("document", [queries.CHANGE_QUERY, queries.QUEUE_QUERY])
def test_graphql_queries_match_published_schema(document: str) -> None:
    schema = graphql.build_schema(described.graphql_schema(), assume_valid=True)
    assert graphql.validate(schema, graphql.parse(document)) == []


def _parse_signed_delivery(hub: Forge, kind: str, payload: dict[str, Any]) -> Any:
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-github-event": kind, "x-github-delivery": "d-1", "x-hub-signature-256": signature}
    assert hub.listener.is_genuine(SECRET, headers, body)
    return hub.listener.parse_event(headers, body)


EXPECTED = {
    "branch_protection_rule": {ForgeEventKind.RULES},
    "check_run": {ForgeEventKind.STATUS, ForgeEventKind.ASKED},
    "check_suite": {ForgeEventKind.NOTHING, ForgeEventKind.ASKED, ForgeEventKind.STATUS},
    "create": {ForgeEventKind.BRANCH, ForgeEventKind.NOTHING},
    "delete": {ForgeEventKind.BRANCH, ForgeEventKind.NOTHING},
    "installation": {ForgeEventKind.REPOSITORY},
    "installation_repositories": {ForgeEventKind.REPOSITORY},
    "issue_comment": {ForgeEventKind.NOTHING, ForgeEventKind.CHANGE},
    "member": {ForgeEventKind.RULES},
    "membership": {ForgeEventKind.RULES},
    "merge_group": {ForgeEventKind.GROUP},
    "organization": {ForgeEventKind.RULES},
    "public": {ForgeEventKind.REPOSITORY},
    "pull_request": {ForgeEventKind.CHANGE},
    "pull_request_review": {ForgeEventKind.CHANGE},
    "pull_request_review_comment": {ForgeEventKind.CHANGE},
    "pull_request_review_thread": {ForgeEventKind.CHANGE},
    "push": {ForgeEventKind.BRANCH, ForgeEventKind.NOTHING},
    "repository": {ForgeEventKind.REPOSITORY},
    "status": {ForgeEventKind.STATUS},
    "team": {ForgeEventKind.RULES},
    "team_add": {ForgeEventKind.RULES},
}


def test_published_example_deliveries_are_parsed(hub: Forge) -> None:
    parsed: dict[str, set[ForgeEventKind]] = {}
    for kind, payload in described.delivered():
        event = _parse_signed_delivery(hub, kind, payload)
        parsed.setdefault(kind, set()).add(event.kind)
        if event.kind is ForgeEventKind.CHANGE:
            assert event.number == (payload.get("pull_request") or payload["issue"])["number"]
        if event.kind in (
            ForgeEventKind.CHANGE,
            ForgeEventKind.BRANCH,
            ForgeEventKind.STATUS,
            ForgeEventKind.GROUP,
            ForgeEventKind.ASKED,
        ):
            assert event.repository == payload["repository"]["full_name"]
            assert event.repository_id == str(payload["repository"]["id"])
    for kind, found in parsed.items():
        assert found <= EXPECTED.get(kind, {ForgeEventKind.NOTHING}), kind
    unpublished = {"branch_protection_configuration", "repository_ruleset"}
    assert set(listener.HANDLED_EVENTS) == set(EXPECTED) | unpublished
    assert set(EXPECTED) <= parsed.keys()
    assert set(manifest.EVENTS) <= set(listener.HANDLED_EVENTS)


OPENED, THEN = "2026-11-02T09:00:00Z", "2026-11-02T09:05:00Z"
TOUCHED: list[tuple[str, dict[str, Any], bool]] = [
    ("pull_request", {"action": "synchronize"}, True),
    ("pull_request_review", {"action": "submitted", "review": {"submitted_at": THEN}}, True),
    ("pull_request_review", {"action": "submitted", "review": {"submitted_at": "2026-11-02T09:05:01Z"}}, False),
    ("pull_request_review", {"action": "submitted", "review": {"submitted_at": None}}, False),
    ("pull_request_review", {"action": "submitted"}, False),
    ("pull_request_review", {"action": "dismissed", "review": {"submitted_at": OPENED}}, False),
    ("pull_request_review_comment", {"action": "created"}, False),
]


@pytest.mark.parametrize(("kind", "more", "sure"), TOUCHED)
def test_delivery_gives_update_time_of_change_only_if_certain(
    hub: Forge, kind: str, more: dict[str, Any], sure: bool
) -> None:
    payload = {"pull_request": {"number": 7, "updated_at": THEN}, **more}
    assert _parse_signed_delivery(hub, kind, payload).updated == ("2026-11-02T09:05:00.000000Z" if sure else "")


def test_delivery_without_valid_signature_is_not_genuine(hub: Forge) -> None:
    body = b"{}"
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    cases = [
        (SECRET, {}, body),
        (SECRET, {"x-hub-signature-256": signature}, b"{} "),
        (SECRET, {"x-hub-signature-256": signature.upper()}, body),
        (SECRET, {"x-hub-signature-256": "sha256=ü"}, body),
        ("another", {"x-hub-signature-256": signature}, body),
        ("", {"x-hub-signature-256": "sha256=" + hmac.new(b"", body, hashlib.sha256).hexdigest()}, body),
    ]
    assert not any(hub.listener.is_genuine(secret, headers, data) for secret, headers, data in cases)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("push", b"not json"),
        ("push", b"[]"),
        ("push", b'{"ref": 5}'),
        ("push", b"{}"),
        ("pull_request", b"{}"),
        ("check_run", b"{}"),
        ("", b"{}"),
        ("push", b"\xff"),
    ],
)
def test_refuses_malformed_delivery(hub: Forge, kind: str, body: bytes) -> None:
    with pytest.raises(ForgeError):
        hub.listener.parse_event({"x-github-event": kind, "x-github-delivery": "d-1"}, body)


def test_refuses_delivery_without_id(hub: Forge) -> None:
    with pytest.raises(ForgeError):
        hub.listener.parse_event({"x-github-event": "ping"}, b"{}")


def test_unknown_check_run_button_requests_no_evaluation(hub: Forge, github: FakeGitHub) -> None:
    run = {"id": 1, "name": "x", "head_sha": "a" * 40, "status": "completed", "conclusion": None, "app": None}
    payload = {"action": "requested_action", "check_run": run, "requested_action": {"identifier": "evaluate-again"}}
    assert _parse_signed_delivery(hub, "check_run", payload).kind is ForgeEventKind.ASKED
    payload["requested_action"] = {"identifier": "fix-it"}
    assert _parse_signed_delivery(hub, "check_run", payload).kind is ForgeEventKind.STATUS
