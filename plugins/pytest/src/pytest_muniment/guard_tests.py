"""Injects faults into each thing that a guard asks, then into the guard, and requires that the request is denied.

Each fault is injected twice: after the same request went well (caches are full), and as the first request after a
start (caches are empty).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_muniment.baselines import CALL_SECONDS, BaselineCalls
from pytest_muniment.calls import SAFE_METHODS, Call, Observed, from_data, is_refusal, to_data
from pytest_muniment.design_file import DesignGuard
from pytest_muniment.faults import FaultInjector, FaultKind
from pytest_muniment.findings import GuardResult, Problem, TestFinding
from pytest_muniment.handlers import is_library
from pytest_muniment.interception import Intercepted
from pytest_muniment.observation import Recorder, watch_all

_MOST_ROUTES = 6  # routes on which one fault is injected for each place that asks; the others have the same code


class ObservedCall(NamedTuple):
    """Call and its observation without a fault."""

    call: Call
    observed: Observed


@dataclass(frozen=True)
class Trial:
    """One fault in one target during one call. `cold`: the first request after a start."""

    target: Intercepted
    fault: FaultKind
    baseline: ObservedCall
    cold: bool

    @property
    def name(self) -> str:
        """Trial for people."""
        when = "after a restart" if self.cold else "in a running process"
        who = self.baseline.call.identity or "nobody"
        return f"{self.target.name} fails ({self.fault.value}) {when}, called by {who}"


class GuardTester:
    """Tests the guards of an application. `hang_seconds`: longer than any guard waits."""

    def __init__(self, baselines: BaselineCalls, hang_seconds: float) -> None:
        self._app = baselines.app
        self._hang = hang_seconds
        self._baselines = baselines
        self.problems: list[str] = []

    def test_guard(self, guard: DesignGuard) -> GuardResult:
        """Inject all faults into one guard."""
        unknown = [
            self._baselines.missing[name] for name in (*guard.asks, *guard.code) if name in self._baselines.missing
        ]
        if not guard.asks:
            unknown.append('the guard has no asks: name what it asks, asks = ["module:function"]')
        findings: list[TestFinding] = []
        notes: list[str] = []
        faults = reached = 0
        targets = [each for kind, each in self._baselines.targets if kind == "asks" and each.name in guard.asks]
        own = [each for kind, each in self._baselines.targets if kind == "guard" and each.name in guard.code]
        for kind, target in [*(("asks", each) for each in targets), *(("guard", each) for each in own)]:
            chosen = self._choose_calls(kind, target)
            count = 0
            for trial in self._list_trials(kind, target, chosen):
                faults += 1
                found, note, was_reached = self._run_trial(guard, trial)
                findings += found
                notes += note
                count += was_reached
            reached += count
            if not count:
                unknown.append(f"no fault reached {target.name}: no call of any route asked it")
        merged = _merge_findings(findings)
        problems = [*self._app.problems, *self.problems]
        return GuardResult(
            guard.id, guard.asks, faults, reached, merged, (*unknown, *problems), tuple(dict.fromkeys(notes))
        )

    def _choose_calls(self, kind: str, target: Intercepted) -> list[ObservedCall]:
        """Calls that ask the target: of each place that asks, some routes, once let through and once not."""
        chosen: list[ObservedCall] = []
        counts: Counter[tuple[object, ...]] = Counter()
        for call, observed in ((each.call, each.observed) for each in self._baselines.by_identity):
            if observed is None or [kind, target.name] not in observed.events:
                continue
            if self._app.design.is_public(call.method, call.route.pattern):
                continue  # its handler begins whatever the guard says
            passed = _is_passed(observed)
            callers = tuple(observed.callers.get(target.name, ()))
            route = (passed, callers, call.route.pattern, call.method in SAFE_METHODS)
            place = (passed, callers)
            if counts[route] or counts[place] >= _MOST_ROUTES:
                continue
            counts.update((route, place))
            chosen.append(ObservedCall(call, observed))
        return chosen

    def _list_trials(self, kind: str, target: Intercepted, chosen: Sequence[ObservedCall]) -> Iterator[Trial]:
        hung: set[tuple[str, ...]] = set()
        for baseline in chosen:
            for fault in FaultKind:
                if fault is FaultKind.HANG:
                    # A hang takes seconds: once for each place that asks, and only where the request would pass.
                    callers = tuple(baseline.observed.callers.get(target.name, ()))
                    if callers in hung or not _is_passed(baseline.observed):
                        continue
                    hung.add(callers)
                    yield Trial(target, fault, baseline, cold=True)
                    continue
                if kind == "guard" and fault is FaultKind.NOTHING and not _decides_by_result(target, chosen):
                    continue  # such a guard lets through by returning nothing: this is no failure
                for cold in (False, True):
                    yield Trial(target, fault, baseline, cold)

    def _run_trial(self, guard: DesignGuard, trial: Trial) -> tuple[list[TestFinding], list[str], bool]:
        seconds = CALL_SECONDS + (2 * self._hang if trial.fault is FaultKind.HANG else 0)
        outcome = self._app.run(lambda: self._observe_trial(trial), seconds)
        subject = f"guard {guard.id} on {trial.baseline.call.name}"
        if outcome.timed_out:
            detail = f"{trial.name}; no answer within {seconds:g} seconds"
            return [TestFinding(Problem.NO_ANSWER, subject, detail)], [], True
        if outcome.failure:
            self.problems.append(f"{trial.name}: {outcome.failure.strip().splitlines()[-1]}")
            return [], [], False
        observed = from_data(outcome.result["observed"])
        if observed is None or ["fault", trial.target.name] not in observed.events:
            return [], [], False
        notes = [f"{trial.baseline.call.name} connects to {address}" for address in observed.connected]
        where = self._name_place(outcome.result)
        findings = [
            TestFinding(problem, subject, f"{trial.name}; {detail}", where)
            for problem, detail in evaluate_denial(observed, trial.baseline.observed, trial.target.name)
        ]
        if self._app.secret in outcome.output and not any("text of the exception" in each for each in observed.leaks):
            detail = f"{trial.name}; printed: text of the exception"
            findings.append(TestFinding(Problem.LEAKED, subject, detail, where))
        return findings, notes, True

    def _observe_trial(self, trial: Trial) -> dict[str, Any]:
        recorder = Recorder()
        client = self._app.make_client()
        call = trial.baseline.call
        with watch_all(recorder, self._app.handlers):
            if not trial.cold:
                self._app.call(client, call, recorder)
            injector = FaultInjector(
                trial.fault, self._hang, lambda: recorder.add("fault", trial.target.name), self._app.secret
            )
            with trial.target.replaced(injector.replace):
                injector.tracer.start()
                try:
                    observed = self._app.call(client, call, recorder)
                finally:
                    injector.tracer.stop()
        place = injector.tracer.place
        return {
            "observed": to_data(observed),
            "place": None if place is None else [place.file, place.line, place.function],
            "callers": injector.callers,
        }

    def _name_place(self, result: dict[str, Any]) -> str:
        """Code that swallowed the fault; for a fault without an exception the code that took nothing for a yes."""
        caller = result["callers"][0].rsplit(":", 2) if result["callers"] else None
        place = result["place"]
        if place is None or (is_library(place[0]) and caller is not None):
            place = caller
        if place is None:
            return ""
        root = self._app.design.application.root.resolve()
        path = Path(place[0])
        shown = path.relative_to(root) if path.is_relative_to(root) else path
        return f"{shown}:{place[1]} in {place[2]}"


def _is_passed(observed: Observed) -> bool:
    return observed.began and observed.status < 400


def _decides_by_result(target: Intercepted, chosen: Sequence[ObservedCall]) -> bool:
    """Whether the guard answers by a truth value, as a permission class does."""
    events = [event for baseline in chosen for event in baseline.observed.events]
    return ["returned", f"{target.name} truth"] in events


def evaluate_denial(observed: Observed, baseline: Observed, target: str) -> Iterator[tuple[Problem, str]]:
    """What is wrong with the answer to a request during a fault. `baseline`: the same call without a fault."""
    kinds = [(kind, name) for kind, name in (tuple(event) for event in observed.events)]
    first_fault = kinds.index(("fault", target))
    began_after = any(kind == "handler" for kind, _ in kinds[first_fault:])
    began_before = any(kind == "handler" for kind, _ in kinds[:first_fault])
    same_answer = (observed.status, observed.location) == (baseline.status, baseline.location)
    succeeded = observed.status < 300 or (300 <= observed.status < 400 and same_answer and _is_passed(baseline))
    if began_after:
        yield Problem.OPENED, f"the handler began, answer {observed.status}"
    elif began_before and succeeded and not is_refusal(observed):
        yield Problem.OPENED, f"answer {observed.status}"
    elif not began_before and succeeded and _is_passed(baseline) and observed.digest == baseline.digest:
        yield Problem.OPENED, f"the same answer {observed.status} as without the fault"
    else:
        if observed.changed:
            yield Problem.CHANGED, ", ".join(observed.changed)
        if observed.leaks:
            yield Problem.LEAKED, ", ".join(observed.leaks)


def _merge_findings(findings: Sequence[TestFinding]) -> tuple[TestFinding, ...]:
    """One finding for each problem and place, with the number of other routes; the first trial stands for all."""
    found: dict[tuple[Problem, str], list[TestFinding]] = {}
    for finding in findings:
        key = (finding.problem, finding.where or finding.subject)
        found.setdefault(key, []).append(finding)
    merged = []
    for first, *others in found.values():
        count = len({each.subject for each in others} - {first.subject})
        detail = f"{first.detail}; so do {count} other routes" if count else first.detail
        merged.append(replace(first, detail=detail))
    return tuple(merged)
