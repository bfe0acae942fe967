"""`bin/mutate`: makes conditions wrong, one at a time, and says which of them no test notices."""

import argparse
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dev.mutation import changes, records
from dev.mutation.mutants import Mutant, find_mutants
from dev.mutation.trials import Outcome, Trial, run_trials
from dev.rules import PACKAGE, ROOT

PURE = ("access", "controls", "decision", "facts", "policy")  # below src/muniment
PARTS = (*PURE, "workflows")
PURE_TESTS = tuple(f"tests/{part}" for part in PURE)
WORKFLOW_TESTS = ("tests/workflows", "tests/git")  # with real git: too slow for the pure part, which has its own tests


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants. An exit code: 1 if one survived that is not listed; but with --changed, only if all were tried.

    Without --changed it is 1 too if one that is listed did not survive, or one could not be tried.
    """
    parser = argparse.ArgumentParser(prog="bin/mutate", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="modules to try")
    parser.add_argument("--all", action="store_true", help="try every module of the pure part and of the workflows")
    parser.add_argument("--changed", action="store_true", help="try functions that were changed, and not tried since")
    parser.add_argument("--base", metavar="COMMIT", help="with --changed: since then. Default: where HEAD left main")
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long trials are begun (10)")
    chosen = parser.parse_args(arguments)
    if bool(chosen.files) + chosen.all + chosen.changed != 1:
        parser.error("name files, or --all, or --changed")
    end = time.monotonic() + (float("inf") if chosen.all else chosen.minutes * 60)
    unwanted: frozenset[str] = frozenset()
    if chosen.changed:
        base = chosen.base or changes.find_base(ROOT)
        try:
            unwanted = (
                changes.load_digests(ROOT, base, [f"src/muniment/{part}" for part in PARTS]) if base else unwanted
            )
        except (OSError, subprocess.SubprocessError, tarfile.TarError):
            if chosen.base:
                parser.error(f"{base} cannot be read here")
            base = ""
        if not base:
            print("nothing is tried: there is no earlier commit here to compare with; name one with --base")
            return 0
        print(f"what was changed since {base}:")
        unwanted |= records.load_tried()
    mutants = _all_mutants([path.resolve() for path in chosen.files] or _modules(), unwanted)
    if not mutants:
        print("there is nothing to try")
        return 0
    found = _report(_run(mutants, end))
    if not chosen.changed:
        return 1 if found.new or found.stale or found.broken else 0
    if found.untried:
        print(
            "more was changed than there was time for: a person runs bin/mutate on these files, and nothing fails here"
        )
    return 1 if found.new and not found.untried else 0


class Report(NamedTuple):
    """How many mutants survived without a reason, are listed without need, could not be tried, did not fit."""

    new: int
    stale: int
    broken: int
    untried: int


def _run(mutants: Sequence[Mutant], end: float) -> list[Trial]:
    """Try mutants of the pure part, then those of the workflows in what is left of the time."""
    pure = [mutant for mutant in mutants if mutant.path.parts[2] in PURE]
    others = [mutant for mutant in mutants if mutant.path.parts[2] not in PURE]
    found: list[Trial] = []
    for group, tests in ((pure, PURE_TESTS), (others, WORKFLOW_TESTS)):
        if group:
            found += run_trials(ROOT, group, tests, end - time.monotonic(), os.cpu_count() or 1)
    return found


def _modules() -> list[Path]:
    return sorted(path for part in PARTS for path in (PACKAGE / part).rglob("*.py"))


def _all_mutants(paths: Sequence[Path], unwanted: frozenset[str]) -> list[Mutant]:
    return [mutant for path in paths for mutant in find_mutants(path, ROOT, unwanted)]


def _report(trials: Sequence[Trial]) -> Report:
    """Print what became of the mutants, and keep which functions were tried."""
    listed = records.load_survivors()
    alive = [one.mutant for one in trials if one.outcome in (Outcome.SURVIVED, Outcome.UNREACHED)]
    untried = [one.mutant for one in trials if one.outcome is Outcome.UNTRIED]
    broken = [one.mutant for one in trials if one.outcome is Outcome.BROKEN]
    killed = {records.key_of(one.mutant) for one in trials if one.outcome is Outcome.KILLED}
    new = [mutant for mutant in alive if records.key_of(mutant) not in listed]
    stale = sorted(killed & set(listed))
    for mutant in new:
        print(f"no test notices {mutant.place()}\n\n{records.describe(mutant)}")
    for one in stale:
        print(f"listed, but a test notices it: {one.file}: {one.function}: `{one.condition}` as `{one.replaced_by}`")
    for name in sorted({f"{mutant.path}: {mutant.function}" for mutant in untried}):
        print(f"there was no time to try all of {name}")
    for name in sorted({f"{mutant.path}: {mutant.function}" for mutant in broken}):
        print(f"it could not be tried: {name}")
    bad = {mutant.digest for mutant in (*new, *untried, *broken)}
    try:
        records.save_tried(records.load_tried() | ({one.mutant.digest for one in trials} - bad))
    except OSError as error:
        print(f"which functions were tried is not kept: {error}")
    counts = f"{len(killed)} noticed, {len(alive)} not ({len(new)} of them not listed)"
    print(f"{len(trials)} mutants: {counts}, {len(untried)} not tried, {len(broken)} that could not be")
    return Report(len(new), len(stale), len(broken), len(untried))


if __name__ == "__main__":
    sys.exit(main())
