"""Smallest joint set of versions that clears the known vulnerabilities of a lock.

The ecosystem's own resolver decides what fits together; here is only decided which versions it may choose. A cap is the
highest version that an entry of the lock may move to. What is possible under some caps is possible under higher ones.
Therefore each entry in turn gets the least cap that leaves a solution: the vulnerable ones first, each group with
parents before what they require. The result is the smallest in that order, whatever the resolver prefers.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from muniment.updates.dependencies import Lock

MOST_ATTEMPTS = 80  # runs of the resolver for one lock


class LockedEntry(NamedTuple):
    """LockedEntry of a lock: a package may have several, for different platforms."""

    name: str
    version: str


class Conflict(Struct, frozen=True):
    """No versions fit together. `reason` is the resolver's, for a person."""

    reason: str


Solution = Mapping[LockedEntry, str]  # the version that each entry moved to; an entry that vanished has its own
Attempt = Callable[[Mapping[LockedEntry, str], frozenset[LockedEntry]], Solution | Conflict]
"""One run of the resolver, of the caps and the entries that have to leave their version."""


class VersionPlan(Struct, frozen=True):
    """Result of planning.

    moved     entries with their new version
    released  the vulnerable ones among them
    failed    vulnerable entries that stay, with the reason as a sentence without a full stop
    smallest  whether the attempts were enough to find the smallest set
    attempts  number of runs of the resolver
    """

    moved: dict[LockedEntry, str]
    released: tuple[LockedEntry, ...]
    failed: dict[LockedEntry, str]
    smallest: bool
    attempts: int


NO_SAFE_VERSION = "no version without known vulnerabilities is old enough, or there is none"


class _Planner:
    def __init__(
        self, order: Sequence[LockedEntry], list_candidates: Callable[[LockedEntry], Sequence[str]], attempt: Attempt
    ) -> None:
        self.order = order
        self.list_candidates = list_candidates
        self._attempt = attempt
        self.attempts = 0

    def run_attempt(self, caps: Mapping[LockedEntry, str], released: frozenset[LockedEntry]) -> Solution | Conflict:
        self.attempts += 1
        return self._attempt(caps, released)

    @property
    def is_exhausted(self) -> bool:
        return self.attempts >= MOST_ATTEMPTS


def plan_versions(
    order: Sequence[LockedEntry],
    vulnerable: Collection[LockedEntry],
    list_candidates: Callable[[LockedEntry], Sequence[str]],
    attempt: Attempt,
) -> VersionPlan:
    """Plan the versions of a lock. `order`: all entries, parents first. `list_candidates`: safe versions, ascending."""
    planner = _Planner(order, list_candidates, attempt)
    failed = {each: NO_SAFE_VERSION for each in order if each in vulnerable and not list_candidates(each)}
    moving = [each for each in order if each in vulnerable and each not in failed]
    if not moving:
        return VersionPlan({}, (), failed, True, 0)
    solution, caps = _find_first(planner, moving)
    if isinstance(solution, Conflict):
        moving = _drop_failing(planner, moving, failed)
        if not moving:
            return VersionPlan({}, (), failed, True, planner.attempts)
        solution, caps = _find_first(planner, moving)
        if isinstance(solution, Conflict):
            raise ValueError("the resolver refuses what it found before")
    solution, smallest = _lower_caps(planner, moving, solution, caps)
    moved = {each: solution[each] for each in order if solution[each] != each.version}
    return VersionPlan(moved, tuple(moving), failed, smallest, planner.attempts)


def _find_first(planner: _Planner, moving: list[LockedEntry]) -> tuple[Solution | Conflict, dict[LockedEntry, str]]:
    """Solution with the smallest safe versions, else with any; and the caps that are proven to be the least by it."""
    released = frozenset(moving)
    least = {each: planner.list_candidates(each)[0] for each in moving}
    closed = {each: each.version for each in planner.order if each not in released} | least
    found = planner.run_attempt(closed, released)
    if not isinstance(found, Conflict):
        return found, closed
    found = planner.run_attempt(least, released)
    if not isinstance(found, Conflict):
        return found, least
    return planner.run_attempt({}, released), {}


def _drop_failing(planner: _Planner, moving: list[LockedEntry], failed: dict[LockedEntry, str]) -> list[LockedEntry]:
    """Entries that can move together; the others fail, each with the resolver's reason."""
    together: list[LockedEntry] = []
    for each in moving:
        found = planner.run_attempt({}, frozenset((*together, each)))
        if isinstance(found, Conflict):
            failed[each] = found.reason
        else:
            together.append(each)
    return together


def _lower_caps(
    planner: _Planner, moving: list[LockedEntry], solution: Solution, caps: dict[LockedEntry, str]
) -> tuple[Solution, bool]:
    released = frozenset(moving)
    others = [each for each in planner.order if each not in released]
    for entry in (*moving, *others):
        if entry in caps:
            continue
        own = [] if entry in released else [entry.version]
        values = [*own, *planner.list_candidates(entry)]
        low, high = 0, _find_place(values, solution[entry])
        while low < high:
            if planner.is_exhausted:
                return solution, False
            middle = (low + high) // 2
            found = planner.run_attempt({**caps, entry: values[middle]}, released)
            if isinstance(found, Conflict):
                low = middle + 1
            else:
                solution, high = found, min(middle, _find_place(values, found[entry]))
        caps[entry] = values[high] if values else entry.version
    return solution, True


def _find_place(values: Sequence[str], version: str) -> int:
    return values.index(version) if version in values else max(len(values) - 1, 0)


def order_entries(lock: Lock) -> tuple[LockedEntry, ...]:
    """Entries of a lock, each before what it requires, as far as there is no cycle."""
    requires: dict[LockedEntry, list[LockedEntry]] = {}
    keys: dict[str, LockedEntry] = {each.key: LockedEntry(each.name, each.version) for each in lock.dependencies}
    for each in lock.dependencies:
        requires.setdefault(LockedEntry(each.name, each.version), []).extend(
            keys[key] for key in each.requires if key in keys
        )
    done: dict[LockedEntry, None] = {}
    for start in sorted(requires):
        _visit_entries(start, requires, done)
    return tuple(reversed(done))


def _visit_entries(
    start: LockedEntry, requires: Mapping[LockedEntry, Iterable[LockedEntry]], done: dict[LockedEntry, None]
) -> None:
    """Add entries after all that they require. Without recursion: a chain may be long."""
    open_: set[LockedEntry] = set()
    stack = [(start, iter(requires.get(start, ())))]
    if start in done:
        return
    open_.add(start)
    while stack:
        entry, targets = stack[-1]
        following = next((each for each in targets if each not in done and each not in open_), None)
        if following is None:
            stack.pop()
            done[entry] = None
        else:
            open_.add(following)
            stack.append((following, iter(requires.get(following, ()))))
