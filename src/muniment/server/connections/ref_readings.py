"""Reads the refs of a repository after its pushes, and finds who pushed each commit first, or that nobody knows."""

from collections.abc import Iterable, Sequence

from muniment.errors import ForgeError
from muniment.facts import moments as times
from muniment.facts.maybe import Unknown
from muniment.forges.first_pushes import FirstPush, find_commits_beyond, map_first_pushes, read_named_commits
from muniment.forges.forge import Forge
from muniment.forges.forge_client import CONNECTION_ERRORS
from muniment.forges.shapes import Change, Move
from muniment.forges.unexplained_pushes import BranchPushes, ChangeRefs, PushObservation
from muniment.git.mirror import Mirror
from muniment.policy.patterns import matches_any
from muniment.server.connections.forge_access import require_linked_repository
from muniment.server.connections.models import ProtectedBranch, RepositoryLink
from muniment.server.connections.observed_pushes import (
    UnexplainedCommits,
    UnexplainedPushFinder,
    select_observed_refs,
)
from muniment.server.policies.policy_in_force import protected_patterns
from muniment.workflows.forge_changes import PUSHES_DAYS, find_forks
from muniment.workflows.repository_rules import HEADS

_UNWATCHED = FirstPush(Unknown("it was there before the repository was connected"), "")


class RefReading:
    """Refs of a repository. Its mirror is locked by the caller."""

    def __init__(self, link: RepositoryLink, forge: Forge, mirror: Mirror) -> None:
        """List the refs now. Raises GitError."""
        self._link, self._forge, self._mirror = link, forge, mirror
        self._repository = require_linked_repository(link)
        self._refs = mirror.list_all_remote_refs()
        self._change_refs = ChangeRefs(forge.reader.change_ref(1))
        self._fork_pushes: dict[str, Sequence[Move]] = {}
        self._protected = _select_protected(link, self._refs)
        self._bases = sorted({self._refs[ref] for ref in self._protected})

    def find_newest_change(self) -> int:
        """Highest number of a change that the repository has; 0 without any."""
        return max(map(self._change_refs.parse_number, self._refs), default=0)

    def find_unwatched_commits(self, pushes: Sequence[Move]) -> dict[str, FirstPush]:
        """Commits outside protected branches now or after recent pushes: they are older than the connection.

        Their pusher is unknown. Raises GitError.
        """
        heads = {one.commit for one in self._select_observed(self.find_newest_change())}
        heads |= {push.new for push in pushes if push.new}
        bases = self._fetch_commits(heads)
        with self._mirror.open_copy() as git:
            commits = {commit for commit in read_named_commits(git, heads).values() if commit}
            beyond = find_commits_beyond(git, sorted(commits), bases)
        return dict.fromkeys({*beyond, *(commit for push in pushes for commit in push.commits)}, _UNWATCHED)

    def find_pushes(
        self, pushes: Sequence[Move], change: Change | None
    ) -> tuple[dict[str, FirstPush], UnexplainedCommits]:
        """First pushes that the forge lists in the repository and in forks, and the commits of unexplained pushes.

        Of forks, that of `change` is read, and those of new changes. Raises ForgeError or GitError.
        """
        bases = self._fetch_commits({push.new for push in pushes if push.new})
        finder = UnexplainedPushFinder(self._link, self._mirror, bases)
        unexplained = finder.find_unexplained(self._select_observed(self._link.newest_older_change), pushes)
        if change is not None:
            for fork in find_forks(self._repository, change):
                self._read_fork_pushes(fork, change)
        found = self._map_pushes(pushes, bases)
        for one in list(unexplained):
            number = self._change_refs.parse_number(one.ref)
            source = self._find_source(one, number, change, pushes)
            if source is not None and source.brings_commit(one.commit, found):
                unexplained.remove(one)
                finder.delete_observation(one)
        for fork_pushes in self._fork_pushes.values():
            self._mirror.fetch_refs((), (), [push.new for push in fork_pushes])
            for commit, push in self._map_pushes(fork_pushes, bases).items():
                found[commit] = min(push, found.get(commit, push), key=lambda one: one.at)
        return found, finder.collect_commits(unexplained)

    def list_read_pushes(self) -> list[Move]:
        """Pushes that were read in forks."""
        return [push for pushes in self._fork_pushes.values() for push in pushes]

    def _select_observed(self, newest_older: int) -> list[PushObservation]:
        vendor = self._link.connection.vendor
        return select_observed_refs(self._refs, vendor, self._change_refs, self._protected, newest_older)

    def _fetch_commits(self, commits: set[str]) -> list[str]:
        """Fetch commits and the tips of protected branches. Returns those tips."""
        gone = self._mirror.fetch_refs((), (), [*self._bases, *sorted(commits)])
        return [tip for tip in self._bases if tip not in gone]

    def _map_pushes(self, pushes: Sequence[Move], bases: Sequence[str]) -> dict[str, FirstPush]:
        if not pushes:
            return {}
        with self._mirror.open_copy() as git:
            return map_first_pushes(git, pushes, bases)

    def _read_change(self, number: int, evaluated: Change | None) -> Change | None:
        """The change with this number; None for the number 0, or if it is hidden from us."""
        if not number or (evaluated is not None and evaluated.number == number):
            return evaluated if number else None
        try:
            return self._forge.reader.read_change(self._repository, number)
        except ForgeError as error:
            if error.code in CONNECTION_ERRORS:
                raise
            return None  # it is hidden from our account, or gone: nothing explains its head

    def _find_source(
        self, observed: PushObservation, number: int, evaluated: Change | None, pushes: Sequence[Move]
    ) -> BranchPushes | None:
        """The branch that an observed ref is, or that its change comes from; None if a delivery observed it.

        None also for a change that is hidden from us.
        """
        if not number:
            return BranchPushes(observed.ref, tuple(pushes)) if not observed.actor else None
        change = self._read_change(number, evaluated)
        if change is None:
            return None
        for fork in find_forks(self._repository, change):
            pushes = self._read_fork_pushes(fork, change)
        return BranchPushes(change.source, tuple(pushes))

    def _read_fork_pushes(self, fork: str, change: Change) -> Sequence[Move]:
        """Pushes in the fork that a change comes from; () if it is hidden from us, or gone."""
        if fork not in self._fork_pushes:
            since = times.add_time(change.opened, days=-PUSHES_DAYS)
            try:
                self._fork_pushes[fork] = self._forge.reader.list_all_pushes(fork, since)
            except ForgeError as error:
                if error.code in CONNECTION_ERRORS:
                    raise
                self._fork_pushes[fork] = ()
        return self._fork_pushes[fork]


def _select_protected(link: RepositoryLink, refs: Iterable[str]) -> set[str]:
    """Branches among `refs` that the policy protects, or that were found protected before."""
    rows, patterns = ProtectedBranch.objects.filter(repository=link.repository_id), protected_patterns()
    known = set(rows.values_list("ref", flat=True))
    branches = (ref for ref in refs if ref.startswith(HEADS))
    return {ref for ref in branches if ref in known or matches_any(ref.removeprefix(HEADS), patterns)}
