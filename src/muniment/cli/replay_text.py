"""Text of a replay for a terminal: failing clauses first, then unknown ones, then passing ones, then the next step."""

import shlex
from collections.abc import Iterator

from muniment.cli import options, printing
from muniment.decision.catalogue import CONTROLS
from muniment.workflows.branch_replay import ClauseSummary, Summary

_LABELS = {
    "violated": "FAIL",
    "unknown": "UNKNOWN",
    "excepted": "EXCEPTED",
    "met": "PASS",
    "not_applicable": "n/a",
}
_LABEL_WIDTH = max(len(label) for label in _LABELS.values())
_NO_PEOPLE = "people.toml"  # named by the reason for unknown people
_SERVICE_ONLY = "it was not collected"  # the reason for facts that neither a repository nor a forge has
_NEEDS_REVIEWERS = {
    "small-changes": "changes are larger than the limits; it is unknown who approved their size",
    "security-attention": "changes touch sensitive paths; it is unknown who approved them",
    "independent-review": "changes have unknown reviewers",
}


def format_summary(summary: Summary, repository: str, home: str | None) -> Iterator[str]:
    """Lines of text. `repository`: the name to show for it. `home`: as given with --home, for the next command."""
    branch = printing.make_printable(summary.target.removeprefix("refs/heads/"))
    changes = "1 change" if summary.change_count == 1 else f"{summary.change_count} changes"
    yield printing.style_text(f"{changes} on {branch} of {printing.make_printable(repository)}", bold=True)
    if not summary.change_count:
        yield "Nothing to evaluate. Next: name another branch with --onto, or an earlier day with --since."
        return
    width = max((len(row.clause) for row in summary.clauses), default=0)
    known = [row for row in summary.clauses if not row.control or row.control in CONTROLS]
    for row in sorted((row for row in known if not row.current_result), key=_sort_key):
        yield from _format_past(row, width, summary.change_count)
    service = [row for row in known if _SERVICE_ONLY in row.current_result]
    if current := [row for row in known if row.current_result and row not in service]:
        yield printing.dim_text("Evaluated for today, not for each change:")
        for row in sorted(current, key=_sort_key):
            status, _, message = row.current_result.partition(": ")
            yield f"  {_format_label(status)}  {row.clause:{width}}  {printing.make_printable(message)}"
    if service:
        yield printing.dim_text(
            f"Evaluated by the service only (muniment up): {', '.join(row.clause for row in service)}."
        )
    if missing := [row.clause for row in summary.clauses if row not in known]:
        yield printing.dim_text(f"Not evaluated by this version: {', '.join(missing)}.")
    yield printing.dim_text(
        "Pushers are assumed from the commits, and no approval is taken as spent: only the ledger knows both."
    )
    if not _are_people_unknown(summary):
        yield f"{summary.allowed_count} of {summary.change_count} would have been allowed."
    yield "Next: " + _next_step(summary, home)


def _sort_key(row: ClauseSummary) -> tuple[int, int]:
    """Sort key: clauses with most failures first, then those with most unknown results."""
    if row.current_result:
        status = row.current_result.partition(":")[0]
        return (list(_LABELS).index(status), 0)
    return (-row.result_counts["violated"], -row.result_counts["unknown"])


def _format_label(status: str) -> str:
    return printing.style_text(f"{_LABELS[status]:{_LABEL_WIDTH}}", colour=printing.COLOURS.get(status), bold=True)


def _format_past(row: ClauseSummary, width: int, total: int) -> Iterator[str]:
    """One line for each result that some change has, each with its newest example."""
    counts = row.result_counts
    shown = [status for status in ("violated", "unknown") if counts[status]]
    for status in shown:
        reason = next((each for each in row.reasons if each.result == status), None)
        newest = f" (newest: {reason.commits[-1][:12]})" if reason else ""
        text = f"changes{newest}" + (f": {printing.make_printable(reason.message)}" if reason else "")
        if reason and status == "unknown" and _NO_PEOPLE in reason.message and row.control in _NEEDS_REVIEWERS:
            text = _NEEDS_REVIEWERS[row.control] + newest
        yield f"  {_format_label(status)}  {row.clause:{width}}  {counts[status]} of {total} {text}"
    if not shown:
        passing = counts["met"] + counts["not_applicable"]
        yield f"  {_format_label('met')}  {row.clause:{width}}  {passing} of {total} changes"


def _are_people_unknown(summary: Summary) -> bool:
    return any(
        reason.result == "unknown" and _NO_PEOPLE in reason.message for row in summary.clauses for reason in row.reasons
    )


def _next_step(summary: Summary, home: str | None) -> str:
    if _are_people_unknown(summary):
        return (
            "git does not record who reviewed a change. Read it from the forge: muniment replay --forge URL\n"
            "      Or add your people: muniment init --home .muniment, edit .muniment/people.toml, "
            "then muniment replay --home .muniment"
        )
    worst = max(summary.clauses, key=lambda row: row.result_counts["violated"])
    if worst.result_counts["violated"]:
        return f"read what {worst.clause} requires: muniment explain {worst.clause}{options.home_option(home)}"
    branch = shlex.quote(summary.target.removeprefix("refs/heads/"))
    return f"check your next change too: muniment check --onto {branch}{options.home_option(home)}"
