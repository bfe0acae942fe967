"""The reviews that stand, of a hundred pull requests by one question of GraphQL, and who of their authors may write."""

from collections.abc import Sequence
from typing import Any

import msgspec

from muniment.forges.github import parts, queries
from muniment.forges.github.client import Hub
from muniment.forges.github.wire import Part, Reviewed
from muniment.forges.shapes import StandingReviews

AT_ONCE = 100  # pull requests in one question, each with as many reviews: a hundredth of the nodes that GitHub allows


def reviews(hub: Hub, path: str, numbers: Sequence[int]) -> dict[int, StandingReviews]:
    """By number; without those that GitHub refuses, does not have, or does not tell wholly. Raises ForgeError."""
    owner, _, name = path.partition("/")
    found: dict[int, StandingReviews] = {}
    for start in range(0, len(numbers), AT_ONCE):
        batch = numbers[start : start + AT_ONCE]
        told = hub.query(queries.reviews(batch), owner=owner, name=name).data.get("repository")
        for number in batch:
            whole = _whole(told.get(f"p{number}") if isinstance(told, dict) else None)
            if whole is not None:
                found[number] = whole
    return found


def _whole(pull: Any) -> StandingReviews | None:
    """What is told of one; None unless all of it is, with the commit of each review."""
    try:
        page = msgspec.convert(pull["reviews"], Part[Reviewed])
    except (msgspec.ValidationError, KeyError, TypeError):
        return None
    bound = [
        (str(one.full_database_id), parts.SAID[one.state].value, one.commit.oid) for one in page.nodes if one.commit
    ]
    if len(bound) != page.total_count:
        return None
    return StandingReviews(tuple(sorted(bound)), parts.writers(page.nodes))
