"""What every page has, and what makes a page of a form: who looks, where they may go, what waits for them."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
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
    Place("products", _("Products"), Action.SEE_PRODUCT),
    Place("exceptions", _("Exceptions"), Action.SEE_EXCEPTIONS),
    Place("incidents", _("Incidents"), Action.SEE_INCIDENTS),
    Place("policy", _("Policy"), Action.SEE_POLICY),
    Place("people", _("People"), Action.SEE_PEOPLE),
    Place("connections", _("Connections"), Action.SEE_CONNECTIONS),
    Place("activity", _("Activity"), Action.SEE_ACTIVITY),
    Place("ledger", _("Ledger"), Action.SEE_LEDGER),
    Place("work", _("Work"), Action.SEE_JOBS),
    Place("settings", _("Settings"), Action.CHANGE_SETTINGS),
)


def common(request: HttpRequest) -> dict[str, Any]:
    """For the frame of every page."""
    if not hasattr(request, "actor") or not acting(request).person:
        return {"menu": ()}
    menu = tuple(place for place in MENU if somewhere(acting(request), place.action) is Why.YES)
    waits = functools.partial(_waits_for_role, me(request))  # asked by the pages that refuse, and by no other
    return {
        "menu": menu,
        "waits_for_role": waits,
        "unread": Message.objects.filter(person=me(request), read_at=None).count(),
    }


def _waits_for_role(person: Person) -> bool:
    """Whether a role for somebody waits for its second person."""
    from muniment.server.records.entering import code
    from muniment.server.requests.models import Request

    granting = (code(Action.GRANT_ROLE), code(Action.GRANT_CHANGING_ROLE))
    rows = Request.objects.filter(state=Request.State.WAITING, action__in=granting)
    return rows.filter(subject__in=(f"person:{person.slug}", f"person:{person.pk}")).exists()


def me(request: HttpRequest) -> Person:
    """Who is signed in. Only in views whose action takes somebody."""
    person = request.user
    if not isinstance(person, Person):
        raise TypeError("nobody is signed in")
    return person


class Page(NamedTuple):
    """Some rows of a list, and where the next ones begin: `?below=` a number, `?after=` a handle; blank at the end."""

    rows: list[Any]
    next: int | str
    parameter: str = "below"


def read_number(text: str) -> int:
    """The number of a row that an address names; 0, which no row has, for what is none, such as "²", or too large."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def page(request: HttpRequest, rows: "QuerySet[_T, Any]", *, size: int = PAGE) -> Page:
    """The rows of a list by falling id, below `?below=N`: as fast at the end of a long list as at its beginning."""
    below = read_number(request.GET.get("below", ""))
    if below:
        rows = rows.filter(pk__lt=below)
    found = list(rows.order_by("-pk")[: size + 1])
    return Page(found[:size], found[size - 1].pk if len(found) > size else 0)


def page_by_name(request: HttpRequest, rows: "QuerySet[_T, Any]", *, size: int = PAGE) -> Page:
    """The rows of a list of named things by name, after the one whose handle is `?after=HANDLE`."""
    last = rows.model._default_manager.filter(slug=request.GET.get("after", "")).values_list("name", "slug").first()
    if last is not None:
        rows = rows.filter(Q(name__gt=last[0]) | Q(name=last[0], slug__gt=last[1]))
    found: list[Any] = list(rows.order_by("name", "slug")[: size + 1])
    return Page(found[:size], found[size - 1].slug if len(found) > size else "", "after")


def given(request: HttpRequest, names: Iterable[str]) -> dict[str, str]:
    """These fields of a form, as text, "" for those that are not there; nothing else of it is looked at."""
    return {name: str(request.POST.get(name, "")) for name in names}
