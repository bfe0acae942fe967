"""One call of a route by one identity, and the application to which it goes."""

import functools
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_muniment.clients import Answer, AppClient
from pytest_muniment.design_file import Design
from pytest_muniment.frameworks import AppRoute, AppRoutes, close_connections, make_client
from pytest_muniment.interception import Intercepted, UnknownFunction, find_asked, find_guard
from pytest_muniment.isolation import Isolated, run_isolated
from pytest_muniment.observation import Recorder, captured_log, noted_connections
from pytest_muniment.project import AppRequest, Project, Sample
from pytest_muniment.state import find_differences

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ALL_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
NOBODY = ""  # identity of a request without rights
REFUSALS = (401, 403)
_TRACE = re.compile(r"Traceback \(most recent call last\)|File &quot;[^&]+&quot;, line \d|File \"[^\"]+\", line \d")
_ANY_VALUE = {"int": "1", "IntegerConverter": "1", "IntConverter": "1", "float": "1.5", "FloatConverter": "1.5"}
_ANY_UUID = "00000000-0000-4000-8000-000000000000"
PREPARE_SECONDS = 120.0


@dataclass(frozen=True)
class Call:
    """Method of a route, and who calls: a role, an owner, or nobody. `values` are path parameters."""

    route: AppRoute
    method: str
    identity: str = NOBODY
    values: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Method and pattern."""
        return f"{self.method} {self.route.pattern}"


@dataclass(frozen=True)
class Observed:
    """Observations of one call, in a form that passes between processes.

    `events`: see Recorder. `changed` names tables and files, None if there is no state to compare. `leaks` names what
    the answer and the log must not have.
    """

    status: int
    location: str
    escaped: str
    digest: str
    began: bool
    other_handler: str
    events: list[list[str]]
    callers: dict[str, list[str]]
    changed: list[str] | None
    connected: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    log: str = ""


class AppUnderTest:
    """Application, design and project together. Calls are made in child processes."""

    def __init__(self, design: Design, project: Project, application: object, routes: AppRoutes) -> None:
        self.design = design
        self.project = project
        self.application = application
        self.routes = routes
        self.secret = f"muniment-{secrets.token_hex(8)}"
        self.headers: dict[str, dict[str, str]] = {NOBODY: {}}
        self.samples: dict[tuple[str, str], Sample] = {}
        self.problems: list[str] = []
        self._clean: Mapping[str, str] | None = None  # the data as saved, None if a call changed it

    def prepare(self) -> None:
        """Make sample objects, sign in every identity, and save the state. This runs in a child of its own."""
        found = self.run(self._prepare, PREPARE_SECONDS)
        if found.failure:
            self.problems.append(f"sample objects or sign-in failed: {_last_line(found.failure)}")
            return
        self.headers.update(found.result["headers"])
        for resource, owner, values, below in found.result["samples"]:
            self.samples[resource, owner] = Sample(values, below)
        self.problems += found.result["problems"]

    def run(self, function: Any, seconds: float) -> Isolated:
        """Run a function in a child process."""
        close_connections()
        return run_isolated(function, seconds)

    def make_client(self) -> AppClient:
        """Client of the application, in the child."""
        return make_client(self.design.application.framework, self.application)

    def _prepare(self) -> dict[str, Any]:
        problems: list[str] = []
        samples: list[tuple[str, str, dict[str, str], str]] = []
        for sample in self.design.samples:
            for owner in (sample.owner, sample.other):
                try:
                    (function,) = find_asked(sample.create).functions
                    made = function(owner)
                except Exception as error:  # noqa: BLE001 -- whatever the project's function raises, its object is missing
                    problems.append(f"{sample.create}({owner!r}) made no object: {error}")
                    continue
                kept = made if isinstance(made, Sample) else Sample(dict(made))
                values = {name: str(value) for name, value in kept.values.items()}
                samples.append((sample.resource, owner, values, kept.below))
        headers: dict[str, dict[str, str]] = {}
        client = self.make_client()
        for identity in self.design.identities:
            if self.project.sign_in is None:
                problems.append(f"no sign-in for {identity}: give Project(sign_in=...)")
                continue
            try:
                headers[identity] = dict(self.project.sign_in(client, identity))
            except Exception as error:  # noqa: BLE001 -- whatever the project's function raises, nobody is signed in
                problems.append(f"sign-in as {identity} failed: {error}")
        problems += [f"sign-in as {identity} gave no header" for identity, found in headers.items() if not found]
        client.close()
        close_connections()
        if self.project.state is not None:
            self.project.state.save()
        return {"headers": {key: value for key, value in headers.items() if value}, "samples": samples} | {
            "problems": problems
        }

    @property
    def identities(self) -> list[str]:
        """Nobody, and every role and owner that is signed in."""
        return list(self.headers)

    def can_call(self, method: str) -> bool:
        """Whether a call is allowed: one that changes data needs a state that can be put back."""
        return method in SAFE_METHODS or self.project.state is not None

    def list_calls(self, identities: Sequence[str]) -> Iterator[Call]:
        """Each (route, method) by each identity."""
        for route in self.routes.routes:
            for method in list_methods(route):
                for identity in identities:
                    yield Call(route, method, identity, self.find_values(route))

    def find_values(self, route: AppRoute, owner: str | None = None) -> tuple[tuple[str, str], ...]:
        """Values of a route's parameters from a sample object, () if none fits."""
        names = {name for name, _ in route.parameters}
        for (_, each), sample in self.samples.items():
            fits = names & set(sample.values) and route.pattern.startswith(sample.below)
            if fits and (owner is None or owner == each):
                return tuple((name, str(value)) for name, value in sample.values.items() if name in names)
        return ()

    def build_request(self, call: Call) -> AppRequest | None:
        """Request of a call; None if no path can be made."""
        if not call.route.template:
            return None
        values = {
            name: _ANY_UUID if "uuid" in kind.lower() else _ANY_VALUE.get(kind, "x")
            for name, kind in call.route.parameters
        }
        values.update(call.values)
        path = call.route.template
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        request = None
        if self.project.build_request is not None:
            request = self.project.build_request(call.route, call.method, values)
        request = request or _build_default_request(call, path)
        return AppRequest(
            request.method, request.path, {**request.headers, **self.headers[call.identity]}, request.body
        )

    def call(self, client: AppClient, call: Call, recorder: Recorder) -> Observed | None:
        """Make one call in the child, with the handlers being watched. None if no request can be made."""
        request = self.build_request(call)
        if request is None:
            return None
        before = self._restore(call.method)
        recorder.clear()
        with captured_log() as log, noted_connections() as connected:
            answer = client.call(request)
        changed = self._compare(before)
        began, other = self._find_begun(call, recorder)
        return Observed(
            status=answer.status,
            location=answer.location,
            escaped=answer.escaped,
            digest=hashlib.sha256(answer.body).hexdigest(),
            began=began,
            other_handler=other,
            events=[list(event) for event in recorder.events],
            callers={name: list(callers) for name, callers in recorder.callers.items()},
            changed=changed,
            connected=connected,
            leaks=self._find_leaks(answer, "\n".join(log)),
            log="\n".join(log)[-2000:],
        )

    def _restore(self, method: str) -> Mapping[str, str] | None:
        """Put the data back if a call changed it or may have, and read it. None if there is no state."""
        state = self.project.state
        if state is None:
            return None
        if self._clean is None or method not in SAFE_METHODS:
            state.restore()
        if self._clean is None:
            self._clean = state.read()
        return self._clean

    def _compare(self, before: Mapping[str, str] | None) -> list[str] | None:
        if self.project.state is None or before is None:
            return None
        changed = find_differences(before, self.project.state.read())
        if changed:
            self._clean = None
        return changed

    def _find_begun(self, call: Call, recorder: Recorder) -> tuple[bool, str]:
        begun = [name for kind, name in recorder.events if kind == "handler"]
        own = {name_function(function) for function in call.route.list_functions(call.method)}
        others = [name for name in begun if name not in own]
        return bool(own & set(begun)), others[0] if others and not own & set(begun) else ""

    def _find_leaks(self, answer: Answer, log: str) -> list[str]:
        body = answer.body.decode("utf-8", "replace")
        found = []
        for where, text in (("answer", body), ("log", log)):
            if _TRACE.search(text):
                found.append(f"{where}: stack trace")
            if self.secret in text:
                found.append(f"{where}: text of the exception")
            found += [
                f"{where}: private text {number}" for number, each in enumerate(self.project.private, 1) if each in text
            ]
        if answer.escaped:
            found.append(f"log: stack trace, which a server writes for {answer.escaped}")
        return found

    @functools.cached_property
    def handlers(self) -> list[tuple[str, Intercepted]]:
        """Functions of all handlers, to be watched."""
        functions = {id(each): each for route in self.routes.routes for _, each in route.functions}
        return [("handler", Intercepted(name_function(each), [each])) for each in functions.values()]

    def find_guard_code(self) -> tuple[list[tuple[str, Intercepted]], dict[str, str]]:
        """Functions that guards ask and the guards' own code, to be watched; and names that do not exist, with why."""
        found: list[tuple[str, Intercepted]] = []
        missing: dict[str, str] = {}
        for guard in self.design.guards:
            for names, kind, find in ((guard.asks, "asks", find_asked), (guard.code, "guard", find_guard)):
                for name in names:
                    try:
                        target = find(name)
                    except UnknownFunction as error:
                        missing[name] = str(error)
                    else:
                        if all(each.name != name or known != kind for known, each in found):
                            found.append((kind, target))
        return found, missing


