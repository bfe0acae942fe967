"""Who pushed what to a merge request's branch: from the project's push events, and from GitLab's notes on versions."""

from collections.abc import Iterable, Mapping

from msgspec import structs

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.gitlab.client import commit, ended, known, moment, short
from muniment.forges.gitlab.wire import Event, User, Version
from muniment.forges.pushed import joined, since_created
from muniment.forges.shapes import Change, Move


def of_change(
    change: Change,
    events: Maybe[tuple[Event, ...]],
    versions: tuple[Version, ...],
    pushers: Mapping[int, User | None],
) -> tuple[Move, ...]:
    """All moves, oldest first. Events are newest first, versions oldest first."""
    listed = events.value if isinstance(events, Known) else ()
    why = events.reason if isinstance(events, Unknown) else ""
    moves = since_created(
        [move for event in reversed(listed) for move in of_event(event, change.source)], ended(change.opened)
    )
    reached = {move.new for move in moves}
    told = [move for move in _told(versions, pushers) if move.new not in reached]
    return tuple(joined(sorted((*moves, *told), key=lambda move: move.at), change, why))


def created(event: Event, change: Change) -> bool:
    """Whether an event made the branch, before the change was opened."""
    data = event.push_data
    made = data is not None and data.ref == short(change.source) and data.action == "created"
    return made and moment(event.created_at) <= ended(change.opened)


def of_any_branch(event: Event) -> Iterable[Move]:
    """The move of a branch that an event tells of; one without a branch where it moved many."""
    data = event.push_data
    if data is None or data.ref_type != "branch":
        return
    if data.ref is None:
        yield Move("", "", (), forced=False, who=known(event.author), at=moment(event.created_at))
        return
    for move in of_event(event, data.ref):
        yield structs.replace(move, ref=f"refs/heads/{data.ref}")


def of_event(event: Event, ref: str) -> Iterable[Move]:
    """The move of the branch `ref` that an event tells of, if it does."""
    data = event.push_data
    if data is None or data.ref_type != "branch" or data.ref != short(ref):
        return
    old, new = commit(data.commit_from), commit(data.commit_to)
    yield Move(old, new, (), forced=False, who=known(event.author), at=moment(event.created_at))


def _told(versions: Iterable[Version], pushers: Mapping[int, User | None]) -> Iterable[Move]:
    """What the versions show, where no event does."""
    before = ""
    for version in versions:
        if version.head_commit_sha != before:
            who = known(pushers[version.id]) if version.id in pushers else Unknown("GitLab does not name who pushed it")
            yield Move(before, version.head_commit_sha, (), forced=False, who=who, at=moment(version.created_at))
        before = version.head_commit_sha
