"""What a reading of a change allows, by the simplest rule: two others approved, and nobody objects."""

from typing import Any

from muniment.facts.maybe import Known, Unknown
from muniment.forges.shapes import Review, ReviewState


def allows(reading: Any) -> bool:
    """Two others approved this head for this branch, nobody objects, and nothing of that is unknown."""
    moves, retargets, reviews, hands, writers = (
        part.value if isinstance(part, Known) else None
        for part in (reading.moves, reading.retargets, reading.reviews, reading.contributors, reading.writers)
    )
    if moves is None or retargets is None or reviews is None or hands is None or writers is None:
        return False
    who = [move.who for move in moves]
    if any(isinstance(one, Unknown) for one in who) or (retargets and retargets[-1].new != reading.change.target):
        return False
    had = {one.value.id for one in who if isinstance(one, Known)} | {hand.by.id for hand in hands}
    had.add(reading.change.opener.id)
    since = max((retarget.at for retarget in retargets), default="")
    newest: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda review: review.at):
        if writers[review.by.id] and review.by.id not in had and not review.dismissed:
            newest[review.by.id] = review
    if any(review.state is ReviewState.CHANGES_REQUESTED for review in newest.values()):
        return False
    yes = [one for one in newest.values() if one.commit == reading.change.head and not one.asked_again]
    return len([one for one in yes if one.at > since]) >= 2
