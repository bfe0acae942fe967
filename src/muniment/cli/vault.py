"""muniment vault: shows the desired state of the vault, and applies it with a person's own credential."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup, vault_changes, vault_process
from muniment.errors import UsageError


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
    """Check whether the vault answers a request that needs a permission, not only whether it runs."""
    vault_changes.set_up_vault_command(home)
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
    """Show what is missing or different in the vault, and change nothing. Exit code 1 if anything is.

    It asks for a credential of your own, or takes a token from MUNIMENT_VAULT_TOKEN, and keeps neither.
    """
    vault_changes.set_up_vault_command(home)
    return 1 if vault_changes.print_vault_plan(vault_changes.sign_in_at_vault()) else 0


@command.command("apply")
@service_setup.home
@click.option("--yes", is_flag=True, help="Do not ask again.")
def apply_plan(home: str, *, yes: bool) -> int:
    """Apply to the vault what `plan` shows, and remove what it no longer needs, with a credential of your own."""
    vault_changes.set_up_vault_command(home)
    vault_changes.apply_vault_plan(yes=yes)
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
    vault_changes.set_up_vault_command(home)

    new, path = secrets.token_urlsafe(24), f"auth/{layout.PEOPLE_MOUNT}/users/{layout.ADMINISTRATOR}/password"
    person = vault_changes.sign_in_at_vault()
    vault_changes.announce_writes([path])
    person.request("POST", path, {"password": new})
    click.echo(f"Vault administrator, shown once and stored nowhere: name {layout.ADMINISTRATOR}, password {new}")
    return 0


@command.command("unwatch")
@click.argument("worker")
@service_setup.home
def end_watch(home: str, worker: str) -> int:
    """Declare that WORKER, which followed the vault's audit log, has ended for good: no deployment waits for it."""
    vault_changes.set_up_vault_command(home)
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.requests.execution import perform_system_act
    from muniment.server.secrets.vault_acts import EndVaultWatch

    perform_system_act(SystemActor.OPERATOR, EndVaultWatch, {"worker": worker})
    click.echo(f"Worker {worker} watches the vault no more.")
    return 0
