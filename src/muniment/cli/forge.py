"""muniment forge: what is connected, what a forge enforces by itself, and making it enforce more."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click

from muniment.cli import forges, options, printing, rulebook
from muniment.errors import UsageError
from muniment.forges.merge_protection import (
    MODE_REASONS,
    MergeMode,
    MergeProtection,
    default_protection,
    unsupported_mode,
)
from muniment.forges.rules import BranchRules, Plan, Wanted
from muniment.forges.shapes import WITHOUT, Listed, RefusedRequest
from muniment.forges.statuses import context_for
from muniment.http.rate_limits import RateLimit
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
        click.option(
            "--merge",
            type=click.Choice([mode.value for mode in MergeMode]),
            help="Who merges: our account alone, the forge's merge queue, or whoever may once our status is success. "
            "Without it, what suits the forge; the plan says why.",
        ),
        click.option(
            "--break-glass", multiple=True, metavar="LOGIN", help="Who may merge all the same. For emergencies."
        ),
        options.output,
    ):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Show what a connection to a forge can read, and protect branches there.

    The token comes from MUNIMENT_FORGE_TOKEN, or is asked for.
    """


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
    return 1 if any(listed.missing_abilities for listed in found) else 0


@command.command()
@_ADDRESS
@_wanted
def status(url: str, onto: str | None, output: str, **wanted: Any) -> int:
    """Show what protects a branch of the repository at URL, and what `forge protect` would change.

    Each kind of request that Muniment needs is tried once, without altering anything; what is refused is named with the
    permission to add. Exit code 1 if something is refused, or the branch is not protected as it should be.
    """
    there = forges.at(url)
    refused = there.forge.reader.refused_requests(there.listed.repository)
    wish, mode = _wish(there, onto, wanted)
    plan = there.forge.protector.plan(there.listed.repository, wish)
    if output == "json":
        limits = there.forge.reader.limits()
        printing.json({"plan": plan, "merge": mode, "refused_requests": refused, "rate_limits": limits})
    else:
        for line in (*_listed(there.listed), *_refused(refused), *_rules(plan.before), *_planned(plan, mode)):
            click.echo(line)
        for line in _quota(there.forge.reader.limits()):
            click.echo(line)
    return 1 if plan.steps or refused else 0


@command.command()
@_ADDRESS
@_wanted
@click.option("--yes", is_flag=True, help="Do it without asking.")
def protect(url: str, onto: str | None, output: str, yes: bool, **wanted: Any) -> int:
    """Make the forge insist on Muniment's status on a branch of the repository at URL. The plan is shown first."""
    there = forges.at(url)
    repository = there.listed.repository
    wish, mode = _wish(there, onto, wanted)
    plan = there.forge.protector.plan(repository, wish)
    if output == "text":
        for line in _planned(plan, mode):
            click.echo(line)
    if plan.steps and not yes and not _agreed(output):
        return 1
    after = there.forge.protector.apply(repository, plan) if plan.steps else plan.before
    if output == "json":
        printing.json({"plan": plan, "merge": mode, "after": after})
    else:
        click.echo("it holds")
        for line in _unjudged(after.ref):
            click.echo(line)
        click.echo(f"Next: muniment forge status {url}, and again whenever somebody was at its settings")
    return 0


def _quota(limits: Mapping[str, RateLimit]) -> Iterator[str]:
    known = {resource: limit for resource, limit in limits.items() if limit.left >= 0}
    for resource, limit in known.items():
        until = f", reset at {limit.reset[:19]}Z" if limit.reset else ""
        of = f"of {limit.limit} " if limit.limit >= 0 else ""
        yield f"API quota left ({resource}): {limit.left} {of}requests{until}"
    if not known:
        yield "API quota left: not reported"


def _unjudged(ref: str) -> Iterator[str]:
    """Where a status is demanded, somebody has to post one."""
    name, protected = ref.removeprefix("refs/heads/"), rulebook.built_in().policy.protected_branches
    if not matches(name, protected):
        yield printing.dim(
            f"    The built-in policy protects {', '.join(protected)} alone. Name {printing.plain(name)} in yours"
            " (protected = [...]), or no change for it gets the status that is demanded now."
        )


