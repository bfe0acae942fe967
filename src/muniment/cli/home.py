"""muniment home: what an installation keeps, and how some of it is erased."""

import click

from muniment.cli import options, printing, publishing, scene
from muniment.cli.freeze import people_of
from muniment.errors import UsageError
from muniment.facts.people import Person
from muniment.store.files import FilesStore
from muniment.workflows.erase import erase as erase_all


@click.group()
def command() -> None:
    """Look after a home."""


@command.command()
@options.required_home
@click.option("--person", "name", required=True, metavar="ID", help="Whose data is erased.")
@click.option("--reason", required=True, metavar="TEXT", help="Why: it stays on record, so name nobody in it.")
@click.option(
    "--email", "emails", multiple=True, metavar="ADDRESS", help="A further address of theirs, such as an old one."
)
@options.output
def erase(home: str, name: str, reason: str, emails: tuple[str, ...], output: str) -> int:
    """Erase what the home keeps of a person beside the ledger: names, addresses, reasons, facts.

    The ledger itself names nobody, stays whole, and says that this was erased. Decisions about changes that this
    person had a hand in can then no longer be made again. What git holds is not touched.
    """
    if not reason.strip():
        raise UsageError("an erasure needs a reason", "Give one: --reason TEXT")
    place = FilesStore(home)
    count, number = erase_all(place, _person(place, name, emails), reason.strip(), scene.now())
    publishing.publish(place)
    if output == "json":
        printing.json({"erased_object_count": count, "position": number})
        return 0
    click.echo(f"{count} objects were erased; entry {number} of the ledger says so")
    click.echo(f"Next: take {name} out of people.toml too, once nothing needs that name any more.")
    return 0


def _person(home: FilesStore, name: str, emails: tuple[str, ...]) -> Person:
    """Somebody of people.toml, or, if they were taken out of it, what is known of them."""
    known = people_of(home).by_id.get(name)
    if known is None and not emails:
        raise UsageError(f"{name} is not in people.toml", "Say which addresses are theirs with --email ADDRESS.")
    own = known or Person(name, name, (), (), (), (), active=False, write_access=())
    return Person(
        *(own.id, own.name, (*own.emails, *emails), own.keys, own.accounts, own.roles, own.active, own.write_access)
    )
