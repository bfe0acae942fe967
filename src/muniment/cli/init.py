"""muniment init: drafts the policy and the list of people from a repository, and makes the ledger's key."""

import datetime
import os

import click

from muniment.cli import context, forge_access, keys, options, origin_address, printing
from muniment.errors import GitError, PeopleError, UsageError
from muniment.forges.registry import FORGE_KINDS
from muniment.git.branch_authors import read_authors
from muniment.git.repository import Repository
from muniment.policy.built_in_policy import empty_people_text, format_built_in_policy
from muniment.policy.people_document import parse_people
from muniment.policy.people_draft import Author, DraftAccount, PeopleDraft, draft_people, format_people
from muniment.store.new_home import make_home
from muniment.store.settings import make_home_text
from muniment.workflows.forge_accounts import list_forge_accounts

_ACTIVE_DAYS = 365


@click.command()
@click.option("--home", default=".muniment", show_default=True, metavar="DIR", help="The folder to create.")
@options.repo
@options.onto
@click.option(
    "--repository",
    metavar="NAME",
    help="Name of the repository in approvals. Default: this folder's name.",
)
@click.option("--owner", metavar="EMAIL", help="Who is responsible for the policy. Default: git's user.email.")
@click.option(
    "--forge",
    metavar="URL",
    help="Draft people from the accounts of this repository at a forge too. With a token: who may write.",
)
@options.output
def command(
    home: str, repo: str, onto: str | None, repository: str | None, owner: str | None, forge: str | None, output: str
) -> int:
    """Draft policy.toml and people.toml, and make home.toml and a ledger key. Existing files are kept.

    People are drafted from the authors of the branch, and with --forge from the accounts that may write or took part in
    pull requests: one entry for each account. Check every entry: nobody has a role or a key before you write them.
    A token comes from MUNIMENT_FORGE_TOKEN; public repositories can be read without one.
    """
    name = repository or os.path.basename(os.path.realpath(repo))
    if not name or name.split() != [name]:
        raise UsageError(f"{name!r} cannot name a repository", "Give a name without spaces with --repository NAME.")
    answers = owner or keys.read_git_email(repo) or "security@example.test"
    since = _find_active_day()
    branch, authors = _read_history(repo, onto, since)
    authors = (*authors, *_find_own_address(repo))
    accounts, forge_name = _read_forge(forge)
    draft = draft_people(authors, accounts, forge_name or _guess_forge_name(repo), since)
    texts = {
        "policy.toml": format_built_in_policy(answers, name, branch),
        "people.toml": _format_draft(draft, bool(authors), bool(accounts)),
        "home.toml": make_home_text(),
    }
    made = make_home(home, texts, "muniment/" + name)
    persons = sum(not entry.machine for entry in draft.entries)
    if output == "json":
        printing.print_json({"home": home, "made": made, "drafted_people": persons if "people.toml" in made else 0})
        return 0
    _print_result(home, made, persons, branch)
    return 0


def _print_result(home: str, made: tuple[str, ...], persons: int, branch: str) -> None:
    for file in made:
        click.echo(f"made {os.path.join(home, file)}")
    if not made:
        click.echo(f"{printing.make_printable(home)} has all it needs; nothing was changed")
    people = os.path.join(home, "people.toml")
    named = "" if os.path.normpath(home) == context.LOCAL_HOME else options.home_option(home)
    if "people.toml" in made and persons:
        click.echo(f"Drafted {persons:,} {'person' if persons == 1 else 'people'}. Nobody has a role or a key yet.")
        click.echo(f"Next: check {people}: who is one person, who may write, who has the role security?")
    else:
        click.echo(f"Next: name your people in {people}: their addresses, SSH keys, write access and roles.")
    onto = f" --onto {branch}" if branch and branch not in context.DEFAULT_BRANCHES else ""
    click.echo(f"Then: muniment check{onto}{named}   evaluates the commit that you are on")
    click.echo(f"      muniment replay{onto}{named}  evaluates the past with your people")


def _find_active_day() -> str:
    today = datetime.date.fromisoformat(context.current_moment()[:10])
    return (today - datetime.timedelta(days=_ACTIVE_DAYS)).isoformat()


def _read_history(repo: str, onto: str | None, since: str) -> tuple[str, tuple[Author, ...]]:
    """Protected branch and its authors; nothing outside a repository, or of one without a commit."""
    try:
        with Repository.open(repo) as repository:
            found = context.find_branch(repository, onto)
            return found.name, read_authors(repository, found.tip, since)
    except (GitError, UsageError) as error:
        if onto is not None:
            raise
        click.echo(f"No people were drafted from the history: {printing.make_printable(error.message)}", err=True)
        return "", ()


def _find_own_address(repo: str) -> tuple[Author, ...]:
    """The person who runs the command, as git writes them: their next commit is by this address."""
    email = keys.read_git_email(repo)
    today = context.current_moment()[:10]
    return (Author(keys.read_git_setting("user.name", repo), email, 0, today),) if email else ()


def _read_forge(url: str | None) -> tuple[tuple[DraftAccount, ...], str]:
    if url is None:
        return (), ""
    there = forge_access.open_forge_repository(url, asks=False)
    since = _find_active_day()
    found = list_forge_accounts(there.forge, there.listed.repository, f"{since}T00:00:00Z")
    if found.unread:
        click.echo(f"Who may write is unknown: {printing.make_printable(found.unread)}", err=True)
        if not forge_access.has_token():
            click.echo(f"Next: put a token that may read into {forge_access.FORGE_TOKEN_VARIABLE}.", err=True)
    return found.accounts, there.connection.name


def _guess_forge_name(repo: str) -> str:
    """Name of the forge before logins, where the clone's origin says which one it is; "" for none."""
    host = origin_address.find_origin_address(repo).partition("://")[2].partition("/")[0]
    vendors = [vendor for vendor, kind in FORGE_KINDS.items() if host in kind.public_hosts]
    return os.environ.get(forge_access.NAME_VARIABLE, vendors[0].value) if vendors else ""


def _format_draft(draft: PeopleDraft, from_history: bool, from_forge: bool) -> str:
    """Text of people.toml, which is read once before it is written: a draft that cannot be read helps nobody."""
    if not draft.entries:
        return empty_people_text()
    sources = [*(["the authors of the branch"] * from_history), *(["the accounts of the forge"] * from_forge)]
    text = format_people(draft, " and ".join(sources), empty_people_text())
    try:
        parse_people(text, "people.toml")
    except PeopleError as error:
        click.echo(f"The drafted people were left out: {printing.make_printable(error.message)}", err=True)
        return empty_people_text()
    return text
