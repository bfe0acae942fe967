"""Template tag for the tabs of a product, which the apps contribute."""

from django import template
from django.http import HttpRequest
from django.template.context import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor
from muniment.server.registration import ProductTab, read_contributions

register = template.Library()


@register.simple_tag(takes_context=True)
def product_tabs(context: Context, product: Product, current: str) -> SafeString:
    """Tabs of a product that the viewer may open. `current` is the name of the address of the tab that is open."""
    request: HttpRequest = context["request"]
    tabs = [
        (reverse(tab.address, args=[product.slug]), tab.text, _count_rows(tab, product), tab.address == current)
        for tab in list_tabs()
        if could_with_second_factor(request, tab.action, product.slug)
    ]
    return SafeString(render_to_string("components/tabs.html", {"name": product.name, "tabs": tabs}))


def list_tabs() -> list[ProductTab]:
    """Tabs of every app, in their order."""
    return sorted((tab for app in read_contributions() for tab in app.product_tabs), key=lambda tab: tab.position)


def _count_rows(tab: ProductTab, product: Product) -> int | None:
    """Number next to the text of a tab; None where there is nothing to count."""
    return (tab.count_rows(product.pk) or None) if tab.count_rows is not None else None
