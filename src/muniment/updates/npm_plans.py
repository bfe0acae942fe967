"""Plan for a package-lock.json: one vulnerable package after the other, with its parents where it has to be."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from muniment.updates.dependencies import Lock
from muniment.updates.npm_ranges import is_excluded
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
    why = _explain_exclusion(resolver, entry)
    if why:  # npm would be started four times to learn the same
        first = VersionPlan({}, (), {entry: why}, True, 0)
    else:
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


def _explain_exclusion(resolver: NpmResolver, entry: LockedEntry) -> str:
    """Parent whose range surely excludes every safe version, as a reason; "" if there is none, or no safe version."""
    candidates = resolver.list_candidates(entry)
    for parent in list_requirers(resolver.result, entry, 1) if candidates else ():
        wanted = resolver.read_range(parent.name, parent.version, entry.name)
        if wanted and all(is_excluded(wanted, each) for each in candidates):
            return f"{parent.name} {parent.version} requires {entry.name} {wanted}, which no safe version is in"
    return ""


def _plan_with_parents(
    resolver: NpmResolver, entry: LockedEntry, movable: Sequence[LockedEntry], most: int
) -> VersionPlan:
    """Try the smallest version of a package with the smallest versions of its parents first.

    npm takes the newest version of a parent and goes back to no older one. Therefore each combination is tried whose
    parents differ in what they require. A start of npm takes a second or more: a combination in which a range surely
    excludes what it would need is not tried.
    """
    resolver.movable = frozenset(movable)
    children = {entry.name, *(each.name for each in movable)}
    options = {each: resolver.list_parent_options(each, children) for each in movable}
    edges = _list_edges(resolver.result, {entry, *movable})
    candidates = resolver.list_candidates(entry)
    attempts = 0
    for at, version in enumerate(candidates):
        admitted = {entry: candidates[: at + 1]}
        for chosen in _list_combinations(resolver, options, edges, admitted):
            if attempts >= most:
                return VersionPlan({}, (), {}, False, attempts)
            attempts += 1
            found = resolver.run_attempt({**chosen, entry: version}, frozenset({entry}))
            if not isinstance(found, Conflict) and found[entry] != entry.version:
                moved = {
                    each: found[each] for each in (*movable, entry) if found.get(each, each.version) != each.version
                }
                return VersionPlan(moved, (entry,), {}, True, attempts)
    return VersionPlan({}, (), {}, True, attempts)


_Edges = Sequence[tuple[LockedEntry, LockedEntry]]  # a parent, and what it requires


def _list_edges(lock: Lock, entries: Collection[LockedEntry]) -> _Edges:
    known = {f"{each.name}@{each.version}": each for each in entries}
    return [
        (known[each.key], known[key])
        for each in lock.dependencies
        if each.key in known
        for key in each.requires
        if key in known
    ]


def _list_combinations(
    resolver: NpmResolver,
    options: Mapping[LockedEntry, Sequence[str]],
    edges: _Edges,
    admitted: Mapping[LockedEntry, Sequence[str]],
) -> Iterator[dict[LockedEntry, str]]:
    """Combinations of parents' versions that may fit, the smallest changes first. `admitted`: versions of the child."""

    def list_versions(child: LockedEntry, chosen: Mapping[LockedEntry, str]) -> Sequence[str]:
        if child in admitted:
            return admitted[child]
        later = resolver.list_candidates(child) if chosen[child] != child.version else ()
        return (child.version, *later[: later.index(chosen[child]) + 1]) if later else (child.version,)

    def may_fit(chosen: Mapping[LockedEntry, str], parent: LockedEntry, child: LockedEntry) -> bool:
        wanted = resolver.read_range(parent.name, chosen[parent], child.name)
        return not wanted or not all(is_excluded(wanted, each) for each in list_versions(child, chosen))

    places = []
    for parent, versions in options.items():
        own = [child for at, child in edges if at == parent and child in admitted]
        left = [at for at, version in enumerate(versions) if all(may_fit({parent: version}, parent, c) for c in own)]
        places.append(left)
    products = itertools.islice(itertools.product(*places), _MOST_COMBINATIONS)
    for combination in sorted((each for each in products if any(each)), key=lambda each: (sum(each), each)):
        chosen = {parent: versions[at] for (parent, versions), at in zip(options.items(), combination, strict=True)}
        if all(may_fit(chosen, parent, child) for parent, child in edges if parent in chosen and child in chosen):
            yield chosen
