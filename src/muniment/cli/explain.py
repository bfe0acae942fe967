"""muniment explain: what one clause means, what judges it, and what each of its answers asks of a person."""

import re

import click

from muniment.cli import options, printing
from muniment.cli.rulebook import any_policy
from muniment.decision.binding import BoundClause
from muniment.decision.catalogue import CONTROLS
from muniment.errors import UsageError
from muniment.policy.parameters import declared

_BLANK = re.compile(r"\{(\w+)\}")


@click.command()
@click.argument("clause")
@options.repo
@options.onto
@options.home
@options.output
def command(clause: str, repo: str, onto: str | None, home: str | None, output: str) -> int:
    """Explain CLAUSE of the policy (or of the built-in policy): control, parameters and reasons."""
    policy = any_policy(repo, onto, home)
    found = next((bound for bound in policy.clauses if bound.clause.id == clause), None)
    if found is None:
        names = ", ".join(bound.clause.id for bound in policy.clauses)
        raise UsageError(f"the policy has no clause {clause}", f"It has: {names}.")
    told = _told(found)
    if output == "json":
        printing.json(told)
    else:
        _tell(told)
    return 0


def _told(bound: BoundClause) -> dict[str, object]:
    clause, control = bound.clause, bound.control
    told: dict[str, object] = {
        "clause": clause.id,
        "text": clause.text,
        "control": clause.control,
        "enforce": list(clause.enforce),
        "monitoring_until": clause.monitoring_until.isoformat() if clause.monitoring_until else "",
        "branches": list(clause.branches),
        "paths": list(clause.paths),
        "summary": control.summary if control else _without(bound),
        "facts": [kind.name for kind in dict.fromkeys((*control.needs, *control.consults))] if control else [],
        "parameters": [],
        "reasons": [],
    }
    if control is not None:
        told["parameters"] = [
            {
                "name": parameter.name,
                "value": getattr(bound.parameters, parameter.name),
                "unit": parameter.unit,
                "stricter": parameter.stricter.value,
            }
            for parameter in declared(control.parameters)
        ]
        told["reasons"] = [
            {
                "code": member.code,
                "status": member.value.status.value,
                "message": member.value.message,
                "remedy": member.value.remedy,
            }
            for member in control.codes
        ]
    return told


def _without(bound: BoundClause) -> str:
    if bound.is_planned:
        return f"This version does not evaluate the control {bound.clause.control}."
    return f"No control evaluates it. Controls: {', '.join(CONTROLS)}."


def _tell(told: dict[str, object]) -> None:
    click.echo(printing.style(str(told["clause"]), bold=True))
    click.echo(f"  {printing.plain(str(told['text']))}")
    click.echo(f"  control: {told['control'] or 'none'}; enforced at: {', '.join(told['enforce']) or 'no point'}")  # type: ignore[arg-type]
    click.echo(f"  {told['summary']}")
    for parameter in told["parameters"]:  # type: ignore[attr-defined]
        click.echo(
            f"  {parameter['name']} = {parameter['value']}  "
            + printing.dim(f"{parameter['unit']}; stricter is {parameter['stricter']}")
        )
    if told["facts"]:
        facts = ", ".join(told["facts"]).replace("_", " ")  # type: ignore[arg-type]
        click.echo(printing.dim(f"  reads: {facts}"))
    for reason in told["reasons"]:  # type: ignore[attr-defined]
        click.echo(f"  {printing.sign(reason['status'])} {reason['code']}: {_blanks(reason['message'])}")
        if reason["remedy"]:
            click.echo(printing.dim(f"      {_blanks(reason['remedy'])}"))


def _blanks(sentence: str) -> str:
    """A sentence with each blank named as a person would: `<count> of <needed> others approved`."""
    return _BLANK.sub(lambda blank: f"<{blank[1].replace('_', ' ')}>", sentence)
