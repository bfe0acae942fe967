"""Plan for a package-lock.json: one vulnerable package after the other, with its parents where it has to be."""

import itertools
from collections.abc import Sequence

import msgspec

from muniment.updates.npm_resolver import NpmResolver, list_requirers
from muniment.updates.version_plans import (
    NO_SAFE_VERSION,
    Conflict,
    LockedEntry,
    VersionPlan,
    plan_versions,
)

_MOST_LEVELS = 4  # of parents that are moved for one package
_MOST_PARENT_ATTEMPTS = 24  # runs of npm to move one package with its parents
_MOST_COMBINATIONS = 2_000  # of their versions, of which the smallest are tried
_BUNDLED = "npm keeps it: another package bundles it"


def plan_npm_versions(resolver: NpmResolver, vulnerable: Sequence[LockedEntry]) -> VersionPlan:
    """Plan versions, and accept them in the resolver. `vulnerable`: parents first.

    npm holds several versions of a package next to each other. Therefore each entry is a plan of its own; its parents
    may move only if no safe version fits to them, the nearest first.
    """
    moved: dict[LockedEntry, str] = {}
    failed: dict[LockedEntry, str] = {}
    released, attempts, smallest = [], 0, True
    for entry in vulnerable:
        if not resolver.has_entry(entry):
            released.append(entry)  # it went with a parent
            continue
        plan = _plan_entry(resolver, entry)
        attempts += plan.attempts
        if plan.moved:
            resolver.accept_last()
            moved |= plan.moved
            released.append(entry)
            smallest = smallest and plan.smallest
        else:
            failed[entry] = plan.failed.get(entry, _BUNDLED)
    return VersionPlan(moved, tuple(released), failed, smallest, attempts)


def _plan_entry(resolver: NpmResolver, entry: LockedEntry) -> VersionPlan:
    resolver.movable = frozenset()
    first = plan_versions((entry,), [entry], resolver.list_candidates, resolver.run_attempt)
    if first.moved or first.failed.get(entry) == NO_SAFE_VERSION:
        return first
    attempts, parents = first.attempts, 0
    for level in range(1, _MOST_LEVELS + 1):
        movable = list_requirers(resolver.result, entry, level)
        if len(movable) == parents:
            break
        parents = len(movable)
        plan = _plan_with_parents(resolver, entry, movable, first.attempts + _MOST_PARENT_ATTEMPTS - attempts)
        attempts += plan.attempts
        if plan.moved:
            return msgspec.structs.replace(plan, attempts=attempts)
    return msgspec.structs.replace(first, attempts=attempts)


def _plan_with_parents(
    resolver: NpmResolver, entry: LockedEntry, movable: Sequence[LockedEntry], most: int
) -> VersionPlan:
    """Try the smallest version of a package with the smallest versions of its parents first.

    npm takes the newest version of a parent and goes back to no older one. Therefore each combination is tried whose
    parents differ in what they require.
    """
    resolver.movable = frozenset(movable)
    children = {entry.name, *(each.name for each in movable)}
    options = [resolver.list_parent_options(each, children) for each in movable]
    places = itertools.islice(itertools.product(*(range(len(each)) for each in options)), _MOST_COMBINATIONS)
    combinations = sorted((each for each in places if any(each)), key=lambda each: (sum(each), each))
    attempts = 0
    for version in resolver.list_candidates(entry):
        for combination in combinations:
            if attempts >= most:
                return VersionPlan({}, (), {}, False, attempts)
            attempts += 1
            chosen = {each: own[at] for each, own, at in zip(movable, options, combination, strict=True)}
            found = resolver.run_attempt({**chosen, entry: version}, frozenset({entry}))
            if not isinstance(found, Conflict) and found[entry] != entry.version:
                moved = {
                    each: found[each] for each in (*movable, entry) if found.get(each, each.version) != each.version
                }
                return VersionPlan(moved, (entry,), {}, True, attempts)
    return VersionPlan({}, (), {}, True, attempts)
