"""Contributors to a bypass, its pusher included; if they are unknown, more people have to review it.

Of three reviewers two others are left even if one of them pushed it, and one with the security role is among them,
who states by the review that they found out who pushed it.
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
from muniment.forges.push_history import find_movers
from muniment.forges.shapes import Account
from muniment.git.history import read_commits as read_commits
from muniment.git.repository import Repository as Git
from muniment.server import moments
from muniment.server.connections.forge_access import locate_forge, require_linked_repository
from muniment.server.connections.models import BranchUpdate, RepositoryLink
from muniment.server.people.messages import find_role_holders
from muniment.server.records import row_checks
from muniment.workflows.rule_sources import Rules

ENOUGH = 2  # others who have to review an escape
_CONTRIBUTOR_ROLES = frozenset(
    {ContributorRole.AUTHOR, ContributorRole.CO_AUTHOR, ContributorRole.SIGNER, ContributorRole.REQUESTER}
)
_DAYS = 30  # for which pushes are looked through

Who = tuple[Maybe[Account], ...]


class BypassContributors(Struct, frozen=True):
    """Contributors to a step: people by id, the number of unknown ones, and whether the pusher is among the known."""

    people: tuple[str, ...] = ()
    strangers: int = 0
    pusher_known: bool = False


def read_branch_movers(
    connected: RepositoryLink, forge: Forge, ref: str, base: str, commits: list[str]
) -> Mapping[str, Who]:
    """Accounts that moved a branch from `base` to each of `commits`, by the forge; none if it does not say.

    A bypass is reported in any case: a failure to find its pusher must not hide it.
    """
    since = times.add_time(moments.current_moment(), days=-_DAYS)
    try:
        return find_movers(forge.reader.list_pushes(require_linked_repository(connected), ref, base, since), commits)
    except ForgeError:
        return {}


def find_bypass_contributors(
    connected: RepositoryLink,
    git: Git,
    rules: Rules,
    commits: tuple[str, ...],
    change: shapes.Change | None,
    who: Who,
) -> BypassContributors:
    """Contributors to a bypass. If a machine pushed it, the person who requested that is unknown."""
    there = locate_forge(connected.connection)
    accounts = Accounts(there.name, rules.people, there.noreply_domains, numbered=there.has_numbered_addresses)
    found = {
        accounts.resolve_address(contributor.identity)
        for commit in (read_commits(git, commits) if commits else ())
        for contributor in commit.contributors
        if contributor.role in _CONTRIBUTOR_ROLES
    }
    if change is not None:
        found.add(accounts.resolve_identity(change.opener))
    pushed = {accounts.resolve_identity(one.value) for one in who if isinstance(one, Known)}
    known = bool(who) and all(isinstance(one, Known) for one in who)
    machines = [one for one in pushed if isinstance(rules.people.by_identity.get(one), Machine)]
    holders = [rules.people.by_identity.get(identity) for identity in found | pushed]
    people = {holder.id for holder in holders if isinstance(holder, KnownPerson)}
    waiting = map(rules.people.by_unconfirmed.get, found | pushed)
    people |= {claimed.id for claimed in waiting if claimed is not None}
    return BypassContributors(tuple(sorted(people)), sum(holder is None for holder in holders), known and not machines)


def count_required_reviews(row: BranchUpdate) -> int:
    """Number of required reviews of a bypass."""
    return ENOUGH if row.pusher_known else ENOUGH + 1


def describe_required_reviews(row: BranchUpdate) -> str:
    """Sentence that says which reviews close a bypass."""
    more = "" if row.pusher_known else ", one of them by a security officer"
    return f"It needs {count_required_reviews(row)} reviews by other people{more}."


def list_counting_reviewers(row: BranchUpdate) -> list[str]:
    """Ids of the persons whose review of a bypass counts: active, no contributors, and with a recorded act."""
    found = list(row.bypass_reviews.filter(reviewer__active=True).exclude(reviewer__in=row.contributors))
    differing = {one.key for one in row_checks.find_instance_problems(found)}
    return [review.reviewer_id for review in found if str(review.pk) not in differing]


def has_enough_reviews(row: BranchUpdate) -> bool:
    """Whether enough others reviewed the bypass to close it."""
    people = list_counting_reviewers(row)
    return (
        not row.unlinked_contributor_count
        and len(people) >= count_required_reviews(row)
        and (row.pusher_known or _has_security_reviewer(row, people))
    )


def _has_security_reviewer(row: BranchUpdate, people: Iterable[str]) -> bool:
    rows: Any = find_role_holders((Role.SECURITY,), row.repository.product)
    return bool(rows.filter(pk__in=people).exists())
