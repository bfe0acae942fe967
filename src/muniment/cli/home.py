"""muniment home: what an installation keeps, and how some of it is erased."""

import os
from pathlib import Path

import click

from muniment.cli import homes, options, printing, publishing, scene, serving
from muniment.cli.freeze import people_of
from muniment.errors import UsageError
from muniment.facts.people import Person
from muniment.store.files import FilesStore
from muniment.workflows.erase import erase as erase_all


@click.group()
def command() -> None:
    """Maintain a home: erase a person, move the database."""


@command.command()
@options.required_home
@click.option("--person", "name", required=True, metavar="ID", help="Whose data is erased.")
@click.option(
    "--reason", required=True, metavar="TEXT", help="The reason. It is recorded, so it must not name a person."
)
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
    click.echo(f"Next: take {name} out of people.toml too, once nothing needs that name.")
    return 0


@command.command("move-database")
@click.argument("target", type=click.Choice(["external", "embedded"]))
@serving.home
def move_database(target: str, home: str) -> int:
    """Move the database of a service: to the one that DATABASE_URL names, or from there into the home.

    The service stands still meanwhile. The home uses the copy only once that says the same as the original, which stays
    where it is.
    """
    from muniment.cli.up import hold_alone
    from muniment.server.running.home_database import Kind
    from muniment.server.running.moving import move_database
    from muniment.server.running.separation import separate_processes
    from muniment.server.setting_checks import check_settings

    check_settings(os.environ)
    folder = Path(home).absolute()
    if not folder.is_dir():
        raise UsageError(f"{home} is no home", "Name the home of a service: --home DIR")
    with hold_alone(folder):
        separate_processes(folder, (), os.environ)  # the database's account has to reach the home
        count = move_database(folder, Kind(target), os.environ.get("DATABASE_URL", ""))
    click.echo(f"The database of {home} was moved, with {count} records.")
    if target == "external":
        click.echo("Next, with the same DATABASE_URL: muniment up. What it was moved from is in postgres-moved.")
    else:
        click.echo("Next, without DATABASE_URL: muniment up. Drop the database that it was moved from.")
    return 0


@command.command("accept-row")
@click.argument("table", metavar="TABLE")
@click.argument("key", metavar="KEY")
@click.option("--reason", required=True, metavar="TEXT", help="What was found out about it: it stays on record.")
@serving.home
def accept_row(table: str, key: str, reason: str, home: str) -> int:
    """Accept a row of the database as it is now, although it is not what the ledger says.

    Look at the row first, and find out who wrote it: from now on it counts as if an act had written it. What should
    not hold is then ended on its page.
    """
    homes.at(home)
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.records.row_acts import AcceptRow
    from muniment.server.requests.execution import perform_system_act

    perform_system_act(SystemActor.OPERATOR, AcceptRow, {"table": table, "key": key, "reason": reason})
    click.echo(f"The row {key} of {table} holds as it is now. Next: close its incident, which says who looked at it.")
    return 0


def _person(home: FilesStore, name: str, emails: tuple[str, ...]) -> Person:
    """Somebody of people.toml, or, if they were taken out of it, what is known of them."""
    known = people_of(home).by_id.get(name)
    if known is None and not emails:
        raise UsageError(f"{name} is not in people.toml", "Name their addresses with --email ADDRESS.")
    own = known or Person(name, name, (), (), (), (), active=False, write_access=())
    return Person(
        *(own.id, own.name, (*own.emails, *emails), own.keys, own.accounts, own.roles, own.active, own.write_access)
    )
