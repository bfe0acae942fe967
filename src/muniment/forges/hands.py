"""What a forge knows of who had a hand in a change becomes the facts `commits` and `pushes`.

- A commit's own addresses are read as git has them; a forge's noreply address is the account's whose id it carries.
- The opener, and whoever a forge says applied, resolved or asked, are added to commits. Nobody is ever taken away, but
  the forge itself: its address in a commit that it made and whose signature it verified.
- A commit belongs to the first push that reached it, to whichever branch. One that no known push reached has an unknown
  pusher.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import structs

from muniment.facts.change import Commit, Contributor, ContributorRole, Push, Pushes
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import FORGE, Machine, email_identity
from muniment.forges.accounts import Accounts
from muniment.forges.first_pushes import FirstPush
from muniment.forges.shapes import Account, Change, ForgeCommit, ForgeHand, Move

Beyond = Callable[[Sequence[str], Sequence[str]], frozenset[str]]  # commits that the first reach and the second do not


class Hands:
    """Adds to commits what the forge says of them."""

    def __init__(
        self,
        accounts: Accounts,
        name: str,
        change: Change,
        told: Iterable[ForgeHand],
        own: Iterable[ForgeCommit],
        pushers: Iterable[Account] = (),
        pushed_at: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`name` of the forge's own identity; `told` and `own` are those of the reading.

        `pushers` pushed to the change's branch; `pushed_at` gives the moment at which each commit came there first.
        """
        self._accounts = accounts
        self._pushed_at = pushed_at
        self._at_work = {accounts.identity(one) for one in (change.opener, *pushers)}
        self._forge = f"{FORGE}:{name}"
        self._opener = Contributor(accounts.identity(change.opener), ContributorRole.OPENER)
        self._own = {commit.id: email_identity(commit.committer) for commit in own}
        self._told: dict[str, list[Contributor]] = {}
        self._requests: list[ForgeHand] = []
        for hand in told:
            if hand.asked is not None:
                self._requests += [hand] if self._is_machine(hand.asked) else []
                continue
            self._told.setdefault(hand.commit, []).append(Contributor(accounts.identity(hand.by), hand.because))

    def mapped(self, commit: Commit) -> Commit:
        """The commit with its addresses as the forge understands them, and the hands that it tells of this one."""
        hands = [self._hand(commit.id, hand) for hand in commit.contributors] + self._told.get(commit.id, [])
        by = {hand.identity for hand in hands} | self._at_work if self._requests else set()
        hands += [
            Contributor(self._accounts.identity(request.by), request.because)
            for request in self._requests
            if request.asked is not None and self._is_made_by(request.asked, by) and self._is_later(commit.id, request)
        ]
        return structs.replace(commit, contributors=tuple(dict.fromkeys(hands)))

    def _is_machine(self, asked: Account) -> bool:
        return asked.machine or isinstance(self._accounts.holder(asked), Machine)

    def _is_made_by(self, asked: Account, identities: Collection[str]) -> bool:
        """Whether that machine is one of these, by whichever of its accounts or addresses."""
        holder = self._accounts.holder(asked)
        if holder is None:
            return self._accounts.identity(asked) in identities
        return any(self._accounts.holder_of(identity) is holder for identity in identities)

    def _is_later(self, commit: str, request: ForgeHand) -> bool:
        """Whether a commit was pushed after a request. What nobody knows when it was pushed was not asked for by it."""
        return not request.at or self._pushed_at().get(commit, "") > request.at

    def opened(self, commit: Commit) -> Commit:
        """The same for the newest commit of a change, which bears what is said of all of it."""
        mapped = self.mapped(commit)
        hands = (*mapped.contributors, self._opener, *self._told.get("", ()))
        return structs.replace(mapped, contributors=tuple(dict.fromkeys(hands)))

    def _hand(self, commit: str, hand: Contributor) -> Contributor:
        if hand.role is ContributorRole.COMMITTER and self._own.get(commit) == hand.identity:
            return Contributor(self._forge, hand.role)
        return Contributor(self._accounts.address(hand.identity), hand.role)


def lost(commit: str) -> Commit:
    """An earlier head that nobody has any more: it had somebody's hand in it, and who that was has to be attested."""
    return Commit(commit, "", (), (Contributor("", ContributorRole.AUTHOR),))


def heads_before(moves: Iterable[Move], head: str) -> tuple[str, ...]:
    """Every other commit that the change's branch ever stood at, oldest first."""
    seen = dict.fromkeys(one for move in moves for one in (move.old, move.new) if one and one != head)
    return tuple(seen)


def pushes(
    moves: Sequence[Move],
    commits: Iterable[Commit],
    earlier_heads: tuple[str, ...],
    earlier: tuple[Commit, ...],
    merged: Mapping[str, Maybe[Account]],
    accounts: Accounts,
    reached: Callable[[Move], frozenset[str]],
    elsewhere: Callable[[Collection[str]], Mapping[str, FirstPush]],
) -> Pushes:
    """The fact. `commits` are all that need a pusher; `merged` are those that a merge made, with who merged.

    `reached` gives the commits that a move's new head reaches and the target does not. `elsewhere` gives the first
    pushes of commits over all branches; one that is older than the push to the change's own branch is the first.
    """
    first: dict[str, FirstPush] = {}
    for move in moves:
        for commit in (*move.commits, *sorted(reached(move))):
            first.setdefault(commit, FirstPush(move.who, move.at))
    for commit, who in merged.items():
        first.setdefault(commit, FirstPush(who, ""))
    ids = dict.fromkeys(commit.id for commit in (*commits, *earlier))
    others = elsewhere(ids)
    found = tuple(Push(one, _identity(_pusher(first.get(one), others.get(one)), accounts)) for one in ids)
    return Pushes(preview=False, first_pushes=found, earlier_heads=earlier_heads, earlier_commits=earlier)


_NEVER: Maybe[Account] = Unknown("the forge does not name who pushed it")


def _pusher(own: FirstPush | None, elsewhere: FirstPush | None) -> Maybe[Account]:
    """Who pushed first: to the change's branch (`own`), or to any. What is not known of the former stays so."""
    if own is None:
        return elsewhere.who if elsewhere is not None else _NEVER
    if elsewhere is None or isinstance(own.who, Unknown) or elsewhere.at > own.at:
        return own.who
    return elsewhere.who


def _identity(who: Maybe[Account], accounts: Accounts) -> Maybe[str]:
    return Known(accounts.identity(who.value)) if isinstance(who, Known) else who
