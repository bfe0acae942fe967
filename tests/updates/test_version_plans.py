"""The smallest joint set of versions, compared with a brute force over generated graphs."""

import itertools
import random
from collections.abc import Mapping, Sequence

import pytest

from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat
from muniment.updates.version_plans import Conflict, LockedEntry, Solution, order_entries, plan_versions

# Ascending, with pre-releases, a post-release and another epoch: only their order counts here.
LADDER = ("1.0", "1.1rc1", "1.1", "1.1.post1", "2.0", "1!0.1")
Requirements = Mapping[tuple[str, int], Mapping[str, tuple[int, int]]]


class Graph:
    """Packages with one locked step each, and what each step requires of the others, as ranges of steps."""

    def __init__(self, chance: random.Random) -> None:
        self.names = [f"p{number}" for number in range(chance.randint(2, 4))]
        top = len(LADDER)
        self.locked = {name: chance.randrange(3) for name in self.names}
        self.safe = {name: [step for step in range(top) if chance.random() < 0.7] for name in self.names}
        self.requires: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
        for place, name in enumerate(self.names):
            for step in range(top):
                ranges = {}
                for other in self.names[place + 1 :]:
                    if chance.random() < 0.6:
                        low = chance.randrange(top)
                        ranges[other] = (low, chance.randrange(low, top))
                self.requires[name, step] = ranges
            for other in self.names[place + 1 :]:  # the lock itself fits together
                low, high = self.requires[name, self.locked[name]].get(other, (0, top))
                step = self.locked[other]
                self.requires[name, self.locked[name]][other] = (min(low, step), max(high, step))
        self.vulnerable = [name for name in self.names if self.locked[name] not in self.safe[name]]

    def entry(self, name: str) -> LockedEntry:
        return LockedEntry(name, LADDER[self.locked[name]])

    def list_steps(self, name: str) -> list[int]:
        """Steps that are offered: the locked one, and safe ones above it."""
        above = [step for step in self.safe[name] if step > self.locked[name]]
        return above if name in self.vulnerable else [self.locked[name], *above]

    def list_candidates(self, entry: LockedEntry) -> list[str]:
        return [LADDER[step] for step in self.safe[entry.name] if step > self.locked[entry.name]]

    def fits(self, steps: Mapping[str, int]) -> bool:
        return all(
            low <= steps[other] <= high
            for name in self.names
            for other, (low, high) in self.requires[name, steps[name]].items()
        )


class GreedyResolver:
    """Resolver that finds some solution, not the smallest: it prefers locked versions, then the highest."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def run_attempt(self, caps: Mapping[LockedEntry, str], released: frozenset[LockedEntry]) -> Solution | Conflict:
        choices: list[Sequence[int]] = []
        for name in self.graph.names:
            entry, locked = self.graph.entry(name), self.graph.locked[name]
            cap = LADDER.index(caps[entry]) if entry in caps else len(LADDER)
            offered = [step for step in self.graph.safe[name] if locked < step <= cap]
            own = [] if entry in released else [locked]
            choices.append([*own, *reversed(offered)])
        for steps in itertools.product(*choices):
            found = dict(zip(self.graph.names, steps, strict=True))
            if self.graph.fits(found):
                return {self.graph.entry(name): LADDER[step] for name, step in found.items()}
        return Conflict("no versions fit together")


def find_smallest(graph: Graph, order: Sequence[LockedEntry]) -> dict[str, int] | None:
    """Smallest of all solutions, in the order of the vulnerable packages, then of the others; None if there is none."""
    ranked = [e.name for e in order if e.name in graph.vulnerable] + [
        e.name for e in order if e.name not in graph.vulnerable
    ]
    found = [
        dict(zip(graph.names, steps, strict=True))
        for steps in itertools.product(*(graph.list_steps(name) for name in graph.names))
    ]
    fitting = [each for each in found if graph.fits(each)]
    return min(fitting, key=lambda each: [each[name] for name in ranked], default=None)


@pytest.mark.parametrize("seed", range(4))
def test_generated_graphs_agree_with_a_brute_force(seed: int) -> None:
    chance = random.Random(seed)
    solved = along = 0
    for _ in range(250):
        graph = Graph(chance)
        order = [graph.entry(name) for name in graph.names]
        vulnerable = [graph.entry(name) for name in graph.vulnerable]
        expected = find_smallest(graph, order)
        resolver = GreedyResolver(graph)
        plan = plan_versions(
            order,
            vulnerable,
            graph.list_candidates,
            resolver.run_attempt,
        )
        if expected is None:
            assert plan.failed
            continue
        assert not plan.failed
        assert plan.smallest
        moved = {graph.entry(name): LADDER[step] for name, step in expected.items() if step != graph.locked[name]}
        assert plan.moved == moved
        solved += bool(moved)
        along += len(moved) > len(vulnerable)
    assert solved > 50
    assert along > 5


def test_what_fails_is_named_and_the_others_move() -> None:
    a, b = LockedEntry("a", "1"), LockedEntry("b", "1")

    def attempt(_: Mapping[LockedEntry, str], released: frozenset[LockedEntry]) -> Solution | Conflict:
        return Conflict("a does not fit") if a in released else {a: "1", b: "2" if b in released else "1"}

    plan = plan_versions([a, b], [a, b], lambda _: ["2"], attempt)
    assert plan.moved == {b: "2"}
    assert plan.failed == {a: "a does not fit"}


def test_a_package_without_safe_version_starts_no_resolver() -> None:
    a = LockedEntry("a", "1")
    plan = plan_versions([a], [a], lambda _: [], lambda *_: pytest.fail("the resolver was started"))
    assert (plan.moved, list(plan.failed), plan.attempts) == ({}, [a], 0)


def test_too_many_attempts_give_a_solution_that_is_not_proven_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muniment.updates.version_plans.MOST_ATTEMPTS", 3)
    a = LockedEntry("a", "1")
    versions = [str(number) for number in range(2, 40)]

    def attempt(caps: Mapping[LockedEntry, str], _: frozenset[LockedEntry]) -> Solution | Conflict:
        highest = int(caps.get(a, "39"))
        return {a: str(highest)} if highest >= 30 else Conflict("too low")

    plan = plan_versions([a], [a], lambda _: versions, attempt)
    assert not plan.smallest
    assert int(plan.moved[a]) >= 30


def test_parents_come_before_what_they_require() -> None:
    def locked(name: str, *requires: str) -> Dependency:
        return Dependency(Ecosystem.PYPI, name, "1", requires=tuple(f"{each}@1" for each in requires))

    lock = Lock("uv.lock", LockFormat.UV, (locked("c"), locked("a", "b", "c"), locked("b", "c"), locked("x", "x")))
    names = [each.name for each in order_entries(lock)]
    assert names.index("a") < names.index("b") < names.index("c")
    assert sorted(names) == ["a", "b", "c", "x"]
