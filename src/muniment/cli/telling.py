"""A decision for a person in a terminal: at most a screenful, the next step last."""

import re

import click

from muniment.cli import printing
from muniment.decision.account import Account, ApprovalTold, ContributorTold, ResultTold
from muniment.decision.decision import Outcome
from muniment.workflows.sources import Rules

_ID = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{28})\b")
_MOST_REASONS, _MOST_PEOPLE = 3, 6


def tell(told: Account, rules: Rules) -> None:
    """Print the account."""
    allowed = told.decision is Outcome.ALLOW
    verdict = click.style("allowed" if allowed else "denied", fg="green" if allowed else "red", bold=True)
    revision = told.revision
    click.echo(f"{verdict}  {_short(revision.head)} onto {_branch(revision.target)} of {revision.repository}")
    for result in told.results:
        _result(result)
    for reason in told.reasons:
        click.echo(f"  {_short(reason.message)}")
    _row("contributors", [_contributor(c) for c in told.contributors])
    _row("merged by", [_short(told.merger.partition(":")[2])] if told.merger else [])
    _row("approvals", [_approval(a) for a in told.approvals])
    for difference in rules.weaker[:_MOST_REASONS]:
        click.echo(printing.dim(f"  void: {difference.clause} {difference.what} is weaker here than in the home"))
    for spoilt in rules.spoilt[:_MOST_REASONS]:
        click.echo(printing.dim(f"  not an exception: {printing.plain(spoilt)}"))
    if told.preview:
        click.echo(printing.dim("  preview: nobody recorded who pushed, so the pushers are supposed; not recorded"))
    _next(told)


def _result(result: ResultTold) -> None:
    note = "" if result.enforced else "  (reports only)"
    note = f"  (exception {result.exception})" if result.exception else note
    click.echo(f"  {printing.sign(result.status)} {result.clause}{note}  {printing.dim(printing.plain(result.text))}")
    if result.status in ("violated", "unknown"):
        for reason in result.reasons[:_MOST_REASONS]:
            click.echo(f"      {_short(reason.message)}")
        _more(len(result.reasons) - _MOST_REASONS, "      ")


def _row(title: str, entries: list[str]) -> None:
    if entries:
        shown = " · ".join(entries[:_MOST_PEOPLE])
        more = f" · and {len(entries) - _MOST_PEOPLE} more" if len(entries) > _MOST_PEOPLE else ""
        click.echo(f"  {title}: {shown}{more}")


def _contributor(told: ContributorTold) -> str:
    roles = ", ".join(dict.fromkeys(because.role for because in told.because))
    return f"{_short(told.person or told.identity)} ({roles})"


def _approval(told: ApprovalTold) -> str:
    if told.counted:
        return click.style(f"{printing.plain(told.person)} counts", fg="green")
    return f"{printing.plain(told.person)} does not count ({', '.join(told.why_not)})"


def _next(told: Account) -> None:
    stopping = [r for r in told.results if r.enforced and not r.exception and r.status in ("violated", "unknown")]
    reasons = [reason for result in stopping for reason in result.reasons] + list(told.reasons)
    remedies = list(dict.fromkeys(_short(reason.remedy) for reason in reasons if reason.remedy))
    if remedies:
        click.echo("Next:")
        for remedy in remedies[:_MOST_REASONS]:
            click.echo(f"  {remedy}")
        _more(len(remedies) - _MOST_REASONS, "  ")


def _more(count: int, indent: str) -> None:
    if count > 0:
        click.echo(f"{indent}and {count} more (--format json has all)")


def _branch(target: str) -> str:
    return printing.plain(target.removeprefix("refs/heads/"))


def _short(text: str) -> str:
    return printing.plain(_ID.sub(r"\1", text))