def list_methods(route: AppRoute) -> tuple[str, ...]:
    """Methods with which a route is called."""
    return ALL_METHODS if route.methods == ("*",) else route.methods


def _build_default_request(call: Call, path: str) -> AppRequest:
    for method, query, body in call.route.examples:
        if method == call.method:
            headers = {"Content-Type": "application/json"} if body else {}
            return AppRequest(method, f"{path}?{query}" if query else path, headers, body)
    return AppRequest(call.method, path)


def name_function(function: Any) -> str:
    """Name that tells functions apart: two of one name have another place."""
    code = function.__code__
    return f"{function.__module__}.{function.__qualname__}#{id(function)}:{code.co_name}"


def is_refusal(observed: Observed, nobody_location: str = "") -> bool:
    """Whether an answer says that the caller may not: 401, 403, or the redirect that everybody without rights gets."""
    if observed.status in REFUSALS:
        return True
    return 300 <= observed.status < 400 and bool(observed.location) and observed.location == nobody_location


def to_data(observed: Observed | None) -> dict[str, Any] | None:
    """Observation as JSON."""
    return None if observed is None else asdict(observed)


def from_data(data: Mapping[str, Any] | None) -> Observed | None:
    """Observation from JSON."""
    return None if data is None else Observed(**data)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason"
