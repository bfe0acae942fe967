"""Complete mediation: nothing is reached, and nothing is written, without an action that authorize() said yes to.

Three layers look. Each view names its action (`requires`). This middleware lets nothing through that names none. And
while a request is answered, every statement that writes is looked at: its table must be one that an action allowed in
this request may write to (`written_by` of the model). A system check finds all of it out before the first request.
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
from muniment.access.authorize import ANYBODY, ORGANISATION, Actor, Resource, Why, authorize, somewhere
from muniment.server.guarding.open_routes import ACCOUNT_TABLES, API, OPEN
from muniment.server.guarding.statements import written
from muniment.server.routes import SECOND_FACTOR, SIGN_IN

View = Callable[..., HttpResponseBase]
Find = Callable[..., Resource | None]

_allowed: ContextVar[frozenset[Action]] = ContextVar("allowed", default=frozenset())
_tables: ContextVar[frozenset[str]] = ContextVar("tables", default=frozenset())
_actor_sources: list[Callable[[HttpRequest], Actor]] = []  # one: the app that knows people is a higher layer
_QUEUE = "procrastinate_"
_SECRET = re.compile(r"password|secret|credential|token|code|value|(?<!public_)key", re.IGNORECASE)  # names of fields
_ALWAYS = frozenset({"django_session", "muniment_cache"})


def anywhere(request: HttpRequest, *_: Any, **__: Any) -> None:
    """In place of a resource: it is enough that there is one, for the list shows only those."""


def requires(action: Action, find: Find | None = None) -> Callable[[View], View]:
    """Marks a view with its action. `find` gives the resource from what the view is given; else the organisation."""

    def mark(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not acting(request).person:  # before `find`, which answers 404 for things that do not exist
                return _sign_in(request)
            resource = find(request, *args, **kwargs) if find else ORGANISATION
            refusal = _refusal(request, action, resource)
            if refusal is not None:
                return refusal
            with allowing(action):
                return view(request, *args, **kwargs)

        guarded.action = action  # type: ignore[attr-defined]
        return guarded

    return mark


def own(request: HttpRequest, *_: Any, **__: Any) -> Resource:
    """What is one's own."""
    return Resource(owner=acting(request).person)


def acting(request: HttpRequest) -> Actor:
    """Who asks: nobody, unless the middleware found somebody."""
    found = getattr(request, "actor", ANYBODY)
    return found if isinstance(found, Actor) else ANYBODY


def may(request: HttpRequest, action: Action, resource: Resource = ORGANISATION) -> bool:
    """Whether the one who asks may do this: for what a page shows, never in place of `requires`."""
    return authorize(acting(request), action, resource) is Why.YES


@contextmanager
def allowing(action: Action) -> Iterator[None]:
    """While this lasts, what `action` may write may be written. Only after authorize() said yes."""
    token = _allowed.set(_allowed.get() | {action})
    try:
        yield
    finally:
        _allowed.reset(token)


def register_actor_source(find_actor: Callable[[HttpRequest], Actor]) -> None:
    """Have the middleware find who asks by `find_actor`. Without one, no request is answered."""
    _actor_sources[:] = [find_actor]


def _find_actor(request: HttpRequest) -> Actor:
    """Who asks. Raises LookupError where nothing can tell."""
    if not _actor_sources:
        raise LookupError("no app tells who asks")
    return _actor_sources[0](request)


class Mediation:
    """The middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer, its writes watched."""
        request.actor = _find_actor(request)  # type: ignore[attr-defined]
        token = _tables.set(_ALWAYS)
        try:
            with connection.execute_wrapper(_watched):
                return self._get_response(request)
        finally:
            _tables.reset(token)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """What the database cannot even hold, such as a NUL in a text, is the asker's mistake."""
        return HttpResponseBadRequest("This cannot be asked for.") if isinstance(error, DataError) else None

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Lets through what names its action, or is open to anybody on purpose."""
        if hasattr(view, "action"):
            return None
        match = request.resolver_match
        if match and match.namespace == API:
            return None  # its operations look by themselves, and answer as programs expect
        known = OPEN.get(match.view_name if match else "")
        if known is None:
            raise PermissionDenied("this address names no action")
        if known.action is not None:
            refusal = _refusal(request, known.action, own(request))
            if refusal is not None:
                return refusal
        _tables.set(_tables.get() | ACCOUNT_TABLES | known.writes)
        return None


def _refusal(request: HttpRequest, action: Action, resource: Resource | None) -> HttpResponseBase | None:
    """None for yes. What somebody may not even see is not there."""
    actor = acting(request)
    why = somewhere(actor, action) if resource is None else authorize(actor, action, resource)
    if why is Why.YES:
        return None
    if why is Why.NOBODY:
        return _sign_in(request)
    if why is Why.SUSPENDED:
        messages.error(
            request, _("Your account was recovered less than a day ago: your approvals and requests do not count yet.")
        )
        return redirect("me")
    if why is Why.NO_SECOND_FACTOR and request.method == "POST":
        return render(request, "second_factor.html", {"sent": _resendable(request)}, status=403)
    if why is Why.NO_SECOND_FACTOR:
        messages.info(
            request, _("This changes something, so it takes a second factor: a passkey or a code from an app.")
        )
        return redirect(f"{SECOND_FACTOR}?{urlencode({'next': request.get_full_path()})}")
    if resource is not None and resource.product and authorize(actor, Action.SEE_PRODUCT, resource) is not Why.YES:
        raise Http404
    raise PermissionDenied(why.value)


def _resendable(request: HttpRequest) -> list[tuple[str, str]]:
    """What a form holds, to be sent once more after a second factor; without secrets, which no page repeats."""
    values = ((name, text) for name in request.POST for text in request.POST.getlist(name))
    return [(name, text) for name, text in values if name != "csrfmiddlewaretoken" and not _SECRET.search(name)]


def _sign_in(request: HttpRequest) -> HttpResponse:
    return redirect(f"{SIGN_IN}?{urlencode({'next': request.get_full_path()})}")


def _watched(execute: Callable[..., Any], statement: Any, params: Any, many: bool, context: Any) -> Any:
    for table in written(statement if isinstance(statement, str) else statement.as_string(None)):
        if not _may_write(table):
            raise PermissionDenied(f"nothing that was allowed here writes to {table}")
    return execute(statement, params, many, context)


def _may_write(table: str) -> bool:
    if table in _tables.get() or table.startswith(_QUEUE):
        return True
    return bool(writers().get(table, frozenset()) & _allowed.get())


@functools.cache
def writers() -> dict[str, frozenset[Action]]:
    """Which actions write to which table."""
    return {model._meta.db_table: model.written_by for model in apps.get_models() if hasattr(model, "written_by")}
