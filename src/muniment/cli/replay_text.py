"""Text of a replay for a terminal: what stands out, then each clause, then the next steps.

Every line has a word for its status, and bars are made of characters, so that nothing depends on colour.
"""

import datetime
import sys
import textwrap
from collections.abc import Iterator, Sequence

from muniment.cli import printing
from muniment.cli.replay_report import (
    Highlight,
    ReplayReport,
    ReplayState,
    format_count,
    list_highlights,
    list_replay_steps,
)
from muniment.controls import independent_review, protected_history, security_attention, small_changes
from muniment.decision.catalogue import CONTROLS
from muniment.workflows.branch_replay import ClauseSummary
from muniment.workflows.history_figures import HistoryFigures

LABELS = {
    "violated": "FAIL",
    "unknown": "UNKNOWN",
    "attention": "NOTE",
    "excepted": "EXCEPTED",
    "met": "PASS",
    "not_applicable": "n/a",
}
_LABEL_WIDTH = max(len(label) for label in LABELS.values())
_INDENT = " " * (_LABEL_WIDTH + 4)
_MOST_DETAILS = 3
_BAR_WIDTH = 20
_WIDTH = 110
_COLOURS = {**printing.COLOURS, "attention": "yellow", "excepted": None}


def format_report(report: ReplayReport) -> Iterator[str]:
    """Format a report as lines of text."""
    summary = report.summary
    branch = printing.make_printable(summary.target.removeprefix("refs/heads/"))
    name = printing.make_printable(report.origin.name)
    days = format_days(report.figures)
    heading = f"{format_count(summary.change_count, report.noun)} on {branch} of {name}{days}"
    yield printing.style_text(heading, bold=True)
    if not summary.change_count:
        yield "Nothing to evaluate. Next: name another branch with --onto, or an earlier day with --since."
        return
    for highlight in list_highlights(report):
        yield from _format_highlight(highlight)
    yield ""
    yield printing.style_text(f"By clause of {report.origin.policy or 'the policy'}", bold=True)
    yield from _format_clauses(report)
    yield ""
    if report.origin.reviews_known:
        most = "At most " if report.origin.assumed_writers else ""
        nouns = format_count(summary.change_count, report.noun)
        yield f"{most}{summary.allowed_count:,} of {nouns} would have been allowed."
    yield printing.style_text("Next", bold=True)
    yield from _format_steps(report)


def format_days(figures: HistoryFigures) -> str:
    """The days of the first and last change, as in `, 6 Apr 2010 to 24 Nov 2026`; "" without any."""
    if not figures.first_day:
        return ""
    first, last = format_day(figures.first_day), format_day(figures.last_day)
    return f", {first}" if first == last else f", {first} to {last}"


def format_day(day: str) -> str:
    """A day (ISO 8601) for people: `6 Apr 2010`."""
    date = datetime.date.fromisoformat(day)
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{date.day} {months[date.month - 1]} {date.year}"


def _is_unshown(row: ClauseSummary) -> bool:
    """Whether no past change can show a clause: a rewritten branch leaves no trace in its history."""
    return row.control == protected_history.CONTROL.name


def describe_past(row: ClauseSummary, report: ReplayReport) -> Iterator[tuple[str, str]]:
    """Status and text of each kind of result that some change has; the one of the most changes for a clause that
    passes.
    """
    counts, total = row.result_counts, report.summary.change_count
    nouns = format_count(total, report.noun)
    if _is_unshown(row):
        yield "unknown", "git keeps no trace of a branch that was rewritten; the service and the server hook do"
        return
    if not report.origin.reviews_known and row.control in _NEEDS:
        unmeasured = _count_unmeasured(row)
        lacking = counts["violated"] + counts["unknown"] - unmeasured
        if lacking:
            yield "unknown", f"{lacking:,} of {nouns} {_NEEDS[row.control]}: {_find_missing_in_git(row.control)}"
        if unmeasured:
            yield "unknown", f"{unmeasured:,} of {nouns} are of unknown size"
        if lacking or unmeasured:
            return
    statuses = [status for status in ("violated", "unknown") if counts[status]]
    for status in statuses:
        reason = next((each for each in row.reasons if each.result == status), None)
        newest = f" (newest: {reason.commits[-1][:12]})" if reason else ""
        why = f": {printing.make_printable(reason.message)}" if reason else ""
        yield status, f"{counts[status]:,} of {nouns}{newest}{why}"
    if not statuses and report.origin.assumed_writers and row.control in _NEEDS:
        yield "unknown", f"{nouns}: nothing is missing if every reviewer may write"
    elif not statuses:
        yield "met", f"{counts['met'] + counts['not_applicable']:,} of {nouns}"


