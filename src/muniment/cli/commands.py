"""Every command by name, each imported only when it runs or is listed."""

from difflib import get_close_matches
from importlib import import_module

import click

COMPLETION_VARIABLE = "_MUNIMENT_COMPLETE"  # by which a shell asks for completions
COMMANDS = {
    "up": "muniment.cli.up",
    "demo": "muniment.cli.demo",
    "web": "muniment.cli.web",
    "confirmation": "muniment.cli.confirmation",
    "worker": "muniment.cli.worker",
    "sequencer": "muniment.cli.sequencer",
    "eraser": "muniment.cli.eraser",
    "backup": "muniment.cli.backup",
    "restore": "muniment.cli.restore",
    "erasures": "muniment.cli.erasures",
    "link": "muniment.cli.link",
    "meetings": "muniment.cli.meetings",
    "vault": "muniment.cli.vault",
    "secret": "muniment.cli.secret",
    "environments": "muniment.cli.environments",
    "init": "muniment.cli.init",
    "check": "muniment.cli.check",
    "scan": "muniment.cli.scan",
    "findings": "muniment.cli.findings",
    "explain": "muniment.cli.explain",
    "approve": "muniment.cli.approve",
    "tests": "muniment.cli.tests",
    "confirm": "muniment.cli.confirm",
    "exception": "muniment.cli.exception",
    "hook": "muniment.cli.hook",
    "freeze": "muniment.cli.freeze",
    "unfreeze": "muniment.cli.unfreeze",
    "ledger": "muniment.cli.ledger",
    "home": "muniment.cli.home",
    "forge": "muniment.cli.forge",
    "apply": "muniment.cli.apply",
    "replay": "muniment.cli.replay",
    "policy": "muniment.cli.policy",
    "update": "muniment.cli.update",
    "design": "muniment.cli.design",
    "doctor": "muniment.cli.doctor",
    "run": "muniment.cli.run",
    "deploy": "muniment.cli.deploy",
    "gate": "muniment.cli.gate",
    "completion": "muniment.cli.completion",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's shape
        """List all names, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; for a name that is mistyped, the error says which one may be meant."""
        near = get_close_matches(args[0], COMMANDS, n=1) if args and args[0] not in COMMANDS else []
        if near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="muniment", message="%(prog)s %(version)s")
def muniment() -> None:
    """Enforce a written secure-development policy, and record each decision.

    Exit codes: 0 allowed or done, 1 denied, 2 wrong usage or configuration, 3 failure of Muniment, 130 interrupted,
    141 output closed.
    """
