"""Calls each route without rights, as each role, and as each owner on another's object.

A status code does not say who refused. A refusal counts if the handler did not begin, and either another identity
reaches the handler by the same request or a guard of the design ran. Everything else is unknown.
"""

from collections.abc import Iterator, Sequence

from pytest_muniment.baselines import Baseline, BaselineCalls
from pytest_muniment.calls import NOBODY, Call, Observed, is_refusal, list_methods
from pytest_muniment.findings import Problem, RouteResult, TestFinding

PASSED = "passed"
REFUSED = "refused"
LATE = "refused after the handler began"
UNKNOWN = "unknown"
_NOT_ALLOWED = 405
_OTHERS = ("HEAD", "OPTIONS")


class RouteTester:
    """Tests all routes of an application."""

    def __init__(self, baselines: BaselineCalls) -> None:
        self._baselines = baselines
        self._app = baselines.app

    def test_routes(self) -> list[RouteResult]:
        """One result for each (route, method) that the application offers."""
        collected: dict[tuple[int, str], list[Baseline]] = {}
        for each in self._baselines.by_identity:
            collected.setdefault((id(each.call.route), each.call.method), []).append(each)
        others = self._test_other_methods()
        owners = self._test_owners()
        found = []
        for key, calls in collected.items():
            result = self._evaluate_route(calls, others.get(key, []), owners.get(key, []))
            if result is not None:
                found.append(result)
        return found

    def _evaluate_route(
        self, calls: Sequence[Baseline], others: Sequence[Baseline], owners: Sequence[tuple[str, Baseline, Baseline]]
    ) -> RouteResult | None:
        first = calls[0].call
        observed = [each.observed for each in calls if each.observed is not None]
        begun = any(each.began for each in observed)
        if not begun and any(each.status == _NOT_ALLOWED for each in observed):
            return None  # the handler alone decides about methods, and does not have this one
        public = self._app.design.is_public(first.method, first.route.pattern)
        nobody = next((each.observed for each in calls if each.call.identity == NOBODY and each.observed), None)
        location = nobody.location if nobody is not None and not nobody.began else ""
        outcomes: dict[str, str] = {}
        unknown: list[str] = []
        findings: list[TestFinding] = []
        for each in calls:
            who = each.call.identity or "nobody"
            outcome, why = _describe_outcome(each, begun, location)
            outcomes[who] = outcome
            if outcome == UNKNOWN and not public:
                unknown.append(f"{who}: {why}")
            if outcome == LATE and first.route.is_own:
                findings.append(TestFinding(Problem.LATE_REFUSAL, first.name, f"answer {why} for {who}", _place(first)))
            if outcome == PASSED and each.call.identity == NOBODY and not public:
                findings.append(TestFinding(Problem.NO_GUARD, first.name, f"answer {why}", _place(first)))
        if not public:
            findings += _compare_methods(others, nobody)
            for name, own, foreign in owners:
                outcome, why = _describe_owner(own, foreign, location)
                outcomes[name] = outcome
                if outcome == UNKNOWN:
                    unknown.append(f"{name}: {why}")
                elif outcome == PASSED:
                    findings.append(TestFinding(Problem.OTHER_OWNER, first.name, f"{name}, {why}", _place(first)))
        return RouteResult(
            first.route.pattern,
            first.method,
            first.route.handler,
            public,
            outcomes,
            tuple(dict.fromkeys(findings)),
            tuple(unknown),
        )

    def _test_other_methods(self) -> dict[tuple[int, str], list[Baseline]]:
        """HEAD and OPTIONS without rights, for each route that has GET."""
        calls = []
        for route in self._app.routes.routes:
            if "GET" in list_methods(route):
                values = self._app.find_values(route)
                calls += [Call(route, method, NOBODY, values) for method in _OTHERS if method not in route.methods]
        found: dict[tuple[int, str], list[Baseline]] = {}
        for each in self._baselines.observe(calls):
            found.setdefault((id(each.call.route), "GET"), []).append(each)
        return found

    def _test_owners(self) -> dict[tuple[int, str], list[tuple[str, Baseline, Baseline]]]:
        """Calls of each route with an object: by its owner, and by another owner of the same role."""
        pairs: list[tuple[str, Call, Call]] = []
        for sample in self._app.design.samples:
            for owner, other in ((sample.owner, sample.other), (sample.other, sample.owner)):
                if owner in self._app.headers and other in self._app.headers:
                    pairs += self._pair_calls(sample.resource, owner, other)
        made = self._baselines.observe([call for _, own, foreign in pairs for call in (own, foreign)])
        by_call = {(id(each.call.route), each.call.method, each.call.identity, each.call.values): each for each in made}
        found: dict[tuple[int, str], list[tuple[str, Baseline, Baseline]]] = {}
        for name, own, foreign in pairs:
            keys = [(id(call.route), call.method, call.identity, call.values) for call in (own, foreign)]
            found.setdefault((id(own.route), own.method), []).append((name, by_call[keys[0]], by_call[keys[1]]))
        return found

    def _pair_calls(self, resource: str, owner: str, other: str) -> Iterator[tuple[str, Call, Call]]:
        sample = self._app.samples.get((resource, owner))
        if sample is None:
            return
        for route in self._app.routes.routes:
            names = {name for name, _ in route.parameters}
            if not names & set(sample.values) or not route.pattern.startswith(sample.below):
                continue
            values = tuple((name, str(value)) for name, value in sample.values.items() if name in names)
            for method in list_methods(route):
                name = f"{other} on the {resource} of {owner}"
                yield name, Call(route, method, owner, values), Call(route, method, other, values)


