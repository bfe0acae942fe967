"""Routes of an application as values, with the guards on each."""

from msgspec import Struct


class RouteGuard(Struct, frozen=True):
    """Guard as the code names it. Not certain: it lets some requests pass by a condition that parsing cannot decide.

    `version` is a digest of its definition, "" for guards of libraries.
    """

    name: str
    is_certain: bool = True
    version: str = ""


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
        return any(guard.is_certain for guard in self.guards)

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
