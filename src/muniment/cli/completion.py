"""muniment completion: the script by which a shell completes commands and options."""

import click
from click.shell_completion import get_completion_class

from muniment.cli.commands import COMPLETION_VARIABLE

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> int:
    """Print the script that completes commands and options of muniment in a shell.

    \b
    bash 4.4 or newer, in ~/.bashrc:  eval "$(muniment completion bash)"
    zsh, in ~/.zshrc after compinit:  eval "$(muniment completion zsh)"
    fish, in ~/.config/fish/completions/muniment.fish:  muniment completion fish | source
    """
    found = get_completion_class(shell)
    assert found is not None, shell  # noqa: S101 -- click has each shell of the choice
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "muniment", COMPLETION_VARIABLE).source())
    return 0
