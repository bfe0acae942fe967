"""authorize(): may this actor do this, to this? The one place where that is answered (design, section 5, rule 2)."""

from enum import StrEnum

from msgspec import Struct

from muniment.access.actions import COUNTED_AS_ANOTHER, Action, Reach
from muniment.access.roles import EVERYWHERE, Grant


class Why(StrEnum):
    """Why not. `YES` is the one that is not a no."""

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

    `scopes` are the actions that a token is for, None for a person who is signed in: they may do all that their
    roles give. `pipeline` is the environment (`shop/production`) where a pipeline that asks is trusted: it is nobody.
    `suspended`: the account was recovered lately, and whoever recovered it may be somebody else.
    """

    person: str = ""
    active: bool = False
    grants: tuple[Grant, ...] = ()
    second_factor: bool = False
    scopes: frozenset[Action] | None = None
    pipeline: str = ""
    suspended: bool = False


class Resource(Struct, frozen=True):
    """Object of an action: a product by id, "" if the organisation; `owner`, whose own it is; `asker`, who asked first
    for what takes a second person. `environment` as an actor's `pipeline`.
    """

    product: str = EVERYWHERE
    owner: str = ""
    asker: str = ""
    environment: str = ""


ANYBODY = Actor()
ORGANISATION = Resource()


def authorize(actor: Actor, action: Action, resource: Resource) -> Why:
    """YES, or why not. Pure, and total: what no row says is a no."""
    rule = action.rule
    if actor.pipeline and rule.reach is Reach.PIPELINE:
        return Why.YES if actor.pipeline == resource.environment else Why.NOT_THEIRS
    if not actor.person:
        return Why.NOBODY
    if not actor.active:
        return Why.INACTIVE
    if actor.scopes is not None and action not in actor.scopes:
        return Why.SCOPE
    if rule.reach is Reach.OWN:
        if resource.owner != actor.person:
            return Why.NOT_THEIRS
    elif not _has_role(actor, action, resource):
        return Why.NO_ROLE
    if actor.suspended and (rule.second or action in COUNTED_AS_ANOTHER):
        return Why.SUSPENDED
    if rule.changes and not actor.second_factor:
        return Why.NO_SECOND_FACTOR
    return Why.YES


def second(actor: Actor, action: Action, resource: Resource) -> Why:
    """Whether the actor may be the second person for the action. Never the requester."""
    rule = action.rule
    if not actor.person:
        return Why.NOBODY
    if not actor.active:
        return Why.INACTIVE
    if actor.scopes is not None:
        return Why.SCOPE
    if not resource.asker or actor.person == resource.asker:
        return Why.SAME_PERSON
    if not any(grant.role in rule.second and _counts(grant, rule.reach, resource) for grant in actor.grants):
        return Why.NO_ROLE
    if actor.suspended:
        return Why.SUSPENDED
    return Why.YES if actor.second_factor else Why.NO_SECOND_FACTOR


def somewhere(actor: Actor, action: Action) -> Why:
    """YES if there is anything that the actor may do this to: what opens a list, which `products` then filters."""
    why = authorize(actor, action, ORGANISATION)
    return Why.YES if products(actor, action) else why


def products(actor: Actor, action: Action) -> frozenset[str] | None:
    """Ids of the products for which the actor may do this, None for all: what lists are filtered by."""
    if authorize(actor, action, ORGANISATION) is Why.YES:
        return None
    named = frozenset(grant.product for grant in actor.grants)
    return frozenset(one for one in named if authorize(actor, action, Resource(product=one)) is Why.YES)


def _has_role(actor: Actor, action: Action, resource: Resource) -> bool:
    rule = action.rule
    return any(grant.role in rule.roles and _counts(grant, rule.reach, resource) for grant in actor.grants)


def _counts(grant: Grant, reach: Reach, resource: Resource) -> bool:
    """Whether a grant applies to the resource."""
    if grant.product == EVERYWHERE or reach is Reach.ANYWHERE:
        return True
    return reach is Reach.PRODUCT and grant.product == resource.product
