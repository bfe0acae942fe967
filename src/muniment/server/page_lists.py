"""Lists on pages, a part at a time, and the texts of forms and addresses that pages read."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

_T = TypeVar("_T", bound=Model)
PAGE = 50


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
