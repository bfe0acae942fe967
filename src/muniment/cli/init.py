"""muniment init: the first policy, the first list of people, and the ledger's key."""

import os

import click

from muniment.cli import keys, options, printing
from muniment.errors import UsageError
from muniment.policy.built_in_policy import empty_people_text, format_built_in_policy
from muniment.store.new_home import make_home
from muniment.store.settings import make_home_text


@click.command()
@click.option("--home", default=".muniment", show_default=True, metavar="DIR", help="The folder to create.")
@click.option(
    "--repository",
    metavar="NAME",
    help="Name of the repository in approvals. Default: this folder's name.",
)
@click.option("--owner", metavar="EMAIL", help="Who is responsible for the policy. Default: git's user.email.")
@options.output
def command(home: str, repository: str | None, owner: str | None, output: str) -> int:
    """Create policy.toml, people.toml and home.toml with comments, and a ledger key. Existing files are kept."""
    name = repository or os.path.basename(os.getcwd())
    if not name or name.split() != [name]:
        raise UsageError(f"{name!r} cannot name a repository", "Give a name without spaces with --repository NAME.")
    answers = owner or keys.read_git_email() or "security@example.test"
    texts = {
        "policy.toml": format_built_in_policy(answers, name),
        "people.toml": empty_people_text(),
        "home.toml": make_home_text(),
    }
    made = make_home(home, texts, "muniment/" + name)
    if output == "json":
        printing.print_json({"home": home, "made": made})
        return 0
    for file in made:
        click.echo(f"made {os.path.join(home, file)}")
    if not made:
        click.echo(f"{home} has all it needs; nothing was changed")
    click.echo(f"Next: name your people in {os.path.join(home, 'people.toml')}, then: muniment check --home {home}")
    return 0