_NEEDS = {
    small_changes.CONTROL.name: "are larger than the limits",
    security_attention.CONTROL.name: "touch sensitive files",
    independent_review.CONTROL.name: "need reviews",
}


def _find_missing_in_git(control: str) -> str:
    """Name what git does not record, although a clause of this control depends on it."""
    is_size = control == small_changes.CONTROL.name
    return "whether anybody approved the size is not in git" if is_size else "reviewers are not in git"


def _count_unmeasured(row: ClauseSummary) -> int:
    """Number of changes whose size is unknown: for them it is unknown whether reviewers are missing."""
    return sum(reason.count for reason in row.reasons if reason.code == small_changes.Reasons.SIZE_UNKNOWN.code)


def _format_highlight(highlight: Highlight) -> Iterator[str]:
    yield f"  {_format_label(highlight.status)}  {printing.make_printable(highlight.title)}"
    details = [printing.make_printable(detail) for detail in highlight.details[:_MOST_DETAILS]]
    if highlight.total:
        details[:1] = [f"{format_bar(highlight.count, highlight.total)}  {''.join(details[:1])}".rstrip()]
    yield from (f"{_INDENT}{detail}" for detail in details)
    if len(highlight.details) > _MOST_DETAILS:
        yield f"{_INDENT}and {len(highlight.details) - _MOST_DETAILS:,} more (--html shows all)"


def format_bar(count: int, total: int) -> str:
    """Bar of characters; any share but 0 is at least one of them, and any but all leaves one out."""
    filled = round(_BAR_WIDTH * count / total)
    filled = min(max(filled, bool(count)), _BAR_WIDTH - (count < total))
    full, empty = ("█", "░") if _can_write("█░") else ("#", ".")
    return full * filled + empty * (_BAR_WIDTH - filled)


def _can_write(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _format_clauses(report: ReplayReport) -> Iterator[str]:
    summary = report.summary
    planned = {*report.planned_clauses}
    past = [row for row in summary.clauses if not row.current_result and row.clause not in planned]
    here = [state for state in report.states if not state.is_known_to_service_only]
    width = max((len(name) for name in (*(row.clause for row in past), *(one.clause for one in here))), default=0)
    for row in sorted((row for row in past if not row.control or row.control in CONTROLS), key=_past_sort_key):
        for status, text in describe_past(row, report):
            yield f"  {_format_label(status)}  {row.clause:{width}}  {text}"
    for state in sorted(here, key=current_sort_key):
        more = f" (and {len(state.reasons) - 1:,} more)" if len(state.reasons) > 1 else ""
        text = printing.make_printable(state.reasons[0].message if state.reasons else "")
        yield f"  {_format_label(state.status)}  {state.clause:{width}}  {text}{more}"
    service = [state.clause for state in report.states if state.is_known_to_service_only]
    yield from _format_list("Evaluated with the service alone (muniment up)", service, report.deployment_clauses)
    yield from _format_list("Not evaluated by this version", report.planned_clauses)
    notes = ["Pushers are assumed from the commits."] if not report.origin.forge else []
    notes += ["An approval may have been used up by an earlier change: only the ledger of a home knows that."]
    yield from map(printing.dim_text, notes if report.origin.reviews_known else notes[:1])


def _format_list(heading: str, *clauses: Sequence[str]) -> Iterator[str]:
    names = sorted(name for some in clauses for name in some)
    if names:
        text = f"{heading}: {', '.join(names)}."
        yield from map(printing.dim_text, textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False))


def _past_sort_key(row: ClauseSummary) -> tuple[int, int]:
    """Sort key: clauses with most failures first, then those with most unknown results."""
    return (-row.result_counts["violated"], -row.result_counts["unknown"])


def _format_label(status: str) -> str:
    return printing.style_text(f"{LABELS[status]:{_LABEL_WIDTH}}", colour=_COLOURS.get(status), bold=True)


def _format_steps(report: ReplayReport) -> Iterator[str]:
    steps = list_replay_steps(report)
    width = max((len(step.command) for step in steps), default=0)
    for step in steps:
        yield f"  {printing.make_printable(step.command):{width}}  {printing.dim_text(step.reason)}"


def current_sort_key(state: ReplayState) -> int:
    """Sort key: failing states first."""
    return list(LABELS).index(state.status)
