"""Pushes to a branch: from GitHub's list of its activity, and the force pushes of a change's timeline."""

from collections.abc import Iterable, Sequence

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.github import conversion
from muniment.forges.github.wire import Activity
from muniment.forges.push_history import fill_gaps, select_since_creation
from muniment.forges.shapes import Account, Change, Move


def collect_moves(change: Change, activity: Maybe[tuple[Activity, ...]], forced: Sequence[Move]) -> tuple[Move, ...]:
    """Collect all moves of a change's branch, oldest first, as far as GitHub's history goes.

    `activity`: newest first. Where it cannot be read, only force pushes are known, and that the head was pushed.
    """
    why = activity.reason if isinstance(activity, Unknown) else ""
    listed = activity.value if isinstance(activity, Known) else ()
    moves = select_since_creation(
        [convert_activity(one) for one in reversed(listed) if one.ref == change.source], change.opened
    )
    found = [*(other for other in forced if not _is_among(other, moves)), *moves]
    return tuple(fill_gaps(sorted(found, key=lambda one: one.at), change, why))


def convert_activity(activity: Activity) -> Move:
    """Move of one row of GitHub's activity list."""
    return Move(
        old=conversion.convert_commit_id(activity.before),
        new=conversion.convert_commit_id(activity.after),
        commits=(),
        forced=activity.activity_type == "force_push",
        who=conversion.convert_known_account(activity.actor),
        at=conversion.convert_moment(activity.timestamp),
    )


def _is_among(one: Move, moves: Iterable[Move]) -> bool:
    return any((one.old, one.new) == (other.old, other.new) for other in moves)


def find_machines(change: Change, moves: Iterable[Move]) -> dict[str, Account]:
    """Machines that opened the change or pushed to it, by id."""
    participants = [change.opener, *(one.who.value for one in moves if isinstance(one.who, Known))]
    return {account.id: account for account in participants if account.machine}
