"""Every push to a change's branch, from the activity feed of the repository that the change comes from.

Gitea's timeline of a pull request drops pushes after a force push; its feed has each push with its pusher and both
ends, except those of accounts that hide their activity in their settings. Where two pushes do not meet, or the creation
of the branch is missing, an unknown push lies there, and its pusher is unknown.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
from msgspec import Struct, structs

from muniment.facts import moments
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges import push_history
from muniment.forges.forge_client import convert_forge_moment, malformed_error
from muniment.forges.gitea import wire
from muniment.forges.gitea.client import convert_account
from muniment.forges.shapes import Account, Change, Move, Retarget

_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PUSHED = {"commit_repo": "refs/heads/", "push_tag": "refs/tags/"}  # prefix of the refs of each kind of row
_BEFORE = 90  # days
_FORGOTTEN = Unknown("the forge does not show who pushed it: it was long ago, or the account hides its activity")
_BRANCHLESS = Unknown(
    "it was proposed without a branch, by a push to refs/for, and the forge does not show who pushed it"
)
_GHOST = Unknown("the account that pushed it was deleted")
_JOB = Unknown("a job of the forge pushed it, and the forge does not show who started the job")
_GHOST_IDS = (0, -1)  # other ids below 1 belong to the forge itself, such as -2 to its Actions
_RENAME_SECONDS = 2  # between the two rows of a renaming, at most


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

    def __call__(self, row: wire.FeedRow) -> bool:
        at = convert_forge_moment(row.created, self._where)
        if not self._made and at < self._opened and _is_push_to(row, self._ref) and not row.content:
            self._made = at
        return at < max(self._made, self._oldest)


def make_branchless_move(change: Change) -> Move:
    """The push of a change that comes from no branch (AGit). No feed has such pushes, so its pusher is unknown."""
    return Move("", change.head, (), True, _BRANCHLESS, change.opened)


def collect_moves(rows: Iterable[wire.FeedRow], ref: str, head: str, where: str) -> tuple[Move, ...]:
    """Pushes to `ref`, also under its former names, among a feed's rows (newest first), oldest first, ending at `head`.

    Raises MALFORMED.
    """
    once = {row.id: row for row in rows}  # rows come twice if the feed grew while it was read
    listed = [row for _, row in sorted(once.items())]
    renamed: list[Move] = []  # pushes under all names but the first
    while (renaming := _find_renaming(listed, ref, where)) is not None:
        renamed = [*parse_moves([row for row in listed if row.id > renaming.begun], ref, where), *renamed]
        ref, listed = renaming.former, [row for row in listed if row.id < renaming.begun]
    first = parse_moves(listed, ref, where)
    creations = find_creations(listed, ref, where) if first else ()
    return tuple(_fill_gaps(_add_unknown_start([*first, *renamed], creations), head))


class _Renaming(Struct, frozen=True):
    """A renaming of a branch: its `former` ref, and the id of the row with which the new name begins."""

    former: str
    begun: int


def _add_unknown_start(found: list[Move], creations: Sequence[Retarget]) -> list[Move]:
    """Pushes to a branch, after an unknown one if what brought it to its first commit is not shown.

    Else the first push that is shown would seem to have brought what was pushed before it.
    """
    if not found or not found[0].old or _is_creation(found[0], creations):
        return found
    return [Move("", found[0].old, (), False, _FORGOTTEN, found[0].at), *found]


def _find_renaming(rows: Sequence[wire.FeedRow], ref: str, where: str) -> _Renaming | None:
    """How a branch got the name `ref` last, if it had another one before: Gitea ends that, and begins the new name.

    Whoever imitates these two rows with a branch of other commits leaves a gap: the pushes under the former name do not
    lead to where the new one begins.
    """
    for ended, begun in reversed(list(pairwise(rows))):
        if (
            (ended.op_type, begun.op_type) == ("delete_branch", "commit_repo")
            and (begun.ref_name, begun.content) == (ref, "")
            and ended.ref_name.startswith("refs/heads/")
            and convert_account(ended.act_user) == convert_account(begun.act_user)
            and convert_forge_moment(begun.created, where)
            <= moments.add_time(convert_forge_moment(ended.created, where), seconds=_RENAME_SECONDS)
        ):
            return _Renaming(ended.ref_name, begun.id)
    return None


def _is_creation(move: Move, creations: Iterable[Retarget]) -> bool:
    """Whether a push created its branch: the feed then has a second row about it, of that moment and account."""
    return any(
        one.who == move.who and max(one.at, move.at) <= moments.add_time(min(one.at, move.at), minutes=1)
        for one in creations
    )


def parse_moves(rows: Iterable[wire.FeedRow], ref: str, where: str) -> list[Move]:
    """Pushes to `ref` that a feed's rows contain, oldest first, with gaps. Raises MALFORMED."""
    once = {row.id: row for row in rows}  # rows come twice if the feed grew while it was read
    found = [_convert_move(row, where) for _, row in sorted(once.items()) if _is_push_to(row, ref)]
    return [move for move in found if move is not None]


