"""What every page has, and what makes a page of a form: who looks, where they may go, what waits for them."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorize import Why, somewhere
from muniment.server.guarding.mediation import acting
from muniment.server.people.models import Message, Person

_T = TypeVar("_T", bound=Model)
PAGE = 50


class Place(NamedTuple):
    """One entry of the menu."""

    name: str
    text: Any
    action: Action


MENU = (
    Place("products", _("Products"), Action.SEE_STATE),
    Place("exceptions", _("Exceptions"), Action.SEE_EXCEPTIONS),
    Place("incidents", _("Incidents"), Action.SEE_INCIDENTS),
    Place("policy", _("Policy"), Action.SEE_POLICY),
    Place("people", _("People"), Action.SEE_PEOPLE),
    Place("connections", _("Connections"), Action.SEE_CONNECTIONS),
    Place("activity", _("Activity"), Action.SEE_ACTIVITY),
    Place("ledger", _("Ledger"), Action.SEE_LEDGER),
    Place("work", _("Work"), Action.SEE_WORK),
    Place("settings", _("Settings"), Action.CHANGE_SETTINGS),
)


def common(request: HttpRequest) -> dict[str, Any]:
    """For the frame of every page."""
    if not hasattr(request, "actor") or not acting(request).person:
        return {"menu": ()}
    menu = tuple(place for place in MENU if somewhere(acting(request), place.action) is Why.YES)
    return {"menu": menu, "unread": Message.objects.filter(person=me(request), read=None).count()}


def me(request: HttpRequest) -> Person:
    """Who is signed in. Only in views whose action takes somebody."""
    person = request.user
    if not isinstance(person, Person):
        raise TypeError("nobody is signed in")
    return person


class Page(NamedTuple):
    """Some rows of a list, and the number that the next ones begin below; 0 if there are none."""

    rows: list[Any]
    next: int


def page(request: HttpRequest, rows: "QuerySet[_T, Any]", *, size: int = PAGE) -> Page:
    """The rows of a list by falling id, below `?below=N`: as fast at the end of a long list as at its beginning."""
    below = request.GET.get("below", "")
    if below.isascii() and below.isdigit() and len(below) < 19:
        rows = rows.filter(pk__lt=int(below))
    found = list(rows.order_by("-pk")[: size + 1])
    return Page(found[:size], found[size - 1].pk if len(found) > size else 0)


def tried(request: HttpRequest, act: Callable[[], Any], done: str, back: str, *args: Any) -> HttpResponse:
    """Do it; tell what was done, or why it could not be; then go back. What was refused by a sentence stays undone."""
    from django.db import transaction

    try:
        with transaction.atomic():
            waits = act()
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done if waits is None else str(_("It waits for a second person now.")))
    return redirect(back, *args)


def given(request: HttpRequest, names: Iterable[str]) -> dict[str, str]:
    """These fields of a form, as text, "" for those that are not there; nothing else of it is looked at."""
    return {name: str(request.POST.get(name, "")) for name in names}
