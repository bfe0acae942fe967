"""Pushes to a merge request's branch: from the project's push events, and from GitLab's notes on versions."""

from collections.abc import Iterable, Mapping

from msgspec import structs

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.gitlab.client import (
    branch_name,
    convert_commit_id,
    convert_known_account,
    convert_moment,
    second_end,
)
from muniment.forges.gitlab.wire import MergeRequestVersion, ProjectEvent, PushData, User
from muniment.forges.push_history import fill_gaps, select_since_creation
from muniment.forges.shapes import Change, Move

_PREFIXES = {"branch": "refs/heads/", "tag": "refs/tags/"}  # of refs, by the type that events name


def collect_moves(
    change: Change,
    events: Maybe[tuple[ProjectEvent, ...]],
    versions: tuple[MergeRequestVersion, ...],
    pushers: Mapping[int, User | None],
) -> tuple[Move, ...]:
    """Collect all moves, oldest first. Events are newest first, versions oldest first."""
    listed = events.value if isinstance(events, Known) else ()
    why = events.reason if isinstance(events, Unknown) else ""
    moves = select_since_creation(
        [move for event in reversed(listed) for move in convert_event_of(event, change.source)],
        second_end(change.opened),
    )
    reached = {move.new for move in moves}
    unreached = [move for move in _convert_versions(versions, pushers) if move.new not in reached]
    return tuple(fill_gaps(sorted((*moves, *unreached), key=lambda move: move.at), change, why))


def is_creation(event: ProjectEvent, change: Change) -> bool:
    """Whether an event created the branch, before the change was opened."""
    data = event.push_data
    made = data is not None and data.ref == branch_name(change.source) and data.action == "created"
    return made and convert_moment(event.created_at) <= second_end(change.opened)


def convert_event(event: ProjectEvent) -> Iterable[Move]:
    """Move of the branch or tag that an event names; a move without a ref where it moved many."""
    data = event.push_data
    if data is None or data.ref_type not in _PREFIXES:
        return
    move = _convert_push(event, data)
    if data.ref is None:
        yield structs.replace(move, old="", new="")
    else:
        yield structs.replace(move, ref=f"{_PREFIXES[data.ref_type]}{data.ref}")


def convert_event_of(event: ProjectEvent, ref: str) -> Iterable[Move]:
    """Move of the branch `ref`, if the event is about it."""
    data = event.push_data
    if data is not None and data.ref_type == "branch" and data.ref == branch_name(ref):
        yield _convert_push(event, data)


def _convert_push(event: ProjectEvent, data: PushData) -> Move:
    old, new = convert_commit_id(data.commit_from), convert_commit_id(data.commit_to)
    who, at = convert_known_account(event.author), convert_moment(event.created_at)
    return Move(old, new, (), forced=False, who=who, at=at)


def _convert_versions(versions: Iterable[MergeRequestVersion], pushers: Mapping[int, User | None]) -> Iterable[Move]:
    """Moves that versions show and no event does."""
    before = ""
    for version in versions:
        if version.head_commit_sha != before:
            who = (
                convert_known_account(pushers[version.id])
                if version.id in pushers
                else Unknown("GitLab does not name who pushed it")
            )
            yield Move(
                before, version.head_commit_sha, (), forced=False, who=who, at=convert_moment(version.created_at)
            )
        before = version.head_commit_sha
