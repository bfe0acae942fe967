"""What came of judging a repository's past, for a terminal."""

from collections.abc import Iterator

from muniment.server.products.models import Repository, State


def lines(repository: Repository) -> Iterator[str]:
    """A line for the whole, and one for each clause that does not hold."""
    reading = repository.reading
    if reading.problem:
        yield f"{repository.name}: could not be judged: {reading.problem}"
        return
    yield f"{repository.name}: {reading.total} changes of {reading.branch} judged"
    for row in repository.states.order_by("-state", "clause"):
        count = f"{row.held} of {row.judged}" if row.judged else ""
        yield f"  {State(row.state).label!s:<18} {row.clause:<32} {count}"
