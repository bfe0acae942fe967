"""What an exception is about, for who decides on it: the commit with its reasons, and how often the clause failed."""

from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from muniment.decision.report import DecisionReport, ResultReport
from muniment.server.changes.models import Change
from muniment.server.changes.reason_text import translate_reason
from muniment.server.products.models import Repository
from muniment.server.records.record_details import read_all_details, read_details

HISTORY = timedelta(days=90)
_MOST = 200  # changes whose decisions are read
_FAILING = frozenset({"violated", "unknown"})


class ExceptedCommit(NamedTuple):
    """Change whose commit an exception is for: names of who made it, as far as they are known, why the clause fails,
    its diff at the forge, and the security-sensitive lines of it; "" for each where there is none.
    """

    change: Change
    contributors: tuple[str, ...]
    reasons: tuple[tuple[str, str], ...]  # statement and next step
    diff_address: str
    sensitive_lines: str


class ClauseHistory(NamedTuple):
    """Changes that a branch took lately: of how many the clause's result is known, of how many it failed, and of how
    many more it is unknown.
    """

    known: int
    failed: int
    unknown: int


def read_excepted_commit(repository: Repository, head: str, clause: str) -> ExceptedCommit | None:
    """Change of a commit, None for one that no change has."""
    rows = Change.objects.filter(repository=repository, head=head).select_related(
        "decision", "forge_change", "security_attention"
    )
    change = rows.order_by("-updated_at").first()
    if change is None:
        return None
    forge, attention = getattr(change, "forge_change", None), getattr(change, "security_attention", None)
    address = forge.url if forge is not None else ""
    lines = attention.lines if attention is not None and attention.head == head else ""
    digest = change.decision.explanation_digest if change.decision is not None else ""
    report = read_details(digest, DecisionReport) if digest else ""
    if not isinstance(report, DecisionReport):
        return ExceptedCommit(change, (), (), address, lines)
    found = [one for one in report.results if one.clause == clause and one.status in _FAILING]
    reasons = tuple(translate_reason(reason, one.control) for one in found for reason in one.reasons)
    people = tuple(report.names.get(one.person, one.person) for one in report.contributors if one.person)
    return ExceptedCommit(change, people, reasons, address, lines)


def read_clause_history(repository: Repository, branch: str, clause: str) -> ClauseHistory:
    """How often a clause failed for what a branch took in the last 90 days, of its newest changes."""
    rows = Change.objects.filter(repository=repository, target=branch, state=Change.State.MERGED)
    recent = rows.filter(updated_at__gte=timezone.now() - HISTORY).order_by("-updated_at")
    found = list(recent.values_list("decision__explanation_digest", flat=True)[:_MOST])
    reports = read_all_details([digest for digest in found if digest], DecisionReport)
    results = [_find_result(reports.get(digest or ""), clause) for digest in found]
    failed = sum(one is not None and one.status in _FAILING for one in results)
    unknown = sum(one is None for one in results)
    return ClauseHistory(len(results) - unknown, failed, unknown)


def _find_result(report: DecisionReport | str | None, clause: str) -> ResultReport | None:
    """Result of a clause, None where there is none: the decision was erased, or made by a policy without the clause."""
    if not isinstance(report, DecisionReport):
        return None
    return next((one for one in report.results if one.clause == clause), None)
