"""The service as an application under test of pytest-muniment: its routes, its people, and data that is put back."""

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from django.urls import get_resolver

from muniment.server.guarding.open_routes import OPEN
from muniment.server.guarding.sql_statements import find_written_tables
from muniment.server.people.models import Person
from pytest_muniment.calls import AppUnderTest
from pytest_muniment.clients import AppClient
from pytest_muniment.design_file import Design, DesignApplication, DesignGuard
from pytest_muniment.django_routes import list_django_routes
from pytest_muniment.frameworks import AppRoutes
from pytest_muniment.project import Project, Sample
from tests.support.service import browser

ROOT = Path(__file__).parents[2]
PRODUCT_ADDRESSES = "/products/<slug:slug>"
_ALWAYS_WRITTEN = frozenset({"django_session", "muniment_cache"})  # a refused request may
GUARDS = (
    DesignGuard(
        "access-table",
        ("muniment.access.authorization:authorize", "muniment.access.authorization:authorize_anywhere"),
        (),
    ),
    DesignGuard("mediation", ("muniment.server.people.actors:load_actor",), ()),
)


class RolledBackState:
    """Data of the service: each call runs in a transaction that is rolled back. Tables that it wrote to are noted."""

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._open: Any = None
        self._noting: Any = None

    def save(self) -> None:
        """Nothing is copied: the transaction is the copy."""

    def restore(self) -> None:
        """Roll back what the last call wrote, and begin again."""
        for signal in (request_started, request_finished):
            signal.disconnect(close_old_connections)  # a request would close the connection with its transaction
        if self._open is not None:
            transaction.set_rollback(True)
            self._open.__exit__(None, None, None)
            self._noting.__exit__(None, None, None)
        self._written.clear()
        self._noting = connection.execute_wrapper(self._note)
        self._noting.__enter__()
        self._open = transaction.atomic()
        self._open.__enter__()

    def read(self) -> Mapping[str, str]:
        """Tables that were written to since the last `restore`."""
        return {f"table {name}": hashlib.sha256(name.encode()).hexdigest() for name in self._written}

    def _note(self, execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        text = statement if isinstance(statement, str) else statement.as_string(None)
        self._written |= set(find_written_tables(text)) - _ALWAYS_WRITTEN
        return execute(statement, params, many, context)


def list_open_patterns() -> Iterator[str]:
    """Patterns of the addresses that name no action, each of which open_routes.py lists with its reason."""
    names = {name.rpartition(":")[2] for name, route in OPEN.items() if route.action is None}
    waiting: list[tuple[Any, str]] = [(each, "/") for each in get_resolver().url_patterns]
    while waiting:
        entry, prefix = waiting.pop()
        pattern = prefix + str(entry.pattern).removeprefix("^").removesuffix("$")
        if hasattr(entry, "url_patterns"):
            waiting += [(each, pattern) for each in entry.url_patterns]
        elif entry.name in names:
            yield pattern


def list_routes(patterns: Container[str] | None = None) -> AppRoutes:
    """Routes of the service, or those of some patterns. A view without methods of its own is called by the two that
    browsers send.
    """
    found = list_django_routes()
    chosen = [each for each in found.routes if patterns is None or each.pattern in patterns]
    routes = [replace(each, methods=("GET", "POST")) if each.methods == ("*",) else each for each in chosen]
    return AppRoutes(tuple(routes), found.unlisted)


def make_app(people: Mapping[str, Person], product: str, patterns: Container[str] | None = None) -> AppUnderTest:
    """Service as an application under test: an identity for each of the people, and addresses of one product."""

    def sign_in(_client: AppClient, identity: str) -> Mapping[str, str]:
        cookie = browser(people[identity]).cookies[settings.SESSION_COOKIE_NAME]
        return {"Cookie": f"{cookie.key}={cookie.value}"}

    design = Design(
        product="muniment",
        digest="",
        application=DesignApplication("django", ROOT / "src", ""),
        guards=GUARDS,
        roles=tuple(people),
        samples=(),
        public=frozenset(("*", pattern) for pattern in list_open_patterns()),
    )
    project = Project(state=RolledBackState(), sign_in=sign_in)
    app = AppUnderTest(design, project, get_wsgi_application(), list_routes(patterns))
    app.prepare()
    app.samples["product", ""] = Sample({"slug": product}, PRODUCT_ADDRESSES)
    return app