def _place(call: Call) -> str:
    functions = call.route.list_functions(call.method)
    if not functions:
        return ""
    code = functions[0].__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def _describe_outcome(each: Baseline, begun: bool, location: str) -> tuple[str, str]:
    """Outcome of one identity, with the status or the reason why it is unknown."""
    observed = each.observed
    if observed is None:
        return UNKNOWN, each.failure
    if not each.call.route.list_functions(each.call.method):
        return UNKNOWN, "its handler cannot be found below its decorators; use functools.wraps in them"
    if observed.other_handler:
        return UNKNOWN, f"another handler answered: {observed.other_handler.partition('#')[0]}"
    if observed.began:
        if is_refusal(observed, location):
            return LATE, str(observed.status)
        return PASSED, str(observed.status)
    if observed.status < 300:
        return UNKNOWN, f"answer {observed.status}, although the handler did not begin"
    if begun or _was_guarded(observed):
        return REFUSED, str(observed.status)
    return UNKNOWN, f"answer {observed.status} before the handler, and nothing shows that a guard refused"


def _was_guarded(observed: Observed) -> bool:
    return any(kind in ("asks", "guard") for kind, _ in observed.events)


def _compare_methods(others: Sequence[Baseline], nobody: Observed | None) -> Iterator[TestFinding]:
    """HEAD and OPTIONS that begin the handler, where GET does not."""
    if nobody is None or nobody.began:
        return
    for each in others:
        if each.observed is not None and each.observed.began and not is_refusal(each.observed, nobody.location):
            detail = f"{each.call.method} without rights, answer {each.observed.status}"
            yield TestFinding(Problem.OTHER_METHOD, f"GET {each.call.route.pattern}", detail, _place(each.call))


def _describe_owner(own: Baseline, foreign: Baseline, location: str) -> tuple[str, str]:
    """Whether another owner reaches the object. A handler may itself refuse here, if it changes nothing."""
    if own.observed is None or foreign.observed is None:
        return UNKNOWN, own.failure or foreign.failure
    if foreign.observed.changed:
        return PASSED, f"changed: {', '.join(foreign.observed.changed)}"
    if not own.observed.began or own.observed.status >= 400:
        return UNKNOWN, f"the owner's own call is answered {own.observed.status}: give Project(build_request=...)"
    if not foreign.observed.began or is_refusal(foreign.observed, location) or foreign.observed.status in (404, 410):
        return REFUSED, str(foreign.observed.status)
    if foreign.observed.status < 300 or foreign.observed.location == own.observed.location:
        return PASSED, f"answer {foreign.observed.status}"
    return UNKNOWN, f"answer {foreign.observed.status}"
