"""A decision for a person in a terminal: at most a screenful, the next step last."""

import re
from collections.abc import Iterable, Iterator

from muniment.cli import printing
from muniment.decision import uncounted
from muniment.decision.account import ApprovalReport, ContributorReport, DecisionReport, ResultReport
from muniment.decision.decision import Outcome
from muniment.facts.change import Update
from muniment.workflows.approval_commands import Source, Step, next_steps
from muniment.workflows.sources import Rules

_ID = re.compile(r"\b([0-9a-f]{12})(?:[0-9a-f]{52}|[0-9a-f]{28})\b")
_MOST_REASONS, _MOST_PEOPLE, _MOST_SENTENCES = 3, 6, 3

COMMAND = "    "  # before each command


def tell(told: DecisionReport, rules: Rules, source: Source | None) -> None:
    """Print the account. `source`: where others fetch the head from, where that is known."""
    import click

    if told.revision.update == Update.UNCHANGED:
        click.echo(f"nothing to merge  {branch(told.revision.target)} is at {short(told.revision.head)} already")
        return
    first = undecided(told) if rules.people_unknown and not _is_violated(told) else verdict(told)
    for line in (first, *_results(told), *_people(told), *_void(rules)):
        click.echo(line)
    if rules.people_unknown:
        return
    if told.preview:
        click.echo(printing.dim("  preview: the pushers are assumed from the commits; nothing is recorded"))
    if not told.spent_approvals_known:
        click.echo(printing.dim("  only the ledger knows whether approvals are spent"))
    for line in following(next_steps(told, source)):
        click.echo(line)


def verdict(told: DecisionReport) -> str:
    """The first line."""
    allowed = told.decision is Outcome.ALLOW
    word = printing.style(told_as(allowed), colour="green" if allowed else "red", bold=True)
    return f"{word}  {_what(told)}"


def _what(told: DecisionReport) -> str:
    revision = told.revision
    what = f"{short(revision.head)} onto" if revision.head else "deleting"
    return f"{what} {branch(revision.target)} of {printing.plain(revision.repository)}"


def undecided(told: DecisionReport) -> str:
    """The first line where only the server can decide."""
    word = printing.style("undecided", colour="yellow", bold=True)
    return f"{word}  {_what(told)}"


def _is_violated(told: DecisionReport) -> bool:
    return any(result.enforced and result.status == "violated" and not result.exception for result in told.results)


def told_as(allowed: bool) -> str:
    """The word for an outcome."""
    return "allowed" if allowed else "denied"


def failing(told: DecisionReport) -> Iterator[str]:
    """What stands in the way, or would: clauses that do not hold, whom they lack, and why approvals do not count."""
    for result in told.results:
        if result.status in ("violated", "unknown"):
            yield from _result(result)
    yield from (f"  {short(reason.message)}" for reason in told.reasons)
    if told.decision is not Outcome.ALLOW:
        yield from (f"  {_approval(approval)}" for approval in uncounted.worth_telling(told.approvals))


def following(steps: Iterable[Step]) -> Iterator[str]:
    """The last lines: the next steps. Each command has a line of its own, to be copied as it is."""
    for number, step in enumerate(steps):
        if not number:
            yield "Next:"
        yield from (f"  {short(sentence)}" for sentence in step.sentences[:_MOST_SENTENCES])
        yield from _more(len(step.sentences) - _MOST_SENTENCES, "  ")
        yield from (f"{COMMAND}{printing.plain(command)}" for command in step.commands)


def short(text: str) -> str:
    """Text for a terminal, with ids cut to twelve digits."""
    return printing.plain(_ID.sub(r"\1", text.replace("refs/heads/", "")))


def branch(target: str) -> str:
    """The short name of a ref."""
    return printing.plain(target.removeprefix("refs/heads/"))


def _results(told: DecisionReport) -> Iterator[str]:
    for result in told.results:
        yield from _result(result)
    yield from (f"  {short(reason.message)}" for reason in told.reasons)


def _result(result: ResultReport) -> Iterator[str]:
    note = "" if result.enforced else "  (reports only)"
    note = f"  (exception {result.exception})" if result.exception else note
    yield f"  {printing.sign(result.status)} {result.clause}{note}  {printing.dim(printing.plain(result.text))}"
    if result.status in ("violated", "unknown"):
        for reason in result.reasons[:_MOST_REASONS]:
            yield f"      {short(reason.message)}"
        yield from _more(len(result.reasons) - _MOST_REASONS, "      ")


def _people(told: DecisionReport) -> Iterator[str]:
    yield from _row("contributors", [_contributor(c) for c in told.contributors])
    yield from _row("merged by", [short(told.merger.partition(":")[2])] if told.merger else [])
    shown = [*(a for a in told.approvals if a.counted), *uncounted.worth_telling(told.approvals)]
    yield from _row("approvals", [_approval(approval) for approval in shown])


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


def _contributor(told: ContributorReport) -> str:
    roles = ", ".join(dict.fromkeys(because.role for because in told.roles))
    return f"{short(told.person or told.identity)} ({roles})"


def _approval(told: ApprovalReport) -> str:
    if told.counted:
        return printing.style(f"{printing.plain(told.person)} counts", colour="green")
    return f"{printing.plain(told.person)} does not count: {uncounted.sentence(told)}"


def _more(count: int, indent: str) -> Iterator[str]:
    if count > 0:
        yield f"{indent}and {count} more"
