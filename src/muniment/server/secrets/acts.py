"""What people do with secrets. A value passes through here once, to the vault, and is nowhere kept or told.

The record is written first, in the transaction of the act; the vault last, before it ends. If the vault refuses,
nothing was done and nothing stands in the record.
"""

import secrets
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Resource, Why, authorize
from muniment.errors import VaultError
from muniment.server.guarding.mediation import allowing
from muniment.server.people.models import Person
from muniment.server.products.models import Environment
from muniment.server.record.entering import SHELL, act
from muniment.server.secrets.access import session, told
from muniment.server.secrets.models import Secret
from muniment.vault import forms, layout

What = dict[str, Any]

LONGEST = 64 * 1024  # characters
_GENERATED_BYTES = 32


def environment(product: str, name: str) -> Environment:
    """One that is in use. ValueError for one that is not there."""
    rows = Environment.objects.filter(product__slug=product, name=name, ended=None, product__retired=None)
    found = rows.select_related("product").first()
    if found is None:
        raise ValueError("There is no such environment.")
    return found


def put(
    actor: Actor,
    product: str,
    where: str,
    name: str,
    value: str | None,
    *,
    there: bool | None = None,
    public: bool = False,
) -> None:
    """Set a secret, or replace it; None for the value has one made that nobody sees.

    `there` says whether it has to be there already, `public` that it hides nothing. Raises PermissionDenied unless
    authorize() says yes; ValueError, with a sentence, for what cannot be done.
    """
    about = Resource(product=product)
    if authorize(actor, Action.SET_SECRET, about) is not Why.YES:
        raise PermissionDenied
    place = environment(product, where)
    row = _row(place, layout.secret_name(name), there)
    with allowing(Action.SET_SECRET):
        step = f"{'replaced' if row.pk else 'set'}, {'typed' if value is not None else 'generated'}"
        act(actor, Action.SET_SECRET, f"secret:{product}/{where}/{name}", {"step": step}, about=about)
        row.by, row.changed = Person.objects.get(slug=actor.person), timezone.now()
        row.generated, row.public = value is None, public
        row.save()
        _write(place, name, _checked(value, public) if value is not None else secrets.token_urlsafe(_GENERATED_BYTES))


def check_remove(what: What) -> None:
    """ValueError for a secret that is not there."""
    _row(environment(what["id"], what["environment"]), what["name"], there=True)


def remove(what: What, asker: str, second: str | None) -> None:
    """It is gone, from the vault too."""
    place = environment(what["id"], what["environment"])
    _row(place, what["name"], there=True).delete()
    _write(place, what["name"], None)


def applied(paths: list[str]) -> None:
    """Record, before it is done, what somebody on the machine changes in the vault with a credential of their own."""
    details = {"step": "the vault is changed by a person", "paths": " ".join(paths)[:2000]}
    act(SHELL, Action.CHANGE_SETTINGS, "vault:muniment", details)


def _row(place: Environment, name: str, there: bool | None) -> Secret:
    """The row of a name, locked; a new one that is not saved if there is none."""
    found = Secret.objects.select_for_update().filter(environment=place, name=name).first()
    if there is True and found is None:
        raise ValueError(f"There is no secret {name} there.")
    if there is False and found is not None:
        raise ValueError(f"There is a secret {name} there already: rotate it instead.")
    return found or Secret(environment=place, name=name)


def _checked(value: str, public: bool) -> str:
    if not public and forms.length(value) < forms.SHORTEST:
        raise ValueError(
            f"What is shorter than {forms.SHORTEST} characters cannot be masked, and is soon guessed: take a longer "
            "one, or say that it is public."
        )
    if not value or len(value) > LONGEST or "\x00" in value:
        raise ValueError(f"A secret has between 1 and {LONGEST} characters, none of them NUL.")
    return value


def _write(place: Environment, name: str, value: str | None) -> None:
    try:
        session().patch(place.product.slug, place.name, {name: value})
    except VaultError as error:
        raise told(error) from None  # its frames hold the value
