"""Compares the routes of the code with the design: each route has a guard, or is public on purpose."""

from collections.abc import Iterable, Iterator

from muniment.design.findings import (
    DesignFinding,
    DesignNote,
    Evidence,
    FindingCode,
    Principle,
    PrincipleResult,
    combine_findings,
)
from muniment.design.model import PublicRoute
from muniment.design.routes.route import Route, RouteList

_ALL_METHODS = "*"


def check_routes(lists: Iterable[RouteList], public: tuple[PublicRoute, ...]) -> PrincipleResult:
    """Find routes without a guard, public entries that no route needs, and what parsing cannot tell."""
    findings: list[DesignFinding] = []
    routes: list[Route] = []
    for found in lists:
        findings += [
            DesignFinding(FindingCode.UNREAD_SOURCE, each.where.partition(":")[0], each.why, where=each.where)
            for each in found.unread
        ]
        routes += found.routes
    listed = {(entry.method, entry.route) for entry in public}
    needed: set[tuple[str, str]] = set()
    for route in routes:
        for method in route.methods:
            entries = {(method, route.pattern), (_ALL_METHODS, route.pattern)} & listed
            needed |= entries
            if not entries:
                findings += _check_route(route, method)
    for method, pattern in sorted(listed - needed):
        findings.append(DesignFinding(FindingCode.UNUSED_PUBLIC, f"{method} {pattern}"))
    findings += find_different_guards(routes)
    examined = sum(len(route.methods) for route in routes)
    guarded = sum(len(route.methods) for route in routes if route.is_guarded)
    notes = (
        DesignNote("routes", f"{guarded} of {examined} routes have a guard; {len(needed)} are public on purpose."),
    )
    return combine_findings(
        Principle.COMPLETE_MEDIATION, (Evidence.PARSED,), tuple(dict.fromkeys(findings)), notes, examined
    )


def _check_route(route: Route, method: str) -> Iterator[DesignFinding]:
    name = f"{method} {route.pattern}"
    if route.is_guarded:
        return
    if not route.is_open:
        guards = ", ".join(guard.name for guard in route.guards if not guard.is_partial)
        yield DesignFinding(FindingCode.UNKNOWN_ROUTE_GUARD, name, guards, where=route.where)
    else:
        yield DesignFinding(FindingCode.UNGUARDED_ROUTE, name, f"handler {route.handler}", where=route.where)


def find_different_guards(routes: list[Route]) -> Iterator[DesignFinding]:
    """Handlers that two routes reach with different guards for the same method."""
    seen: dict[tuple[str, str], Route] = {}
    for route in routes:
        for method in route.methods:
            first = seen.setdefault((route.handler, method), route)
            if list_certain_guards(first) != list_certain_guards(route):
                detail = f"{method} {first.pattern} and {method} {route.pattern}"
                yield DesignFinding(FindingCode.DIFFERENT_GUARDS, route.handler, detail, where=route.where)


def list_certain_guards(route: Route) -> frozenset[str]:
    """Names of the guards that always stand before a route."""
    return frozenset(guard.name for guard in route.guards if guard.is_certain)
