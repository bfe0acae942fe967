"""System checks before the first request: every address, and every table that is written, names its actions."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver

from muniment.facts import kinds
from muniment.server.guarding import privileges
from muniment.server.guarding.open_routes import API, OPEN
from muniment.workflows import input_events

_operation_sources: list[Callable[[], Iterator[Any]]] = []  # one at most
_OTHERS = ("auth", "contenttypes", "sessions", "account", "mfa", "socialaccount", "procrastinate")


@register()
def check_mediation(app_configs: Sequence[AppConfig] | None = None, **_: object) -> list[CheckMessage]:
    """Report one error for each address, operation and table that names no action."""
    found: list[CheckMessage] = []
    for name, view in list_routes():
        if name.startswith(f"{API}:") and getattr(view, "has_operations", False):
            continue  # each of them is looked at below
        if not hasattr(view, "action") and name not in OPEN:
            found.append(
                Error(f"the address {name or view} names no action", hint="Mark its view with @require_action.")
            )
    for operation in list_operations():
        if not hasattr(operation, "action"):
            found.append(Error(f"the operation {operation.__name__} names no action", hint="Mark it with @for_action."))
    for name, route in OPEN.items():
        if route.early and (route.action is not None or route.writes):
            found.append(Error(f"the address {name} is answered early", hint="One with an action or writes is not."))
    for model in apps.get_models():
        found += check_table(model)
    return found


@register()
def check_input_events(app_configs: Sequence[AppConfig] | None = None, **_: object) -> list[CheckMessage]:
    """Report one error for each kind of fact whose changes no row of `workflows/input_events.py` notices."""
    hint = "Add it to a row of workflows/input_events.py."
    return [
        Error(f"nothing re-evaluates a decision when the fact {name} changes", hint=hint)
        for name in input_events.find_uncovered_facts(kinds.KINDS)
    ]


def check_table(model: type[models.Model]) -> list[CheckMessage]:
    """Report one error for each missing statement of a table: its privileges, and the acts that write it."""
    if model._meta.app_label in _OTHERS:
        if privileges.find_privileges(model) is None:
            hint = "server/guarding/privileges.py, OTHERS"
            return [Error(f"{model._meta.db_table} has no privileges", hint=hint)]
        return []
    missing = [name for name in ("privileges", "written_by") if not hasattr(model, name)]
    return [Error(f"{model.__name__} names no {name}", hint="See docs/guides/add-a-table.md.") for name in missing]


def list_routes() -> Iterator[tuple[str, Any]]:
    """(name, view) of every address."""
    yield from _list_patterns(get_resolver().url_patterns, "")


def list_operations() -> Iterator[Any]:
    """Operations of the API. Raises LookupError if the addresses have no API."""
    get_resolver().url_patterns  # noqa: B018 -- the API registers itself when the addresses are imported
    if not _operation_sources:
        raise LookupError("the API is not among the addresses")
    yield from _operation_sources[0]()


def register_operations(find_operations: Callable[[], Iterator[Any]]) -> None:
    """Have the checks examine the operations that `find_operations` gives: the API is a higher layer."""
    _operation_sources[:] = [find_operations]


def _list_patterns(patterns: Sequence[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inside = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from _list_patterns(pattern.url_patterns, inside)
        else:
            yield prefix + (pattern.name or ""), pattern.callback
