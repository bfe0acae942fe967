"""Finds commits that a push brought which the forge does not show, such as of an account that hides its activity.

Deliveries of pushes and the refs of the repository are compared with the pushes that the forge lists. A delivery only
makes a pusher unknown: it proves nobody's push. A forge shows a push some seconds late, so an observation waits before
its commits are stored with an unknown pusher. Until then their pusher is unknown, and may become known.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.utils import timezone
from msgspec import Struct, field

from muniment.facts.maybe import Unknown
from muniment.forges.events import ForgeEvent, ForgeEventKind
from muniment.forges.first_pushes import FirstPush, find_commits_beyond, read_named_commits
from muniment.forges.registry import FORGE_KINDS
from muniment.forges.shapes import Move, Vendor
from muniment.forges.unexplained_pushes import ChangeRefs, PushObservation, list_starting_points, select_unexplained
from muniment.git.mirror import Mirror
from muniment.git.repository import Repository as Git
from muniment.server.connections.first_push_store import read_recording_moments
from muniment.server.connections.models import ObservedPush as StoredObservation
from muniment.server.connections.models import RepositoryLink

WAIT = timedelta(seconds=60)  # after which the forge surely shows a push, and a delivery surely came
_OWN_REFS = "refs/muniment/rules"
_LONGEST_REF = 300


class UnexplainedCommits(Struct):
    """Commits whose first pusher is unknown: `settled` ones to be stored so, and those that `wait` for the forge.

    `ended` are the observations of the settled ones, which `delete_observations` takes once they are stored.
    """

    settled: dict[str, FirstPush] = field(default_factory=dict)
    waiting: dict[str, FirstPush] = field(default_factory=dict)
    ended: list[PushObservation] = field(default_factory=list)
    has_new: bool = False  # whether one of the pushes was not observed before


def note_delivered_push(repository: int, vendor: str, event: ForgeEvent) -> None:
    """Note a push that a delivery names, where accounts can hide it from the list of pushes."""
    ended = not event.head.strip("0")
    if FORGE_KINDS[Vendor(vendor)].can_hide_pushes and event.kind is ForgeEventKind.BRANCH and event.ref and not ended:
        _store_observations(repository, [PushObservation(event.ref, event.head, event.actor.id)])


def delete_observations(repository: int, ended: Iterable[PushObservation]) -> None:
    """Delete observations that are explained, or whose commits are stored with an unknown pusher.

    A delivery comes once: were its observation deleted before, a crash in between would lose it.
    """
    rows = StoredObservation.objects.filter(repository=repository)
    for one in ended:
        rows.filter(ref=one.ref, commit=one.commit, actor=one.actor).delete()


def is_observed(repository: int, commits: Collection[str]) -> bool:
    """Whether a push of one of these commits waits for its explanation."""
    return StoredObservation.objects.filter(repository=repository, commit__in=list(commits)).exists()


def select_observed_refs(
    refs: Mapping[str, str], vendor: str, change_refs: ChangeRefs, protected: Collection[str], newest_older: int
) -> list[PushObservation]:
    """Refs whose commits may be new: all but protected branches, and refs that the forge alone writes.

    Heads of changes count if their number is above `newest_older`.
    """
    kind = FORGE_KINDS[Vendor(vendor)]
    internal = (_OWN_REFS, *kind.internal_ref_folders)
    forge_writes_changes = not kind.can_hide_pushes
    found = []
    for ref, commit in refs.items():
        if ref in protected or ref.startswith(internal):
            continue
        number = change_refs.parse_number(ref)
        is_older = 0 < number <= newest_older
        if is_older or (not number and forge_writes_changes and ref.startswith(change_refs.ref_folder)):
            continue
        found.append(PushObservation(ref, commit))
    return found


class UnexplainedPushFinder:
    """Finds the unexplained pushes of one repository, in its mirror."""

    def __init__(self, connected: RepositoryLink, mirror: Mirror, bases: Sequence[str]) -> None:
        """`bases`: tips of the protected branches, which the mirror has; their commits are nobody's new push."""
        self._connected = connected
        self._mirror = mirror
        self._bases = bases
        self._now = timezone.now()

    def find_unexplained(self, listed: Iterable[PushObservation], pushes: Sequence[Move]) -> list[PushObservation]:
        """Find unexplained pushes among the `listed` refs, the starts of pushes and earlier observations.

        Earlier observations that are explained by now are deleted.
        """
        rows = StoredObservation.objects.filter(repository=self._connected.repository_id)
        self._moments = {PushObservation(row.ref, row.commit, row.actor): row.observed_at for row in rows}
        observed = dict.fromkeys((*self._moments, *listed, *list_starting_points(pushes)))
        with self._mirror.open_copy() as git:
            commits = read_named_commits(git, {push.new for push in pushes if push.new})
            unexplained = select_unexplained(observed, pushes, commits)
            new = self._select_new(git, unexplained)
        delete_observations(self._connected.repository_id, self._moments.keys() - set(new))
        return new

    def collect_commits(self, unexplained: Sequence[PushObservation]) -> UnexplainedCommits:
        """Commits that unexplained pushes brought. Raises GitError."""
        found = UnexplainedCommits()
        if not unexplained:
            return found
        gone = self._mirror.fetch_refs((), (), [one.commit for one in unexplained])
        with self._mirror.open_copy() as git:
            named = read_named_commits(git, {one.commit for one in unexplained})
            for one in unexplained:
                brought = {one.commit}
                if one.commit not in gone and (commit := named.get(one.commit, "")):
                    brought |= find_commits_beyond(git, [commit], self._bases)
                is_settled = self._get_moment(one) <= self._now - WAIT
                unknown = FirstPush(_explain_unknown_pusher(one, is_settled=is_settled), "")
                commits = found.settled if is_settled else found.waiting
                commits.update(dict.fromkeys(self._select_unwatched(brought, one), unknown))
                found.ended += [one] if is_settled else []
        new = [one for one in unexplained if one not in self._moments]
        _store_observations(self._connected.repository_id, new)
        found.has_new = bool(new)
        return found

    def delete_observation(self, explained: PushObservation) -> None:
        """Delete an observation that was explained otherwise."""
        delete_observations(self._connected.repository_id, [explained])

    def _select_new(self, git: Git, unexplained: Sequence[PushObservation]) -> list[PushObservation]:
        """Observations of commits that no protected branch has, and that were not stored before they were observed."""
        recorded = read_recording_moments(self._connected.connection, [one.commit for one in unexplained])
        left = [one for one in unexplained if not self._was_recorded(recorded.get(one.commit), one)]
        commits = read_named_commits(git, {one.commit for one in left})
        beyond = find_commits_beyond(git, sorted({one for one in commits.values() if one}), self._bases)
        return [one for one in left if one.commit not in commits or commits[one.commit] in beyond]

    def _select_unwatched(self, commits: Collection[str], observed: PushObservation) -> list[str]:
        recorded = read_recording_moments(self._connected.connection, commits)
        return [one for one in commits if not self._was_recorded(recorded.get(one), observed)]

    def _was_recorded(self, recorded_at: datetime | None, observed: PushObservation) -> bool:
        """Whether the first push of a commit was surely stored before this observation: then it is the earlier one.

        A delivery may come late, so what was stored shortly before it may have been pushed after it.
        """
        moment = self._get_moment(observed)
        return recorded_at is not None and recorded_at <= (moment - WAIT if observed.actor else moment)

    def _get_moment(self, observed: PushObservation) -> datetime:
        return self._moments.get(observed, self._now)


def _explain_unknown_pusher(observed: PushObservation, *, is_settled: bool) -> Unknown:
    where = observed.ref.removeprefix("refs/heads/").removeprefix("refs/")
    if not is_settled:
        return Unknown(f"the forge does not show yet who pushed it to {where}")
    return Unknown(
        f"it was pushed to {where} too, and the forge does not show by whom: an account may hide its activity"
    )


def _store_observations(repository: int, observed: Iterable[PushObservation]) -> None:
    # Two processes may observe the same at once: one row stays, of the earlier.
    StoredObservation.objects.bulk_create(
        [
            StoredObservation(
                repository_id=repository, ref=one.ref[:_LONGEST_REF], commit=one.commit[:64], actor=one.actor[:100]
            )
            for one in observed
        ],
        ignore_conflicts=True,
    )
