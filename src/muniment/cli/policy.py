"""muniment policy: check a policy and its page, compare two, show the one that holds."""

from pathlib import Path

import click

from muniment.cli import options, printing, rulebook
from muniment.decision.binding import BoundPolicy
from muniment.decision.comparison import Difference, Direction, compare
from muniment.decision.kept_history import ADD_CLAUSE, NOT_KEPT, keeps_history
from muniment.errors import PolicyError
from muniment.policy.sentences import Sentence, unclaimed

_SIGNS = {Direction.STRICTER: "+", Direction.WEAKER: "-", Direction.NEUTRAL: "="}
_COLOURS = {Direction.STRICTER: "green", Direction.WEAKER: "red", Direction.NEUTRAL: None}


@click.group("policy")
def command() -> None:
    """Check, compare and show policies; `built-in` names the built-in policy."""


@command.command()
@click.argument("file", default=".muniment/policy.toml")
@options.output
def check(file: str, output: str) -> None:
    """Check FILE: its form, clauses without a control, and sentences of its page that no clause covers."""
    policy = rulebook.from_file(file)
    uncovered = [b.clause.id for b in policy.clauses if b.control is None and not b.is_planned]
    planned = [b.clause.id for b in policy.clauses if b.is_planned]
    sentences = _unclaimed(policy, file)
    if output == "json":
        printing.json(
            {
                "digest": policy.policy.digest,
                "clauses": len(policy.clauses),
                "uncovered": uncovered,
                "not_evaluated": planned,
                "unclaimed": list(sentences),
                "keeps_history": keeps_history(policy),
            }
        )
        return
    click.echo(f"{file} is a policy: {len(policy.clauses)} clauses, {policy.policy.digest}")
    for clause in uncovered:
        click.echo(f"  {printing.sign('unknown')} {clause} names no control")
    for clause in planned:
        click.echo(f"  {printing.sign('unknown')} {clause} is not evaluated by this version")
    if not keeps_history(policy):
        click.echo(f"  {printing.sign('unknown')} {NOT_KEPT}. {ADD_CLAUSE}")
    for sentence in sentences:
        click.echo(f"  {policy.policy.source}:{sentence.line}: no clause covers: {printing.plain(sentence.text)}")
    if sentences:
        click.echo("Next: write a clause for each sentence; a clause without a control is not evaluated.")


def _unclaimed(policy: BoundPolicy, file: str) -> tuple[Sentence, ...]:
    source = policy.policy.source
    if not source:
        return ()
    page = Path(file).parent / source
    try:
        return unclaimed(page.read_text(encoding="utf-8"), policy.policy)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            file,
            "source",
            f"{page} cannot be read ({error})",
            "Name the page relative to the policy's folder.",
        ) from error


@command.command()
@click.argument("old")
@click.argument("new")
@options.output
def diff(old: str, new: str, output: str) -> int:
    """Compare two policies. What cannot be compared counts as weaker.

    Exit code 1 if NEW is weaker than OLD anywhere.
    """
    differences = compare(rulebook.from_file(old), rulebook.from_file(new))
    if output == "json":
        printing.json(list(differences))
    else:
        for difference in differences:
            _tell(difference)
        weaker = sum(d.direction is Direction.WEAKER for d in differences)
        click.echo(f"{weaker} weaker of {len(differences)} differences" if differences else "no difference")
    return 1 if any(d.direction is Direction.WEAKER for d in differences) else 0


def _tell(difference: Difference) -> None:
    sign = printing.style(_SIGNS[difference.direction], colour=_COLOURS[difference.direction], bold=True)
    note = "weaker, for the two cannot be compared" if difference.incomparable else difference.direction.value
    old, new = printing.plain(difference.old) or "(none)", printing.plain(difference.new) or "(none)"
    click.echo(f"{sign} {difference.clause or 'policy'} {difference.what}: {old} → {new}  {printing.dim(note)}")


@command.command()
@options.repo
@options.onto
@options.home
@options.output
def show(repo: str, onto: str | None, home: str | None, output: str) -> None:
    """Show the policy that holds here: the branch's under the home's floor, or the built-in one."""
    policy = rulebook.any_policy(repo, onto, home)
    if output == "json":
        printing.json({"digest": policy.policy.digest, "policy": policy.policy})
        return
    click.echo(printing.style(f"{policy.policy.repository}: {policy.policy.digest}", bold=True))
    click.echo(f"  protected: {', '.join(policy.policy.protected_branches)}")
    for bound in policy.clauses:
        clause = bound.clause
        state = clause.control or "uncovered"
        state += ", not evaluated by this version" if bound.is_planned else ""
        state += f", monitoring until {clause.monitoring_until}" if clause.monitoring_until else ""
        click.echo(f"  {clause.id}  {printing.plain(clause.text)}")
        click.echo(printing.dim(f"      {state}; enforced at {', '.join(clause.enforce) or 'no point'}"))
