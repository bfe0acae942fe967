"""Routes of an application as values, with the guards on each."""

from msgspec import Struct


class RouteGuard(Struct, frozen=True):
    """Guard as the code names it. Not certain: it lets some requests pass by a condition that parsing cannot decide.

    `version` is a digest of its definition, "" for guards of libraries. `is_partial`: it refuses some of those who
    signed in (by the owner of an object, say), so that a route with nothing else is open to strangers.
    """

    name: str
    is_certain: bool = True
    version: str = ""
    is_partial: bool = False


class Route(Struct, frozen=True):
    """URL pattern with the methods that share its guards. `switch` is the condition under which it exists, or ""."""

    pattern: str
    methods: tuple[str, ...]
    handler: str
    where: str
    guards: tuple[RouteGuard, ...] = ()
    switch: str = ""

    @property
    def is_guarded(self) -> bool:
        """Whether a guard always stands before the handler."""
        return any(guard.is_certain and not guard.is_partial for guard in self.guards)

    @property
    def is_open(self) -> bool:
        """Whether no guard stands before the handler, not even one that parsing cannot decide about."""
        return all(guard.is_partial for guard in self.guards)

    @property
    def name(self) -> str:
        """Methods and pattern, as people write them."""
        return f"{','.join(self.methods)} {self.pattern}"


class UnreadSource(Struct, frozen=True):
    """Place in the code whose routes are unknown, and why."""

    where: str
    why: str


class RouteList(Struct, frozen=True):
    """Routes of one application, and the places whose routes are unknown."""

    framework: str
    routes: tuple[Route, ...]
    unread: tuple[UnreadSource, ...] = ()


def join_patterns(*parts: str) -> str:
    """Join one pattern from a prefix and what follows, with one slash between."""
    joined = ""
    for part in parts:
        if not part:
            continue
        joined = f"{joined.rstrip('/')}/{part.lstrip('/')}" if joined and part.startswith("/") else joined + part
    return joined if joined.startswith("/") else f"/{joined}"
