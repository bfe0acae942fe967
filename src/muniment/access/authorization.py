"""authorize(): may this actor perform this action on this resource? The one place of that decision (design, section 5,
rule 2).
"""

from enum import StrEnum

from msgspec import Struct

from muniment.access.actions import COUNTED_AS_SECOND_PERSON, Action, Reach
from muniment.access.roles import EVERYWHERE, Grant


class AccessResult(StrEnum):
    """Result of an access decision: YES, or the reason for a refusal."""

    YES = "yes"
    NOBODY = "not-signed-in"
    INACTIVE = "not-active"
    SCOPE = "token-not-for-this"
    NOT_THEIRS = "not-yours"
    NO_ROLE = "no-role"
    NO_SECOND_FACTOR = "no-second-factor"
    SAME_PERSON = "needs-another-person"
    SUSPENDED = "approvals-suspended"


class Actor(Struct, frozen=True):
    """Person who requests an action. `person` is "" without a sign-in. `second_factor`: this session or token proved
    one.

    `scopes` are the actions that a token is for, None for a person who is signed in: all actions of their roles.
    `pipeline` is the environment (`shop/production`) for which a requesting pipeline is trusted: it is no person.
    `suspended`: the account was recovered lately, perhaps by another person.
    """

    person: str = ""
    active: bool = False
    grants: tuple[Grant, ...] = ()
    second_factor: bool = False
    scopes: frozenset[Action] | None = None
    pipeline: str = ""
    suspended: bool = False


class Resource(Struct, frozen=True):
    """Object of an action: a product by id, "" for the organisation; `owner`, the person it belongs to; `asker`, the
    requester of an act that needs a second person. `environment` as an actor's `pipeline`.
    """

    product: str = EVERYWHERE
    owner: str = ""
    asker: str = ""
    environment: str = ""


ANYBODY = Actor()
ORGANISATION = Resource()


def authorize(actor: Actor, action: Action, resource: Resource) -> AccessResult:
    """Decide whether an actor may perform an action on a resource. Pure, and total: no row means no."""
    rule = action.rule
    if actor.pipeline and rule.reach is Reach.PIPELINE:
        return AccessResult.YES if actor.pipeline == resource.environment else AccessResult.NOT_THEIRS
    if not actor.person:
        return AccessResult.NOBODY
    if not actor.active:
        return AccessResult.INACTIVE
    if actor.scopes is not None and action not in actor.scopes:
        return AccessResult.SCOPE
    if rule.reach is Reach.OWN:
        if resource.owner != actor.person:
            return AccessResult.NOT_THEIRS
    elif not _has_role(actor, action, resource):
        return AccessResult.NO_ROLE
    if actor.suspended and (rule.second or action in COUNTED_AS_SECOND_PERSON):
        return AccessResult.SUSPENDED
    if rule.changes and not actor.second_factor:
        return AccessResult.NO_SECOND_FACTOR
    return AccessResult.YES


def authorize_second_person(actor: Actor, action: Action, resource: Resource) -> AccessResult:
    """Whether the actor may be the second person for the action. Never the requester."""
    rule = action.rule
    if not actor.person:
        return AccessResult.NOBODY
    if not actor.active:
        return AccessResult.INACTIVE
    if actor.scopes is not None:
        return AccessResult.SCOPE
    if not resource.asker or actor.person == resource.asker:
        return AccessResult.SAME_PERSON
    if not any(grant.role in rule.second and _is_applicable(grant, rule.reach, resource) for grant in actor.grants):
        return AccessResult.NO_ROLE
    if actor.suspended:
        return AccessResult.SUSPENDED
    return AccessResult.YES if actor.second_factor else AccessResult.NO_SECOND_FACTOR


def authorize_anywhere(actor: Actor, action: Action) -> AccessResult:
    """YES if there is any resource on which the actor may perform the action: opens a list, which
    `list_permitted_products` then filters.
    """
    why = authorize(actor, action, ORGANISATION)
    return AccessResult.YES if list_permitted_products(actor, action) else why


def list_permitted_products(actor: Actor, action: Action) -> frozenset[str] | None:
    """Ids of the products for which the actor may perform the action, None for all: the filter of lists."""
    if authorize(actor, action, ORGANISATION) is AccessResult.YES:
        return None
    named = frozenset(grant.product for grant in actor.grants)
    return frozenset(one for one in named if authorize(actor, action, Resource(product=one)) is AccessResult.YES)


def _has_role(actor: Actor, action: Action, resource: Resource) -> bool:
    rule = action.rule
    return any(grant.role in rule.roles and _is_applicable(grant, rule.reach, resource) for grant in actor.grants)


def _is_applicable(grant: Grant, reach: Reach, resource: Resource) -> bool:
    """Whether a grant applies to the resource."""
    if grant.product == EVERYWHERE or reach is Reach.ANYWHERE:
        return True
    return reach is Reach.PRODUCT and grant.product == resource.product
