"""Page of Django itself, as a measure for ours: one query, a table of 50 rows, no more."""

from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.urls import path

from muniment.server.products.models import Product

_TEMPLATE = Engine().from_string(
    "<!doctype html><title>Bare</title><table>{% for row in rows %}<tr><th>{{ row.name }}</th><td>{{ row.slug }}</td>"
    "<td>{{ row.created_at|date:'c' }}</td><td>{% if row.retired_at %}retired{% endif %}</td></tr>{% endfor %}</table>"
)


def show_bare_page(request: HttpRequest) -> HttpResponse:
    """Show a page with 50 products, without our middleware and templates."""
    request.session.get("nobody")
    return HttpResponse(_TEMPLATE.render(Context({"rows": Product.objects.order_by("pk")[:50]})))


urlpatterns = [path("bare", show_bare_page)]