def _agreed(output: str) -> bool:
    if output == "json" or not sys.stdin.isatty():
        raise UsageError("there is no terminal to confirm the plan", "Look at it with forge status, then add --yes.")
    return click.confirm("Do this?", default=False)


def _wish(there: forges.At, onto: str | None, wanted: dict[str, Any]) -> tuple[Wanted, MergeProtection]:
    """What is to hold on a branch, and how its merges are protected. Raises UsageError or ForgeError."""
    repository = there.listed.repository
    ref = forges.branch(repository, onto)
    if set(ref) & set("*?["):
        raise UsageError(
            f"{onto} is a pattern, and each branch has rules of its own",
            f"Name one branch. For those yet to come, make a rule by hand that demands {context_for(ref)}.",
        )
    merge = _merge_protection(there, ref, wanted["merge"])
    wish = Wanted(
        ref=ref,
        context=context_for(ref),
        approvals=wanted["approvals"],
        only_we_merge=merge.mode is MergeMode.MUNIMENT,
        break_glass=wanted["break_glass"],
    )
    return wish, merge


def _merge_protection(there: forges.At, ref: str, asked: str | None) -> MergeProtection:
    """The mode that was asked for, or what suits the forge. Raises UsageError for one that it cannot hold."""
    rules, vendor = there.forge.reader.rules(there.listed.repository, ref), there.connection.vendor
    if asked is None:
        return default_protection(vendor, rules)
    mode = MergeMode(asked)
    unsupported = unsupported_mode(vendor, rules, mode)
    if unsupported:
        default = default_protection(vendor, rules)
        raise UsageError(f"merges cannot be protected so: {unsupported}", f"Use --merge {default.mode.value}.")
    return MergeProtection(mode, MODE_REASONS[mode])


def _listed(listed: Listed) -> Iterator[str]:
    sign = printing.sign("violated" if listed.missing_abilities else "met")
    yield f"{sign} {printing.plain(listed.repository.path)}"
    for ability in listed.missing_abilities:
        yield f"    may not {ability.value}: {WITHOUT[ability]}"


def _refused(refused: Iterable[RefusedRequest]) -> Iterator[str]:
    for one in refused:
        yield f"{printing.sign('violated')} the forge refuses to let us {one.request}: {one.cost}"
        yield f"    Next: add {one.permission}"


def _rules(rules: BranchRules) -> Iterator[str]:
    name = printing.plain(rules.ref.removeprefix("refs/heads/"))
    if not rules.protected:
        yield f"{printing.sign('violated')} {name} is not protected"
        return
    yield f"{printing.sign('met')} {name} is protected"
    demanded = [
        required.context + (f" from {required.by}" if required.by else "") for required in rules.required_statuses
    ]
    rows = {
        "statuses": demanded,
        "approvals": [str(rules.approvals)] if rules.approvals else [],
        "one more approval": ["of what is attributed to no person"] if rules.unattributed_approval else [],
        "may merge": rules.mergers,
        "may push without a change": rules.pushers,
        "may bypass all this": rules.bypass,
        "could not be read": rules.unread_settings,
    }
    for title, values in rows.items():
        said = ", ".join("everybody who may write" if value == "*" else value for value in values)
        yield f"    {title}: {printing.plain(said) or ('nobody' if title.startswith('may') else 'none')}"


def _planned(plan: Plan, merge: MergeProtection) -> Iterator[str]:
    name = printing.plain(plan.wanted.ref.removeprefix("refs/heads/"))
    yield f"merges by: {merge.mode.value}. {merge.reason}"
    if not plan.steps:
        yield f"{name} of {printing.plain(plan.repository)} is protected as wanted"
    else:
        yield f"to protect {name} of {printing.plain(plan.repository)}:"
    for step in plan.steps:
        yield f"    {step.setting}: {printing.plain(step.previous_value)} → {printing.plain(step.new_value)}"
    for end in plan.remaining_gaps:
        yield printing.dim(f"    what this does not bind: {end}")
