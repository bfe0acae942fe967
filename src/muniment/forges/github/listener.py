"""Parses GitHub's webhook deliveries. Each is a hint to read again; its claims are never facts.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct, structs

from muniment.forges.events import EventFields, ForgeEvent, ForgeEventKind
from muniment.forges.forge_client import malformed_error
from muniment.forges.github import conversion
from muniment.forges.github.publisher import EVALUATE_AGAIN
from muniment.forges.github.wire import App, CheckRun, RepositoryAnswer, User


class GitHubListener:
    """Parses the webhook deliveries to our App."""

    def is_genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Check the HMAC-SHA256 of the body, in `X-Hub-Signature-256`."""
        wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        given = headers.get("x-hub-signature-256", "")
        return bool(secret) and hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogateescape"))

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> ForgeEvent:
        kind, delivery = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
        if not kind or not delivery:
            raise malformed_error("delivery")
        if kind not in _MEANINGS:
            return ForgeEvent(delivery, ForgeEventKind.NOTHING)
        try:
            payload = msgspec.json.decode(body, type=_Payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise malformed_error("delivery") from None
        found = _MEANINGS[kind](payload)
        return ForgeEvent(
            delivery=delivery,
            kind=found.kind,
            repository=payload.repository.full_name if payload.repository else "",
            repository_id=str(payload.repository.id) if payload.repository else "",
            number=found.number,
            ref=found.ref,
            head=found.head,
            updated=found.updated,
            context=found.context,
            actor=conversion.convert_account(payload.sender),
        )


class _Pull(Struct, frozen=True):
    number: int
    updated_at: str = ""


class _Review(Struct, frozen=True):
    submitted_at: str | None = None


class _IssuePull(Struct, frozen=True):
    url: str = ""


class _Issue(Struct, frozen=True):
    number: int
    pull_request: _IssuePull | None = None


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
    repository: RepositoryAnswer | None = None
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


def _parse_change(payload: _Payload) -> EventFields:
    if payload.pull_request is None:
        raise malformed_error("delivery")
    return EventFields(kind=ForgeEventKind.CHANGE, number=payload.pull_request.number)


def _parse_updated_change(payload: _Payload) -> EventFields:
    """A change, and the moment of its update: the delivery contains the state of that moment."""
    moment = _parse_optional_moment(payload.pull_request.updated_at if payload.pull_request else "")
    return structs.replace(_parse_change(payload), updated=moment)


def _parse_review(payload: _Payload) -> EventFields:
    """A submitted review counts as an update where the delivery's state already contains it."""
    found, given = _parse_updated_change(payload), payload.review.submitted_at if payload.review else None
    counted = payload.action == "submitted" and given and found.updated >= _parse_optional_moment(given)
    return found if counted else structs.replace(found, updated="")


def _parse_optional_moment(text: str) -> str:
    return conversion.convert_moment(text) if text else ""


def _parse_comment(payload: _Payload) -> EventFields:
    issue = payload.issue
    return (
        EventFields(kind=ForgeEventKind.CHANGE, number=issue.number) if issue and issue.pull_request else EventFields()
    )


def _parse_push(payload: _Payload) -> EventFields:
    if not payload.ref:
        raise malformed_error("delivery")
    branch = payload.ref.startswith("refs/heads/")
    head = conversion.convert_commit_id(payload.after)
    return EventFields(kind=ForgeEventKind.BRANCH, ref=payload.ref, head=head) if branch else EventFields()


def _parse_branch(payload: _Payload) -> EventFields:
    if payload.ref_type != "branch" or not payload.ref:
        return EventFields()
    return EventFields(kind=ForgeEventKind.BRANCH, ref=f"refs/heads/{payload.ref}")


def _parse_merge_group(payload: _Payload) -> EventFields:
    group = payload.merge_group
    if group is None or payload.action != "checks_requested":
        return EventFields()
    return EventFields(kind=ForgeEventKind.GROUP, ref=group.base_ref, head=group.head_sha)


def _parse_check_run(payload: _Payload) -> EventFields:
    run = payload.check_run
    if run is None:
        raise malformed_error("delivery")
    pressed = payload.requested_action is not None and payload.requested_action.identifier == EVALUATE_AGAIN
    asked = payload.action == "rerequested" or (payload.action == "requested_action" and pressed)
    return EventFields(
        kind=ForgeEventKind.ASKED if asked else ForgeEventKind.STATUS,
        head=run.head_sha,
        context=run.name,
    )


def _parse_check_suite(payload: _Payload) -> EventFields:
    if payload.check_suite is None or payload.action not in ("rerequested", "completed"):
        return EventFields()
    asked = payload.action == "rerequested"
    return EventFields(kind=ForgeEventKind.ASKED if asked else ForgeEventKind.STATUS, head=payload.check_suite.head_sha)


def _parse_status(payload: _Payload) -> EventFields:
    return EventFields(kind=ForgeEventKind.STATUS, head=payload.sha, context=payload.context)


def _parse_rules(payload: _Payload) -> EventFields:  # noqa: ARG001 -- one shape for all
    return EventFields(kind=ForgeEventKind.RULES)


def _parse_repository(payload: _Payload) -> EventFields:  # noqa: ARG001 -- one shape for all
    return EventFields(kind=ForgeEventKind.REPOSITORY)


_MEANINGS: Mapping[str, Callable[[_Payload], EventFields]] = {
    "branch_protection_configuration": _parse_rules,
    "branch_protection_rule": _parse_rules,
    "check_run": _parse_check_run,
    "check_suite": _parse_check_suite,
    "create": _parse_branch,
    "delete": _parse_branch,
    "installation": _parse_repository,
    "installation_repositories": _parse_repository,
    "issue_comment": _parse_comment,
    "member": _parse_rules,
    "membership": _parse_rules,
    "merge_group": _parse_merge_group,
    "organization": _parse_rules,
    "public": _parse_repository,
    "pull_request": _parse_updated_change,
    "pull_request_review": _parse_review,
    "pull_request_review_comment": _parse_change,
    "pull_request_review_thread": _parse_change,
    "push": _parse_push,
    "repository": _parse_repository,
    "repository_ruleset": _parse_rules,
    "status": _parse_status,
    "team": _parse_rules,
    "team_add": _parse_rules,
}
HANDLED_EVENTS = tuple(_MEANINGS)
