"""Who had a hand in an escape, whoever pushed it too; where that cannot be learnt, more people have to look at it.

Of three who reviewed it two others are left even if one of them pushed it, and one with the security role is among
them, who says by that that they found out who it was.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from muniment.access.roles import Role
from muniment.errors import ForgeError
from muniment.facts import moments as times
from muniment.facts.change import Because
from muniment.facts.maybe import Known, Maybe
from muniment.facts.people import Machine
from muniment.facts.people import Person as KnownPerson
from muniment.forges.accounts import Accounts
from muniment.forges.forge import Forge
from muniment.forges.pushed import movers
from muniment.forges.shapes import Account
from muniment.forges.shapes import Change as ForgeChange
from muniment.git.history import read as read_commits
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.connections.models import Arrival, Connected
from muniment.server.connections.reaching import repo_of, where
from muniment.server.people.messages import holding
from muniment.workflows.sources import Rules

ENOUGH = 2  # others who have to review an escape
_HANDS = frozenset({Because.AUTHOR, Because.CO_AUTHOR, Because.SIGNER, Because.ASKED})
_DAYS = 30  # for which pushes are looked through

Who = tuple[Maybe[Account], ...]


class Hands(Struct, frozen=True):
    """Who had a hand in a step: people by id, and how many nobody knows; whether whoever pushed it is among them."""

    people: tuple[str, ...] = ()
    strangers: int = 0
    pusher_known: bool = False


def told(connected: Connected, forge: Forge, ref: str, base: str, commits: list[str]) -> Mapping[str, Who]:
    """Who moved a branch from `base` to each of `commits`, as the forge tells; nobody if it does not.

    An escape is told of all the same: whatever keeps us from learning who pushed it must not hide it.
    """
    since = times.later(moments.now(), days=-_DAYS)
    try:
        return movers(forge.reader.pushes(repo_of(connected), ref, base, since), commits)
    except ForgeError:
        return {}


def hands_of(
    connected: Connected,
    git: Git,
    rules: Rules,
    commits: tuple[str, ...],
    change: ForgeChange | None,
    who: Who,
) -> Hands:
    """Who had a hand in it. Of a machine that pushed it is not known who had it do so."""
    there = where(connected.connection)
    accounts = Accounts(there.name, rules.people, there.domains, numbered=there.numbered)
    found = {
        accounts.address(hand.identity)
        for commit in (read_commits(git, commits) if commits else ())
        for hand in commit.hands
        if hand.because in _HANDS
    }
    if change is not None:
        found.add(accounts.identity(change.opener))
    pushed = {accounts.identity(one.value) for one in who if isinstance(one, Known)}
    known = bool(who) and all(isinstance(one, Known) for one in who)
    machines = [one for one in pushed if isinstance(rules.people.by_identity.get(one), Machine)]
    holders = [rules.people.by_identity.get(identity) for identity in found | pushed]
    people = {holder.id for holder in holders if isinstance(holder, KnownPerson)}
    return Hands(tuple(sorted(people)), sum(holder is None for holder in holders), known and not machines)


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
