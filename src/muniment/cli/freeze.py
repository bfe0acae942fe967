"""muniment freeze: in an emergency or for a while, stop merges."""

import datetime

import click

from muniment.cli import keys, options, printing, publishing, scene
from muniment.decision.freezes import is_in_force, scope_text
from muniment.errors import PeopleError, UsageError
from muniment.facts import canonical, moments
from muniment.facts.people import People
from muniment.facts.statements import PEOPLE_TO_LIFT, Freeze
from muniment.git import signatures
from muniment.store.files import FilesStore
from muniment.workflows import freezing
from muniment.workflows.publish_rules import repository_names


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
    """Stop merges that a home judges, signed with your SSH key: all at once, or of one repository, or for a while.

    It takes one person with the security role, and two to lift it: muniment unfreeze.
    """
    if not reason.strip():
        raise UsageError("a freeze needs a reason", 'Give one: --reason "what happened"')
    place, now = FilesStore(home), scene.now()
    people = people_of(place)
    person, chosen = keys.signer(people, key, ".")
    freezing.check_may_freeze(person)
    begins, ends = _moment(since, "--from") if since else now, _moment(until, "--until") if until else ""
    freezing.check_period(begins, ends, now)
    _check_repository(place, repository)
    made = Freeze(freezing.new_id(), person.id, reason.strip(), begins, drill, ends, repository)
    signed = canonical.encode(freezing.freeze_statement(made, now))
    with place:
        freezing.record_freeze(place, made, now, signatures.sign(signed, freezing.NAMESPACE, chosen))
    publishing.publish(place)
    if output == "json":
        printing.json(made)
        return 0
    _tell(made, now, freezing.missing_lifters(people), home)
    return 0


def people_of(home: FilesStore) -> People:
    """The people of a home: whoever may stop and lift is said there alone. Raises PeopleError."""
    found = home.people()
    if found is None:
        raise PeopleError("people.toml of the home", "", "there is none", "Make it with: muniment init --home DIR")
    return found


def _tell(freeze: Freeze, now: str, missing: int, home: str) -> None:
    """Print what is stopped from when until when, who has to be appointed to lift it, and the next step."""
    scope = printing.plain(scope_text(freeze))
    until = f" until {freeze.until[:16]}" if freeze.until else ""
    click.echo(_what(freeze, scope, begun=is_in_force(freeze, now)) + until)
    if missing and not freeze.drill:
        before = f" before {freeze.until[:16]}" if freeze.until else ""
        click.echo(
            f"Attention: nobody can lift it{before} before {missing} more people have the security role: it takes "
            f'{PEOPLE_TO_LIFT}. Appoint them in people.toml of the home: roles = ["security"]'
        )
    when = "to end it earlier" if freeze.until else "when it is over"
    click.echo(f"Next: {when}, two people lift it: muniment unfreeze {freeze.id} --home {home}")


def _what(freeze: Freeze, scope: str, *, begun: bool) -> str:
    """The first line."""
    stopped = f"all merges{scope}" if scope else "all merges and deployments"
    if freeze.drill:
        drill = f"a freeze drill{' of the merges' + scope if scope else ''}"
        return f"{drill} has begun: it stops nothing" if begun else f"{drill} begins at {freeze.since[:16]}"
    return f"{stopped} are stopped" if begun else f"{stopped} will be stopped from {freeze.since[:16]}"


def _moment(text: str, option: str) -> str:
    """A moment that a person typed, in UTC unless it says another zone. Raises UsageError."""
    try:
        read = datetime.datetime.fromisoformat(text.strip())
        return moments.text(read if read.tzinfo else read.replace(tzinfo=datetime.UTC))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r} is not a moment", "Write a day and a time in UTC, such as 2026-12-24T18:00."
        ) from None


def _check_repository(home: FilesStore, name: str) -> None:
    """Raise UsageError for the name of a repository that the home does not judge: such a freeze would stop nothing."""
    names = repository_names(home) if name else ()
    if name and name not in names:
        raise UsageError(
            f"this home has no repository {name}",
            f"Name one with --repository: {', '.join(names) or 'none is known'}.",
        )
