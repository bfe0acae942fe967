"""Who pushed an escape is one of its hands; where that cannot be learnt, more people have to look at it.

Of three who reviewed it two others are left even if one of them pushed it, and one with the security role is among
them, who says by that that they found out who it was.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from muniment.access.roles import Role
from muniment.errors import ForgeError
from muniment.facts import moments as times
from muniment.facts.maybe import Known, Maybe
from muniment.forges.forge import Forge
from muniment.forges.pushed import movers
from muniment.forges.shapes import Account
from muniment.server import moments
from muniment.server.connections.models import Arrival, Connected
from muniment.server.connections.reaching import repo_of
from muniment.server.people.messages import holding

ENOUGH = 2  # others who have to review an escape
_DAYS = 30  # for which pushes are looked through

Who = tuple[Maybe[Account], ...]


def told(connected: Connected, forge: Forge, ref: str, base: str, commits: list[str]) -> Mapping[str, Who]:
    """Who moved a branch from `base` to each of `commits`, as the forge tells; nobody if it does not.

    An escape is told of all the same: whatever keeps us from learning who pushed it must not hide it.
    """
    since = times.later(moments.now(), days=-_DAYS)
    try:
        return movers(forge.reader.pushes(repo_of(connected), ref, base, since), commits)
    except ForgeError:
        return {}


def accounts(who: Who) -> list[Account]:
    """Those that are known."""
    return [one.value for one in who if isinstance(one, Known)]


def needed(row: Arrival) -> int:
    """How many have to review an escape."""
    return ENOUGH if row.pusher_known else ENOUGH + 1


def counted(row: Arrival) -> list[str]:
    """Ids of those whose review of an escape counts: who is active, and had no hand in it."""
    found = row.reviews.filter(person__active=True).exclude(person__slug__in=row.hands)
    return list(found.values_list("person__slug", flat=True))


def enough(row: Arrival) -> bool:
    """Whether it may stay."""
    people = counted(row)
    return not row.strangers and len(people) >= needed(row) and (row.pusher_known or _secures(row, people))


def _secures(row: Arrival, people: Iterable[str]) -> bool:
    rows: Any = holding((Role.SECURITY,), row.repository.product)
    return bool(rows.filter(slug__in=people).exists())
