"""Every push to a change's branch, from the activity feed of the repository that the change comes from.

Gitea's timeline of a pull request drops pushes after a force push; its feed has each push with its pusher and both
ends, except those of accounts that hide their activity in their settings. Where two pushes do not meet, or the creation
of the branch is missing, an unknown push lies there, and its pusher is unknown.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct, structs

from muniment.facts import moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges import push_history
from muniment.forges.forge_client import convert_forge_moment, malformed_error
from muniment.forges.gitea.client import convert_account, require_field
from muniment.forges.shapes import Account, Move, Retarget

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PUSHED = {"commit_repo": "refs/heads/", "push_tag": "refs/tags/"}  # prefix of the refs of each kind of row
_BEFORE = 90  # days
_FORGOTTEN = Unknown("the forge does not show who pushed it: it was long ago, or the account hides its activity")
_GHOST = Unknown("the account that pushed it was deleted")


class _Pushed(Struct):
    """The content of a feed's row about a push."""

    CompareURL: str = ""
    HeadCommit: dict[str, Any] | None = None
    Commits: list[dict[str, Any]] | None = None


class FeedEnd:
    """Whether a feed (newest first) has come to rows from before the branch was created.

    The change was opened at `opened`. Rows of one second come in any order, so the row of the creation may come before
    pushes that followed it. Pushes longer than `_BEFORE` days before the change was opened are not searched: their
    pusher is unknown.
    """

    def __init__(self, ref: str, opened: str, where: str) -> None:
        self._ref = ref
        self._opened = opened
        self._oldest = moments.add_time(opened, days=-_BEFORE)
        self._where = where
        self._made = ""

    def __call__(self, row: Any) -> bool:
        at = convert_forge_moment(row.get("created") if isinstance(row, dict) else None, self._where)
        if not self._made and at < self._opened and _is_push_to(row, self._ref) and not row.get("content"):
            self._made = at
        return at < max(self._made, self._oldest)


def collect_moves(rows: Iterable[Any], ref: str, head: str, where: str) -> tuple[Move, ...]:
    """Pushes to `ref` among a feed's rows (newest first), oldest first, ending at `head`. Raises MALFORMED."""
    listed = list(rows)
    found = parse_moves(listed, ref, where)
    if found and found[0].old and not _is_creation(found[0], find_creations(listed, ref, where)):
        # Else the first push that is shown would seem to have brought what was pushed before it.
        found.insert(0, Move("", found[0].old, (), False, _FORGOTTEN, found[0].at))
    return tuple(_fill_gaps(found, head))


def _is_creation(move: Move, creations: Iterable[Retarget]) -> bool:
    """Whether a push created its branch: the feed then has a second row about it, of that moment and account."""
    return any(
        one.who == move.who and max(one.at, move.at) <= moments.add_time(min(one.at, move.at), minutes=1)
        for one in creations
    )


def parse_moves(rows: Iterable[Any], ref: str, where: str) -> list[Move]:
    """Pushes to `ref` that a feed's rows contain, oldest first, with gaps. Raises MALFORMED."""
    once = {_read_id(row, where): row for row in rows}  # rows come twice if the feed grew while it was read
    found = [_convert_move(row, where) for _, row in sorted(once.items()) if _is_push_to(row, ref)]
    return [move for move in found if move is not None]


def collect_moves_of_all_branches(rows: Iterable[Any], since: str, where: str) -> tuple[Move, ...]:
    """The pushes to any branch or tag at or after `since` among a feed's rows, oldest first. Raises MALFORMED."""
    listed = list(rows)
    refs = {row["ref_name"] for row in listed if _is_push(row)}
    found = [structs.replace(move, ref=ref) for ref in refs for move in parse_moves(listed, ref, where)]
    return tuple(sorted((move for move in found if move.at >= since), key=lambda move: move.at))


def _is_push(row: Any) -> bool:
    prefix, ref = _PUSHED.get(str(row.get("op_type"))), row.get("ref_name")
    return prefix is not None and isinstance(ref, str) and ref.startswith(prefix)


def find_creations(rows: Iterable[Any], ref: str, where: str) -> tuple[Retarget, ...]:
    """Creations of the branch `ref` among a feed's rows, oldest first, as changes of target to it.

    Gitea gives a branch another name with all changes for it, and only the feed tells of that. Raises MALFORMED.
    """
    created = [
        Retarget("", ref, _find_pusher(row, where), convert_forge_moment(row.get("created"), where))
        for row in rows
        if _is_push_to(row, ref) and not row.get("content")
    ]
    return tuple(sorted(created, key=lambda one: one.at))


def is_before(row: Any, since: str, where: str) -> bool:
    """Whether a feed's row is from before a moment. Raises MALFORMED."""
    return convert_forge_moment(row.get("created") if isinstance(row, dict) else None, where) < since


def is_feed_past_end(row: Any, ref: str, base: str, since: str, where: str) -> bool:
    """Whether a feed has come to moves that are not wanted (`push_history.is_past_end`). Raises MALFORMED."""
    return is_before(row, since, where) or any(
        push_history.is_past_end(move, base, since) for move in parse_moves([row], ref, where)
    )


def _is_push_to(row: Any, ref: str) -> bool:
    return _is_push(row) and bool(row["ref_name"] == ref)


def _read_id(row: Any, where: str) -> int:
    number: int = require_field(row, "id", int, where)
    return number


def _convert_move(row: Any, where: str) -> Move | None:
    content = row.get("content")
    if not content:
        return None
    try:
        pushed = msgspec.json.decode(content, type=_Pushed)
    except msgspec.MsgspecError:
        raise malformed_error(where) from None
    old, _, new = pushed.CompareURL.rpartition("/compare/")[2].partition("...")
    if not _ID.fullmatch(new):
        old, new = "", (pushed.HeadCommit or {}).get("Sha1", "")
    if not _ID.fullmatch(new):
        raise malformed_error(where)
    commits = [one.get("Sha1", "") for one in pushed.Commits or ()]
    known = tuple(one for one in reversed(commits) if isinstance(one, str) and _ID.fullmatch(one))
    return Move(
        old if _ID.fullmatch(old) and old.strip("0") else "",
        new,
        known,
        False,
        _find_pusher(row, where),
        convert_forge_moment(row.get("created"), where),
    )


def _find_pusher(row: Any, where: str) -> Maybe[Account]:
    who = convert_account(row.get("act_user"), where)
    return Known(who) if int(who.id) > 0 else _GHOST


def _fill_gaps(found: list[Move], head: str) -> Iterable[Move]:
    """Pushes with unknown moves between those that do not meet."""
    at = ""
    for move in found:
        if at and move.old and move.old != at:
            yield Move(at, move.old, (), True, _FORGOTTEN, move.at)
        yield move
        at = move.new
    if at != head:
        yield Move(at, head, (), True, _FORGOTTEN, found[-1].at if found else "")
