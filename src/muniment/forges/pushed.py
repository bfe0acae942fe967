"""Moves of a branch, made whole: what lies between two that do not meet was pushed by nobody known.

A list whose end is not where the change's head is, is old or cut, and so its last move is nobody's either. What stood
there before the first move would otherwise seem to be pushed by it.
"""

from collections.abc import Iterable, Sequence

from muniment.facts.maybe import Maybe, Unknown
from muniment.forges.shapes import Account, Change, Move

_BETWEEN = "the forge does not name who pushed between {old} and {new}"
_UNTOLD: Maybe[Account] = Unknown("the forge does not name who pushed it")
_LATEST = "the forge does not name who pushed {new} yet"


def since_created(moves: Sequence[Move], opened: str) -> Sequence[Move]:
    """From the last time that the branch was made before the change was opened: what went before is another's."""
    made = [place for place, move in enumerate(moves) if not move.old and move.at <= opened]
    return moves[made[-1] :] if made else moves


def over(move: Move, base: str, since: str) -> bool:
    """Whether a move is from before `since`, or is the one by which the branch came to `base`."""
    return move.at < since or (bool(base) and move.new == base)


def movers(moves: Sequence[Move], commits: Sequence[str]) -> dict[str, tuple[Maybe[Account], ...]]:
    """Who moved a branch to each of `commits`, which lie behind one another on it, oldest first.

    That is everybody whose push ended there, else whoever next pushed past it, if from before it as far as is told.
    """
    found: dict[str, tuple[Maybe[Account], ...]] = {}
    who: tuple[Maybe[Account], ...] = (_UNTOLD,)
    came_from = frozenset[str]()
    for commit in reversed(commits):
        ended = [move for move in moves if move.new == commit]
        if ended:
            who, came_from = tuple(move.who for move in ended), frozenset(move.old for move in ended)
        elif commit in came_from or "" in came_from:
            who = (_UNTOLD,)
        found[commit] = who
    return found


def joined(moves: Iterable[Move], change: Change, why: str = "") -> Iterable[Move]:
    """The moves, oldest first, and what is missing before, between and after them, up to the head."""
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
    told = why.replace("{old}", old[:12] or "the beginning").replace("{new}", new[:12] or "the end")
    unknown: Maybe[Account] = Unknown(told)
    return Move(old, new, (), forced=False, who=unknown, at=at)
