"""muniment freeze: in an emergency, stop all merges."""

import click

from muniment.cli import keys, options, printing, scene
from muniment.errors import PeopleError, UsageError
from muniment.facts.people import People
from muniment.git import signatures
from muniment.home.files import FilesHome
from muniment.policy.people import read_people
from muniment.workflows import freezing
from muniment.workflows.record import Record


@click.command()
@options.required_home
@click.option("--reason", required=True, metavar="TEXT", help="Why; everybody who pushes reads it.")
@click.option("--rehearse", is_flag=True, help="Only rehearse: it is recorded and told, and stops nothing.")
@options.key
@options.output
def command(home: str, reason: str, rehearse: bool, key: str | None, output: str) -> int:
    """Stop all merges that a home judges, at once, signed with your SSH key.

    It takes one person with the security role, and two to lift it: muniment unfreeze.
    """
    if not reason.strip():
        raise UsageError("a freeze needs a reason", 'Give one: --reason "what happened"')
    place = FilesHome(home)
    person, chosen = keys.signer(people_of(place), key, ".")
    with Record(place) as record:
        made = freezing.freeze(
            *(record, person, reason.strip(), scene.now()),
            lambda data: signatures.sign(data, freezing.NAMESPACE, chosen),
            rehearsal=rehearse,
        )
    if output == "json":
        printing.json(made)
        return 0
    click.echo("a freeze is rehearsed: it stops nothing" if rehearse else "all merges and deployments are stopped")
    click.echo(f"Next: when it is over, two people lift it: muniment unfreeze {made.id} --home {home}")
    return 0


def people_of(home: FilesHome) -> People:
    """The people of a home: whoever may stop and lift is said there alone. Raises PeopleError."""
    text = home.people_text()
    if text is None:
        raise PeopleError("people.toml of the home", "", "there is none", "Make it with: muniment init --home DIR")
    return read_people(text, "people.toml of the home")
