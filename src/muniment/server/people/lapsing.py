"""A role whose last day is over holds no longer, at once and by itself; here that is recorded, and told, once."""

from django.db import transaction

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.people.messages import holding, tell
from muniment.server.people.models import Grant, Lapse, today
from muniment.server.record.entering import SHELL, act
from muniment.server.work import soon


def note_lapsed() -> None:
    """Record each that is not recorded yet, and have judged again what had counted on it."""
    over = Grant.objects.filter(ended=None, last__lt=today(), lapse=None)
    for grant in over.select_related("person", "product"):
        with transaction.atomic():
            _, new = Lapse.objects.get_or_create(grant=grant)
            if new:
                _note(grant)
                soon("rejudge-all")


def _note(grant: Grant) -> None:
    person, product = grant.person, grant.product
    details = {"step": "its last day is over", "role": grant.role, "last": str(grant.last)}
    details |= {"product": product.slug} if product is not None else {}
    act(SHELL, Action.GRANT_ROLE, f"person:{person.slug}", details)
    where = f" for {product.name}" if product is not None else ""
    told = f"{person.name} is no longer {grant.label}{where}: the last day was {grant.last}."
    tell({person, *holding([Role.ADMIN], None)}, told, f"/people/{person.slug}")
