"""muniment unfreeze: two people lift a freeze."""

import click

from muniment.cli import context, home_rules, keys, options, printing
from muniment.cli.freeze import require_people
from muniment.cli.home_access import open_files_home
from muniment.facts import canonical
from muniment.git import signatures
from muniment.workflows import freezing


@click.command()
@click.argument("freeze")
@options.required_home
@click.option("--reason", default="it is over", show_default=True, metavar="TEXT", help="Why it can be lifted.")
@options.key
@options.output
def command(freeze: str, home: str, reason: str, key: str | None, output: str) -> int:
    """Sign that FREEZE can be lifted, with your SSH key. The second person's signature lifts it.

    Both need the security role. Exit code 1 while a second person is missing.
    """
    place = open_files_home(home)
    person, chosen = keys.find_signer(require_people(place), key, ".")
    freezing.check_may_freeze(person)
    now = context.current_moment()
    with place:
        with place.lock_ledger():
            drill = freezing.find_freeze(place, freeze, now).drill
        statement = freezing.FreezeStatement("lift-freeze", freeze, person.id, reason, drill, now)
        signature = signatures.make_signature(canonical.encode(statement), freezing.FREEZE_NAMESPACE, chosen)
        found = freezing.record_lift(place, freeze, person.id, reason, now, signature)
    home_rules.publish_home_rules(place)
    if output == "json":
        printing.print_json(found)
    elif found.complete:
        click.echo(f"{freeze} is lifted by {' and '.join(found.people)}")
    else:
        click.echo(f"{person.id} is for lifting {freeze}; what it stops stays stopped")
        click.echo(f"Next: somebody else with the security role runs: muniment unfreeze {freeze} --home {home}")
    return 0 if found.complete else 1
