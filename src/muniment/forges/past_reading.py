"""A reading of a change as it was at a past moment, such as its merge: later acts are left out."""

from msgspec import structs

from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.forges.shapes import NOT_READ, Move, Reading, Review

_NOT_DISMISSED = Unknown("it was not dismissed")


def rewind_reading(reading: Reading, moment: str) -> Reading:
    """The reading without reviews, dismissals, review requests and pushes later than `moment`.

    An act in the very moment counts, and so does a dismissal whose moment is unknown: both take approvals away. Checks
    are not part of it: the newest of the reading may be of later (`Reader.list_statuses`). Write access is as it was
    read: forges do not return when an account lost it.
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
