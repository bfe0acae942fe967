"""Calls without a fault: each (route, method) by each identity. Guard tests and route tests share them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_muniment.calls import AppUnderTest, Call, Observed, from_data, to_data
from pytest_muniment.observation import Recorder, watch_all

CALL_SECONDS = 10.0  # for one call
_CHUNK = 40  # calls of one child process


@dataclass(frozen=True)
class Baseline:
    """Call and its observation, or None with the reason."""

    call: Call
    observed: Observed | None
    failure: str = ""


class BaselineCalls:
    """Calls of an application without faults, made once."""

    def __init__(self, app: AppUnderTest) -> None:
        self.app = app
        self.targets, self.missing = app.find_guard_code()

    @cached_property
    def by_identity(self) -> list[Baseline]:
        """Each (route, method) by nobody, each role and each owner."""
        return self.observe(list(self.app.list_calls(self.app.identities)))

    def observe(self, calls: Sequence[Call]) -> list[Baseline]:
        """Make calls in child processes. A child that fails or hangs is repeated call by call."""
        found: list[Baseline] = []
        allowed = [call for call in calls if self.app.can_call(call.method)]
        for start in range(0, len(allowed), _CHUNK):
            chunk = allowed[start : start + _CHUNK]
            outcome = self.app.run(self._observer(chunk), CALL_SECONDS + len(chunk))
            if not outcome.failure and outcome.result is not None:
                found += [_make_baseline(*each) for each in zip(chunk, outcome.result, strict=True)]
                continue
            for call in chunk:
                single = self.app.run(self._observer([call]), CALL_SECONDS)
                if single.failure or single.result is None:
                    lines = single.failure.strip().splitlines() or ["the process ended"]
                    found.append(Baseline(call, None, lines[-1]))
                else:
                    found.append(_make_baseline(call, single.result[0]))
        reason = "it changes data, and Project(state=...) is missing"
        found += [Baseline(call, None, reason) for call in calls if not self.app.can_call(call.method)]
        return found

    def _observer(self, calls: Sequence[Call]) -> Callable[[], list[Any]]:
        def observe() -> list[Any]:
            recorder = Recorder()
            client = self.app.make_client()
            with watch_all(recorder, [*self.app.handlers, *self.targets]):
                found = [to_data(self.app.call(client, call, recorder)) for call in calls]
            client.close()
            return found

        return observe


def _make_baseline(call: Call, data: Any) -> Baseline:
    observed = from_data(data)
    return Baseline(call, observed, "" if observed else "no path can be made for its pattern")