def collect_moves_of_all_branches(rows: Iterable[wire.FeedRow], since: str, where: str) -> tuple[Move, ...]:
    """The pushes to any branch or tag at or after `since` among a feed's rows, oldest first. Raises MALFORMED.

    A branch that was made or renamed in the forge's pages has a push without a commit.
    """
    listed = list(rows)
    refs = {row.ref_name for row in listed if _is_push(row)}
    found = [structs.replace(move, ref=ref) for ref in refs for move in parse_moves(listed, ref, where)]
    begun = {row.id: row for row in listed if _is_push(row) and not row.content}
    found += [
        Move("", "", (), False, _find_pusher(row), convert_forge_moment(row.created, where), row.ref_name)
        for row in begun.values()
    ]
    return tuple(sorted((move for move in found if move.at >= since), key=lambda move: move.at))


def _is_push(row: wire.FeedRow) -> bool:
    prefix = _PUSHED.get(row.op_type)
    return prefix is not None and row.ref_name.startswith(prefix)


def find_creations(rows: Iterable[wire.FeedRow], ref: str, where: str) -> tuple[Retarget, ...]:
    """Creations of the branch `ref` among a feed's rows, oldest first, as changes of target to it.

    Gitea gives a branch another name with all changes for it, and only the feed tells of that. Raises MALFORMED.
    """
    created = [
        Retarget("", ref, _find_pusher(row), convert_forge_moment(row.created, where))
        for row in rows
        if _is_push_to(row, ref) and not row.content
    ]
    return tuple(sorted(created, key=lambda one: one.at))


def is_before(row: wire.FeedRow, since: str, where: str) -> bool:
    """Whether a feed's row is from before a moment. Raises MALFORMED."""
    return convert_forge_moment(row.created, where) < since


def is_feed_past_end(row: wire.FeedRow, ref: str, base: str, since: str, where: str) -> bool:
    """Whether a feed has come to moves that are not wanted (`push_history.is_past_end`). Raises MALFORMED."""
    return is_before(row, since, where) or any(
        push_history.is_past_end(move, base, since) for move in parse_moves([row], ref, where)
    )


def _is_push_to(row: wire.FeedRow, ref: str) -> bool:
    return _is_push(row) and row.ref_name == ref


def _convert_move(row: wire.FeedRow, where: str) -> Move | None:
    if not row.content:
        return None
    try:
        pushed = msgspec.json.decode(row.content, type=wire.PushContent)
    except msgspec.MsgspecError:
        raise malformed_error(where) from None
    old, _, new = pushed.CompareURL.rpartition("/compare/")[2].partition("...")
    if not _ID.fullmatch(new):
        old, new = "", pushed.HeadCommit.sha1 if pushed.HeadCommit else ""
    if not _ID.fullmatch(new):
        raise malformed_error(where)
    known = tuple(one.sha1 for one in reversed(pushed.Commits or []) if _ID.fullmatch(one.sha1))
    return Move(
        old if _ID.fullmatch(old) and old.strip("0") else "",
        new,
        known,
        False,
        _find_pusher(row),
        convert_forge_moment(row.created, where),
    )


def _find_pusher(row: wire.FeedRow) -> Maybe[Account]:
    who = convert_account(row.act_user)
    number = int(who.id)
    return Known(who) if number > 0 else _GHOST if number in _GHOST_IDS else _JOB


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
