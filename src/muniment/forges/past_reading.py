"""A reading of a change as it was at a past moment, such as its merge: later acts are left out."""

from collections.abc import Collection

from msgspec import structs

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.reviews import is_approving
from muniment.forges.shapes import NOT_READ, Account, Move, Reading, Review

_NOT_DISMISSED = Unknown("it was not dismissed")


def rewind_reading(reading: Reading, moment: str) -> Reading:
    """The reading without reviews, dismissals, review requests and pushes later than `moment`.

    An act in the very moment counts, and so does a dismissal whose moment is unknown: both take approvals away. Checks
    are not part of it: the newest of the reading may be of later (`Reader.list_statuses`). Write access is as it was
    read: forges do not return when an account lost it (`suppose_writers`).
    """
    reviews: Maybe[tuple[Review, ...]] = reading.reviews
    if isinstance(reviews, Known):
        reviews = Known(tuple(_rewind_review(one, moment) for one in reviews.value if one.at <= moment))
    moves: Maybe[tuple[Move, ...]] = reading.moves
    if isinstance(moves, Known):
        moves = Known(tuple(move for move in moves.value if move.at <= moment))
    return structs.replace(reading, reviews=reviews, moves=moves, checks=NOT_READ)


def _rewind_review(review: Review, moment: str) -> Review:
    if review.dismissed and review.dismissed_at > moment:
        review = structs.replace(review, dismissed=False, dismissed_by=_NOT_DISMISSED, dismissed_at="")
    return structs.replace(review, asked_again="") if review.asked_again > moment else review


def suppose_writers(reading: Reading, accounts: Collection[str]) -> Reading:
    """The reading, as if accounts with these ids could still write.

    A forge tells no moment at which an account lost write access, so this may be how it was at a past moment.
    """
    if not isinstance(reading.writers, Known):
        return reading
    return structs.replace(reading, writers=Known({**reading.writers.value, **dict.fromkeys(accounts, True)}))


def has_review_of_deleted_account(reading: Reading) -> bool:
    """Whether an approval stands whose account the forge has deleted since, so that it does not tell whose it was."""
    given = reading.reviews.value if isinstance(reading.reviews, Known) else ()
    return any(is_approving(one) and not one.dismissed and _is_deleted(one.by) for one in given)


def _is_deleted(account: Account) -> bool:
    """GitHub names no account, Gitea one with an id below zero, and GitLab a machine of its own."""
    return account.id in ("", "0") or account.id.startswith("-") or (account.machine and account.login[:5] == "ghost")
