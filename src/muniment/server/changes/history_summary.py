"""The summary of a repository's evaluated history, for a terminal."""

from collections.abc import Iterator

from muniment.server.products.models import ClauseResult, Repository


def format_history_summary(repository: Repository) -> Iterator[str]:
    """Yield a line for the repository, and for each clause its result and how many of all changes met it."""
    reading = repository.scan
    if reading.problem:
        yield f"{repository.name}: not evaluated: {reading.problem}"
        return
    changes = "1 change" if reading.change_count == 1 else f"{reading.change_count} changes"
    yield f"{repository.name}: {changes} of {reading.branch} evaluated"
    for row in repository.clause_states.order_by("-state", "clause"):
        count = f"{row.met_count} of {row.evaluated_count}" if row.evaluated_count else ""
        yield f"  {ClauseResult(row.state).label!s:<18} {row.clause:<32} {count}"
