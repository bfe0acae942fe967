"""python -m bench.updates: matching of locked dependencies with advisories, and the answer to "who is affected?".

100,000 locked dependencies of 1,000 products are matched with an export of advisories: of a file, else made up.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from bench.measure import Row, table
from muniment.updates.advisories import Advisory, AffectedPackage, VersionEvent, VersionEventKind
from muniment.updates.advisory_exports import fetch_export
from muniment.updates.advisory_index import AdvisoryIndex, DependencyIndex
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat

PRODUCTS, DEPENDENCIES = 1_000, 100
MATCH_SECONDS, ANSWER_SECONDS = 2.0, 0.1
NOW = "2026-01-01T00:00:00.000000Z"


def main() -> None:
    """Measure everything, print the table, and end with 1 if a bound is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m bench.updates", description=__doc__)
    parser.add_argument("--advisories", metavar="FILE", help="OSV's export of PyPI. Default: as many made-up ones.")
    export: str | None = parser.parse_args().advisories
    advisories = fetch_export(str(Path(export)), NOW).advisories if export else make_advisories()
    locks = make_locks(advisories)
    seconds, found = {}, 0
    start = time.perf_counter()
    index = AdvisoryIndex(advisories)
    seconds["advisories indexed"] = time.perf_counter() - start
    start = time.perf_counter()
    dependencies = DependencyIndex(locks)
    seconds["dependencies indexed"] = time.perf_counter() - start
    start = time.perf_counter()
    found = sum(len(matches) for _, matches in dependencies.find_matches(index))
    seconds["matched"] = time.perf_counter() - start
    total = sum(seconds.values())
    slowest = max(measure_answer(index, dependencies, each.id) for each in advisories)
    parts = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
    rows = [
        Row("100,000 dependencies with all advisories", f"{total:.2f} s", parts, f"{found} matches", "2 s"),
        Row("who is affected: the slowest of all", f"{slowest * 1e3:.1f} ms", f"{len(advisories)} asked", "", "100 ms"),
    ]
    sys.stdout.write(table(rows) + "\n")
    sys.exit(1 if total > MATCH_SECONDS or slowest > ANSWER_SECONDS else 0)


def measure_answer(index: AdvisoryIndex, dependencies: DependencyIndex, name: str) -> float:
    """Seconds until the products that one vulnerability affects are known."""
    start = time.perf_counter()
    dependencies.find_affected(index, name)
    return time.perf_counter() - start


def make_advisories() -> tuple[Advisory, ...]:
    """As many advisories as PyPI had in 2024, for as many packages."""
    chance = random.Random(1)
    return tuple(
        Advisory(
            f"MADE-{number}",
            (f"CVE-{number // 2}",),
            NOW,
            NOW,
            "",
            "",
            "",
            (),
            (
                AffectedPackage(
                    Ecosystem.PYPI,
                    f"package-{chance.randrange(900)}",
                    (
                        (
                            VersionEvent(VersionEventKind.INTRODUCED, "0"),
                            VersionEvent(VersionEventKind.FIXED, f"{chance.randrange(9)}.1"),
                        ),
                    ),
                    frozenset(f"{major}.{minor}" for major in range(5) for minor in range(10)),
                ),
            ),
        )
        for number in range(2_661)
    )


def make_locks(advisories: tuple[Advisory, ...]) -> dict[str, list[Lock]]:
    """Locks of which every second dependency is a package with advisories, in a version that one names."""
    chance = random.Random(2)
    named: dict[str, set[str]] = {}
    for affected in (each for advisory in advisories for each in advisory.affected):
        named.setdefault(affected.name, {"1.0"}).update(affected.versions)
    known = [(name, sorted(versions)) for name, versions in sorted(named.items())]
    locks = {}
    for product in range(PRODUCTS):
        picked = [chance.choice(known) for _ in range(DEPENDENCIES // 2)]
        pairs = [(name, chance.choice(versions)) for name, versions in picked]
        pairs += [
            (f"harmless-{chance.randrange(5_000)}", f"1.{chance.randrange(50)}") for _ in range(DEPENDENCIES // 2)
        ]
        dependencies = tuple(Dependency(Ecosystem.PYPI, *pair, path=("product", pair[0])) for pair in pairs)
        locks[f"product-{product}"] = [Lock("uv.lock", LockFormat.UV, dependencies)]
    return locks


if __name__ == "__main__":
    main()
