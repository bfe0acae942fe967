"""muniment explain: the meaning of one clause, its control, and the next step for each of its reasons."""

import re

import click

from muniment.cli import options, printing
from muniment.cli.policy_files import find_effective_policy
from muniment.decision.binding import BoundClause
from muniment.decision.catalogue import CONTROLS
from muniment.errors import UsageError
from muniment.policy.parameters import list_declarations

_PLACEHOLDER = re.compile(r"\{(\w+)\}|\{\{|\}\}")


@click.command()
@click.argument("clause")
@options.repo
@options.onto
@options.home
@options.output
def command(clause: str, repo: str, onto: str | None, home: str | None, output: str) -> int:
    """Explain CLAUSE of the policy (or of the built-in policy): control, parameters and reasons."""
    policy = find_effective_policy(repo, onto, home)
    found = next((bound for bound in policy.clauses if bound.clause.id == clause), None)
    if found is None:
        names = ", ".join(bound.clause.id for bound in policy.clauses)
        raise UsageError(f"the policy has no clause {clause}", f"It has: {names}.")
    description = _describe_clause(found)
    if output == "json":
        printing.print_json(description)
    else:
        _print_clause(description)
    return 0


def _describe_clause(bound: BoundClause) -> dict[str, object]:
    clause, control = bound.clause, bound.control
    description: dict[str, object] = {
        "clause": clause.id,
        "text": clause.text,
        "control": clause.control,
        "enforce": list(clause.enforce),
        "monitoring_until": clause.monitoring_until.isoformat() if clause.monitoring_until else "",
        "branches": list(clause.branches),
        "paths": list(clause.paths),
        "summary": control.summary if control else _explain_missing_control(bound),
        "facts": [kind.name for kind in dict.fromkeys((*control.needs, *control.consults))] if control else [],
        "parameters": [],
        "reasons": [],
    }
    if control is not None:
        description["parameters"] = [
            {
                "name": parameter.name,
                "value": getattr(bound.parameters, parameter.name),
                "unit": parameter.unit,
                "stricter": parameter.stricter.value,
            }
            for parameter in list_declarations(control.parameters)
        ]
        description["reasons"] = [
            {
                "code": member.code,
                "status": member.value.status.value,
                "message": member.value.message,
                "remedy": member.value.remedy,
            }
            for member in control.codes
        ]
    return description


def _explain_missing_control(bound: BoundClause) -> str:
    if bound.problem:
        return f"This version cannot evaluate it: {bound.problem}."
    if bound.is_planned:
        return f"This version does not evaluate the control {bound.clause.control}."
    return f"No control evaluates it. Controls: {', '.join(CONTROLS)}."


def _print_clause(about: dict[str, object]) -> None:
    click.echo(printing.style_text(str(about["clause"]), bold=True))
    click.echo(f"  {printing.make_printable(str(about['text']))}")
    enforced_at = ", ".join(about["enforce"]) or "no point"  # type: ignore[arg-type]
    click.echo(f"  control: {about['control'] or 'none'}; enforced at: {enforced_at}")
    click.echo(f"  {about['summary']}")
    for parameter in about["parameters"]:  # type: ignore[attr-defined]
        click.echo(
            f"  {parameter['name']} = {parameter['value']}  "
            + printing.dim_text(f"{parameter['unit']}; stricter is {parameter['stricter']}")
        )
    if about["facts"]:
        facts = ", ".join(about["facts"]).replace("_", " ")  # type: ignore[arg-type]
        click.echo(printing.dim_text(f"  reads: {facts}"))
    for reason in about["reasons"]:  # type: ignore[attr-defined]
        click.echo(
            f"  {printing.status_sign(reason['status'])} {reason['code']}: {name_placeholders(reason['message'])}"
        )
        if reason["remedy"]:
            click.echo(printing.dim_text(f"      {name_placeholders(reason['remedy'])}"))


def name_placeholders(sentence: str) -> str:
    """Write each placeholder of a template as people read it: `<count> of <needed> others approved`; and its braces."""
    return _PLACEHOLDER.sub(lambda blank: f"<{blank[1].replace('_', ' ')}>" if blank[1] else blank[0][0], sentence)
