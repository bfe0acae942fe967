"""Every push to a change's branch, from the activity feed of the repository that it comes from.

Gitea's timeline of a pull request drops pushes once somebody force-pushes; its feed has each push with its pusher and
both ends. Where two pushes do not meet, one that nobody told of lies between them, and its pusher is unknown.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeGuard

import msgspec
from msgspec import Struct, structs

from muniment.facts import moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges import pushed
from muniment.forges.gitea.client import account, needed
from muniment.forges.http import malformed, moment
from muniment.forges.shapes import Account, Move

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PUSHED = "commit_repo"
_BEFORE = 90  # days
_FORGOTTEN = Unknown("the forge does not remember who pushed it")
_GHOST = Unknown("the account that pushed it was deleted")


class _Pushed(Struct):
    """The content of a feed's row about a push."""

    CompareURL: str = ""
    HeadCommit: dict[str, Any] | None = None
    Commits: list[dict[str, Any]] | None = None


class Older:
    """Whether a feed (newest first) has come to rows from before the branch was made, for a change opened at `opened`.

    Rows of one second come in any order, so the row that tells of the making may come before pushes that followed it.
    What was pushed longer than `_BEFORE` days before the change was opened is not looked for: its pusher is unknown.
    """

    def __init__(self, ref: str, opened: str, where: str) -> None:
        self._ref = ref
        self._opened = opened
        self._oldest = moments.later(opened, days=-_BEFORE)
        self._where = where
        self._made = ""

    def __call__(self, row: Any) -> bool:
        at = moment(row.get("created") if isinstance(row, dict) else None, self._where)
        if not self._made and at < self._opened and _about(row, self._ref) and not row.get("content"):
            self._made = at
        return at < max(self._made, self._oldest)


def moves(rows: Iterable[Any], ref: str, head: str, where: str) -> tuple[Move, ...]:
    """The pushes to `ref` among a feed's rows (newest first), oldest first, ending at `head`. Raises MALFORMED."""
    return tuple(_joined(told(rows, ref, where), head))


def told(rows: Iterable[Any], ref: str, where: str) -> list[Move]:
    """The same as far as the feed tells of them. Raises MALFORMED."""
    once = {_number(row, where): row for row in rows}  # rows come twice if the feed grew while it was read
    found = [_move(row, where) for _, row in sorted(once.items()) if _about(row, ref)]
    return [move for move in found if move is not None]


def of_all_branches(rows: Iterable[Any], since: str, where: str) -> tuple[Move, ...]:
    """The pushes to any branch at or after `since` among a feed's rows, oldest first. Raises MALFORMED."""
    listed = list(rows)
    refs = {row.get("ref_name") for row in listed if row.get("op_type") == _PUSHED}
    found = [structs.replace(move, ref=ref) for ref in refs if _is_branch(ref) for move in told(listed, ref, where)]
    return tuple(sorted((move for move in found if move.at >= since), key=lambda move: move.at))


def _is_branch(ref: Any) -> TypeGuard[str]:
    return isinstance(ref, str) and ref.startswith("refs/heads/")


def is_before(row: Any, since: str, where: str) -> bool:
    """Whether a feed's row is from before a moment. Raises MALFORMED."""
    return moment(row.get("created") if isinstance(row, dict) else None, where) < since


def over(row: Any, ref: str, base: str, since: str, where: str) -> bool:
    """Whether a feed has come to what was before (`pushed.over`). Raises MALFORMED."""
    return is_before(row, since, where) or any(pushed.over(move, base, since) for move in told([row], ref, where))


def _about(row: Any, ref: str) -> bool:
    return bool(row.get("op_type") == _PUSHED and row.get("ref_name") == ref)


def _number(row: Any, where: str) -> int:
    number: int = needed(row, "id", int, where)
    return number


def _move(row: Any, where: str) -> Move | None:
    content = row.get("content")
    if not content:
        return None
    try:
        said = msgspec.json.decode(content, type=_Pushed)
    except msgspec.MsgspecError:
        raise malformed(where) from None
    old, _, new = said.CompareURL.rpartition("/compare/")[2].partition("...")
    if not _ID.fullmatch(new):
        old, new = "", (said.HeadCommit or {}).get("Sha1", "")
    if not _ID.fullmatch(new):
        raise malformed(where)
    commits = [one.get("Sha1", "") for one in said.Commits or ()]
    known = tuple(one for one in reversed(commits) if isinstance(one, str) and _ID.fullmatch(one))
    return Move(
        old if _ID.fullmatch(old) else "", new, known, False, _who(row, where), moment(row.get("created"), where)
    )


def _who(row: Any, where: str) -> Maybe[Account]:
    who = account(row.get("act_user"), where)
    return Known(who) if int(who.id) > 0 else _GHOST


def _joined(found: list[Move], head: str) -> Iterable[Move]:
    """The pushes with those between them that nobody told of."""
    at = ""
    for move in found:
        if at and move.old and move.old != at:
            yield Move(at, move.old, (), True, _FORGOTTEN, move.at)
        yield move
        at = move.new
    if at != head:
        yield Move(at, head, (), True, _FORGOTTEN, found[-1].at if found else "")
