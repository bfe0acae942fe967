"""muniment vault: shows the desired state of the vault, and applies it with a person's own credential."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.cli import service_setup, vault_process
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.vault.plan import ResourceDifference
    from muniment.vault.vault_client import Session

TOKEN_VARIABLE = "MUNIMENT_VAULT_TOKEN"  # noqa: S105 -- the name of a variable


@click.group()
def command() -> None:
    """Configure and check the vault. MUNIMENT_VAULT_URL names a vault of your own."""


@command.command("init")
@service_setup.home
def create_vault(home: str) -> int:
    """Create the built-in vault before `muniment up` would, to see its credential on a terminal alone.

    The output of a process that a supervisor starts is stored; the credential of the vault's administrator must not be.
    """
    from muniment.server.running.installation_folder import make_installation_folder
    from muniment.vault.embedded_vault import EmbeddedVault

    folder = Path(home).absolute()
    make_installation_folder(folder)
    with EmbeddedVault(folder) as server:
        vault_process.print_password(server, folder)
    click.echo(f"Next: muniment up --home {home}")
    return 0


@command.command("status")
@service_setup.home
def check_vault(home: str) -> int:
    """Say whether the vault answers, to a question that takes a right and not to whether it is well."""
    _set_up_process(home)
    from muniment.server.running.health_report import PROMISE
    from muniment.server.vault_access import company_vault_url, open_vault_session

    open_vault_session().list_secret_names("muniment", "doctor")
    click.echo(f"The vault at {company_vault_url() or 'its socket in the home'} accepts Muniment's sign-in.")
    if not company_vault_url():
        click.echo(f"Mind: {PROMISE}.")
    return 0


@command.command("plan")
@service_setup.home
def show_plan(home: str) -> int:
    """Show what is missing in the vault, or other than it should be, and change nothing. Exit code 1 if anything is.

    It asks for a credential of your own, or takes a token from MUNIMENT_VAULT_TOKEN, and keeps neither.
    """
    _set_up_process(home)
    return 1 if _print_plan(_sign_in()) else 0


@command.command("apply")
@service_setup.home
@click.option("--yes", is_flag=True, help="Do not ask again.")
def apply_plan(home: str, *, yes: bool) -> int:
    """Apply to the vault what `plan` shows, and remove what it no longer needs, with a credential of your own."""
    _set_up_process(home)
    from muniment.vault.plan import apply_differences

    person = _sign_in()
    found = _print_plan(person)
    if not found:
        return 0
    if not yes:
        click.confirm("Make it so?", abort=True)
    _announce_writes([one.piece.path for one in found])
    apply_differences(person, found)
    click.echo(f"Done: {len(found)} made or changed.")
    return 0


@command.command("password")
@service_setup.home
def replace_password(home: str) -> int:
    """Replace the password of the person who administers the vault that comes with Muniment, and show the new one once.

    It asks for the old one. Without that there is no other way than a new vault: docs/guides/vault.md.
    """
    import secrets

    from muniment.vault import layout

    if os.environ.get(vault_process.URL_VARIABLE):
        raise UsageError("the vault is the company's own", "Change your credential there.")
    _set_up_process(home)

    new, path = secrets.token_urlsafe(24), f"auth/{layout.PEOPLE}/users/{layout.ADMINISTRATOR}/password"
    person = _sign_in()
    _announce_writes([path])
    person.request("POST", path, {"password": new})
    click.echo(f"Vault administrator, shown once and stored nowhere: name {layout.ADMINISTRATOR}, password {new}")
    return 0


@command.command("unwatch")
@click.argument("worker")
@service_setup.home
def end_watch(home: str, worker: str) -> int:
    """Say that WORKER, which followed the vault's audit log, is gone for good, so that no deployment waits for it."""
    _set_up_process(home)
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.requests.execution import perform_system_act
    from muniment.server.secrets.vault_acts import EndVaultWatch

    perform_system_act(SystemActor.OPERATOR, EndVaultWatch, {"worker": worker})
    click.echo(f"Worker {worker} watches the vault no more.")
    return 0


def _set_up_process(home: str) -> None:
    service_setup.set_up_process(
        Path(home).absolute(), "operator", os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    )
    from muniment.server.running.preparation import require_ready

    require_ready()


def _announce_writes(paths: list[str]) -> None:
    """Record the paths that are written now: a write that was not announced is an incident."""
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.requests.execution import perform_system_act
    from muniment.server.secrets.vault_acts import ChangeVault

    perform_system_act(SystemActor.OPERATOR, ChangeVault, {"paths": paths})


def _print_plan(person: "Session") -> "list[ResourceDifference]":
    """Find and print the differences, and the pipelines that cannot be admitted as described."""
    from muniment.server.deployments.desired_vault import make_desired_state
    from muniment.vault.plan import find_leftovers, find_resource_differences
    from muniment.vault.plan_text import describe_difference
    from muniment.vault.vault_resources import list_all_resources

    should, problems = make_desired_state()
    for each in problems:
        click.echo(f"left out: {each}", err=True)
    found = [*find_resource_differences(person, list_all_resources(should)), *find_leftovers(person, should)]
    for one in found:
        click.echo("\n".join(describe_difference(one)))
    if not found:
        click.echo("The vault is as it should be.")
    return found


def _sign_in() -> "Session":
    """Sign in to the vault as the person who runs this command. Raises VaultError."""
    from muniment.server.vault_access import company_vault_url, open_vault
    from muniment.vault import layout

    token = os.environ.get(TOKEN_VARIABLE)
    if token:
        return open_vault().use_token(token)
    if not os.isatty(0):
        raise UsageError(
            "nobody can be asked for a credential here", f"Run it on a terminal, or set {TOKEN_VARIABLE} for it."
        )
    if company_vault_url():
        return open_vault().use_token(_prompt_secret("Your token at the vault"))
    name = click.prompt("Your name in the vault", default=layout.ADMINISTRATOR, err=True)
    return open_vault().sign_in_person(name, _prompt_secret("Password"))


def _prompt_secret(what: str) -> str:
    return str(click.prompt(what, hide_input=True, err=True))
