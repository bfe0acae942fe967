"""Pages that describe a product with its repositories, or add many products from a file."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from muniment.access.actions import Action
from muniment.errors import ActInputError, ParseError, RefusedError
from muniment.server.acts.submission import submit_act
from muniment.server.changes.repository_acts import (
    AddRepository,
    AddServerHookLog,
    CorrectRepository,
)
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor, require_action
from muniment.server.pages.product_import import import_products, read_product_file
from muniment.server.products.product_acts import ChangeProduct
from muniment.server.products.views import find_product_resource


@require_POST
@require_action(Action.ADD_PRODUCT)
def import_product_file(request: HttpRequest) -> HttpResponse:
    """Add the products of a file, all of them or none."""
    file = request.FILES.get("file")
    if file is None:
        messages.error(request, _("Choose a file."))
        return redirect("products")
    try:
        with transaction.atomic():
            import_products(current_actor(request), read_product_file(file.name or "", file.read()))
    except (ParseError, ActInputError, RefusedError) as error:
        messages.error(request, format_error_text(error))
    else:
        messages.success(request, _("All products of the file are here."))
    return redirect("products")


_PARTS = (ChangeProduct, AddRepository, CorrectRepository, AddServerHookLog)


@require_POST
@require_action(Action.CHANGE_PRODUCT, find_product_resource)
def change_product(request: HttpRequest, slug: str) -> HttpResponse:
    """Describe a product, add or correct a repository, or have the log of a server hook read."""
    return submit_act(request, _PARTS, {"product": slug}, _("Done."), "product-settings", slug)
