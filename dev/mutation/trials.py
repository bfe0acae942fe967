"""Runs the tests that reach each mutant, one process a mutant, within one pytest session.

All tests run once, to learn which lines each reaches and how long it takes. Then each mutant gets a copy of that
process (fork): imports and fixtures of the session are there already, caches of our own code are emptied. The shortest
test comes first, the first that fails ends the trial. A test that takes far longer than before has noticed too: the
mutant may loop. Tests that take long together are left for the end, where only mutants are tried that survived so far.
No trial outlasts the time that is given: one that would is said to be untried.
"""

import itertools
import os
import signal
import time
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import coverage
import pytest

from dev.mutation.mutants import Mutant, empty_caches, install

_PROFILE = "mutation"  # tests/conftest.py has it
_KILLED, _SURVIVED, _BROKEN = 0, 1, 2  # exit codes of a trial
SLOWER = 10  # a trial may take so many times as long as its tests did,
GRACE = 20.0  # and so many seconds more
ENOUGH = 15.0  # seconds that the tests of a mutant's first trial may have taken before


class Outcome(Enum):
    """Outcome of the tests of one mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    UNREACHED = "no test reaches it"
    UNTRIED = "there was no time"
    BROKEN = "it could not be tried"


class Trial(NamedTuple):
    """A mutant, and what became of it."""

    mutant: Mutant
    outcome: Outcome


class _Running(NamedTuple):
    """A trial under way, and the tests that are left if the mutant survives it."""

    mutant: Mutant
    left: list[pytest.Item]


class Trials:
    """A pytest plugin: `results` holds a trial of each mutant after the session."""

    def __init__(self, root: Path, mutants: Iterable[Mutant], seconds: float, processes: int) -> None:
        self.root = root
        self.mutants = tuple(mutants)
        self.results: list[Trial] = []
        self.failures: list[str] = []  # tests that fail without any mutant
        self._deadline = time.monotonic() + seconds
        self._processes = processes
        self._durations: dict[str, float] = {}
        self._running: dict[int, _Running] = {}
        self._survivors: list[tuple[Mutant, list[pytest.Item]]] = []  # so far, with the tests that are left

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests once, then the trials. Where a test cannot even be collected, nothing is tried."""
        if session.testsfailed:
            self.failures.append("collection")
            return True
        reached = self._reached_lines(session.items)
        if reached is None:
            self.results += [Trial(mutant, Outcome.UNTRIED) for mutant in self.mutants]
        elif not self.failures:
            by_id = {item.nodeid: item for item in session.items}
            for folder in {self.root / mutant.path.parts[0] for mutant in self.mutants}:
                empty_caches(folder)
            for mutant in self.mutants:
                tests = self._tests_of(mutant, reached, by_id)
                soon = self._soon(tests)
                self._begin(mutant, tests[:soon], tests[soon:])
            self._finish()
            for mutant, left in self._survivors:
                self._begin(mutant, left, [])
            self._finish()
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what fails, and how long each test takes."""
        self._durations[report.nodeid] = self._durations.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failures.append(report.nodeid)

    def _reached_lines(self, items: list[pytest.Item]) -> dict[Path, dict[int, list[str]]] | None:
        """By file and line, the tests that reach it; None if the time was over before all of them had run."""
        files = sorted({self.root / mutant.path for mutant in self.mutants})
        measured = coverage.Coverage(
            data_file=None, config_file=False, branch=False, include=[str(path) for path in files]
        )
        measured.start()
        for item, following in zip(items, [*items[1:], items[0]], strict=True):
            if time.monotonic() > self._deadline:
                measured.stop()
                return None
            measured.switch_context(item.nodeid)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        measured.stop()
        data = measured.get_data()
        return {path: data.contexts_by_lineno(str(path)) for path in files}

    def _tests_of(
        self, mutant: Mutant, reached: dict[Path, dict[int, list[str]]], by_id: dict[str, pytest.Item]
    ) -> list[pytest.Item]:
        """Tests that reach the condition, the shortest first."""
        lines = reached[self.root / mutant.path]
        names = {name for at in range(mutant.first_line, mutant.last_line + 1) for name in lines.get(at, ()) if name}
        return [by_id[name] for name in sorted(names, key=lambda name: (self._durations[name], name))]

    def _soon(self, tests: list[pytest.Item]) -> int:
        """How many of the tests, and at least one, do not take too long together."""
        sums = itertools.accumulate(self._durations[one.nodeid] for one in tests)
        return max(1, sum(total < ENOUGH for total in sums))

    def _begin(self, mutant: Mutant, tests: list[pytest.Item], left: list[pytest.Item]) -> None:
        if not tests:
            self.results.append(Trial(mutant, Outcome.UNREACHED))
        elif time.monotonic() > self._deadline:
            self.results.append(Trial(mutant, Outcome.UNTRIED))
        else:
            if len(self._running) >= self._processes:
                self._wait()
            self._running[self._start(mutant, tests)] = _Running(mutant, left)

    def _finish(self) -> None:
        while self._running:
            self._wait()

    def _start(self, mutant: Mutant, tests: list[pytest.Item]) -> int:
        """The process id of a trial."""
        child = os.fork()
        if child:
            return child
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            longest = GRACE + SLOWER * sum(self._durations[one.nodeid] for one in tests)
            signal.setitimer(signal.ITIMER_REAL, max(0.01, min(longest, self._deadline - time.monotonic())))
            os._exit(self._try(mutant, tests))
        finally:
            os._exit(_BROKEN)

    def _try(self, mutant: Mutant, tests: list[pytest.Item]) -> int:
        install(mutant, self.root)
        self.failures.clear()
        session = tests[0].session
        session.config.pluginmanager.unregister(name="terminalreporter")  # it writes past the streams
        session._setupstate.teardown_exact(tests[0])
        for test, following in zip(tests, [*tests[1:], tests[0]], strict=True):
            test.ihook.pytest_runtest_protocol(item=test, nextitem=following)
            if self.failures:
                return _KILLED
        return _SURVIVED

    def _wait(self) -> None:
        child, status = os.wait()
        while child not in self._running:  # a test's own
            child, status = os.wait()
        mutant, left = self._running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        if code == _SURVIVED and left:
            self._survivors.append((mutant, left))
        elif code == -signal.SIGALRM and time.monotonic() >= self._deadline:
            self.results.append(Trial(mutant, Outcome.UNTRIED))
        else:
            outcome = {_SURVIVED: Outcome.SURVIVED, _BROKEN: Outcome.BROKEN}.get(code, Outcome.KILLED)
            self.results.append(Trial(mutant, outcome))


def run_trials(
    root: Path, mutants: Iterable[Mutant], tests: Iterable[str], seconds: float, processes: int
) -> list[Trial]:
    """Try mutants with tests, files or folders below `root`, and begin no trial after so many seconds.

    If a test fails without any mutant, nothing can be tried; it is named.
    """
    trials = Trials(root, mutants, seconds, processes)
    arguments = [
        "-q",
        "--no-header",
        "--no-summary",
        "-p",
        "no:cacheprovider",
        f"--hypothesis-profile={_PROFILE}",
        *tests,
    ]
    code = pytest.main(arguments, plugins=[trials]) if seconds > 0 else pytest.ExitCode.NO_TESTS_COLLECTED
    if trials.failures or code not in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        failed = ", ".join(trials.failures[:5])
        print(f"tests have to pass before anything is changed (exit {int(code)}): {failed}")
        return [Trial(mutant, Outcome.BROKEN) for mutant in trials.mutants]
    missing = trials.mutants if not trials.results else ()
    return [*trials.results, *(Trial(mutant, Outcome.UNTRIED) for mutant in missing)]
