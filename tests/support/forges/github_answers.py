"""What the fake GitHub shows of a `World`, in GitHub's words."""

from typing import Any

from tests.support.forges.faulty import Reply
from tests.support.forges.forge_state import ZERO, Moved, Reviewed, User

APP, SLUG = 77, "muniment"
NOT_FOUND = Reply(404, {"message": "Not Found"})
FORBIDDEN = Reply(403, {"message": "Resource not accessible by integration"})
REVIEW_STATES = {"approved": "APPROVED", "changes": "CHANGES_REQUESTED"}


def user(user: User) -> dict[str, Any]:
    return {"id": user.id, "login": user.login, "type": "Bot" if user.bot else "User"}


DELETED = User(0, "")  # an account that was deleted: GitHub names none


def who(user: User | None) -> dict[str, Any] | None:
    if user is None or user == DELETED:
        return None
    kind = "Bot" if user.bot else "User"
    return {"__typename": kind, "login": user.login.removesuffix("[bot]"), "databaseId": user.id}


def activity(move: Moved) -> dict[str, Any]:
    kind = "branch_creation" if not move.old else "branch_deletion" if not move.new else "push"
    return {
        "before": move.old or ZERO,
        "after": move.new or ZERO,
        "ref": move.ref,
        "timestamp": move.at,
        "activity_type": "force_push" if move.forced else kind,
        "actor": user(move.by),
    }


def review(one: Reviewed) -> dict[str, Any]:
    return {
        "id": f"PRR_{one.id}",
        "fullDatabaseId": str(one.id),
        "state": "DISMISSED" if one.dismissed_by else REVIEW_STATES[one.state],
        "submittedAt": one.at,
        "body": one.text,
        "commit": {"oid": one.commit},
        "author": who(one.by),
    }


def event(one: Any) -> dict[str, Any]:
    row = {"createdAt": one.at, "actor": who(one.by)}
    if one.what == "retargeted":
        old, new = (ref.removeprefix("refs/heads/") for ref in (one.old, one.new))
        return {**row, "__typename": "BaseRefChangedEvent", "previousRefName": old, "currentRefName": new}
    if one.what == "asked":
        return {**row, "__typename": "ReviewRequestedEvent", "requestedReviewer": who(one.whom)}
    return {**row, "__typename": "AssignedEvent", "assignee": who(one.whom)}


def error(kind: str, *path: str) -> dict[str, Any]:
    return {"type": kind, "path": list(path), "message": "no"}


def shorter(body: Any) -> Any:
    """Remove the last item of each list of a page."""
    if isinstance(body, list):
        return body[:-1]
    if isinstance(body, dict) and "nodes" in body and "totalCount" in body:
        return {**body, "nodes": body["nodes"][:-1]}
    if isinstance(body, dict) and "total_count" in body:
        return {key: value[:-1] if isinstance(value, list) else value for key, value in body.items()}
    if isinstance(body, dict) and ({"data", "repository", "pullRequest", "mergeQueue", "entries"} | _LISTS) & set(body):
        return {key: shorter(value) for key, value in body.items()}
    return body


_LISTS = {"commits", "reviews", "events", "checks", "statusCheckRollup"}
