"""People who may approve a request, and what it asks permission for."""

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Resource, Why, second
from muniment.access.roles import EVERYWHERE
from muniment.server.people.models import Person, in_force
from muniment.server.requests.models import Request


def may_approve(actor: Actor, request: Request) -> Why:
    """YES if the actor may be the second person of this request, or why not."""
    return second(actor, *about_request(request))


def about_request(request: Request) -> tuple[Action, Resource]:
    """What a request asks permission for: its action, and the resource with its requester."""
    action = Action[request.action.upper().replace("-", "_")]
    return action, Resource(product=product_of(request), asker=request.requester.pk)


def find_approvers(request: Request) -> list[Person]:
    """Everybody who could approve it, if they signed in with a second factor."""
    action, resource = about_request(request)
    people = Person.objects.filter(
        in_force("role_grants__"), active=True, role_grants__role__in=action.rule.second
    ).distinct()
    return [person for person in people if second(assume_second_factor(person), action, resource) is Why.YES]


def assume_second_factor(person: Person) -> Actor:
    """A person, as if they had signed in with a second factor."""
    suspended = person.approvals_suspended
    return Actor(person.pk, active=person.active, grants=person.roles(), second_factor=True, suspended=suspended)


def product_of(request: Request) -> str:
    """The product that a request is about, or EVERYWHERE."""
    return request.product.slug if request.product is not None else EVERYWHERE
