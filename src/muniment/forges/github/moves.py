"""Who pushed what to a branch: from GitHub's list of its activity, and the force pushes of a change's timeline."""

from collections.abc import Iterable, Sequence

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.github import shaped
from muniment.forges.github.wire import Activity
from muniment.forges.pushed import joined, since_created
from muniment.forges.shapes import Account, Change, Move


def of_change(change: Change, activity: Maybe[tuple[Activity, ...]], forced: Sequence[Move]) -> tuple[Move, ...]:
    """All moves of a change's branch, oldest first, as far as GitHub's memory goes.

    `activity`: newest first; where it cannot be read, the force pushes are known, and that somebody pushed the head.
    """
    why = activity.reason if isinstance(activity, Unknown) else ""
    listed = activity.value if isinstance(activity, Known) else ()
    moves = since_created([move(one) for one in reversed(listed) if one.ref == change.source], change.opened)
    found = [*(other for other in forced if not _among(other, moves)), *moves]
    return tuple(joined(sorted(found, key=lambda one: one.at), change, why))


def move(one: Activity) -> Move:
    """One row of GitHub's list."""
    return Move(
        old=shaped.commit(one.before),
        new=shaped.commit(one.after),
        commits=(),
        forced=one.activity_type == "force_push",
        who=shaped.known(one.actor),
        at=shaped.moment(one.timestamp),
    )


def _among(one: Move, moves: Iterable[Move]) -> bool:
    return any((one.old, one.new) == (other.old, other.new) for other in moves)


def machines(change: Change, moves: Iterable[Move]) -> dict[str, Account]:
    """The machines that opened the change or pushed to it, by id."""
    hands = [change.opener, *(one.who.value for one in moves if isinstance(one.who, Known))]
    return {account.id: account for account in hands if account.machine}
