"""Break-glass: two people let one artifact into one environment although it is denied, once, and others hear of it."""

import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.deployments.environments import environment
from muniment.server.deployments.models import Glass
from muniment.server.incidents import kinds
from muniment.server.incidents.acts import open_incident
from muniment.server.people.models import Person

What = dict[str, Any]

LONGEST = 60  # minutes

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def check(what: What) -> None:
    """ValueError for what is no artifact, lasts too long, or says no reason."""
    environment(what["id"], what["environment"])
    if not _DIGEST.fullmatch(what["artifact"]):
        raise ValueError("Name the artifact by its digest: sha256: and 64 digits.")
    if not 1 <= _minutes(what) <= LONGEST:
        raise ValueError(f"It lasts from 1 to {LONGEST} minutes, from the moment that the second person agrees.")
    if not what["reason"].strip():
        raise ValueError("Say what cannot wait, and why: it is reviewed afterwards.")


def do(what: What, asker: str, second: str | None) -> None:
    """It is let through once, from now on for some minutes; the incident to review it afterwards is open at once."""
    place = environment(what["id"], what["environment"])
    people = {person.slug: person for person in Person.objects.filter(slug__in=[asker, second])}
    row = Glass.objects.create(
        environment=place,
        artifact=what["artifact"],
        reason=what["reason"].strip(),
        asker=people[asker],
        second=people[str(second)],
        until=timezone.now() + timedelta(minutes=_minutes(what)),
    )
    told = f"{row.artifact[:19]} is let into {place.name} of {place.product.name} although it is denied"
    subject, link = f"{place.name}:{row.artifact}:{row.pk}", f"/products/{place.product.slug}/environments"
    involved = (asker, str(second))
    open_incident(kinds.BREAK_GLASS, place.product, subject, told, link=link, involved=involved, loud=(Role.OWNER,))


def told_of(what: What) -> str:
    """What it is, in a sentence that begins with a verb."""
    where = f"{what['environment']} of {what['id']}"
    artifact, minutes = what["artifact"][:19], what["minutes"]
    return f"break the glass: let {artifact} into {where} although it is denied, for {minutes} minutes"


def _minutes(what: What) -> int:
    text = str(what["minutes"])
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
