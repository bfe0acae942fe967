"""Lists on pages, a part at a time, and the texts of forms and addresses that pages read."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

_T = TypeVar("_T", bound=Model)
PAGE = 50


class RowPage(NamedTuple):
    """Rows of a part of a list, and where the next one begins: `?below=` a number, `?after=` a handle; blank at the
    end.
    """

    rows: list[Any]
    next: int | str
    parameter: str = "below"


def read_row_number(text: str) -> int:
    """Number of a row that an address names; 0, which no row has, for anything else, such as "²", or too large."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def page_by_id(request: HttpRequest, rows: "QuerySet[_T, Any]", *, size: int = PAGE) -> RowPage:
    """Rows of a list by falling id, below `?below=N`: as fast at the end of a long list as at its beginning."""
    below = read_row_number(request.GET.get("below", ""))
    if below:
        rows = rows.filter(pk__lt=below)
    found = list(rows.order_by("-pk")[: size + 1])
    return RowPage(found[:size], found[size - 1].pk if len(found) > size else 0)


def page_by_name(request: HttpRequest, rows: "QuerySet[_T, Any]", *, size: int = PAGE) -> RowPage:
    """Rows of a list of named things by name, after the one with the handle `?after=HANDLE`."""
    after = request.GET.get("after", "")
    last = rows.model._default_manager.filter(slug=after).values_list("name", "slug").first() if after else None
    if last is not None:
        rows = rows.filter(Q(name__gt=last[0]) | Q(name=last[0], slug__gt=last[1]))
    found: list[Any] = list(rows.order_by("name", "slug")[: size + 1])
    return RowPage(found[:size], found[size - 1].slug if len(found) > size else "", "after")


def form_fields(request: HttpRequest, names: Iterable[str]) -> dict[str, str]:
    """Named fields of a form, as text, "" for those that are not there; the others are not read."""
    return {name: str(request.POST.get(name, "")) for name in names}
