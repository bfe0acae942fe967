"""Answers the open routes marked `early` before a session or an actor is read, and without any database."""

import functools
from collections.abc import Callable, Mapping
from typing import NoReturn

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve, reverse

from muniment.server.guarding.open_routes import OPEN

_METHODS = ("GET", "HEAD")


class EarlyAnswers:
    """Middleware for supervisors, which ask often. It stands behind the security headers, before the session.

    The actor is not known here: a system check refuses an early route that requires an action or writes a table.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer of an early route; every other address and method goes on to the session and the access check."""
        match = _find_early_routes().get(request.path_info) if request.method in _METHODS else None
        if match is None:
            return self._get_response(request)
        request.get_host()  # refuses the names of other hosts, as CommonMiddleware does
        request.resolver_match = match  # traces name the route
        with connection.execute_wrapper(_refuse_statement):
            answer: HttpResponse = match.func(request)
        return answer


@functools.cache
def _find_early_routes() -> Mapping[str, ResolverMatch]:
    paths = [reverse(name) for name, route in OPEN.items() if route.early]
    return {path: resolve(path) for path in paths}


def _refuse_statement(*_: object) -> NoReturn:
    raise PermissionDenied("an early answer uses no database")
