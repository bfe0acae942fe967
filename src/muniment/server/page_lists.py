"""Lists on pages, a part at a time, and the texts of forms and addresses that pages read."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

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


class ListOrder(NamedTuple):
    """Order of a list that a reader can choose: `?order=KEY`. `value` is an expression of a row that is never null."""

    key: str
    label: Promise
    value: Combinable
    falling: bool = False


class OrderedPage(NamedTuple):
    """Rows of a part of a list, where the next one begins (`?after=`), the chosen order, and all of them."""

    rows: list[Any]
    next: int | str
    order: str
    orders: tuple[ListOrder, ...]
    parameter: str = "after"


NAME_ORDERS = (
    ListOrder("name", _("Name, A to Z"), F("name")),
    ListOrder("-name", _("Name, Z to A"), F("name"), falling=True),
)


def page_in_order(
    request: HttpRequest,
    rows: "QuerySet[_T, Any]",
    orders: tuple[ListOrder, ...],
    *,
    handle: str = "slug",
    size: int = PAGE,
) -> OrderedPage:
    """Rows of a list in the order `?order=`, without a known one in the first of `orders`, after the row with the
    handle `?after=`. Rows with the same value follow by handle, so that no row is shown twice or left out.
    """
    order = next((one for one in orders if one.key == request.GET.get("order", "")), orders[0])
    listed = rows.annotate(order_value=order.value)
    last = _find_last_row(request, rows, order, handle)
    if last is not None:
        beyond = "lt" if order.falling else "gt"
        listed = listed.filter(
            Q(**{f"order_value__{beyond}": last[0]}) | Q(**{"order_value": last[0], f"{handle}__gt": last[1]})
        )
    found: list[Any] = list(listed.order_by("-order_value" if order.falling else "order_value", handle)[: size + 1])
    following = getattr(found[size - 1], handle) if len(found) > size else ""
    return OrderedPage(found[:size], following, order.key, orders)


def _find_last_row(
    request: HttpRequest, rows: "QuerySet[_T, Any]", order: ListOrder, handle: str
) -> tuple[Any, Any] | None:
    """Value and handle of the row that `?after=` names; it may have left the list since its page was shown."""
    after: int | str = request.GET.get("after", "")
    if handle == "pk":
        after = read_row_number(str(after))
    if not after:
        return None
    known = rows.model._default_manager.annotate(order_value=order.value).filter(**{handle: after})
    return known.values_list("order_value", handle).first()


def page_by_name(request: HttpRequest, rows: "QuerySet[_T, Any]") -> OrderedPage:
    """Rows of a list of named things by name, or from Z to A, after the one with the handle `?after=HANDLE`."""
    return page_in_order(request, rows, NAME_ORDERS)


def form_fields(request: HttpRequest, names: Iterable[str]) -> dict[str, str]:
    """Named fields of a form, as text, "" for those that are not there; the others are not read."""
    return {name: str(request.POST.get(name, "")) for name in names}
