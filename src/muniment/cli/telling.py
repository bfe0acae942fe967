"""A decision for a person in a terminal: at most a screenful, the next step last."""

import re
from collections.abc import Iterator

import click

from muniment.cli import printing
from muniment.decision.account import Account, ApprovalTold, ContributorTold, ReasonTold, ResultTold
from muniment.decision.decision import Outcome
from muniment.workflows.sources import Rules

_ID = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{28})\b")
_MOST_REASONS, _MOST_PEOPLE = 3, 6


def tell(told: Account, rules: Rules) -> None:
    """Print the account."""
    for line in (verdict(told), *_results(told), *_people(told), *_void(rules)):
        click.echo(line)
    if told.preview:
        click.echo(printing.dim("  preview: nobody recorded who pushed, so the pushers are supposed; not recorded"))
    for line in following(remedies(told)):
        click.echo(line)


def verdict(told: Account) -> str:
    """The first line."""
    allowed = told.decision is Outcome.ALLOW
    word = click.style(told_as(allowed), fg="green" if allowed else "red", bold=True)
    revision = told.revision
    what = f"{short(revision.head)} onto" if revision.head else "deleting"
    return f"{word}  {what} {branch(revision.target)} of {printing.plain(revision.repository)}"


def told_as(allowed: bool) -> str:
    """The word for an outcome."""
    return "allowed" if allowed else "denied"


def failing(told: Account) -> Iterator[str]:
    """What stands in the way, or would: clauses that do not hold, whom they lack, and why approvals do not count."""
    for result in told.results:
        if result.status in ("violated", "unknown"):
            yield from _result(result)
    yield from (f"  {short(reason.message)}" for reason in told.reasons)
    for approval in told.approvals:
        if not approval.counted:
            yield f"  {_approval(approval)}"


def remedies(told: Account) -> list[str]:
    """What to do next, each once."""
    stopping = [r for r in told.results if r.enforced and not r.exception and r.status in ("violated", "unknown")]
    reasons: list[ReasonTold] = [reason for result in stopping for reason in result.reasons] + list(told.reasons)
    return list(dict.fromkeys(short(reason.remedy) for reason in reasons if reason.remedy))


def following(steps: list[str]) -> Iterator[str]:
    """The last lines: the next steps."""
    if steps:
        yield "Next:"
        yield from (f"  {step}" for step in steps[:_MOST_REASONS])
        yield from _more(len(steps) - _MOST_REASONS, "  ")


def short(text: str) -> str:
    """Text for a terminal, with ids cut to twelve digits."""
    return printing.plain(_ID.sub(r"\1", text.replace("refs/heads/", "")))


def branch(target: str) -> str:
    """The short name of a ref."""
    return printing.plain(target.removeprefix("refs/heads/"))


def _results(told: Account) -> Iterator[str]:
    for result in told.results:
        yield from _result(result)
    yield from (f"  {short(reason.message)}" for reason in told.reasons)


def _result(result: ResultTold) -> Iterator[str]:
    note = "" if result.enforced else "  (reports only)"
    note = f"  (exception {result.exception})" if result.exception else note
    yield f"  {printing.sign(result.status)} {result.clause}{note}  {printing.dim(printing.plain(result.text))}"
    if result.status in ("violated", "unknown"):
        for reason in result.reasons[:_MOST_REASONS]:
            yield f"      {short(reason.message)}"
        yield from _more(len(result.reasons) - _MOST_REASONS, "      ")


def _people(told: Account) -> Iterator[str]:
    yield from _row("contributors", [_contributor(c) for c in told.contributors])
    yield from _row("merged by", [short(told.merger.partition(":")[2])] if told.merger else [])
    yield from _row("approvals", [_approval(a) for a in told.approvals])


def _void(rules: Rules) -> Iterator[str]:
    for difference in rules.weaker[:_MOST_REASONS]:
        yield printing.dim(f"  void: {difference.clause} {difference.what} is weaker here than in the home")
    for spoilt in rules.spoilt[:_MOST_REASONS]:
        yield printing.dim(f"  not an exception: {printing.plain(spoilt)}")


def _row(title: str, entries: list[str]) -> Iterator[str]:
    if entries:
        shown = " · ".join(entries[:_MOST_PEOPLE])
        more = f" · and {len(entries) - _MOST_PEOPLE} more" if len(entries) > _MOST_PEOPLE else ""
        yield f"  {title}: {shown}{more}"


def _contributor(told: ContributorTold) -> str:
    roles = ", ".join(dict.fromkeys(because.role for because in told.because))
    return f"{short(told.person or told.identity)} ({roles})"


def _approval(told: ApprovalTold) -> str:
    if told.counted:
        return click.style(f"{printing.plain(told.person)} counts", fg="green")
    return f"{printing.plain(told.person)} does not count ({', '.join(told.why_not)})"


def _more(count: int, indent: str) -> Iterator[str]:
    if count > 0:
        yield f"{indent}and {count} more (--format json has all)"
