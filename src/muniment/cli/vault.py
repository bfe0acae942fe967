"""muniment vault: what the vault should be, and making it so with a person's own credential."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.cli import serving, vaulting
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.vault.client import Session
    from muniment.vault.plan import Difference

TOKEN = "MUNIMENT_VAULT_TOKEN"  # noqa: S105 -- the name of a variable


@click.group()
def command() -> None:
    """Configure and check the vault. MUNIMENT_VAULT_URL names a vault of your own."""


@command.command()
@serving.home
def init(home: str) -> int:
    """Make the vault that comes with Muniment, before `muniment up` would: to see its credential on a terminal alone.

    Whatever a supervisor starts has its output kept; the credential of whoever looks after the vault must not be.
    """
    from muniment.server.running.folder import make_folder
    from muniment.vault.embedded import Embedded

    folder = Path(home).absolute()
    make_folder(folder)
    with Embedded(folder) as server:
        vaulting.show_password(server, folder)
    click.echo(f"Next: muniment up --home {home}")
    return 0


@command.command()
@serving.home
def status(home: str) -> int:
    """Say whether the vault answers, to a question that takes a right and not to whether it is well."""
    _begin(home)
    from muniment.server.running.examining import PROMISE
    from muniment.server.vault_access import company_vault_url, session

    session().subkeys("muniment", "doctor")
    click.echo(f"The vault at {company_vault_url() or 'its socket in the home'} accepts Muniment's sign-in.")
    if not company_vault_url():
        click.echo(f"Mind: {PROMISE}.")
    return 0


@command.command()
@serving.home
def plan(home: str) -> int:
    """Show what is missing in the vault, or other than it should be, and change nothing. Exit code 1 if anything is.

    It asks for a credential of your own, or takes a token from MUNIMENT_VAULT_TOKEN, and keeps neither.
    """
    _begin(home)
    return 1 if _shown(_person()) else 0


@command.command(name="apply")
@serving.home
@click.option("--yes", is_flag=True, help="Do not ask again.")
def apply_(home: str, *, yes: bool) -> int:
    """Make in the vault what `plan` shows, and take away what it needs no more, with a credential of your own."""
    _begin(home)
    from muniment.vault.plan import apply

    person = _person()
    found = _shown(person)
    if not found:
        return 0
    if not yes:
        click.confirm("Make it so?", abort=True)
    _announce([one.piece.path for one in found])
    apply(person, found)
    click.echo(f"Done: {len(found)} made or changed.")
    return 0


@command.command()
@serving.home
def password(home: str) -> int:
    """Replace the password of the person who administers the vault that comes with Muniment, and show the new one once.

    It asks for the old one. Without that there is no other way than a new vault: docs/guides/vault.md.
    """
    import secrets

    from muniment.vault import layout

    if os.environ.get(vaulting.URL):
        raise UsageError("the vault is the company's own", "Change your credential there.")
    _begin(home)

    new, path = secrets.token_urlsafe(24), f"auth/{layout.PEOPLE}/users/{layout.PERSON}/password"
    person = _person()
    _announce([path])
    person.request("POST", path, {"password": new})
    click.echo(f"Vault administrator, shown once and stored nowhere: name {layout.PERSON}, password {new}")
    return 0


@command.command()
@click.argument("worker")
@serving.home
def unwatch(home: str, worker: str) -> int:
    """Say that WORKER, which followed the vault's audit log, is gone for good, so that no deployment waits for it."""
    _begin(home)
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.requests.execution import perform_system_act
    from muniment.server.secrets.vault_acts import EndVaultWatch

    perform_system_act(SystemActor.OPERATOR, EndVaultWatch, {"worker": worker})
    click.echo(f"Worker {worker} watches the vault no more.")
    return 0


def _begin(home: str) -> None:
    serving.begin(Path(home).absolute(), "operator", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.running.preparing import require_ready

    require_ready()


def _announce(paths: list[str]) -> None:
    """Put on the record which paths are written now; a write that was not announced is an incident."""
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.requests.execution import perform_system_act
    from muniment.server.secrets.vault_acts import ChangeVault

    perform_system_act(SystemActor.OPERATOR, ChangeVault, {"paths": paths})


def _shown(person: "Session") -> "list[Difference]":
    """What is to be done, printed; and which pipelines cannot be let in as they were described."""
    from muniment.server.deployments.entrances import wanted
    from muniment.vault.pieces import all_of
    from muniment.vault.plan import differences, leftovers
    from muniment.vault.plan_text import describe_difference

    should, problems = wanted()
    for each in problems:
        click.echo(f"left out: {each}", err=True)
    found = [*differences(person, all_of(should)), *leftovers(person, should)]
    for one in found:
        click.echo("\n".join(describe_difference(one)))
    if not found:
        click.echo("The vault is as it should be.")
    return found


def _person() -> "Session":
    """Whoever runs this, in the vault. Raises VaultError."""
    from muniment.server.vault_access import company_vault_url, vault
    from muniment.vault import layout

    token = os.environ.get(TOKEN)
    if token:
        return vault().holding(token)
    if not os.isatty(0):
        raise UsageError("nobody can be asked for a credential here", f"Run it on a terminal, or set {TOKEN} for it.")
    if company_vault_url():
        return vault().holding(_asked("Your token at the vault"))
    name = click.prompt("Your name in the vault", default=layout.PERSON, err=True)
    return vault().sign_in_person(name, _asked("Password"))


def _asked(what: str) -> str:
    return str(click.prompt(what, hide_input=True, err=True))
