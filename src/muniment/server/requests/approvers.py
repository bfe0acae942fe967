"""People who may approve a request, and what it asks permission for."""

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, Resource, authorize_second_person
from muniment.access.roles import EVERYWHERE
from muniment.server.people.models import Person, build_in_force_condition
from muniment.server.requests.models import Request


def check_approval(actor: Actor, request: Request) -> AccessResult:
    """YES if the actor may be the second person of this request, or why not."""
    return authorize_second_person(actor, *find_permission(request))


_CONCERNED = frozenset({AccessResult.YES, AccessResult.NO_SECOND_FACTOR, AccessResult.SUSPENDED})


def may_see_request(actor: Actor, request: Request) -> bool:
    """Whether the page of a request shows it to the actor: to both persons, and to whoever could decide on it."""
    if actor.person in (request.requester.pk, request.second_person_id):
        return actor.scopes is None
    return check_approval(actor, request) in _CONCERNED


def find_permission(request: Request) -> tuple[Action, Resource]:
    """Action of a request, and the resource with its requester."""
    action = Action[request.action.upper().replace("-", "_")]
    return action, Resource(product=product_of(request), asker=request.requester.pk)


def find_approvers(request: Request) -> list[Person]:
    """Everybody who could approve a request, if they signed in with a second factor."""
    action, resource = find_permission(request)
    people = Person.objects.filter(
        build_in_force_condition("role_grants__"), active=True, role_grants__role__in=action.rule.second
    ).distinct()
    return [
        person
        for person in people
        if authorize_second_person(assume_second_factor(person), action, resource) is AccessResult.YES
    ]


def assume_second_factor(person: Person) -> Actor:
    """A person, as if they had signed in with a second factor."""
    suspended = person.approvals_suspended
    return Actor(person.pk, active=person.active, grants=person.load_roles(), second_factor=True, suspended=suspended)


def product_of(request: Request) -> str:
    """The product that a request is about, or EVERYWHERE."""
    return request.product.slug if request.product is not None else EVERYWHERE
