"""The smallest safe version, compared with a brute force that knows nothing of versions but their order."""

import random
from typing import Any

import pytest
from msgspec import Struct

from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Ecosystem
from muniment.updates.safe_versions import (
    NoSafeVersion,
    Release,
    SafeVersion,
    find_safe_version,
    find_safe_versions,
)
from tests.support.advisory_exports import fixed_in, read_advisory

# In ascending order, pre-releases, post-releases, another epoch and local versions among them.
LADDERS = {
    Ecosystem.PYPI: "0.1 0.9 1.0a1 1.0rc1 1.0 1.0.post1 1.0.1 1.2 1.10 2.0.dev1 2.0b1 2.0 2.1 "
    "3.0rc2 3.0 1!0.1 1!0.2rc1 1!1.0",
    Ecosystem.NPM: "0.1.0 1.0.0-alpha 1.0.0-alpha.2 1.0.0 1.0.1 1.2.0 1.10.0 2.0.0-rc.1 2.0.0 2.1.0-0 2.1.0 3.0.0",
    Ecosystem.MAVEN: "0.1 1.0-alpha-1 1.0-rc1 1.0 1.0.1 1.2 1.10 2.0-SNAPSHOT 2.0 2.0-sp 2.1",
}
PRE_RELEASES = ("a1", "rc", "dev", "b1", "-alpha", "-0", "-SNAPSHOT")


class Ranges(Struct, frozen=True):
    """Ranges of an advisory in steps of a ladder: half-open, or closed where it ends with the last affected step."""

    steps: tuple[tuple[int, int, bool], ...]
    withdrawn: bool

    def has(self, step: int) -> bool:
        if self.withdrawn:
            return False
        return any(low <= step < high or (closed and step == high) for low, high, closed in self.steps)


def generate_ranges(chance: random.Random, top: int) -> Ranges:
    """One to three disjoint ranges. The last may be open: its end is above the ladder."""
    cuts = sorted(chance.sample(range(top + 2), 2 * chance.randint(1, 3)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=True))
    return Ranges(
        tuple((low, high, high < top and chance.random() < 0.3) for low, high in pairs), chance.random() < 0.15
    )


def write_events(ranges: Ranges, ladder: list[str], chance: random.Random) -> list[dict[str, str]]:
    events = []
    for low, high, closed in ranges.steps:
        if low < len(ladder):
            events.append({"introduced": "0" if low == 0 else ladder[low]})
            if high < len(ladder):
                events.append({"last_affected" if closed else "fixed": ladder[high]})
    chance.shuffle(events)
    return events


@pytest.mark.parametrize("ecosystem", LADDERS)
def test_generated_cases_agree_with_a_brute_force(ecosystem: Ecosystem) -> None:
    chance = random.Random(20_261_130)
    ladder = LADDERS[ecosystem].split()
    before = [any(mark in text for mark in PRE_RELEASES) for text in ladder]
    answers: dict[type[Any], int] = {}
    for case in range(400):
        all_ranges = [generate_ranges(chance, len(ladder)) for _ in range(chance.randint(1, 4))]
        advisories = [
            read_advisory(
                f"{chance.choice(('PYSEC', 'GHSA'))}-{case}-{number}",
                ecosystem=ecosystem.value,
                events=events,
                aliases=[f"CVE-{case}-{chance.randint(1, 2)}"] if chance.random() < 0.7 else [],
                **({"withdrawn": "2026-01-01T00:00:00Z"} if ranges.withdrawn else {}),
            )
            for number, ranges in enumerate(all_ranges)
            if (events := write_events(ranges, ladder, chance))
        ]
        used = [ranges for ranges in all_ranges if any(low < len(ladder) for low, _, _ in ranges.steps)]
        offered = sorted(chance.sample(range(len(ladder)), chance.randint(1, len(ladder))))
        yanked = {step for step in offered if chance.random() < 0.2}
        current = chance.randrange(len(ladder))
        expected = next(
            (
                step
                for step in offered
                if step > current
                and step not in yanked
                and (before[current] or not before[step])
                and not any(ranges.has(step) for ranges in used)
            ),
            None,
        )
        releases = [Release(ladder[step], step in yanked) for step in offered]
        chance.shuffle(releases)
        found = find_safe_version(AdvisoryIndex(advisories), ecosystem, "django", ladder[current], releases)
        if not any(ranges.has(current) for ranges in used):
            assert found == SafeVersion(ladder[current], True)
        elif expected is None:
            assert found is NoSafeVersion.NONE_KNOWN
        else:
            assert found == SafeVersion(ladder[expected], True)
        answers[type(found)] = answers.get(type(found), 0) + 1
    assert set(answers) == {SafeVersion, NoSafeVersion}


def find(current: str, *advisories: Any, releases: list[Release] | None = None) -> SafeVersion | NoSafeVersion:
    return find_safe_version(AdvisoryIndex(advisories), Ecosystem.PYPI, "django", current, releases)


def test_without_the_registry_the_fixed_versions_of_all_advisories_are_candidates() -> None:
    first = read_advisory("A-1", events=fixed_in("1.1"))
    second = read_advisory("A-2", events=[{"introduced": "1.1"}, {"fixed": "1.3"}, {"introduced": "2.0"}])
    assert find("1.0", first, second) == SafeVersion("1.3", False)


def test_a_version_that_may_be_affected_is_not_safe() -> None:
    assert find("1.0", read_advisory("A-1", events=fixed_in("1.1")), read_advisory("A-2")) is NoSafeVersion.NONE_KNOWN


def test_malware_is_never_moved_to() -> None:
    vulnerable = read_advisory("A-1", events=fixed_in("1.1"))
    malware = read_advisory("MAL-1", versions=["1.1"])
    releases = [Release("1.1"), Release("1.2")]
    assert find("1.0", vulnerable, malware, releases=releases) == SafeVersion("1.2", True)


def test_nothing_is_proposed_without_an_order_or_a_fix() -> None:
    assert find("garbage", read_advisory("A-1", events=fixed_in("1.1"))) is NoSafeVersion.NOT_ORDERED
    assert find("1.0", read_advisory("A-1", events=[{"introduced": "0"}])) is NoSafeVersion.NONE_KNOWN
    closed = read_advisory("A-1", events=[{"introduced": "0"}, {"last_affected": "1.0"}])
    assert find("1.0", closed) is NoSafeVersion.NONE_KNOWN
    assert find("1.0", closed, releases=[Release("1.0.1"), Release("oddity")]) == SafeVersion("1.0.1", True)


def test_only_vulnerable_versions_are_answered() -> None:
    index = AdvisoryIndex([read_advisory("A-1", events=fixed_in("1.1"))])
    packages = [(Ecosystem.PYPI, "django", version) for version in ("1.0", "1.1", "1.0")]
    assert find_safe_versions(index, packages) == {packages[0]: SafeVersion("1.1", False)}
