"""Complete mediation: nothing is reached, and nothing is written, without an action that authorize() allowed.

There are three layers. Each view names its action (`requires`). This middleware refuses a view that names none. And
while a request is processed, every statement that writes is checked: its table must be one that an action allowed
in this request may write to (`written_by` of the model). A system check verifies all of this before the first
request.
"""

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import DataError, connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.authorization import (
    ANYBODY,
    ORGANISATION,
    AccessResult,
    Actor,
    Resource,
    authorize,
    authorize_anywhere,
)
from muniment.server.guarding.open_routes import ACCOUNT_TABLES, API, OPEN
from muniment.server.guarding.sql_statements import find_written_tables
from muniment.server.routes import SECOND_FACTOR_ROUTE, SIGN_IN

View = Callable[..., HttpResponseBase]
Find = Callable[..., Resource | None]

_allowed: ContextVar[frozenset[Action]] = ContextVar("allowed", default=frozenset())
_tables: ContextVar[frozenset[str]] = ContextVar("tables", default=frozenset())
_actor_sources: list[Callable[[HttpRequest], Actor]] = []  # one: the app that knows people is a higher layer
_QUEUE = "procrastinate_"
_SECRET = re.compile(r"password|secret|credential|token|code|value|(?<!public_)key", re.IGNORECASE)  # names of fields
_ALWAYS = frozenset({"django_session", "muniment_cache"})


def find_no_resource(request: HttpRequest, *_: object, **__: object) -> None:
    """No resource: the action must be allowed for at least one, since the list shows only those."""


def require_action(action: Action, find: Find | None = None) -> Callable[[View], View]:
    """Mark a view with its action. `find` gives the resource from the view's arguments; without it, the
    organisation.
    """

    def decorate_view(view: View) -> View:
        @functools.wraps(view)
        def guarded_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not current_actor(request).person:  # before `find`, which answers 404 for things that do not exist
                return _redirect_to_sign_in(request)
            resource = find(request, *args, **kwargs) if find else ORGANISATION
            refusal = _find_refusal(request, action, resource)
            if refusal is not None:
                return refusal
            with allow_writes(action):
                return view(request, *args, **kwargs)

        guarded_view.action = action  # type: ignore[attr-defined]
        return guarded_view

    return decorate_view


def find_own_resource(request: HttpRequest, *_: object, **__: object) -> Resource:
    """Resource of the person who requests."""
    return Resource(owner=current_actor(request).person)


def current_actor(request: HttpRequest) -> Actor:
    """Actor of the request: ANYBODY, unless the middleware found a person."""
    found = getattr(request, "actor", ANYBODY)
    return found if isinstance(found, Actor) else ANYBODY


def is_action_allowed(request: HttpRequest, action: Action, resource: Resource = ORGANISATION) -> bool:
    """Whether the actor may do this: for the content of pages, never in place of `require_action`."""
    return authorize(current_actor(request), action, resource) is AccessResult.YES


@contextmanager
def allow_writes(action: Action) -> Iterator[None]:
    """Permit, in this block, the writes of an action. Only after authorize() allowed it."""
    token = _allowed.set(_allowed.get() | {action})
    try:
        yield
    finally:
        _allowed.reset(token)


def register_actor_source(find_actor: Callable[[HttpRequest], Actor]) -> None:
    """Have the middleware find the actor by `find_actor`. Without one, no request is answered."""
    _actor_sources[:] = [find_actor]


def _find_actor(request: HttpRequest) -> Actor:
    """Find the actor of a request. Raises LookupError without one."""
    if not _actor_sources:
        raise LookupError("no app tells who asks")
    return _actor_sources[0](request)


class MediationMiddleware:
    """Middleware that finds the actor, refuses views without an action, and checks each write."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Response, whose writes were checked."""
        request.actor = _find_actor(request)  # type: ignore[attr-defined]
        token = _tables.set(_ALWAYS)
        try:
            with connection.execute_wrapper(_check_statement):
                return self._get_response(request)
        finally:
            _tables.reset(token)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Refuse a request with a value that the database cannot hold, such as a NUL in a text."""
        return HttpResponseBadRequest("This cannot be asked for.") if isinstance(error, DataError) else None

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, object]
    ) -> HttpResponseBase | None:
        """Let a view through that names its action, or is listed as open."""
        if hasattr(view, "action"):
            return None
        match = request.resolver_match
        if match and match.namespace == API and getattr(view, "has_operations", False):
            return None  # its operations look by themselves, and answer as programs expect
        known = OPEN.get(match.view_name if match else "")
        if known is None:
            raise PermissionDenied("this address names no action")
        if known.action is not None:
            refusal = _find_refusal(request, known.action, find_own_resource(request))
            if refusal is not None:
                return refusal
        _tables.set(_tables.get() | ACCOUNT_TABLES | known.writes)
        return None


def _find_refusal(request: HttpRequest, action: Action, resource: Resource | None) -> HttpResponseBase | None:
    """Response that refuses; None if the action is allowed. A resource that the actor may not see is not found."""
    actor = current_actor(request)
    why = authorize_anywhere(actor, action) if resource is None else authorize(actor, action, resource)
    if why is AccessResult.YES:
        return None
    if why is AccessResult.NOBODY:
        return _redirect_to_sign_in(request)
    if why is AccessResult.SUSPENDED:
        messages.error(
            request, _("Your account was recovered less than a day ago: your approvals and requests do not count yet.")
        )
        return redirect("me")
    if why is AccessResult.NO_SECOND_FACTOR and request.method == "POST":
        return ask_second_factor(request)
    if why is AccessResult.NO_SECOND_FACTOR:
        messages.info(
            request, _("This changes something, so it takes a second factor: a passkey or a code from an app.")
        )
        return redirect(f"{SECOND_FACTOR_ROUTE}?{urlencode({'next': request.get_full_path()})}")
    if (
        resource is not None
        and resource.product
        and authorize(actor, Action.SEE_PRODUCT, resource) is not AccessResult.YES
    ):
        raise Http404
    raise PermissionDenied(why.value)


def ask_second_factor(request: HttpRequest) -> HttpResponse:
    """Page that asks for a second factor and keeps the form that was sent. Nothing was changed."""
    return render(request, "second_factor.html", {"sent": _list_form_values(request)}, status=403)


def _list_form_values(request: HttpRequest) -> list[tuple[str, str]]:
    """Values of a form, to be sent once more after a second factor; without secrets, which no page repeats."""
    values = ((name, text) for name in request.POST for text in request.POST.getlist(name))
    return [(name, text) for name, text in values if name != "csrfmiddlewaretoken" and not _SECRET.search(name)]


def _redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    return redirect(f"{SIGN_IN}?{urlencode({'next': request.get_full_path()})}")


def _check_statement(execute: Callable[..., Any], statement: Any, params: Any, many: bool, context: Any) -> Any:
    for table in find_written_tables(statement if isinstance(statement, str) else statement.as_string(None)):
        if not _is_write_allowed(table):
            raise PermissionDenied(f"nothing that was allowed here writes to {table}")
    return execute(statement, params, many, context)


def _is_write_allowed(table: str) -> bool:
    if table in _tables.get() or table.startswith(_QUEUE):
        return True
    return bool(list_table_writers().get(table, frozenset()) & _allowed.get())


@functools.cache
def list_table_writers() -> dict[str, frozenset[Action]]:
    """Actions that write to each table."""
    return {model._meta.db_table: model.written_by for model in apps.get_models() if hasattr(model, "written_by")}
