"""GitHub, as its vendor publishes it: our requests fit the description, and its deliveries are understood."""

import hashlib
import hmac
import json
from typing import Any

import graphql
import pytest

from muniment.errors import ForgeError
from muniment.forges.events import Happened
from muniment.forges.forge import Forge
from muniment.forges.github import connect, listen, manifest, queries
from muniment.forges.rules import Wanted
from muniment.forges.shapes import Account
from muniment.forges.statuses import Annotation, Saying, Status
from tests.support.forges import described
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.faulty import Request

MAIN = "refs/heads/main"
SECRET = "-".join(("a", "hook's", "word"))


def _everything(github: FakeGitHub, hub: Forge) -> None:
    """Every request that we can make."""
    world, reader, publisher, protector = github.world, hub.reader, hub.publisher, hub.protector
    world.user("helper[bot]", "write", bot=True)
    world.push("helper[bot]", "topic", {"a": "1"})
    number = world.open("helper[bot]", "topic")
    world.review("bob", number, "approved")
    reader.about()
    repository = reader.repositories()[0].repository
    reader.repository(repository.path)
    for state in ("open", "merged"):
        reader.changes(repository, type(reader.change(repository, number).state)(state))
    reader.read(repository, number)
    reader.tips(repository)
    head = reader.tip(repository, "refs/heads/topic")
    github.queue = [
        {"position": 1, "headCommit": {"oid": head}, "baseCommit": {"oid": world.base}, "pullRequest": None}
    ]
    with pytest.raises(ForgeError):
        reader.group(repository, MAIN, head)
    remarks = tuple(Annotation("a", line, line + 1, "look", "title") for line in range(1, 60))
    for saying in (Saying.PENDING, Saying.DENIED, Saying.ALLOWED):
        publisher.publish(repository, head, Status("muniment/main", saying, "One\nTwo", "https://m/1", "text", remarks))
    reader.statuses(repository, head)
    for text in ("one", "two", ""):
        publisher.comment(repository, number, "m", text)
    publisher.ask(repository, number, ("carol",))
    world.push("ada", "revert", {"b": "1"})
    publisher.propose(repository, "refs/heads/revert", MAIN, "Revert", "why")
    wanted = Wanted(MAIN, "muniment/main", break_glass=("shop/security", "owners", "role:admin", "app:9"))
    protector.apply(repository, protector.plan(repository, wanted))
    github.rulesets[0]["enforcement"] = "disabled"
    protector.apply(repository, protector.plan(repository, wanted))
    github.older["main"] = {"enforce_admins": {"enabled": True}}
    reader.rules(repository, MAIN)
    reader.may_write(repository, Account("", "carol"))
    reader.writers(repository)
    github.permissions |= {"secrets": "read", "environments": "read", "actions": "read"}
    github.secrets["production"] = []
    reader.settings(repository)
    protector.hook(repository, "https://m.example/hook", SECRET)
    publisher.merge(repository, number, head, "squash")
    manifest.convert(github.url, "the-code")
    github.tokens["read-only"] = 0
    guest = connect.guest("github", github.url, lambda: "read-only", lambda: "")
    guest.reader.about()
    assert guest.reader.repositories()[0].repository == repository


def test_every_request_fits_what_github_publishes(github: FakeGitHub, hub: Forge) -> None:
    _everything(github, hub)
    assert {route.name for route in github.routes} - {"git"} == set(github.calls)
    rest = [request for request in github.requests if request.path.startswith("/api/v3")]
    for name in ("ghes-3.17", "api.github.com"):
        newer = ("GET /repos/shop/api/actions/permissions/fork-pr-workflows-private-repos",) * (
            name != "api.github.com"
        )
        told_of = [one for one in rest if f"{one.method} {one.path.removeprefix('/api/v3')}" not in newer]
        assert [told for request in told_of if (told := described.unfit(request, name=name))] == []


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
def test_a_request_that_does_not_fit_is_told(odd: Request) -> None:
    assert described.unfit(odd)


@pytest.mark.parametrize("document", [queries.CHANGE, queries.QUEUE])
def test_every_question_fits_the_published_schema(document: str) -> None:
    schema = graphql.build_schema(described.graphql_schema(), assume_valid=True)
    assert graphql.validate(schema, graphql.parse(document)) == []


