"""Calls the routes of a running instance without rights, from outside. Follows no redirect."""

import re
import secrets
import urllib.parse
from collections.abc import Iterator, Sequence

from msgspec import Struct

from muniment.design.model import DesignModel
from muniment.design.probe_answers import (
    SAFE_METHODS,
    ProbeAnswer,
    ProbeResult,
    ProbeStatus,
    evaluate_answer,
    make_probe_answer,
)
from muniment.design.probe_target import ProbeTarget, leads_to_production
from muniment.design.routes.route import Route, RouteList
from muniment.errors import HttpCode, HttpError, UsageError
from muniment.http.client import HttpClient
from muniment.http.connections import Response
from muniment.http.deadlines import Deadline
from muniment.http.host_names import resolve_host

MARKER = "muniment-test-instance"  # header in which an instance states that its data may be changed
_SECONDS = 10.0  # for one call
_LARGEST = 4 << 20  # bytes of an answer
_CHANGING = ("DELETE", "PATCH", "POST", "PUT")
_PARAMETER = re.compile(r"<(?:(?P<kind>\w+):)?\w+>|\{\w+(?::(?P<type>\w+))?\}")
_NUMBERS = ("int", "float")
_PLAIN = re.compile(r"[\w.~/-]*")


class ProbeReport(Struct, frozen=True):
    """Results of all (route, method) pairs, and how many the code has."""

    results: tuple[ProbeResult, ...]
    total: int

    @property
    def tested_count(self) -> int:
        """Pairs with a result that is known."""
        return sum(each.status is not ProbeStatus.UNKNOWN for each in self.results)


def resolve_addresses(host: str) -> frozenset[str]:
    """Addresses of a host. Raises OSError."""
    return frozenset(str(found[4][0]) for found in resolve_host(host, 0, Deadline(_SECONDS)))


class InstanceProbe:
    """Calls one instance. `changing`: also with methods that change data, if the instance states its marker."""

    def __init__(self, target: ProbeTarget, model: DesignModel, *, changing: bool) -> None:
        self._target = target
        self._model = model
        self._changing = changing
        # Without a proxy: its address would be checked, and another server would be called.
        self._client = HttpClient(
            target.address, seconds=_SECONDS, largest=_LARGEST, plain=True, proxy="none", returns_redirects=True
        )
        self._controls: dict[tuple[str, str], ProbeAnswer] = {}
        self._limited = ""

    def probe_routes(self, lists: Sequence[RouteList]) -> ProbeReport:
        """Call each route. Raises UsageError if the instance leads to production, or states no marker for changes."""
        self._check_instance()
        pairs = [(route, method) for found in lists for route in found.routes for method in self._list_methods(route)]
        pairs = list(dict.fromkeys(pairs))
        results = tuple(self._probe_route(route, method) for route, method in pairs)
        unread = tuple(
            ProbeResult("*", each.where, ProbeStatus.UNKNOWN, each.why, each.where)
            for found in lists
            for each in found.unread
        )
        return ProbeReport(results + unread, len(pairs) + len(unread))

    def _check_instance(self) -> None:
        try:
            response = self._send_request("GET", "/")
        except HttpError as error:
            raise UsageError(error.message, "Start the test instance, and check --url.") from error
        if self._changing and response.headers.get(MARKER, "") != self._model.product:
            raise UsageError(
                "the instance does not state that its data may be changed",
                f"Have it answer with the header {MARKER}: {self._model.product}, or leave --changing out.",
            )

    def _send_request(self, method: str, path: str) -> Response:
        response = self._client.request(method, path, b"" if method in _CHANGING else None)
        location = response.headers.get("location", "")
        if location and leads_to_production(self._target, path, location):
            raise UsageError(
                f"{method} {path} redirects to production, so the probe stopped",
                "Configure the test instance with addresses of its own.",
            )
        return response

    @staticmethod
    def _list_methods(route: Route) -> Iterator[str]:
        """Methods of a route; those of any method are called by each. HEAD is called where GET is."""
        methods = ("GET", *_CHANGING) if route.methods == ("*",) else route.methods
        yield from methods
        if "GET" in methods and "HEAD" not in methods:
            yield "HEAD"

    def _probe_route(self, route: Route, method: str) -> ProbeResult:
        name = route.pattern
        if self._is_public(method, name):
            return ProbeResult(method, name, ProbeStatus.PUBLIC, "listed in the design", route.where)
        if method not in SAFE_METHODS and not self._changing:
            why = "it changes data: use --changing on a test instance"
            return ProbeResult(method, name, ProbeStatus.UNKNOWN, why, route.where)
        path = make_path(name)
        if path is None:
            return ProbeResult(method, name, ProbeStatus.UNKNOWN, "no path can be made for its pattern", route.where)
        if self._limited:
            return ProbeResult(method, name, ProbeStatus.UNKNOWN, self._limited, route.where)
        try:
            status, detail = evaluate_answer(method, self._call_path(method, path), self._find_control(method, path))
        except HttpError as error:
            if error.code is HttpCode.RATE_LIMITED:
                self._limited = "a rate limit refused an earlier call"
            status, detail = ProbeStatus.UNKNOWN, error.message
        return ProbeResult(method, name, status, detail, route.where)

    def _is_public(self, method: str, pattern: str) -> bool:
        methods = ("GET", "HEAD", "*") if method == "HEAD" else (method, "*")
        return any(each.route == pattern and each.method in methods for each in self._model.public_routes)

    def _call_path(self, method: str, path: str) -> ProbeAnswer:
        response = self._send_request(method, path)
        if response.status == 429:
            self._limited = "a rate limit refused an earlier call"
        return make_probe_answer(response.status, response.headers.get("location", ""), response.body, path)

    def _find_control(self, method: str, path: str) -> ProbeAnswer:
        """Answer to a path in the same folder that no route has. A chance name is in no list of routes."""
        folder = path.rstrip("/").rpartition("/")[0]
        key = (method, folder)
        if key not in self._controls:
            end = "/" if path.endswith("/") else ""
            self._controls[key] = self._call_path(method, f"{folder}/no-route-{secrets.token_hex(8)}{end}")
        return self._controls[key]


def make_path(pattern: str) -> str | None:
    """Path for a pattern, with a value for each parameter; None for a regular expression."""

    def choose_value(match: re.Match[str]) -> str:
        kind = match["kind"] or match["type"] or ""
        if kind in _NUMBERS:
            return "1"
        return "00000000-0000-4000-8000-000000000000" if kind == "uuid" else "x"

    path = _PARAMETER.sub(choose_value, pattern)
    return urllib.parse.quote(path) if _PLAIN.fullmatch(path) else None
