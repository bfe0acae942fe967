"""What a forge knows of who had a hand in a change becomes the facts `commits` and `pushes`.

- A commit's own addresses are read as git has them; a forge's noreply address is the account's whose id it carries.
- The opener, and whoever a forge says applied, resolved or asked, are added to commits. Nobody is ever taken away, but
  the forge itself: its address in a commit that it made and whose signature it verified.
- A commit belongs to the first push that reached it. One that no known push reached has an unknown pusher.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import structs

from muniment.facts.change import Because, Commit, Hand, Push, Pushes
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import FORGE, email_identity
from muniment.forges.accounts import Accounts
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
    ) -> None:
        """`name` of the forge's own identity; `told` and `own` are those of the reading."""
        self._accounts = accounts
        self._forge = f"{FORGE}:{name}"
        self._opener = Hand(accounts.identity(change.opener), Because.OPENER)
        self._own = {commit.id: email_identity(commit.committer) for commit in own}
        self._told: dict[str, list[Hand]] = {}
        for hand in told:
            self._told.setdefault(hand.commit, []).append(Hand(accounts.identity(hand.by), hand.because))

    def mapped(self, commit: Commit) -> Commit:
        """The commit with its addresses as the forge understands them, and the hands that it tells of this one."""
        hands = [self._hand(commit.id, hand) for hand in commit.hands] + self._told.get(commit.id, [])
        return structs.replace(commit, hands=tuple(dict.fromkeys(hands)))

    def opened(self, commit: Commit) -> Commit:
        """The same for the newest commit of a change, which bears what is said of all of it."""
        mapped = self.mapped(commit)
        hands = (*mapped.hands, self._opener, *self._told.get("", ()))
        return structs.replace(mapped, hands=tuple(dict.fromkeys(hands)))

    def _hand(self, commit: str, hand: Hand) -> Hand:
        if hand.because is Because.COMMITTER and self._own.get(commit) == hand.identity:
            return Hand(self._forge, hand.because)
        return Hand(self._accounts.address(hand.identity), hand.because)


def lost(commit: str) -> Commit:
    """An earlier head that nobody has any more: it had somebody's hand in it, and who that was has to be attested."""
    return Commit(commit, "", (), (Hand("", Because.AUTHOR),))


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
) -> Pushes:
    """The fact. `commits` are all that need a pusher; `merged` are those that a merge made, with who merged.

    `reached` gives the commits that a move's new head reaches and the target does not.
    """
    first: dict[str, Maybe[Account]] = {}
    for move in moves:
        for commit in (*move.commits, *sorted(reached(move))):
            first.setdefault(commit, move.who)
    for commit, who in merged.items():
        first.setdefault(commit, who)
    ids = dict.fromkeys(commit.id for commit in (*commits, *earlier))
    found = tuple(Push(one, _identity(first.get(one, _NEVER), accounts)) for one in ids)
    return Pushes(preview=False, first=found, earlier_heads=earlier_heads, earlier=earlier)


_NEVER = Unknown("the forge does not tell who pushed it")


def _identity(who: Maybe[Account], accounts: Accounts) -> Maybe[str]:
    return Known(accounts.identity(who.value)) if isinstance(who, Known) else who
