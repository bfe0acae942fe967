"""The vault's door of an environment: open for one commit while its permission holds, and shut otherwise."""

from muniment.server.deployments.models import Deployment


def open_door(row: Deployment) -> bool:
    """Let its commit in; whether there was a door to open. Raises VaultError; then it is as it was."""
    return False


def close_door(row: Deployment) -> None:
    """Let nobody in any more. Raises VaultError; then it may still be open."""


def end_all() -> None:
    """Shut every door, and end every token that pipelines got. Raises VaultError."""
