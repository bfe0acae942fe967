"""What GitHub's deliveries mean. Each only says where to look again; what it claims is never a fact.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from muniment.forges.events import Event, Happened
from muniment.forges.github import shaped
from muniment.forges.github.publish import JUDGE_AGAIN
from muniment.forges.github.wire import App, CheckRun, Repository, User
from muniment.forges.http import malformed


class GitHubListener:
    """Hears for our App."""

    def genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """HMAC-SHA256 of the body, in `X-Hub-Signature-256`."""
        wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        given = headers.get("x-hub-signature-256", "")
        return bool(secret) and hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogateescape"))

    def heard(self, headers: Mapping[str, str], body: bytes) -> Event:
        """What a genuine delivery says."""
        kind, delivery = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
        if not kind or not delivery:
            raise malformed("delivery")
        if kind not in _MEANINGS:
            return Event(delivery, Happened.NOTHING)
        try:
            payload = msgspec.json.decode(body, type=_Payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise malformed("delivery") from None
        found = _MEANINGS[kind](payload)
        return Event(
            delivery=delivery,
            happened=found.get("happened", Happened.NOTHING),
            repository=payload.repository.full_name if payload.repository else "",
            repository_id=str(payload.repository.id) if payload.repository else "",
            number=found.get("number", 0),
            ref=found.get("ref", ""),
            head=found.get("head", ""),
            updated=found.get("updated", ""),
            context=found.get("context", ""),
            actor=shaped.account(payload.sender),
        )


class _Pull(Struct, frozen=True):
    number: int
    updated_at: str = ""


class _Review(Struct, frozen=True):
    submitted_at: str | None = None


class _Issue(Struct, frozen=True):
    number: int
    pull_request: dict[str, Any] | None = None


class _Suite(Struct, frozen=True):
    head_sha: str
    app: App | None = None


class _Group(Struct, frozen=True):
    head_sha: str
    base_ref: str


class _Asked(Struct, frozen=True):
    identifier: str = ""


class _Payload(Struct, frozen=True):
    action: str = ""
    repository: Repository | None = None
    sender: User | None = None
    pull_request: _Pull | None = None
    review: _Review | None = None
    issue: _Issue | None = None
    check_run: CheckRun | None = None
    check_suite: _Suite | None = None
    merge_group: _Group | None = None
    requested_action: _Asked | None = None
    ref: str | None = None
    ref_type: str = ""
    after: str = ""
    sha: str = ""
    context: str = ""


Found = dict[str, Any]


def _change(payload: _Payload) -> Found:
    if payload.pull_request is None:
        raise malformed("delivery")
    return {"happened": Happened.CHANGE, "number": payload.pull_request.number}


def _touched(payload: _Payload) -> Found:
    """A change, and when it was touched: that is told in the same moment's state."""
    return {**_change(payload), "updated": _moment(payload.pull_request.updated_at if payload.pull_request else "")}


def _reviewed(payload: _Payload) -> Found:
    """A review that was given counts as a touch where the delivery shows that it was one already."""
    found, given = _touched(payload), payload.review.submitted_at if payload.review else None
    counted = payload.action == "submitted" and given and found["updated"] >= _moment(given)
    return found if counted else {**found, "updated": ""}


def _moment(text: str) -> str:
    return shaped.moment(text) if text else ""


def _comment(payload: _Payload) -> Found:
    issue = payload.issue
    return {"happened": Happened.CHANGE, "number": issue.number} if issue and issue.pull_request else {}


def _push(payload: _Payload) -> Found:
    if not payload.ref:
        raise malformed("delivery")
    branch = payload.ref.startswith("refs/heads/")
    head = shaped.commit(payload.after)
    return {"happened": Happened.BRANCH, "ref": payload.ref, "head": head} if branch else {}


def _branch(payload: _Payload) -> Found:
    if payload.ref_type != "branch" or not payload.ref:
        return {}
    return {"happened": Happened.BRANCH, "ref": f"refs/heads/{payload.ref}"}


def _group(payload: _Payload) -> Found:
    group = payload.merge_group
    if group is None or payload.action != "checks_requested":
        return {}
    return {"happened": Happened.GROUP, "ref": group.base_ref, "head": group.head_sha}


def _check_run(payload: _Payload) -> Found:
    run = payload.check_run
    if run is None:
        raise malformed("delivery")
    pressed = payload.requested_action is not None and payload.requested_action.identifier == JUDGE_AGAIN
    asked = payload.action == "rerequested" or (payload.action == "requested_action" and pressed)
    return {"happened": Happened.ASKED if asked else Happened.STATUS, "head": run.head_sha, "context": run.name}


def _check_suite(payload: _Payload) -> Found:
    if payload.check_suite is None or payload.action not in ("rerequested", "completed"):
        return {}
    asked = payload.action == "rerequested"
    return {"happened": Happened.ASKED if asked else Happened.STATUS, "head": payload.check_suite.head_sha}


def _status(payload: _Payload) -> Found:
    return {"happened": Happened.STATUS, "head": payload.sha, "context": payload.context}


def _rules(payload: _Payload) -> Found:  # noqa: ARG001 -- one shape for all
    return {"happened": Happened.RULES}


def _repository(payload: _Payload) -> Found:  # noqa: ARG001 -- one shape for all
    return {"happened": Happened.REPOSITORY}


_MEANINGS: Mapping[str, Callable[[_Payload], Found]] = {
    "branch_protection_configuration": _rules,
    "branch_protection_rule": _rules,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "create": _branch,
    "delete": _branch,
    "installation": _repository,
    "installation_repositories": _repository,
    "issue_comment": _comment,
    "member": _rules,
    "membership": _rules,
    "merge_group": _group,
    "organization": _rules,
    "public": _repository,
    "pull_request": _touched,
    "pull_request_review": _reviewed,
    "pull_request_review_comment": _change,
    "pull_request_review_thread": _change,
    "push": _push,
    "repository": _repository,
    "repository_ruleset": _rules,
    "status": _status,
    "team": _rules,
    "team_add": _rules,
}
HANDLED = tuple(_MEANINGS)
