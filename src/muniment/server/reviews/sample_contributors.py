"""Contributors to a merged change, who do not look at it themselves."""

from muniment.decision.report import DecisionReport
from muniment.server.connections.models import BranchUpdate
from muniment.server.records.record_details import read_details


def find_contributors(update: BranchUpdate) -> frozenset[str] | None:
    """Internal ids of the contributors to a branch update, None if they are unknown. Its decision is loaded."""
    people = {str(each) for each in update.contributors}
    if update.decision is None or not update.decision.explanation_digest:
        return frozenset(people) if update.bypass_reason and not update.unlinked_contributor_count else None
    report = read_details(update.decision.explanation_digest, DecisionReport)
    if not isinstance(report, DecisionReport) or report.missing_facts:
        return None
    return frozenset(people | {each.person for each in report.contributors if each.person})
