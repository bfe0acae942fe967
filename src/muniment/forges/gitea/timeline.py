"""Events in a pull request's timeline: retargets, dismissals, repeated requests for review, and automatic merges."""

import re
from collections.abc import Iterable

from msgspec import Struct, structs

from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.forge_client import convert_forge_moment, malformed_error
from muniment.forges.gitea import wire
from muniment.forges.gitea.client import convert_account, full_branch_ref
from muniment.forges.shapes import Account, ForgeContributor, PendingMerge, Retarget, Review, ReviewState

_REVIEW_STATES = {"APPROVED": ReviewState.APPROVED, "REQUEST_CHANGES": ReviewState.CHANGES_REQUESTED}
_SILENT = ("PENDING", "COMMENT", "REQUEST_REVIEW", "")


_OF_REVIEWS = ("review", "dismiss_review")
_OF_TEXTS = ("comment", "label", "change_title", "milestone")
_NOT_OF_BRANCHES = (*_OF_REVIEWS, *_OF_TEXTS, "review_request", "code")


def select_branch_events(rows: Iterable[wire.TimelineEvent]) -> list[wire.TimelineEvent]:
    """Events that may concern pushes, or times without known pushes; unknown types included."""
    return [row for row in rows if row.type not in _NOT_OF_BRANCHES]


class Dismissal(Struct, frozen=True):
    """Account that dismissed a review, and the moment."""

    by: Maybe[Account]
    at: str


def parse_retargets(rows: Iterable[wire.TimelineEvent], where: str) -> tuple[Retarget, ...]:
    """Each change of the target branch, oldest first."""
    return tuple(
        Retarget(
            _require_branch_ref(row.old_ref, where),
            _require_branch_ref(row.new_ref, where),
            Known(convert_account(row.user)),
            convert_forge_moment(row.created_at, where),
        )
        for row in rows
        if row.type == "change_target_branch"
    )


def _require_branch_ref(name: str | None, where: str) -> str:
    if name is None:
        raise malformed_error(where)
    return full_branch_ref(name)


def parse_pending_merge(rows: Iterable[wire.TimelineEvent]) -> PendingMerge:
    """Whether the change is merged automatically, by the last event about it."""
    last = [row for row in rows if row.type in ("pull_scheduled_merge", "pull_cancel_scheduled_merge")][-1:]
    if not last or last[0].type == "pull_cancel_scheduled_merge":
        return PendingMerge(False, Unknown("nobody asked for it"), "")
    return PendingMerge(True, Known(convert_account(last[0].user)), "")


def parse_reviews(
    rows: Iterable[wire.Review], timeline: Iterable[wire.TimelineEvent], where: str
) -> tuple[Review, ...]:
    """Approvals and requests for changes, with their dismissals."""
    events = list(timeline)
    dismissals = _parse_dismissals(events, where)
    asked = _parse_review_requests(events, where)
    return tuple(
        _add_events(review, dismissals, asked) for row in rows if (review := _convert_review(row, where)) is not None
    )


def _convert_review(row: wire.Review, where: str) -> Review | None:
    if row.state in _SILENT:
        return None
    if row.state not in _REVIEW_STATES:
        raise malformed_error(where)
    return Review(
        id=str(row.id),
        by=convert_account(row.user),
        state=_REVIEW_STATES[row.state],
        commit=row.commit_id,
        at=convert_forge_moment(row.submitted_at, where),
        dismissed=row.dismissed,
    )


def _add_events(review: Review, dismissals: dict[str, Dismissal], asked: list[tuple[str, str]]) -> Review:
    later = [at for who, at in asked if who == review.by.id and at >= review.at]
    dismissal = dismissals.get(review.id, Dismissal(Unknown("the forge does not name who dismissed it"), ""))
    if review.dismissed:
        review = structs.replace(review, dismissed_by=dismissal.by, dismissed_at=dismissal.at)
    return structs.replace(review, asked_again=later[0] if later else "")


def parse_work_requests(rows: Iterable[wire.TimelineEvent], where: str) -> tuple[ForgeContributor, ...]:
    """Requests to work on the change: by assignment, or by a comment that mentions an account (`@name ...`).

    An assignment is for all of the change, a comment for later pushes.
    """
    found: list[ForgeContributor] = []
    for row in rows:
        by = convert_account(row.user)
        if row.type == "assignees" and row.assignee and not row.removed_assignee:
            found.append(ForgeContributor("", by, ContributorRole.REQUESTER, convert_account(row.assignee)))
        if row.type == "comment":
            at = convert_forge_moment(row.created_at, where)
            names = dict.fromkeys(_MENTIONED.findall(row.body or "")[:_MOST_NAMES])
            found += [ForgeContributor("", by, ContributorRole.REQUESTER, Account("", name), at) for name in names]
    return tuple(one for one in found if one.asked is not None and one.by.login != one.asked.login)


_MENTIONED = re.compile(r"(?<![A-Za-z0-9._-])@([A-Za-z0-9][A-Za-z0-9._-]{0,100})")
_MOST_NAMES = 50  # in one comment


def _parse_dismissals(rows: Iterable[wire.TimelineEvent], where: str) -> dict[str, Dismissal]:
    return {
        str(row.review_id): Dismissal(Known(convert_account(row.user)), convert_forge_moment(row.created_at, where))
        for row in rows
        if row.type == "dismiss_review"
    }


def _parse_review_requests(rows: Iterable[wire.TimelineEvent], where: str) -> list[tuple[str, str]]:
    return [
        (convert_account(row.assignee).id, convert_forge_moment(row.created_at, where))
        for row in rows
        if row.type == "review_request" and row.assignee and not row.removed_assignee
    ]
