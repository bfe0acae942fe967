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
from muniment.facts.change import ContributorRole
from muniment.facts.maybe import Known, Maybe
from muniment.facts.people import Machine
from muniment.facts.people import Person as KnownPerson
from muniment.forges import shapes
from muniment.forges.accounts import Accounts
from muniment.forges.forge import Forge
from muniment.forges.pushed import movers
from muniment.forges.shapes import Account
from muniment.git.history import read as read_commits
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.connections.models import BranchUpdate, RepositoryLink
from muniment.server.connections.reaching import repo_of, where
from muniment.server.people.messages import holding
from muniment.server.records import row_checks
from muniment.workflows.sources import Rules

ENOUGH = 2  # others who have to review an escape
_HANDS = frozenset(
    {ContributorRole.AUTHOR, ContributorRole.CO_AUTHOR, ContributorRole.SIGNER, ContributorRole.REQUESTER}
)
_DAYS = 30  # for which pushes are looked through

Who = tuple[Maybe[Account], ...]


class Hands(Struct, frozen=True):
    """Who had a hand in a step: people by id, and how many nobody knows; whether whoever pushed it is among them."""

    people: tuple[str, ...] = ()
    strangers: int = 0
    pusher_known: bool = False


def told(connected: RepositoryLink, forge: Forge, ref: str, base: str, commits: list[str]) -> Mapping[str, Who]:
    """Who moved a branch from `base` to each of `commits`, as the forge tells; nobody if it does not.

    An escape is told of all the same: whatever keeps us from learning who pushed it must not hide it.
    """
    since = times.later(moments.now(), days=-_DAYS)
    try:
        return movers(forge.reader.pushes(repo_of(connected), ref, base, since), commits)
    except ForgeError:
        return {}


def hands_of(
    connected: RepositoryLink,
    git: Git,
    rules: Rules,
    commits: tuple[str, ...],
    change: shapes.Change | None,
    who: Who,
) -> Hands:
    """Who had a hand in it. Of a machine that pushed it is not known who had it do so."""
    there = where(connected.connection)
    accounts = Accounts(there.name, rules.people, there.domains, numbered=there.numbered)
    found = {
        accounts.address(hand.identity)
        for commit in (read_commits(git, commits) if commits else ())
        for hand in commit.contributors
        if hand.role in _HANDS
    }
    if change is not None:
        found.add(accounts.identity(change.opener))
    pushed = {accounts.identity(one.value) for one in who if isinstance(one, Known)}
    known = bool(who) and all(isinstance(one, Known) for one in who)
    machines = [one for one in pushed if isinstance(rules.people.by_identity.get(one), Machine)]
    holders = [rules.people.by_identity.get(identity) for identity in found | pushed]
    people = {holder.id for holder in holders if isinstance(holder, KnownPerson)}
    waiting = map(rules.people.by_unconfirmed.get, found | pushed)
    people |= {claimed.id for claimed in waiting if claimed is not None}
    return Hands(tuple(sorted(people)), sum(holder is None for holder in holders), known and not machines)


def needed(row: BranchUpdate) -> int:
    """How many have to review an escape."""
    return ENOUGH if row.pusher_known else ENOUGH + 1


def counted(row: BranchUpdate) -> list[str]:
    """Ids of those whose review of an escape counts: who is active, had no hand in it, and did it on the record."""
    found = list(row.bypass_reviews.filter(reviewer__active=True).exclude(reviewer__in=row.contributors))
    differing = {one.key for one in row_checks.find_instance_problems(found)}
    return [review.reviewer_id for review in found if str(review.pk) not in differing]


def enough(row: BranchUpdate) -> bool:
    """Whether it may stay."""
    people = counted(row)
    return (
        not row.unlinked_contributor_count
        and len(people) >= needed(row)
        and (row.pusher_known or _secures(row, people))
    )


def _secures(row: BranchUpdate, people: Iterable[str]) -> bool:
    rows: Any = holding((Role.SECURITY,), row.repository.product)
    return bool(rows.filter(pk__in=people).exists())
