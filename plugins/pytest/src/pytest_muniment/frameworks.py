"""Routes of the running application, as its framework has them, and the client that calls it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import Any

from pytest_muniment.clients import AppClient, AsgiClient, WsgiClient, make_django_application
from pytest_muniment.design_file import DesignApplication, DesignFileError


@dataclass(frozen=True)
class AppRoute:
    """Route of the running application.

    pattern      URL pattern as the framework writes it, with the prefixes of everything around it
    methods      methods that the framework offers there; ("*",) if the handler alone decides
    handler      name of the handler
    functions    functions of which one begins when the handler does, by method ("*": by all); empty: unknown
    parameters   names of path parameters with their converter, such as ("order_id", "int")
    template     path with `{name}` for each parameter, "" if no path can be made
    is_own       whether the handler is the project's code and not a library's
    examples     a query and a JSON body for a method, where the framework describes them
    """

    pattern: str
    methods: tuple[str, ...]
    handler: str
    functions: tuple[tuple[str, FunctionType], ...]
    parameters: tuple[tuple[str, str], ...]
    template: str
    is_own: bool = True
    examples: tuple[tuple[str, str, bytes], ...] = ()

    def list_functions(self, method: str) -> list[FunctionType]:
        """Functions of the handler for one method. HEAD may run the function of GET."""
        names = {method, "*"} | ({"GET"} if method == "HEAD" else set())
        return [function for name, function in self.functions if name in names]


@dataclass(frozen=True)
class AppRoutes:
    """Routes of an application, and places whose routes cannot be listed, each with the reason."""

    routes: tuple[AppRoute, ...]
    unlisted: tuple[str, ...] = ()


def load_application(application: DesignApplication) -> object:
    """Application that the factory in the design makes. A name of an application, not of a function, is taken as is."""
    module_name, _, name = application.factory.partition(":")
    if not name:
        raise DesignFileError(
            'the design names no factory. Add factory = "module:function" to [[application]],'
            " or give Project(application=...) in the fixture muniment_project"
        )
    try:
        target: Any = import_module(module_name)
        for step in name.split("."):
            target = getattr(target, step)
    except (ImportError, AttributeError) as error:
        raise DesignFileError(f"the factory {application.factory} cannot be imported ({error})") from error
    is_factory = isinstance(target, FunctionType | type)
    made: object = target() if is_factory else target
    return made


def list_app_routes(framework: str, application: object) -> AppRoutes:
    """Routes of a loaded application."""
    if framework == "flask":
        from pytest_muniment.flask_routes import list_flask_routes

        return list_flask_routes(application)
    if framework == "fastapi":
        from pytest_muniment.fastapi_routes import list_fastapi_routes

        return list_fastapi_routes(application)
    if framework == "django":
        from pytest_muniment.django_routes import list_django_routes

        return list_django_routes()
    raise DesignFileError(f"the framework {framework} is unknown. Known: django, fastapi, flask")


def make_client(framework: str, application: Any) -> AppClient:
    """Client of a loaded application."""
    if framework == "fastapi":
        return AsgiClient(application)
    if framework == "django":
        return WsgiClient(make_django_application(_make_wsgi_handler(application)))
    wsgi: Callable[..., Any] = application
    return WsgiClient(wsgi)


def _make_wsgi_handler(application: Any) -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    return application if isinstance(application, WSGIHandler) else WSGIHandler()


def close_connections() -> None:
    """Close database connections that Django opened: a child process must not share one with its parent."""
    if "django.db" in sys.modules:
        from django.conf import settings
        from django.db import connections

        if settings.configured:
            connections.close_all()
