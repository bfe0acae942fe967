"""Applies the desired state to the vault, with a credential of the person who runs the command, which is not kept."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.cli import printing, service_setup, vault_process
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.vault.plan import ResourceDifference
    from muniment.vault.vault_client import Session

TOKEN_VARIABLE = "MUNIMENT_VAULT_TOKEN"  # noqa: S105 -- the name of a variable


def apply_vault_plan(*, yes: bool) -> None:
    """Apply what is missing or other than it should be, after a question. `set_up_vault_command` goes before."""
    from muniment.vault.plan import apply_differences

    person = sign_in_at_vault()
    found = print_vault_plan(person)
    if not found:
        return
    if not yes:
        click.confirm("Make it so?", abort=True)
    announce_writes([one.piece.path for one in found])
    apply_differences(person, found)
    click.echo(f"Done: {len(found)} made or changed.")


def set_up_vault_command(home: str) -> None:
    """Set this process up as the operator's, on the service's machine."""
    mention_other_vault(Path(home).absolute())
    service_setup.set_up_process(
        Path(home).absolute(), "operator", os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    )
    from muniment.server.running.preparation import require_ready

    require_ready()


def mention_other_vault(folder: Path) -> None:
    """Say that a vault of the company is meant where the home has one too: a job's shell has its address for jobs."""
    from muniment.vault.embedded_vault import EmbeddedVault

    address = os.environ.get(vault_process.URL_VARIABLE)
    if address and EmbeddedVault(folder).is_initialized:
        click.echo(
            f"muniment: mind: {vault_process.URL_VARIABLE} is set, so the vault at {printing.make_printable(address)}"
            f" is meant, not the one in {printing.make_printable(str(folder))}",
            err=True,
        )


def announce_writes(paths: list[str]) -> None:
    """Record the paths that are written now: a write that was not announced is an incident."""
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.requests.execution import perform_system_act
    from muniment.server.secrets.vault_acts import ChangeVault

    perform_system_act(SystemActor.OPERATOR, ChangeVault, {"paths": paths})


def print_vault_plan(person: "Session") -> "list[ResourceDifference]":
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


def sign_in_at_vault() -> "Session":
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
