"""muniment demo: a new home with an invented company, to look at the product without data of one's own."""

import os
import shutil
import sys
from pathlib import Path

import click

from muniment.cli import service_setup
from muniment.cli.up import lock_home
from muniment.errors import DatabaseError, UsageError


@click.command()
@service_setup.home
@click.option("--remove", is_flag=True, help="Remove the demonstration, with its home.")
@click.option("--large", is_flag=True, help="Add 2,000 further products, to try pages with many rows.")
def command(home: str, *, remove: bool, large: bool) -> int:
    """Fill a new home with the demonstration company Alder Health.

    It has 14 products, 25 people and two quarters of history. Its data is invented and marked as such. It needs no
    vault and no network. Then start it: muniment up.
    """
    folder = Path(home).absolute()
    if os.environ.get("DATABASE_URL"):
        raise UsageError(
            "a demonstration has a database of its own, and DATABASE_URL names another; nothing was changed",
            "Unset DATABASE_URL.",
        )
    if remove:
        _remove_demonstration(folder)
        click.echo(f"The demonstration was removed: {folder}")
        return 0
    click.echo("Making two quarters of an invented company, which takes a few minutes ...")
    sys.stdout.flush()
    count = _fill_home(folder, large=large)
    click.echo(f"The demonstration is ready in {folder}: {count} events of the company Alder Health, all invented.")
    click.echo(f"Next, for sign-in links of its people: muniment up --home {folder}")
    return 0


def _remove_demonstration(folder: Path) -> None:
    from muniment.server.running import demonstration_mark

    demonstration_mark.require_demonstration(folder)
    with lock_home(folder):
        shutil.rmtree(folder)


def _print_progress(done: int, total: int) -> None:
    """Print each tenth of the work."""
    tenth = 10 * done // total
    if tenth > 10 * (done - 1) // total and tenth < 10:
        click.echo(f"  {10 * tenth} % of {total} events")
        sys.stdout.flush()


def _fill_home(folder: Path, *, large: bool) -> int:
    from muniment.server.running import demonstration_mark

    demonstration_mark.require_new_home(folder)
    with lock_home(folder):
        demonstration_mark.write_mark(folder, filled=False)
        os.environ["PGOPTIONS"] = "-c synchronous_commit=off"  # what a crash loses is filled again
        try:
            with service_setup.prepare_home(folder, "http://localhost:8000") as prepared:
                count = prepared.fill_demonstration(_print_progress, large=large)
        except DatabaseError as error:  # its remedy may name a log of the home, which is removed
            shutil.rmtree(folder, ignore_errors=True)
            raise DatabaseError(error.message, "Mend that, and run the command again. Nothing is left of it.") from None
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        demonstration_mark.write_mark(folder, filled=True)
    return count
