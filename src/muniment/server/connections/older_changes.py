"""Finds open changes with commits that were pushed by somebody unknown before their repository was connected."""

from muniment.decision.report import DecisionReport
from muniment.facts.change import ContributorRole
from muniment.server.changes.models import Change
from muniment.server.connections.models import FirstPush, RepositoryLink
from muniment.server.records.record_details import read_details

MOST_OLDER_CHANGES = 500  # changes that one attestation covers


def find_older_changes(repository: int) -> list[Change]:
    """Open changes of which every unknown pusher pushed before the connection, by their number here; MOST at most.

    A change that was not evaluated at its present head is left out: its missing facts are unknown.
    """
    link = RepositoryLink.objects.filter(repository=repository).first()
    rows = Change.objects.filter(repository=repository, state=Change.State.OPEN, forge_change__isnull=False)
    rows = rows.filter(decision__isnull=False, decision__allowed=False).select_related("decision", "forge_change")
    lacking = {row: _find_unknown_pushes(row) for row in rows.order_by("pk")} if link is not None else {}
    commits = {commit for found in lacking.values() for commit in found}
    older = FirstPush.objects.filter(connection=link.connection_id if link else None, commit__in=commits, pushed_at="")
    known = set(older.values_list("commit", flat=True))
    return [row for row, found in lacking.items() if found and found <= known][:MOST_OLDER_CHANGES]


def _find_unknown_pushes(row: Change) -> frozenset[str]:
    """The commits whose pusher was unknown when the change was evaluated at its present head."""
    decision = row.decision
    if decision is None or decision.head != row.head or not decision.explanation_digest:
        return frozenset()
    report = read_details(decision.explanation_digest, DecisionReport)
    if not isinstance(report, DecisionReport):
        return frozenset()
    unknown = (one for one in report.contributors if not one.person and one.identity.startswith("commit:"))
    return frozenset(part.commit for one in unknown for part in one.roles if part.role == ContributorRole.PUSHER.value)
