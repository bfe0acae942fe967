"""Completes the moves of a branch: between two that do not meet lies a push by an unknown account.

A list that does not end at the change's head is old or cut off, so the pusher of its last move is unknown too.
Otherwise earlier commits would seem to be pushed by the first move.
"""

from collections.abc import Iterable, Sequence

from muniment.facts.maybe import Maybe, Unknown
from muniment.forges.shapes import Account, Change, Move

_BETWEEN = "the forge does not name who pushed between {old} and {new}"
_UNKNOWN_PUSHER: Maybe[Account] = Unknown("the forge does not name who pushed it")
_LATEST = "the forge does not name who pushed {new} yet"


def select_since_creation(moves: Sequence[Move], opened: str) -> Sequence[Move]:
    """Moves since the branch was last created before the change was opened: earlier ones belong to another branch."""
    made = [place for place, move in enumerate(moves) if not move.old and move.at <= opened]
    return moves[made[-1] :] if made else moves


def is_past_end(move: Move, base: str, since: str) -> bool:
    """Whether a move is from before `since`, or is the one by which the branch came to `base`."""
    return move.at < since or (bool(base) and move.new == base)


def find_movers(moves: Sequence[Move], commits: Sequence[str]) -> dict[str, tuple[Maybe[Account], ...]]:
    """Accounts that moved a branch to each of `commits`, which lie behind one another on it, oldest first.

    These are all whose push ended there; else the one whose push went past it, if it started before it.
    """
    found: dict[str, tuple[Maybe[Account], ...]] = {}
    who: tuple[Maybe[Account], ...] = (_UNKNOWN_PUSHER,)
    came_from = frozenset[str]()
    for commit in reversed(commits):
        ended = [move for move in moves if move.new == commit]
        if ended:
            who, came_from = tuple(move.who for move in ended), frozenset(move.old for move in ended)
        elif commit in came_from or "" in came_from:
            who = (_UNKNOWN_PUSHER,)
        found[commit] = who
    return found


def fill_gaps(moves: Iterable[Move], change: Change, why: str = "") -> Iterable[Move]:
    """Moves, oldest first, with unknown moves where one is missing before, between or after them, up to the head."""
    stood = ""
    for move in moves:
        if stood != move.old:
            yield _make_gap(stood, move.old, move.at, why or _BETWEEN)
        stood = move.new
        if move.new:
            yield move
    if stood != change.head:
        yield _make_gap(stood, change.head, change.updated, why or _LATEST)


def _make_gap(old: str, new: str, at: str, why: str) -> Move:
    reason = why.replace("{old}", old[:12] or "the beginning").replace("{new}", new[:12] or "the end")
    unknown: Maybe[Account] = Unknown(reason)
    return Move(old, new, (), forced=False, who=unknown, at=at)
