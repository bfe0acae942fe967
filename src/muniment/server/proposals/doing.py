"""Does what a person asks for, at once or, if it is dangerous, once a second person agrees. Each step is recorded.

What an act does stands in `registry.py`, by action. Nothing else may carry one out.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Resource, Why, authorize, second
from muniment.access.roles import EVERYWHERE
from muniment.server.guarding.mediation import allowing
from muniment.server.people.messages import tell
from muniment.server.people.models import Person, held
from muniment.server.products.models import Product
from muniment.server.proposals import bootstrap
from muniment.server.proposals.models import Proposal
from muniment.server.proposals.registry import ACTS, KEPT
from muniment.server.record.entering import act, code


def ask(
    actor: Actor, action: Action, what: dict[str, Any], told: str, reason: str = "", product: str = ""
) -> Proposal | None:
    """Do it now (None), or have it wait for a second person. `told` says in one sentence what it is.

    Raises PermissionDenied unless authorize() says yes; ValueError, with a sentence, for what cannot be done.
    """
    resource = Resource(product=product)
    if authorize(actor, action, resource) is not Why.YES:
        raise PermissionDenied
    doing = ACTS[action]
    doing.check(what)
    alone = bool(action.rule.second) and bootstrap.alone(actor, action)
    with allowing(action):
        if action.rule.second and not alone:
            _once(action, what, product)
            digest = _record(actor, action, "asked", what, told, reason, resource)
            proposal = Proposal.objects.create(
                action=code(action),
                product=Product.objects.get(slug=product) if product != EVERYWHERE else None,
                what={**what, "asked": digest},
                told=told,
                reason=reason,
                asker=Person.objects.get(slug=actor.person),
            )
            tell(_others(proposal), f"{proposal.asker.name} asks to {told}.", "/")
            return proposal
        digest = _record(actor, action, "done", what, told, reason, resource, alone=alone)
        doing.do({**what, "done": digest}, actor.person, None if not alone else "")
        bootstrap.note()
    return None


def agree(actor: Actor, proposal: Proposal) -> None:
    """Do what another asked for. Raises PermissionDenied unless the actor may be the second; ValueError as `ask`."""
    action, resource = _about(proposal)
    if second(actor, action, resource) is not Why.YES:
        raise PermissionDenied
    locked = Proposal.objects.select_for_update().get(pk=proposal.pk)
    if locked.state != Proposal.State.WAITING or not locked.asker.active:
        raise ValueError(_("It no longer waits."))
    doing = ACTS[action]
    doing.check(locked.what)
    with allowing(action):
        digest = _record(actor, action, "agreed", locked.what, locked.told, locked.reason, resource)
        doing.do({**locked.what, "done": digest}, locked.asker.slug, actor.person)
        _end(locked, Proposal.State.DONE, actor)
        tell([locked.asker], f"It was agreed to: {locked.told}.", "/me")
        bootstrap.note()


def refuse(actor: Actor, proposal: Proposal, reason: str) -> None:
    """Not do it: whoever may agree may refuse, and the asker may take it back."""
    action, resource = _about(proposal)
    own = proposal.asker.slug == actor.person
    if not own and second(actor, action, resource) is not Why.YES:
        raise PermissionDenied
    locked = Proposal.objects.select_for_update().get(pk=proposal.pk)
    if locked.state != Proposal.State.WAITING:
        raise ValueError(_("It no longer waits."))
    with allowing(action):
        word = "withdrew" if own else "refused"
        _record(actor, action, word, locked.what, locked.told, reason, resource)
        _end(locked, Proposal.State.WITHDRAWN if own else Proposal.State.REFUSED, actor)
        if not own:
            tell([locked.asker], f"It was refused: {locked.told}. {reason}".strip(), "/me")


def why_not(actor: Actor, proposal: Proposal) -> Why:
    """YES if they may be the second person, or why not."""
    return second(actor, *_about(proposal))


def _once(action: Action, what: dict[str, Any], product: str) -> None:
    """ValueError if the same waits already: once it is done, the other could only be refused."""
    waiting = Proposal.objects.filter(state=Proposal.State.WAITING, action=code(action), what__contains=what)
    for row in waiting.filter(product__slug=product or None).select_related("asker"):
        if {name: value for name, value in row.what.items() if name != "asked"} == what:
            told = _("%(name)s has asked for that already: it waits for a second person.")
            raise ValueError(told % {"name": row.asker.name})


def _others(proposal: Proposal) -> list[Person]:
    """Everybody who could agree."""
    action, resource = _about(proposal)
    people = Person.objects.filter(held("grants__"), active=True, grants__role__in=action.rule.second).distinct()
    actors = ((person, Actor(person.slug, active=True, grants=person.roles(), second_factor=True)) for person in people)
    return [person for person, actor in actors if second(actor, action, resource) is Why.YES]


def _about(proposal: Proposal) -> tuple[Action, Resource]:
    action = Action[proposal.action.upper().replace("-", "_")]
    product = proposal.product.slug if proposal.product is not None else EVERYWHERE
    return action, Resource(product=product, asker=proposal.asker.slug)


def _end(proposal: Proposal, state: Proposal.State, actor: Actor) -> None:
    proposal.state, proposal.decided, proposal.what = state, timezone.now(), {}
    proposal.second = Person.objects.get(slug=actor.person)
    proposal.save(update_fields=["state", "decided", "second", "what"])


def _record(
    actor: Actor,
    action: Action,
    step: str,
    what: dict[str, Any],
    told: str,
    reason: str,
    about: Resource,
    *,
    alone: bool = False,
) -> str:
    details = {"step": step, "told": told, "reason": reason}
    details |= {name: str(value) for name, value in what.items() if name in KEPT}
    return act(actor, action, f"{ACTS[action].kind}:{what.get('id', '')}", details, about=about, alone=alone)
