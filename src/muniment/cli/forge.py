"""muniment forge: show connections and the protection that a forge enforces by itself, and extend it."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypedDict, Unpack

import click

from muniment.cli import forge_access, options, policy_files, printing
from muniment.errors import UsageError
from muniment.forges.branch_rules import BranchRules, ProtectionPlan, WantedProtection
from muniment.forges.merge_protection import (
    MODE_REASONS,
    MergeMode,
    MergeProtection,
    choose_default_protection,
    explain_unsupported_mode,
)
from muniment.forges.shapes import MISSING_ABILITY_EFFECTS, ListedRepository, RefusedRequest
from muniment.forges.statuses import make_context
from muniment.http.rate_limits import RateLimit
from muniment.policy.patterns import matches_any

_ADDRESS = click.argument("url", metavar="URL")


class ProtectionOptions(TypedDict):
    """Options that describe the protection of a branch, besides the branch."""

    approvals: int
    merge: str | None
    break_glass: tuple[str, ...]


def _protection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe the protection of a branch."""
    for option in (
        options.onto,
        click.option(
            "--approvals",
            default=1,
            show_default=True,
            type=click.IntRange(0, 20),
            help="Approvals that the forge itself requires, as a second layer.",
        ),
        click.option(
            "--merge",
            type=click.Choice([mode.value for mode in MergeMode]),
            help="Who merges: our account alone, the forge's merge queue, or whoever may once our status is success. "
            "Default: the best for the forge; the plan gives the reason.",
        ),
        click.option(
            "--break-glass", multiple=True, metavar="LOGIN", help="Account that may always merge. For emergencies."
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
def print_repositories(url: str, output: str) -> int:
    """List the repositories that the token sees at URL, and the permissions that are missing there.

    Exit code 1 if something is missing somewhere.
    """
    _, forge = forge_access.connect_to_forge(url)
    found = forge.reader.list_repositories()
    if output == "json":
        printing.print_json(found)
    else:
        about = forge.reader.describe_forge()
        click.echo(
            f"{about.vendor.value} {printing.make_printable(about.version)}, "
            f"as {printing.make_printable(about.ours.login)}"
        )
        for listed in found:
            for line in _format_repository(listed):
                click.echo(line)
        click.echo(f"{len(found)} repositories" + ("" if found else "\nNext: give our account a repository to read."))
    return 1 if any(listed.missing_abilities for listed in found) else 0


@command.command("status")
@_ADDRESS
@_protection_options
def show_protection(url: str, onto: str | None, output: str, **wanted: Unpack[ProtectionOptions]) -> int:
    """Show what protects a branch of the repository at URL, and what `forge protect` would change.

    Each kind of request that Muniment needs is tried once, without altering anything; what is refused is named with the
    permission to add. Exit code 1 if something is refused, or the branch is not protected as it should be.
    """
    there = forge_access.open_forge_repository(url)
    refused = there.forge.reader.find_refused_requests(there.listed.repository)
    wish, mode = _read_wanted_protection(there, onto, wanted)
    plan = there.forge.protector.plan_protection(there.listed.repository, wish)
    if output == "json":
        limits = there.forge.reader.get_rate_limits()
        printing.print_json({"plan": plan, "merge": mode, "refused_requests": refused, "rate_limits": limits})
    else:
        for line in (
            *_format_repository(there.listed),
            *_format_refused_requests(refused),
            *_format_branch_rules(plan.before),
            *_format_plan(plan, mode),
        ):
            click.echo(line)
        for line in _format_rate_limits(there.forge.reader.get_rate_limits()):
            click.echo(line)
    return 1 if plan.steps or refused else 0


@command.command("protect")
@_ADDRESS
@_protection_options
@click.option("--yes", is_flag=True, help="Do it without asking.")
def protect_branch(url: str, onto: str | None, output: str, yes: bool, **wanted: Unpack[ProtectionOptions]) -> int:
    """Make the forge require Muniment's status on a branch of the repository at URL. The plan is shown first."""
    there = forge_access.open_forge_repository(url)
    repository = there.listed.repository
    wish, mode = _read_wanted_protection(there, onto, wanted)
    plan = there.forge.protector.plan_protection(repository, wish)
    if output == "text":
        for line in _format_plan(plan, mode):
            click.echo(line)
    if plan.steps and not yes and not _confirm_plan(output):
        return 1
    after = there.forge.protector.apply_protection(repository, plan) if plan.steps else plan.before
    if output == "json":
        printing.print_json({"plan": plan, "merge": mode, "after": after})
    else:
        click.echo("it holds")
        for line in _warn_unprotected(after.ref):
            click.echo(line)
        click.echo(f"Next: muniment forge status {url}, and again whenever somebody was at its settings")
    return 0


def _format_rate_limits(limits: Mapping[str, RateLimit]) -> Iterator[str]:
    known = {resource: limit for resource, limit in limits.items() if limit.left >= 0}
    for resource, limit in known.items():
        until = f", reset at {limit.reset[:19]}Z" if limit.reset else ""
        of = f"of {limit.limit} " if limit.limit >= 0 else ""
        yield f"API quota left ({resource}): {limit.left} {of}requests{until}"
    if not known:
        yield "API quota left: not reported"


def _warn_unprotected(ref: str) -> Iterator[str]:
    """Warn if the forge requires a status on a branch that the built-in policy does not protect: nobody would
    post one.
    """
    name, protected = ref.removeprefix("refs/heads/"), policy_files.load_built_in_policy().policy.protected_branches
    if not matches_any(name, protected):
        yield printing.dim_text(
            f"    The built-in policy protects {', '.join(protected)} alone. "
            f"Name {printing.make_printable(name)} in yours"
            " (protected = [...]), or no change for it gets the status that is demanded now."
        )


def _confirm_plan(output: str) -> bool:
    if output == "json" or not sys.stdin.isatty():
        raise UsageError("there is no terminal to confirm the plan", "Look at it with forge status, then add --yes.")
    return click.confirm("Do this?", default=False)


def _read_wanted_protection(
    there: forge_access.RepositoryAccess, onto: str | None, wanted: ProtectionOptions
) -> tuple[WantedProtection, MergeProtection]:
    """Read from the options how a branch and its merges are to be protected. Raises UsageError or ForgeError."""
    repository = there.listed.repository
    ref = forge_access.resolve_branch_ref(repository, onto)
    if set(ref) & set("*?["):
        raise UsageError(
            f"{onto} is a pattern, and each branch has rules of its own",
            f"Name one branch. For those yet to come, make a rule by hand that demands {make_context(ref)}.",
        )
    merge = _choose_merge_protection(there, ref, wanted["merge"])
    wish = WantedProtection(
        ref=ref,
        context=make_context(ref),
        approvals=wanted["approvals"],
        only_we_merge=merge.mode is MergeMode.MUNIMENT,
        break_glass=wanted["break_glass"],
    )
    return wish, merge


def _choose_merge_protection(there: forge_access.RepositoryAccess, ref: str, asked: str | None) -> MergeProtection:
    """Choose the requested merge mode, or the default of the forge. Raises UsageError for one that the forge does not
    support.
    """
    rules, vendor = there.forge.reader.read_branch_rules(there.listed.repository, ref), there.connection.vendor
    if asked is None:
        return choose_default_protection(vendor, rules)
    mode = MergeMode(asked)
    unsupported = explain_unsupported_mode(vendor, rules, mode)
    if unsupported:
        default = choose_default_protection(vendor, rules)
        raise UsageError(f"merges cannot be protected so: {unsupported}", f"Use --merge {default.mode.value}.")
    return MergeProtection(mode, MODE_REASONS[mode])


def _format_repository(listed: ListedRepository) -> Iterator[str]:
    sign = printing.status_sign("violated" if listed.missing_abilities else "met")
    yield f"{sign} {printing.make_printable(listed.repository.path)}"
    for ability in listed.missing_abilities:
        yield f"    may not {ability.value}: {MISSING_ABILITY_EFFECTS[ability]}"


def _format_refused_requests(refused: Iterable[RefusedRequest]) -> Iterator[str]:
    for one in refused:
        yield f"{printing.status_sign('violated')} the forge refuses to let us {one.request}: {one.cost}"
        yield f"    Next: add {one.permission}"


def _format_branch_rules(rules: BranchRules) -> Iterator[str]:
    name = printing.make_printable(rules.ref.removeprefix("refs/heads/"))
    if not rules.protected:
        yield f"{printing.status_sign('violated')} {name} is not protected"
        return
    yield f"{printing.status_sign('met')} {name} is protected"
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
        names = ", ".join("everybody who may write" if value == "*" else value for value in values)
        yield f"    {title}: {printing.make_printable(names) or ('nobody' if title.startswith('may') else 'none')}"


def _format_plan(plan: ProtectionPlan, merge: MergeProtection) -> Iterator[str]:
    name = printing.make_printable(plan.wanted.ref.removeprefix("refs/heads/"))
    yield f"merges by: {merge.mode.value}. {merge.reason}"
    if not plan.steps:
        yield f"{name} of {printing.make_printable(plan.repository)} is protected as wanted"
    else:
        yield f"to protect {name} of {printing.make_printable(plan.repository)}:"
    for step in plan.steps:
        before, after = printing.make_printable(step.previous_value), printing.make_printable(step.new_value)
        yield f"    {step.setting}: {before} → {after}"
    for end in plan.remaining_gaps:
        yield printing.dim_text(f"    what this does not bind: {end}")
