"""muniment home: maintains the data of an installation, and erases a person's."""

import os
from pathlib import Path

import click

from muniment.cli import context, home_access, home_rules, options, printing, service_setup
from muniment.cli.freeze import require_people
from muniment.errors import UsageError
from muniment.facts.people import Person
from muniment.store.files_store import FilesStore
from muniment.workflows.erase import erase_person_objects as erase_all


@click.group()
def command() -> None:
    """Maintain a home: erase a person, move the database."""


@command.command("erase")
@options.required_home
@click.option("--person", "name", required=True, metavar="ID", help="Whose data is erased.")
@click.option(
    "--reason", required=True, metavar="TEXT", help="The reason. It is recorded, so it must not name a person."
)
@click.option(
    "--email", "emails", multiple=True, metavar="ADDRESS", help="A further address of theirs, such as an old one."
)
@options.output
def erase_person_in_home(home: str, name: str, reason: str, emails: tuple[str, ...], output: str) -> int:
    """Erase the home's data on a person outside the ledger: names, addresses, reasons, facts.

    The ledger itself names nobody, stays whole, and records the erasure. Decisions about changes to which this person
    contributed cannot be evaluated again then. Data in git is not changed.
    """
    if not reason.strip():
        raise UsageError("an erasure needs a reason", "Give one: --reason TEXT")
    place = home_access.open_files_home(home)
    count, number = erase_all(place, _find_person(place, name, emails), reason.strip(), context.current_moment())
    home_rules.publish_home_rules(place)
    if output == "json":
        printing.print_json({"erased_object_count": count, "position": number})
        return 0
    click.echo(f"{count} objects were erased; entry {number} of the ledger says so")
    click.echo(f"Next: take {name} out of people.toml too, once nothing needs that name.")
    return 0


@command.command("move-database")
@click.argument("target", type=click.Choice(["external", "embedded"]))
@service_setup.home
def move_home_database(target: str, home: str) -> int:
    """Move the database of a service: to the one that DATABASE_URL names, or from there into the home.

    The service is stopped meanwhile. The home uses the copy once it equals the original, which stays where it is.
    """
    from muniment.cli.up import lock_home
    from muniment.server.running.database_move import move_database
    from muniment.server.running.home_database import DatabaseKind
    from muniment.server.running.process_separation import separate_processes
    from muniment.server.setting_checks import check_environment

    check_environment(os.environ)
    folder = Path(home).absolute()
    if not folder.is_dir():
        raise UsageError(f"{home} is no home", "Name the home of a service: --home FOLDER")
    with lock_home(folder):
        separate_processes(folder, (), os.environ)  # the database's account has to reach the home
        count = move_database(folder, DatabaseKind(target), os.environ.get("DATABASE_URL", ""))
    click.echo(f"The database of {home} was moved, with {count} records.")
    if target == "external":
        click.echo("Next, with the same DATABASE_URL: muniment up. What it was moved from is in postgres-moved.")
    else:
        click.echo("Next, without DATABASE_URL: muniment up. Drop the database that it was moved from.")
    return 0


@command.command("accept-row")
@click.argument("table", metavar="TABLE")
@click.argument("key", metavar="KEY")
@click.option("--reason", required=True, metavar="TEXT", help="The cause that was found, for the record.")
@service_setup.home
def accept_row(table: str, key: str, reason: str, home: str) -> int:
    """Accept a row of the database as it is now, although the ledger says otherwise.

    Look at the row first, and find out who wrote it: from now on it counts as if an act had written it. If it should
    have no effect, end that on its page.
    """
    if not home_access.is_service(home):
        raise UsageError(f"{home} is no home of a service", "Name the home of a service: --home FOLDER")
    home_access.open_store(home)
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.records.row_acts import AcceptRow
    from muniment.server.requests.execution import perform_system_act

    perform_system_act(SystemActor.OPERATOR, AcceptRow, {"table": table, "key": key, "reason": reason})
    click.echo(f"The row {key} of {table} holds as it is now. Next: close its incident, which says who looked at it.")
    return 0


def _find_person(home: FilesStore, name: str, emails: tuple[str, ...]) -> Person:
    """Person of people.toml; for a person who was removed there, a record made of the id and the given addresses."""
    known = require_people(home).by_id.get(name)
    if known is None and not emails:
        raise UsageError(f"{name} is not in people.toml", "Name their addresses with --email ADDRESS.")
    own = known or Person(name, name, (), (), (), (), active=False, write_access=())
    return Person(
        *(own.id, own.name, (*own.emails, *emails), own.keys, own.accounts, own.roles, own.active, own.write_access)
    )