def _heard(hub: Forge, kind: str, payload: dict[str, Any]) -> Any:
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-github-event": kind, "x-github-delivery": "d-1", "x-hub-signature-256": signature}
    assert hub.listener.genuine(SECRET, headers, body)
    return hub.listener.heard(headers, body)


EXPECTED = {
    "branch_protection_rule": {Happened.RULES},
    "check_run": {Happened.STATUS, Happened.ASKED},
    "check_suite": {Happened.NOTHING, Happened.ASKED, Happened.STATUS},
    "create": {Happened.BRANCH, Happened.NOTHING},
    "delete": {Happened.BRANCH, Happened.NOTHING},
    "installation": {Happened.REPOSITORY},
    "installation_repositories": {Happened.REPOSITORY},
    "issue_comment": {Happened.NOTHING, Happened.CHANGE},
    "member": {Happened.RULES},
    "membership": {Happened.RULES},
    "merge_group": {Happened.GROUP},
    "organization": {Happened.RULES},
    "public": {Happened.REPOSITORY},
    "pull_request": {Happened.CHANGE},
    "pull_request_review": {Happened.CHANGE},
    "pull_request_review_comment": {Happened.CHANGE},
    "pull_request_review_thread": {Happened.CHANGE},
    "push": {Happened.BRANCH, Happened.NOTHING},
    "repository": {Happened.REPOSITORY},
    "status": {Happened.STATUS},
    "team": {Happened.RULES},
    "team_add": {Happened.RULES},
}


def test_every_published_delivery_is_understood(hub: Forge) -> None:
    heard: dict[str, set[Happened]] = {}
    for kind, payload in described.delivered():
        event = _heard(hub, kind, payload)
        heard.setdefault(kind, set()).add(event.happened)
        if event.happened is Happened.CHANGE:
            assert event.number == (payload.get("pull_request") or payload["issue"])["number"]
        if event.happened in (Happened.CHANGE, Happened.BRANCH, Happened.STATUS, Happened.GROUP, Happened.ASKED):
            assert event.repository == payload["repository"]["full_name"]
            assert event.repository_id == str(payload["repository"]["id"])
    for kind, found in heard.items():
        assert found <= EXPECTED.get(kind, {Happened.NOTHING}), kind
    unpublished = {"branch_protection_configuration", "repository_ruleset"}
    assert set(listen.HANDLED) == set(EXPECTED) | unpublished
    assert set(EXPECTED) <= heard.keys()
    assert set(manifest.EVENTS) <= set(listen.HANDLED)


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
def test_a_delivery_tells_when_its_change_was_touched_only_where_that_is_sure(
    hub: Forge, kind: str, more: dict[str, Any], sure: bool
) -> None:
    payload = {"pull_request": {"number": 7, "updated_at": THEN}, **more}
    assert _heard(hub, kind, payload).updated == ("2026-11-02T09:05:00.000000Z" if sure else "")


def test_a_delivery_that_is_not_signed_with_the_secret_is_not_genuine(hub: Forge) -> None:
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
    assert not any(hub.listener.genuine(secret, headers, data) for secret, headers, data in cases)


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
def test_a_delivery_of_another_form_is_refused(hub: Forge, kind: str, body: bytes) -> None:
    with pytest.raises(ForgeError):
        hub.listener.heard({"x-github-event": kind, "x-github-delivery": "d-1"}, body)


def test_a_delivery_without_its_id_is_refused(hub: Forge) -> None:
    with pytest.raises(ForgeError):
        hub.listener.heard({"x-github-event": "ping"}, b"{}")


def test_a_button_that_is_not_ours_asks_nothing_of_us(hub: Forge, github: FakeGitHub) -> None:
    run = {"id": 1, "name": "x", "head_sha": "a" * 40, "status": "completed", "conclusion": None, "app": None}
    payload = {"action": "requested_action", "check_run": run, "requested_action": {"identifier": "judge-again"}}
    assert _heard(hub, "check_run", payload).happened is Happened.ASKED
    payload["requested_action"] = {"identifier": "fix-it"}
    assert _heard(hub, "check_run", payload).happened is Happened.STATUS
