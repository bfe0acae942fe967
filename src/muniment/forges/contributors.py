"""Converts a forge's knowledge of contributors to the facts `commits` and `pushes`.

- A commit's own addresses are read as git has them; a forge's noreply address belongs to the account with its id.
- The opener, and accounts that applied a suggestion, resolved a conflict or requested work, are added to commits. No
  contributor is ever removed, except the forge itself: its address in a commit that it made and whose signature it
  verified.
- A commit belongs to the first push that reached it, to any branch. One that no known push reached has an unknown
  pusher.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import structs

from muniment.facts.change import Commit, CommitPusher, Contributor, ContributorRole, Pushes
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import FORGE_ACCOUNT, Machine, email_identity
from muniment.forges.accounts import Accounts
from muniment.forges.first_pushes import FirstPush
from muniment.forges.shapes import Account, Change, ForgeCommit, ForgeContributor, Move


class ContributorMapper:
    """Maps contributors of commits to accounts, and adds those that only the forge knows."""

    def __init__(
        self,
        accounts: Accounts,
        name: str,
        change: Change,
        contributors: Iterable[ForgeContributor],
        own_commits: Iterable[ForgeCommit],
        pushers: Iterable[Account] = (),
        pushed_at: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Contributors that the forge knows, and pushers of the change.

        `name` of the forge's own identity; `contributors` and `own_commits` are those of the reading. `pushers` pushed
        to the change's branch; `pushed_at` returns the moment of the push that first brought each commit.
        """
        self._accounts = accounts
        self._pushed_at = pushed_at
        self._at_work = {accounts.resolve_identity(one) for one in (change.opener, *pushers)}
        self._forge = f"{FORGE_ACCOUNT}:{name}"
        self._opener = Contributor(accounts.resolve_identity(change.opener), ContributorRole.OPENER)
        self._own = {commit.id: email_identity(commit.committer) for commit in own_commits}
        self._by_commit: dict[str, list[Contributor]] = {}
        self._requests: list[ForgeContributor] = []
        for one in contributors:
            if one.asked is not None:
                self._requests += [one] if self._is_machine(one.asked) else []
                continue
            self._by_commit.setdefault(one.commit, []).append(Contributor(accounts.resolve_identity(one.by), one.role))

    def map_commit(self, commit: Commit) -> Commit:
        """The commit with its addresses resolved by the forge, and the contributors that the forge adds to it."""
        found = [self._map_contributor(commit.id, one) for one in commit.contributors] + self._by_commit.get(
            commit.id, []
        )
        by = {one.identity for one in found} | self._at_work if self._requests else set()
        found += [
            Contributor(self._accounts.resolve_identity(request.by), request.role)
            for request in self._requests
            if request.asked is not None and self._is_made_by(request.asked, by) and self._is_later(commit.id, request)
        ]
        return structs.replace(commit, contributors=tuple(dict.fromkeys(found)))

    def _is_machine(self, account: Account) -> bool:
        return account.machine or isinstance(self._accounts.find_account_owner(account), Machine)

    def _is_made_by(self, machine: Account, identities: Collection[str]) -> bool:
        """Whether that machine is one of these identities, by any of its accounts or addresses."""
        holder = self._accounts.find_account_owner(machine)
        if holder is None:
            return self._accounts.resolve_identity(machine) in identities
        return any(self._accounts.find_identity_owner(identity) is holder for identity in identities)

    def _is_later(self, commit: str, request: ForgeContributor) -> bool:
        """Whether a commit was pushed after a request. A commit with an unknown push was not requested by it."""
        return not request.at or self._pushed_at().get(commit, "") > request.at

    def map_head_commit(self, commit: Commit) -> Commit:
        """The newest commit of a change, with the contributors to the change as a whole added."""
        mapped = self.map_commit(commit)
        found = (*mapped.contributors, self._opener, *self._by_commit.get("", ()))
        return structs.replace(mapped, contributors=tuple(dict.fromkeys(found)))

    def _map_contributor(self, commit: str, contributor: Contributor) -> Contributor:
        if contributor.role is ContributorRole.COMMITTER and self._own.get(commit) == contributor.identity:
            return Contributor(self._forge, contributor.role)
        return Contributor(self._accounts.resolve_address(contributor.identity), contributor.role)


def make_lost_commit(commit: str) -> Commit:
    """An earlier head that no longer exists: its contributor is unknown and has to be attested."""
    return Commit(commit, "", (), (Contributor("", ContributorRole.AUTHOR),))


def list_earlier_heads(moves: Iterable[Move], head: str) -> tuple[str, ...]:
    """Every other commit at which the change's branch ever stood, oldest first."""
    seen = dict.fromkeys(one for move in moves for one in (move.old, move.new) if one and one != head)
    return tuple(seen)


def make_pushes(
    moves: Sequence[Move],
    commits: Iterable[Commit],
    earlier_heads: tuple[str, ...],
    earlier: tuple[Commit, ...],
    merge_commits: Mapping[str, Maybe[Account]],
    accounts: Accounts,
    find_reached: Callable[[Move], frozenset[str]],
    find_elsewhere: Callable[[Collection[str]], Mapping[str, FirstPush]],
) -> Pushes:
    """The fact `pushes`.

    `commits` need a pusher; `merge_commits` were made by a merge, each with the account that merged. `find_reached`
    returns the commits that a move's new head reaches and the target does not. `find_elsewhere` returns the first
    pushes of commits over all branches; one that is older than the push to the change's own branch is the first.
    """
    first: dict[str, FirstPush] = {}
    for move in moves:
        for commit in (*move.commits, *sorted(find_reached(move))):
            first.setdefault(commit, FirstPush(move.who, move.at))
    for commit, who in merge_commits.items():
        first.setdefault(commit, FirstPush(who, ""))
    ids = dict.fromkeys(commit.id for commit in (*commits, *earlier))
    others = find_elsewhere(ids)
    found = tuple(
        CommitPusher(one, _resolve_pusher(_select_pusher(first.get(one), others.get(one)), accounts)) for one in ids
    )
    return Pushes(preview=False, first_pushes=found, earlier_heads=earlier_heads, earlier_commits=earlier)


_UNKNOWN_PUSHER: Maybe[Account] = Unknown("the forge does not name who pushed it")


def _select_pusher(own_push: FirstPush | None, elsewhere_push: FirstPush | None) -> Maybe[Account]:
    """Account that pushed first: to the change's branch (`own_push`), or to any.

    An unknown pusher of the former stays so.
    """
    if own_push is None:
        return elsewhere_push.who if elsewhere_push is not None else _UNKNOWN_PUSHER
    if elsewhere_push is None or isinstance(own_push.who, Unknown) or elsewhere_push.at > own_push.at:
        return own_push.who
    return elsewhere_push.who


def _resolve_pusher(pusher: Maybe[Account], accounts: Accounts) -> Maybe[str]:
    return Known(accounts.resolve_identity(pusher.value)) if isinstance(pusher, Known) else pusher
