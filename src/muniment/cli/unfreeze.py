"""muniment unfreeze: two people lift a freeze."""

import click

from muniment.cli import keys, options, printing, scene
from muniment.cli.freeze import people_of
from muniment.git import signatures
from muniment.home.files import FilesHome
from muniment.workflows import freezing
from muniment.workflows.record import Record


@click.command()
@click.argument("freeze")
@options.required_home
@click.option("--reason", default="it is over", show_default=True, metavar="TEXT", help="Why it can be lifted.")
@options.key
@options.output
def command(freeze: str, home: str, reason: str, key: str | None, output: str) -> int:
    """Say that FREEZE can be lifted, signed with your SSH key; the second person's word lifts it.

    Both need the security role. Exit code 1 while a second person is missing.
    """
    place = FilesHome(home)
    person, chosen = keys.signer(people_of(place), key, ".")
    with Record(place) as record:
        found = freezing.lift(
            *(record, freeze, person, reason, scene.now()),
            lambda data: signatures.sign(data, freezing.NAMESPACE, chosen),
        )
    if output == "json":
        printing.json(found)
    elif found.complete:
        click.echo(f"{freeze} is lifted by {' and '.join(found.people)}")
    else:
        click.echo(f"{person.id} is for lifting {freeze}; merges are still stopped")
        click.echo(f"Next: somebody else with the security role runs: muniment unfreeze {freeze} --home {home}")
    return 0 if found.complete else 1
