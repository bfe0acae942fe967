"""What a pull request's timeline tells: retargets, dismissals, whom somebody asked again, and merging by itself."""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, structs

from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.gitea.client import account, branch, needed
from muniment.forges.http import malformed, moment
from muniment.forges.shapes import Account, ForgeHand, Merging, Retarget, Review, Said

_SAID = {"APPROVED": Said.APPROVED, "REQUEST_CHANGES": Said.CHANGES_REQUESTED}
_SILENT = ("PENDING", "COMMENT", "REQUEST_REVIEW", "")


_OF_REVIEWS = ("review", "dismiss_review")
_OF_TEXTS = ("comment", "label", "change_title", "milestone")
_NOT_OF_BRANCHES = (*_OF_REVIEWS, *_OF_TEXTS, "review_request", "code")


def of_branch(rows: Iterable[Any]) -> list[Any]:
    """What may tell of pushes, and of times in which nobody told of them; plain, and of a kind nobody knows too."""
    return [_still(row) for row in rows if row.get("type") not in _NOT_OF_BRANCHES]


def _still(value: Any) -> Any:
    """The same without what is told of people beside who they are, such as when they were here last."""
    if isinstance(value, dict):
        found = {key: _still(one) for key, one in value.items()}
        return {key: found[key] for key in ("id", "login")} if {"id", "login"} <= found.keys() else found
    return [_still(one) for one in value] if isinstance(value, list) else value


class Dismissal(Struct, frozen=True):
    """Who dismissed a review, and when."""

    by: Maybe[Account]
    at: str


def retargets(rows: Iterable[Any], where: str) -> tuple[Retarget, ...]:
    """Each time that the change was pointed elsewhere, oldest first."""
    return tuple(
        Retarget(
            branch(needed(row, "old_ref", str, where)),
            branch(needed(row, "new_ref", str, where)),
            Known(account(row.get("user"), where)),
            moment(row.get("created_at"), where),
        )
        for row in rows
        if row.get("type") == "change_target_branch"
    )


def merging(rows: Iterable[Any], where: str) -> Merging:
    """Whether it will merge by itself, as the last word on it says."""
    last = [row for row in rows if row.get("type") in ("pull_scheduled_merge", "pull_cancel_scheduled_merge")][-1:]
    if not last or last[0]["type"] == "pull_cancel_scheduled_merge":
        return Merging(False, Unknown("nobody asked for it"), "")
    return Merging(True, Known(account(last[0].get("user"), where)), "")


def reviews(rows: Iterable[Any], timeline: Iterable[Any], where: str) -> tuple[Review, ...]:
    """The reviews that say something, with what became of them."""
    events = list(timeline)
    dismissals = _dismissals(events, where)
    asked = _asked(events, where)
    return tuple(_with(review, dismissals, asked) for row in rows if (review := _review(row, where)) is not None)


def _review(row: Any, where: str) -> Review | None:
    state = row.get("state") if isinstance(row, dict) else None
    if state in _SILENT:
        return None
    if state not in _SAID:
        raise malformed(where)
    return Review(
        id=str(needed(row, "id", int, where)),
        by=account(row.get("user"), where),
        said=_SAID[state],
        commit=needed(row, "commit_id", str, where),
        at=moment(row.get("submitted_at"), where),
        dismissed=bool(row.get("dismissed")),
    )


def _with(review: Review, dismissals: dict[str, Dismissal], asked: list[tuple[str, str]]) -> Review:
    later = [at for who, at in asked if who == review.by.id and at >= review.at]
    dismissal = dismissals.get(review.id, Dismissal(Unknown("the forge does not name who dismissed it"), ""))
    if review.dismissed:
        review = structs.replace(review, dismissed_by=dismissal.by, dismissed_at=dismissal.at)
    return structs.replace(review, asked_again=later[0] if later else "")


def requests(rows: Iterable[Any], where: str) -> tuple[ForgeHand, ...]:
    """Who asked whom to work on it: by assigning it to them, or by a comment that names them (`@name ...`).

    An assignment is for all of the change, a comment for what was pushed after it.
    """
    found: list[ForgeHand] = []
    for row in rows:
        by = account(row.get("user"), where)
        if row.get("type") == "assignees" and row.get("assignee") and not row.get("removed_assignee"):
            found.append(ForgeHand("", by, ContributorRole.REQUESTER, account(row["assignee"], where)))
        if row.get("type") == "comment":
            at = moment(row.get("created_at"), where)
            names = dict.fromkeys(_MENTIONED.findall(str(row.get("body") or ""))[:_MOST_NAMES])
            found += [ForgeHand("", by, ContributorRole.REQUESTER, Account("", name), at) for name in names]
    return tuple(one for one in found if one.asked is not None and one.by.login != one.asked.login)


_MENTIONED = re.compile(r"(?<![A-Za-z0-9._-])@([A-Za-z0-9][A-Za-z0-9._-]{0,100})")
_MOST_NAMES = 50  # in one comment


def _dismissals(rows: Iterable[Any], where: str) -> dict[str, Dismissal]:
    return {
        str(row.get("review_id")): Dismissal(Known(account(row.get("user"), where)), moment(row["created_at"], where))
        for row in rows
        if row.get("type") == "dismiss_review"
    }


def _asked(rows: Iterable[Any], where: str) -> list[tuple[str, str]]:
    return [
        (account(row["assignee"], where).id, moment(row.get("created_at"), where))
        for row in rows
        if row.get("type") == "review_request" and row.get("assignee") and not row.get("removed_assignee")
    ]
