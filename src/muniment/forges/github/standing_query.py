"""Standing reviews of a hundred pull requests by one GraphQL query, with the write access of their authors."""

from collections.abc import Sequence
from typing import Any

import msgspec

from muniment.forges.github import change_query, queries
from muniment.forges.github.client import GitHubClient
from muniment.forges.github.wire import ListPage, ReviewNode
from muniment.forges.shapes import StandingReviews

AT_ONCE = 100  # pull requests in one question, each with as many reviews: a hundredth of the nodes that GitHub allows


def read_standing_reviews(hub: GitHubClient, path: str, numbers: Sequence[int]) -> dict[int, StandingReviews]:
    """Standing reviews by number; changes that GitHub refuses or returns incompletely are missing.

    Raises ForgeError.
    """
    owner, _, name = path.partition("/")
    found: dict[int, StandingReviews] = {}
    for start in range(0, len(numbers), AT_ONCE):
        batch = numbers[start : start + AT_ONCE]
        answer = hub.run_query(queries.make_reviews_query(batch), owner=owner, name=name).data.get("repository")
        for number in batch:
            whole = _convert_reviews(answer.get(f"p{number}") if isinstance(answer, dict) else None)
            if whole is not None:
                found[number] = whole
    return found


def _convert_reviews(pull: Any) -> StandingReviews | None:
    """Standing reviews of one change; None unless the list is complete, with the commit of each review."""
    try:
        page = msgspec.convert(pull["reviews"], ListPage[ReviewNode])
    except (msgspec.ValidationError, KeyError, TypeError):
        return None
    bound = [
        (str(one.full_database_id), change_query.REVIEW_STATES[one.state].value, one.commit.oid)
        for one in page.nodes
        if one.commit
    ]
    if len(bound) != page.total_count:
        return None
    return StandingReviews(tuple(sorted(bound)), change_query.parse_writers(page.nodes))
