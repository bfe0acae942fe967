"""What must be so before the first request: every address, and every table that is written, names its actions."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from muniment.server.guarding import privileges
from muniment.server.guarding.open_routes import API, OPEN

_OTHERS = ("auth", "contenttypes", "sessions", "account", "mfa", "socialaccount", "procrastinate")


@register()
def mediated(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """One error for each that names none."""
    found: list[CheckMessage] = []
    for name, view in routes():
        if name.startswith(f"{API}:"):
            continue
        if not hasattr(view, "action") and name not in OPEN:
            found.append(Error(f"the address {name or view} names no action", hint="Mark its view with @requires."))
    for operation in operations():
        if not hasattr(operation, "action"):
            found.append(Error(f"the operation {operation.__name__} names no action", hint="Mark it with @does."))
    for model in apps.get_models():
        if model._meta.app_label in _OTHERS:
            if privileges.of(model) is None:
                found.append(
                    Error(f"{model._meta.db_table} has no privileges", hint="server/guarding/privileges.py, OTHERS")
                )
            continue
        for name in ("privileges", "written_by"):
            if not hasattr(model, name):
                found.append(Error(f"{model.__name__} names no {name}", hint="See server/guarding/mediation.py."))
    return found


def routes() -> Iterator[tuple[str, Any]]:
    """(name, view) of every address."""
    yield from _patterns(get_resolver().url_patterns, "")


def operations() -> Iterator[Any]:
    """Every operation of the API."""
    from muniment.server.api import api

    for _, router in api._routers:
        for path in router.path_operations.values():
            yield from (operation.view_func for operation in path.operations)


def _patterns(patterns: Sequence[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inside = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from _patterns(pattern.url_patterns, inside)
        else:
            yield prefix + (pattern.name or ""), pattern.callback
