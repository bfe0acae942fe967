"""Where acts arrive over HTTP, found in the table of addresses and in the operations of the API themselves."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

from muniment.server.acts.act import Act
from muniment.server.guarding.open_routes import API


class ActRoute(NamedTuple):
    """One address that takes an act: `address` is the pattern, with each part in angle brackets."""

    act: type[Act]
    method: str
    address: str
    api: bool

    def __str__(self) -> str:
        return f"{self.act.act_tag()} {self.method} {self.address}"


def find_act_routes() -> Iterator[ActRoute]:
    """Each address with each act that its view names."""
    for pattern, view in _pages(get_resolver().url_patterns, ""):
        yield from (ActRoute(act, "POST", pattern, api=False) for act in _acts_of(view))
    from muniment.server.api import api

    for _prefix, router in api._routers:
        for path, found in router.path_operations.items():
            address = "/api" + path.replace("{", "<").replace("}", ">")
            for operation in found.operations:
                (method,) = operation.methods
                yield from (ActRoute(act, method, address, api=True) for act in _acts_of(operation.view_func))


def fill_address(address: str, value: Callable[[str], str]) -> str:
    """An address with the value for each of its parts, by the part's name."""
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: value(found[1]), address)


def _pages(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        whole = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.namespace != API:
                yield from _pages(pattern.url_patterns, whole)
        else:
            yield f"/{whole}", pattern.callback


def _acts_of(view: Callable[..., Any]) -> Iterator[type[Act]]:
    """The acts that a function names, in tuples too. A form for a page that only shows it is one of them."""
    used = inspect.getclosurevars(inspect.unwrap(view)).globals.values()
    for value in used:
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, type) and issubclass(one, Act):
                yield one
