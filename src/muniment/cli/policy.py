"""muniment policy: checks a policy and its page, compares two, shows the effective one."""

from pathlib import Path

import click

from muniment.cli import options, policy_files, printing
from muniment.cli.input_files import name_input
from muniment.decision.binding import BoundPolicy
from muniment.decision.comparison import Direction, PolicyDifference, compare_policies
from muniment.decision.history_protection import ADD_CLAUSE, HISTORY_UNPROTECTED, is_history_protected
from muniment.errors import PolicyError
from muniment.policy.page_sentences import PageSentence, find_uncovered_sentences

_SIGNS = {Direction.STRICTER: "+", Direction.WEAKER: "-", Direction.NEUTRAL: "="}
_COLOURS = {Direction.STRICTER: "green", Direction.WEAKER: "red", Direction.NEUTRAL: None}


@click.group("policy")
def command() -> None:
    """Check, compare and show policies; `built-in` names the built-in policy."""


@command.command("check")
@click.argument("file", default=".muniment/policy.toml")
@options.output
def check_policy(file: str, output: str) -> None:
    """Check FILE: its form, clauses without a control, and sentences of its page that no clause covers."""
    policy = policy_files.load_policy_file(file)
    uncovered = [b.clause.id for b in policy.clauses if b.control is None and not b.is_planned]
    planned = [b.clause.id for b in policy.clauses if b.is_planned]
    sentences = _find_unclaimed(policy, file)
    if output == "json":
        printing.print_json(
            {
                "digest": policy.policy.digest,
                "clauses": len(policy.clauses),
                "uncovered": uncovered,
                "not_evaluated": planned,
                "unclaimed": list(sentences),
                "keeps_history": is_history_protected(policy),
            }
        )
        return
    name = printing.make_printable(name_input(file))
    click.echo(f"{name} is a policy: {len(policy.clauses)} clauses, {policy.policy.digest}")
    for clause in uncovered:
        click.echo(f"  {printing.status_sign('unknown')} {clause} names no control")
    for clause in planned:
        click.echo(f"  {printing.status_sign('unknown')} {clause} is not evaluated by this version")
    if not is_history_protected(policy):
        click.echo(f"  {printing.status_sign('unknown')} {HISTORY_UNPROTECTED}. {ADD_CLAUSE}")
    for sentence in sentences:
        click.echo(
            f"  {policy.policy.source}:{sentence.line}: no clause covers: {printing.make_printable(sentence.text)}"
        )
    if sentences:
        click.echo("Next: write a clause for each sentence; a clause without a control is not evaluated.")


def _find_unclaimed(policy: BoundPolicy, file: str) -> tuple[PageSentence, ...]:
    source = policy.policy.source
    if not source:
        return ()
    page = Path(file).parent / source
    try:
        return find_uncovered_sentences(page.read_text(encoding="utf-8"), policy.policy)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(
            file,
            "source",
            f"{page} cannot be read ({error})",
            "Name the page relative to the policy's folder.",
        ) from error


@command.command("diff")
@click.argument("old")
@click.argument("new")
@options.output
def print_differences(old: str, new: str, output: str) -> int:
    """Compare two policies. What cannot be compared counts as weaker.

    Exit code 1 if NEW is weaker than OLD anywhere.
    """
    differences = compare_policies(policy_files.load_policy_file(old), policy_files.load_policy_file(new))
    if output == "json":
        printing.print_json(list(differences))
    else:
        for difference in differences:
            _print_difference(difference)
        weaker = sum(d.direction is Direction.WEAKER for d in differences)
        click.echo(f"{weaker} weaker of {len(differences)} differences" if differences else "no difference")
    return 1 if any(d.direction is Direction.WEAKER for d in differences) else 0


def _print_difference(difference: PolicyDifference) -> None:
    sign = printing.style_text(_SIGNS[difference.direction], colour=_COLOURS[difference.direction], bold=True)
    note = "weaker, for the two cannot be compared" if difference.incomparable else difference.direction.value
    old, new = printing.make_printable(difference.old) or "(none)", printing.make_printable(difference.new) or "(none)"
    click.echo(f"{sign} {difference.clause or 'policy'} {difference.what}: {old} → {new}  {printing.dim_text(note)}")


@command.command("show")
@options.repo
@options.onto
@options.home
@options.output
def show_policy(repo: str, onto: str | None, home: str | None, output: str) -> None:
    """Show the policy that holds here: the branch's under the home's floor, or the built-in one."""
    policy = policy_files.find_effective_policy(repo, onto, home)
    if output == "json":
        printing.print_json({"digest": policy.policy.digest, "policy": policy.policy})
        return
    click.echo(printing.style_text(f"{policy.policy.repository}: {policy.policy.digest}", bold=True))
    click.echo(f"  protected: {', '.join(policy.policy.protected_branches)}")
    for bound in policy.clauses:
        clause = bound.clause
        state = clause.control or "uncovered"
        state += ", not evaluated by this version" if bound.is_planned or bound.problem else ""
        state += f", monitoring until {clause.monitoring_until}" if clause.monitoring_until else ""
        click.echo(f"  {clause.id}  {printing.make_printable(clause.text)}")
        click.echo(printing.dim_text(f"      {state}; enforced at {', '.join(clause.enforce) or 'no point'}"))
