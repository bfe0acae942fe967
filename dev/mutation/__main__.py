"""`bin/mutate`: makes conditions wrong, one at a time, and says which of them no test notices."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dev.mutation import changes, records
from dev.mutation.mutants import Mutant, find_mutants
from dev.mutation.trials import Outcome, Trial, run_trials
from dev.rules import PACKAGE, ROOT

PURE = ("access", "controls", "decision", "facts", "policy")  # below src/muniment
PARTS = (*PURE, "workflows")
PURE_TESTS = tuple(f"tests/{part}" for part in PURE)
WORKFLOW_TESTS = ("tests/workflows", "tests/git")  # with real git: too slow for the pure part, which has its own tests


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants. An exit code: 1 if one survived that is not listed, or one that is listed did not."""
    parser = argparse.ArgumentParser(prog="bin/mutate", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="modules to try")
    parser.add_argument("--all", action="store_true", help="try every module of the pure part and of the workflows")
    parser.add_argument("--changed", action="store_true", help="try functions that were changed, and not tried since")
    parser.add_argument("--base", metavar="COMMIT", help="with --changed: since then. Default: where HEAD left main")
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long trials are begun (10)")
    chosen = parser.parse_args(arguments)
    if bool(chosen.files) + chosen.all + chosen.changed != 1:
        parser.error("name files, or --all, or --changed")
    mutants = _all_mutants([path.resolve() for path in chosen.files] or _modules())
    if chosen.changed:
        base = chosen.base or changes.find_base(ROOT)
        if not base:
            print("nothing is tried: there is no earlier commit here to compare with; name one with --base")
            return 0
        print(f"what was changed since {base}:")
        unchanged = changes.load_digests(ROOT, base, [f"src/muniment/{part}" for part in PARTS])
        mutants = [mutant for mutant in mutants if mutant.digest not in unchanged | records.load_tried()]
    if not mutants:
        print("there is nothing to try")
        return 0
    seconds = float("inf") if chosen.all else chosen.minutes * 60
    trials = _run(mutants, seconds)
    code = _report(trials)
    if chosen.changed and any(one.outcome is Outcome.UNTRIED for one in trials):
        print(
            "more was changed than there was time for: a person runs bin/mutate on these files, and nothing fails here"
        )
        return 0
    return code


def _run(mutants: Sequence[Mutant], seconds: float) -> list[Trial]:
    """Try mutants of the pure part, then those of the workflows in what is left of the time."""
    end = time.monotonic() + seconds
    pure = [mutant for mutant in mutants if mutant.path.parts[2] in PURE]
    others = [mutant for mutant in mutants if mutant.path.parts[2] not in PURE]
    found: list[Trial] = []
    for group, tests in ((pure, PURE_TESTS), (others, WORKFLOW_TESTS)):
        if group:
            found += run_trials(ROOT, group, tests, end - time.monotonic(), os.cpu_count() or 1)
    return found


def _modules() -> list[Path]:
    return sorted(path for part in PARTS for path in (PACKAGE / part).rglob("*.py"))


def _all_mutants(paths: Sequence[Path]) -> list[Mutant]:
    return [mutant for path in paths for mutant in find_mutants(path, ROOT)]


def _report(trials: Sequence[Trial]) -> int:
    """Print what became of the mutants, and keep which functions were tried."""
    listed = records.load_survivors()
    alive = [one.mutant for one in trials if one.outcome in (Outcome.SURVIVED, Outcome.UNREACHED)]
    untried = [one.mutant for one in trials if one.outcome is Outcome.UNTRIED]
    killed = {records.key_of(one.mutant) for one in trials if one.outcome is Outcome.KILLED}
    new = [mutant for mutant in alive if records.key_of(mutant) not in listed]
    stale = sorted(killed & set(listed))
    for mutant in new:
        print(f"no test notices {mutant.place()}\n\n{records.describe(mutant)}")
    for one in stale:
        print(f"listed, but a test notices it: {one.file}: {one.function}: `{one.condition}` as `{one.replaced_by}`")
    for name in sorted({f"{mutant.path}: {mutant.function}" for mutant in untried}):
        print(f"there was no time to try all of {name}")
    bad = {mutant.digest for mutant in (*new, *untried)}
    records.save_tried(records.load_tried() | ({one.mutant.digest for one in trials} - bad))
    counts = f"{len(killed)} noticed, {len(alive)} not ({len(new)} of them not listed), {len(untried)} not tried"
    print(f"{len(trials)} mutants: {counts}")
    return 1 if new or stale else 0


if __name__ == "__main__":
    sys.exit(main())
