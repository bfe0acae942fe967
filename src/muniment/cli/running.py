"""Runs one command line and tells every failure in two lines: what happened, and what to do."""

import os
import sys
import traceback

import click

from muniment.cli.commands import muniment
from muniment.errors import MunimentError

FAILED, INTERRUPTED = 3, 130


def run(arguments: list[str]) -> int:
    """The exit code of `muniment ARGUMENTS`. The one place where a broad except stands: it never means yes."""
    try:
        code = muniment.main(arguments, prog_name="muniment", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return _tell("interrupted", "", INTERRUPTED)
    except KeyboardInterrupt:
        return _tell("interrupted", "", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return error.exit_code if isinstance(error, click.UsageError) else FAILED
    except MunimentError as error:
        return _tell(error.message, error.remedy, error.exit_code)
    except (BrokenPipeError, SystemExit):  # click exits by itself, and with 1, when its reader has gone
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- the interpreter flushes it as it ends
        return FAILED
    except Exception as error:  # noqa: BLE001 -- the outermost edge
        if os.environ.get("MUNIMENT_DEBUG"):
            traceback.print_exc()
        return _tell(
            f"Muniment failed ({type(error).__name__}); nothing was allowed",
            "This is a defect: please report it, with what MUNIMENT_DEBUG=1 prints.",
            FAILED,
        )
    return code if isinstance(code, int) else 0


def _tell(message: str, remedy: str, code: int) -> int:
    click.secho(f"muniment: {message}", fg="red", err=True)
    if remedy:
        click.echo(f"Next: {remedy}", err=True)
    return code
