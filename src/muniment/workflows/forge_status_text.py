"""Text of a decision at a forge: two lines at the change, details behind them, one comment where a change is denied.

Text from a change (names, paths) may be an attacker's: it is shown as plain text, and notifies nobody.
"""

import re
from collections.abc import Iterable, Iterator

from muniment.decision.decision import Outcome
from muniment.decision.report import DecisionReport, ReasonReport, ResultReport
from muniment.errors import MunimentError
from muniment.facts import paths
from muniment.facts.statements import ReviewAction
from muniment.forges.statuses import Annotation, Status, StatusState

PENDING_TEXT = "It is being evaluated."

_LINE_LENGTH = 140  # characters that every forge shows of one line
_MOST_REASONS = 30  # reasons in one text
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")
_STOPPING = ("violated", "unknown")


def pending_status(context: str, url: str) -> Status:
    """Status of a change until it is evaluated."""
    return Status(context, StatusState.PENDING, PENDING_TEXT, url)


def unreadable_status(context: str, url: str, error: MunimentError) -> Status:
    """Status of a change that could not be read for too long."""
    summary = f"{_cut_line(f'It could not be read: {error.message}.')}\n{_cut_line(error.remedy)}"
    return Status(context, StatusState.DENIED, summary, url)


def bypass_status(context: str, url: str, reason: str) -> Status:
    """Status of a head that was merged although it was not allowed then."""
    summary = f"{_cut_line(f'Bypass: {reason}.')}\nReview it, or revert it: the page behind Details shows how."
    return Status(context, StatusState.DENIED, summary, url)


def decision_status(report: DecisionReport, context: str, url: str) -> Status:
    """Status of an evaluated change."""
    allowed = report.decision is Outcome.ALLOW
    return Status(
        context=context,
        saying=StatusState.ALLOWED if allowed else StatusState.DENIED,
        summary=_format_allowed(report) if allowed else _format_denied(report),
        url=url,
        details="" if allowed else "\n".join(_format_details(report)),
        annotations=() if allowed else tuple(_build_annotations(report)),
    )


def format_comment(report: DecisionReport, url: str) -> str:
    """Text of the one comment; "" for an allowed change."""
    if report.decision is Outcome.ALLOW:
        return ""
    asked = _format_people(report.names.get(person, person) for person in report.eligible_reviewers)
    who = f"\n\nWho could approve: {asked}." if asked else ""
    return "\n".join((f"**Muniment does not allow this yet.** [Details]({url})", "", *_format_details(report))) + who


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it as it is, and nobody is notified."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return (
        _SPECIAL.sub(r"\\\1", printable).replace("@", "@\N{ZERO WIDTH SPACE}").replace("://", ":\N{ZERO WIDTH SPACE}//")
    )


def remedy_at_forge(reason: ReasonReport) -> str:
    """Next step for a person at the forge; steps that are impossible there are on the page behind Details."""
    if reason.settled_by == ReviewAction.ATTEST or reason.details.get("questions"):
        return f"{reason.remedy} The page behind Details has the form."
    return reason.remedy


def find_blocking_results(report: DecisionReport) -> tuple[ResultReport, ...]:
    """Results of the clauses that block."""
    return tuple(one for one in report.results if one.status in _STOPPING and one.enforced and not one.exception)


def _format_allowed(report: DecisionReport) -> str:
    used = sum(1 for one in report.results if one.exception)
    more = f"\n{used} of them by an exception." if used else ""
    return f"All {len(report.results)} clauses allow it.{more}"


def _format_denied(report: DecisionReport) -> str:
    reasons = sort_blocking_reasons(report)
    first = reasons[0] if reasons else ReasonReport("", "It is not allowed.", "", "")
    left = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{_cut_line(first.message, _LINE_LENGTH - len(left))}{left}\n{_cut_line(remedy_at_forge(first))}".strip()


def sort_blocking_reasons(report: DecisionReport) -> list[ReasonReport]:
    """Blocking reasons, the worst first: a freeze, which no approval lifts; an objection; the rest as evaluated."""
    of_clauses = [
        reason
        for result in find_blocking_results(report)
        for reason in result.reasons
        if reason.remedy or len(result.reasons) == 1
    ]
    of_clauses.sort(key=lambda reason: reason.settled_by != ReviewAction.WITHDRAW)
    return [*(reason for reason in report.reasons if reason.remedy), *of_clauses]


def _format_details(report: DecisionReport) -> Iterator[str]:
    found = sort_blocking_reasons(report)
    for reason in found[:_MOST_REASONS]:
        yield f"- {escape_markdown(reason.message)}"
        if reason.remedy:
            yield f"  Next: {escape_markdown(remedy_at_forge(reason))}"
    if len(found) > _MOST_REASONS:
        yield f"- and {len(found) - _MOST_REASONS} more"


def _build_annotations(report: DecisionReport) -> Iterator[Annotation]:
    for reason in sort_blocking_reasons(report)[:_MOST_REASONS]:
        kind, _, path = reason.subject.partition(":")
        if kind == "path":
            yield Annotation(paths.encode_path(path).decode("utf-8", "replace"), 1, 1, reason.message, reason.code)


def _format_people(names: Iterable[str]) -> str:
    named = [escape_markdown(name) for name in names]
    return ", ".join(named[:5]) + (f" and {len(named) - 5} others" if len(named) > 5 else "")


def _cut_line(text: str, most: int = _LINE_LENGTH) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
