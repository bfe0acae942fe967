"""muniment freeze: in an emergency or for a while, stop merges."""

import datetime

import click

from muniment.cli import context, home_rules, keys, options, printing
from muniment.cli.home_access import open_files_home
from muniment.decision.freezes import format_freeze_scope, is_freeze_in_force
from muniment.errors import PeopleError, UsageError
from muniment.facts import canonical, moments
from muniment.facts.people import People
from muniment.facts.statements import PEOPLE_TO_LIFT, Freeze
from muniment.git import signatures
from muniment.store.files_store import FilesStore
from muniment.workflows import freezing
from muniment.workflows.publish_rules import list_repository_names


@click.command()
@options.required_home
@click.option("--reason", required=True, metavar="TEXT", help="Why; everybody who pushes reads it.")
@click.option("--repository", default="", metavar="NAME", help="Only merges of this repository. Default: of all.")
@click.option("--from", "since", metavar="TIME", help="When it begins, in UTC, such as 2026-12-24T18:00. Default: now.")
@click.option("--until", metavar="TIME", help="When it ends, in UTC. Default: once two people lift it.")
@click.option("--drill", is_flag=True, help="Only a drill: it is recorded and shown, and stops nothing.")
@options.key
@options.output
def command(
    home: str,
    reason: str,
    repository: str,
    since: str | None,
    until: str | None,
    drill: bool,
    key: str | None,
    output: str,
) -> int:
    """Freeze merges that a home evaluates, signed with your SSH key: all at once, or of one repository, or for a while.

    It takes one person with the security role, and two to lift it: muniment unfreeze.
    """
    if not reason.strip():
        raise UsageError("a freeze needs a reason", 'Give one: --reason "what happened"')
    place, now = open_files_home(home), context.current_moment()
    people = require_people(place)
    person, chosen = keys.find_signer(people, key, ".")
    freezing.check_may_freeze(person)
    begins, ends = _parse_moment(since, "--from") if since else now, _parse_moment(until, "--until") if until else ""
    freezing.check_freeze_period(begins, ends, now)
    _check_repository(place, repository)
    made = Freeze(freezing.create_freeze_id(), person.id, reason.strip(), begins, drill, ends, repository)
    signed = canonical.encode(freezing.build_freeze_statement(made, now))
    with place:
        freezing.record_freeze(place, made, now, signatures.make_signature(signed, freezing.FREEZE_NAMESPACE, chosen))
    home_rules.publish_home_rules(place)
    if output == "json":
        printing.print_json(made)
        return 0
    _print_freeze(made, now, freezing.count_missing_lifters(people), home)
    return 0


def require_people(home: FilesStore) -> People:
    """People of a home, who alone may freeze and lift. Raises PeopleError."""
    found = home.load_people()
    if found is None:
        raise PeopleError("people.toml of the home", "", "there is none", "Make it with: muniment init --home DIR")
    return found


def _print_freeze(freeze: Freeze, now: str, missing: int, home: str) -> None:
    """Print the scope and period of a freeze, the people who have to be appointed to lift it, and the next step."""
    scope = printing.make_printable(format_freeze_scope(freeze))
    until = f" until {freeze.until[:16]}" if freeze.until else ""
    click.echo(_describe_freeze(freeze, scope, begun=is_freeze_in_force(freeze, now)) + until)
    if missing and not freeze.drill:
        before = f" before {freeze.until[:16]}" if freeze.until else ""
        click.echo(
            f"Attention: nobody can lift it{before} before {missing} more people have the security role: it takes "
            f'{PEOPLE_TO_LIFT}. Appoint them in people.toml of the home: roles = ["security"]'
        )
    when = "to end it earlier" if freeze.until else "when it is over"
    click.echo(f"Next: {when}, two people lift it: muniment unfreeze {freeze.id} --home {home}")


def _describe_freeze(freeze: Freeze, scope: str, *, begun: bool) -> str:
    """First line about a freeze: its scope and start."""
    stopped = f"all merges{scope}" if scope else "all merges and deployments"
    if freeze.drill:
        drill = f"a freeze drill{' of the merges' + scope if scope else ''}"
        return f"{drill} has begun: it stops nothing" if begun else f"{drill} begins at {freeze.since[:16]}"
    return f"{stopped} are stopped" if begun else f"{stopped} will be stopped from {freeze.since[:16]}"


def _parse_moment(text: str, option: str) -> str:
    """Parse a moment that a person typed, in UTC unless it names another zone. Raises UsageError."""
    try:
        read = datetime.datetime.fromisoformat(text.strip())
        return moments.format_moment(read if read.tzinfo else read.replace(tzinfo=datetime.UTC))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r} is not a moment", "Write a day and a time in UTC, such as 2026-12-24T18:00."
        ) from None


def _check_repository(home: FilesStore, name: str) -> None:
    """Raise UsageError for a repository that the home does not evaluate: such a freeze would stop nothing."""
    names = list_repository_names(home) if name else ()
    if name and name not in names:
        raise UsageError(
            f"this home has no repository {name}",
            f"Name one with --repository: {', '.join(names) or 'none is known'}.",
        )
