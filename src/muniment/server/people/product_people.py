"""People of a product: everybody with a role for it, or for all products."""

from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.server.guarding.mediation import is_action_allowed, require_action
from muniment.server.page_lists import page_by_name
from muniment.server.people.models import Person, RoleGrant, build_in_force_condition
from muniment.server.products.models import Product
from muniment.server.products.views import find_product_resource


class PersonRoles(NamedTuple):
    """Person with the roles that apply to one product."""

    person: Person
    grants: tuple[RoleGrant, ...]


def find_product_grants(product: int) -> "QuerySet[RoleGrant]":
    """Roles in force that apply to a product: for it alone, or for all products."""
    condition = build_in_force_condition()
    return RoleGrant.objects.filter(condition, Q(product=product) | Q(product=None), person__active=True)


@require_GET
@require_action(Action.SEE_PRODUCT, find_product_resource)
def list_product_people(request: HttpRequest, slug: str) -> HttpResponse:
    """List the people with a role for a product, by name, each with their roles: two queries for a page."""
    found = get_object_or_404(Product, slug=slug)
    grants = find_product_grants(found.pk)
    page = page_by_name(request, Person.objects.filter(pk__in=grants.values("person")))
    listed: dict[str, list[RoleGrant]] = {one.pk: [] for one in page.rows}
    for grant in grants.filter(person__in=list(listed)).order_by("role", "product"):
        listed[grant.person_id].append(grant)
    context = {
        "product": found,
        "page": page,
        "people": [PersonRoles(one, tuple(listed[one.pk])) for one in page.rows],
        "may_see_people": is_action_allowed(request, Action.SEE_PEOPLE),
    }
    return render(request, "people/product_people.html", context)
