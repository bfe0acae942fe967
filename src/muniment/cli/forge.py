"""muniment forge: what is connected, what a forge enforces by itself, and making it enforce more."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from muniment.cli import forges, options, printing, rulebook
from muniment.errors import UsageError
from muniment.forges.rules import BranchRules, Plan, Wanted
from muniment.forges.shapes import WITHOUT, Listed
from muniment.forges.statuses import context_for
from muniment.policy.patterns import matches

_ADDRESS = click.argument("url", metavar="URL")


def _wanted(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is to hold."""
    for option in (
        options.onto,
        click.option(
            "--approvals",
            default=1,
            show_default=True,
            type=click.IntRange(0, 20),
            help="How many approvals the forge itself is to demand, as a second layer.",
        ),
        click.option("--only-we-merge", is_flag=True, help="Nobody but our account may merge."),
        click.option(
            "--break-glass", multiple=True, metavar="LOGIN", help="Who may merge all the same. For emergencies."
        ),
        options.output,
    ):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Look at a forge, and protect branches there. The token comes from MUNIMENT_FORGE_TOKEN, or is asked for."""


@command.command("list")
@_ADDRESS
@options.output
def show(url: str, output: str) -> int:
    """List the repositories that the token sees at URL, and what is missing to judge and bind there.

    Exit code 1 if something is missing somewhere.
    """
    _, forge = forges.forge(url)
    found = forge.reader.repositories()
    if output == "json":
        printing.json(found)
    else:
        about = forge.reader.about()
        click.echo(f"{about.vendor.value} {printing.plain(about.version)}, as {printing.plain(about.ours.login)}")
        for listed in found:
            for line in _listed(listed):
                click.echo(line)
        click.echo(f"{len(found)} repositories" + ("" if found else "\nNext: give our account a repository to read."))
    return 1 if any(listed.missing for listed in found) else 0


@command.command()
@_ADDRESS
@_wanted
def status(url: str, onto: str | None, output: str, **wanted: Any) -> int:
    """Show what protects a branch of the repository at URL, and what `forge protect` would change.

    Exit code 1 if it would change something: then the branch is not protected as it should be.
    """
    there = forges.at(url)
    plan = there.forge.protector.plan(there.listed.repository, _wish(there.listed, onto, wanted))
    if output == "json":
        printing.json(plan)
    else:
        for line in (*_listed(there.listed), *_rules(plan.before), *_planned(plan)):
            click.echo(line)
    return 1 if plan.steps else 0


@command.command()
@_ADDRESS
@_wanted
@click.option("--yes", is_flag=True, help="Do it without asking.")
def protect(url: str, onto: str | None, output: str, yes: bool, **wanted: Any) -> int:
    """Make the forge insist on Muniment's status on a branch of the repository at URL. The plan is shown first."""
    there = forges.at(url)
    repository = there.listed.repository
    plan = there.forge.protector.plan(repository, _wish(there.listed, onto, wanted))
    if output == "text":
        for line in _planned(plan):
            click.echo(line)
    if plan.steps and not yes and not _agreed(output):
        return 1
    after = there.forge.protector.apply(repository, plan) if plan.steps else plan.before
    if output == "json":
        printing.json({"plan": plan, "after": after})
    else:
        click.echo("it holds")
        for line in _unjudged(after.ref):
            click.echo(line)
        click.echo(f"Next: muniment forge status {url}, and again whenever somebody was at its settings")
    return 0


def _unjudged(ref: str) -> Iterator[str]:
    """Where a status is demanded, somebody has to post one."""
    name, protected = ref.removeprefix("refs/heads/"), rulebook.built_in().policy.protected
    if not matches(name, protected):
        yield printing.dim(
            f"    The built-in policy protects {', '.join(protected)} alone. Name {printing.plain(name)} in yours"
            " (protected = [...]), or no change for it gets the status that is demanded now."
        )


def _agreed(output: str) -> bool:
    if output == "json" or not sys.stdin.isatty():
        raise UsageError("nobody is here to agree to the plan", "Look at it with forge status, then say --yes.")
    return click.confirm("Do this?", default=False)


def _wish(listed: Listed, onto: str | None, wanted: dict[str, Any]) -> Wanted:
    ref = forges.branch(listed.repository, onto)
    if set(ref) & set("*?["):
        raise UsageError(
            f"{onto} is a pattern, and each branch has rules of its own",
            f"Name one branch. For those yet to come, make a rule by hand that demands {context_for(ref)}.",
        )
    return Wanted(
        ref=ref,
        context=context_for(ref),
        approvals=wanted["approvals"],
        only_we_merge=wanted["only_we_merge"],
        break_glass=wanted["break_glass"],
    )


def _listed(listed: Listed) -> Iterator[str]:
    sign = printing.sign("violated" if listed.missing else "satisfied")
    yield f"{sign} {printing.plain(listed.repository.path)}"
    for ability in listed.missing:
        yield f"    may not {ability.value}: {WITHOUT[ability]}"


def _rules(rules: BranchRules) -> Iterator[str]:
    name = printing.plain(rules.ref.removeprefix("refs/heads/"))
    if not rules.protected:
        yield f"{printing.sign('violated')} {name} is not protected"
        return
    yield f"{printing.sign('satisfied')} {name} is protected"
    demanded = [required.context + (f" from {required.by}" if required.by else "") for required in rules.required]
    rows = {
        "statuses": demanded,
        "approvals": [str(rules.approvals)] if rules.approvals else [],
        "may merge": rules.mergers,
        "may push without a change": rules.pushers,
        "may bypass all this": rules.bypass,
        "could not be read": rules.unread,
    }
    for title, values in rows.items():
        said = ", ".join("everybody who may write" if value == "*" else value for value in values)
        yield f"    {title}: {printing.plain(said) or ('nobody' if title.startswith('may') else 'none')}"


def _planned(plan: Plan) -> Iterator[str]:
    name = printing.plain(plan.wanted.ref.removeprefix("refs/heads/"))
    if not plan.steps:
        yield f"{name} of {printing.plain(plan.repository)} is protected as wanted"
    else:
        yield f"to protect {name} of {printing.plain(plan.repository)}:"
    for step in plan.steps:
        yield f"    {step.what}: {printing.plain(step.was)} → {printing.plain(step.becomes)}"
    for end in plan.open_ends:
        yield printing.dim(f"    what this does not bind: {end}")
