"""Who pushed what to a branch, from GitHub's list of a branch's activity, and the force pushes of a change's timeline.

What lies between two moves that do not meet was pushed by nobody known: it becomes a move of its own. A list whose end
is not where the change's head is, is old or cut, and so its last move is nobody's either.
"""

from collections.abc import Iterable, Sequence

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.github import shaped
from muniment.forges.github.wire import Activity
from muniment.forges.shapes import Account, Change, Move

_BETWEEN = "GitHub does not tell who pushed between {old} and {new}"
_LATEST = "GitHub does not tell who pushed {new} yet"


def of_change(change: Change, activity: Maybe[tuple[Activity, ...]], forced: Sequence[Move]) -> tuple[Move, ...]:
    """All moves of a change's branch, oldest first, as far as GitHub's memory goes.

    `activity`: newest first; where it cannot be read, the force pushes are known, and that somebody pushed the head.
    """
    why = activity.why if isinstance(activity, Unknown) else ""
    listed = activity.value if isinstance(activity, Known) else ()
    moves = _since_created([_move(one) for one in reversed(listed) if one.ref == change.source], change.opened)
    moves = [*(move for move in forced if not _among(move, moves)), *moves]
    return tuple(_joined(sorted(moves, key=lambda move: move.at), change, why))


def _move(one: Activity) -> Move:
    return Move(
        old=shaped.commit(one.before),
        new=shaped.commit(one.after),
        commits=(),
        forced=one.activity_type == "force_push",
        who=shaped.known(one.actor),
        at=shaped.moment(one.timestamp),
    )


def _since_created(moves: list[Move], opened: str) -> list[Move]:
    """From the last time that the branch was made before the change was opened: what went before is another's."""
    made = [place for place, move in enumerate(moves) if not move.old and move.at <= opened]
    return moves[made[-1] :] if made else moves


def _among(move: Move, moves: Iterable[Move]) -> bool:
    return any((move.old, move.new) == (other.old, other.new) for other in moves)


def _joined(moves: list[Move], change: Change, why: str) -> Iterable[Move]:
    """The moves, and what is missing before, between and after them, up to the head.

    What stood there before the first of them would otherwise seem to be pushed by it.
    """
    stood = ""
    for move in moves:
        if stood != move.old:
            yield _gap(stood, move.old, move.at, why or _BETWEEN)
        stood = move.new
        if move.new:
            yield move
    if stood != change.head:
        yield _gap(stood, change.head, change.updated, why or _LATEST)


def _gap(old: str, new: str, at: str, why: str) -> Move:
    unknown: Maybe[Account] = Unknown(why.format(old=old[:12] or "the beginning", new=new[:12] or "the end"))
    return Move(old, new, (), forced=False, who=unknown, at=at)


def machines(change: Change, moves: Iterable[Move]) -> dict[str, Account]:
    """The machines that opened the change or pushed to it, by id."""
    hands = [change.opener, *(move.who.value for move in moves if isinstance(move.who, Known))]
    return {account.id: account for account in hands if account.machine}
