"""A decision for a person in a terminal: at most a screenful, the next step last."""

import re
from collections.abc import Iterable, Iterator

from muniment.cli import printing
from muniment.decision import uncounted_statements
from muniment.decision.decision import Outcome
from muniment.decision.report import ApprovalReport, ContributorReport, DecisionReport, ResultReport
from muniment.facts.change import UpdateKind
from muniment.workflows.approval_commands import HeadSource, NextStep, list_next_steps
from muniment.workflows.rule_sources import Rules

_ID = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{28})\b")
_MOST_REASONS, _MOST_PEOPLE, _MOST_SENTENCES = 3, 6, 3

COMMAND = "    "  # before each command


def print_decision(report: DecisionReport, rules: Rules, source: HeadSource | None) -> None:
    """Print the report. `source`: the ref from which others fetch the head, where it is known."""
    import click

    if report.revision.update == UpdateKind.UNCHANGED:
        click.echo(
            f"nothing to merge  {short_ref(report.revision.target)} is at {shorten_ids(report.revision.head)} already"
        )
        click.echo("Next: commit on a branch of its own, then run muniment check again")
        click.echo("      muniment replay   evaluates what the branch has already")
        return
    first = format_undecided(report) if rules.people_unknown and not _has_violation(report) else format_outcome(report)
    for line in (first, *_format_results(report), *_format_people(report), *_format_ignored(rules)):
        click.echo(line)
    if rules.people_unknown:
        return
    if report.preview:
        click.echo(printing.dim_text("  preview: the pushers are assumed from the commits; nothing is recorded"))
    if not report.spent_approvals_known:
        click.echo(printing.dim_text("  only the ledger knows whether approvals are spent"))
    for line in format_next_steps(list_next_steps(report, source)):
        click.echo(line)


def format_outcome(report: DecisionReport) -> str:
    """First line: the outcome."""
    allowed = report.decision is Outcome.ALLOW
    word = printing.style_text(outcome_word(allowed), colour="green" if allowed else "red", bold=True)
    return f"{word}  {_describe_update(report)}"


def _describe_update(report: DecisionReport) -> str:
    revision = report.revision
    what = f"{shorten_ids(revision.head)} onto" if revision.head else "deleting"
    return f"{what} {short_ref(revision.target)} of {printing.make_printable(revision.repository)}"


def format_undecided(report: DecisionReport) -> str:
    """First line where only the server can decide."""
    word = printing.style_text("undecided", colour="yellow", bold=True)
    return f"{word}  {_describe_update(report)}"


def _has_violation(report: DecisionReport) -> bool:
    return any(result.enforced and result.status == "violated" and not result.exception for result in report.results)


def outcome_word(allowed: bool) -> str:
    """Word for an outcome."""
    return "allowed" if allowed else "denied"


def format_failures(report: DecisionReport) -> Iterator[str]:
    """Lines on the clauses that are violated or unknown, the missing people, and why approvals do not count."""
    for result in report.results:
        if result.status in ("violated", "unknown"):
            yield from _format_result(result)
    yield from (f"  {shorten_ids(reason.message)}" for reason in report.reasons)
    if report.decision is not Outcome.ALLOW:
        yield from (
            f"  {_format_approval(approval)}" for approval in uncounted_statements.select_notable(report.approvals)
        )


def format_next_steps(steps: Iterable[NextStep]) -> Iterator[str]:
    """Last lines: the next steps. Each command has a line of its own, to be copied."""
    for number, step in enumerate(steps):
        if not number:
            yield "Next:"
        yield from (f"  {shorten_ids(sentence)}" for sentence in step.sentences[:_MOST_SENTENCES])
        yield from _format_remaining(len(step.sentences) - _MOST_SENTENCES, "  ")
        yield from (f"{COMMAND}{printing.make_printable(command)}" for command in step.commands)


def shorten_ids(text: str) -> str:
    """Make text printable, and cut ids to twelve digits."""
    return printing.make_printable(_ID.sub(r"\1", text.replace("refs/heads/", "")))


def short_ref(target: str) -> str:
    """Short name of a ref."""
    return printing.make_printable(target.removeprefix("refs/heads/"))


def _format_results(report: DecisionReport) -> Iterator[str]:
    for result in report.results:
        yield from _format_result(result)
    yield from (f"  {shorten_ids(reason.message)}" for reason in report.reasons)


def _format_result(result: ResultReport) -> Iterator[str]:
    note = "" if result.enforced else "  (reports only)"
    note = f"  (exception {result.exception})" if result.exception else note
    text = printing.dim_text(printing.make_printable(result.text))
    yield f"  {printing.status_sign(result.status)} {result.clause}{note}  {text}"
    if result.status in ("violated", "unknown"):
        for reason in result.reasons[:_MOST_REASONS]:
            yield f"      {shorten_ids(reason.message)}"
        yield from _format_remaining(len(result.reasons) - _MOST_REASONS, "      ")


def _format_people(report: DecisionReport) -> Iterator[str]:
    yield from _format_row("contributors", [_format_contributor(c) for c in report.contributors])
    yield from _format_row("merged by", [shorten_ids(report.merger.partition(":")[2])] if report.merger else [])
    approvals = [*(a for a in report.approvals if a.counted), *uncounted_statements.select_notable(report.approvals)]
    yield from _format_row("approvals", [_format_approval(approval) for approval in approvals])


def _format_ignored(rules: Rules) -> Iterator[str]:
    for difference in rules.weaker[:_MOST_REASONS]:
        yield printing.dim_text(
            f"  void: {' '.join(filter(None, (difference.clause, difference.what)))} is weaker here than in the home"
        )
    for spoilt in rules.spoilt[:_MOST_REASONS]:
        yield printing.dim_text(f"  not an exception: {printing.make_printable(spoilt)}")


def _format_row(title: str, entries: list[str]) -> Iterator[str]:
    if entries:
        listed = " · ".join(entries[:_MOST_PEOPLE])
        more = f" · and {len(entries) - _MOST_PEOPLE} more" if len(entries) > _MOST_PEOPLE else ""
        yield f"  {title}: {listed}{more}"


def _format_contributor(contributor: ContributorReport) -> str:
    roles = ", ".join(dict.fromkeys(because.role for because in contributor.roles))
    return f"{shorten_ids(contributor.person or contributor.identity)} ({roles})"


def _format_approval(approval: ApprovalReport) -> str:
    if approval.counted:
        return printing.style_text(f"{printing.make_printable(approval.person)} counts", colour="green")
    return (
        f"{printing.make_printable(approval.person)} does not count: {uncounted_statements.explain_uncounted(approval)}"
    )


def _format_remaining(count: int, indent: str) -> Iterator[str]:
    if count > 0:
        yield f"{indent}and {count} more"
