"""Runs one command line and tells every failure in two lines: what happened, and what to do."""

import errno
import itertools
import os
import sys
import traceback

import click

from muniment.cli import printing
from muniment.cli.commands import muniment
from muniment.cli.exit_codes import FAILED, INTERRUPTED, READER_GONE
from muniment.errors import MunimentError, UsageError

_UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)


def run(arguments: list[str]) -> int:
    """The exit code of `muniment ARGUMENTS`. The one place where a broad except stands: it never means yes."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    return _run(arguments)


def _run(arguments: list[str]) -> int:
    try:
        code = muniment.main(arguments, prog_name="muniment", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return _tell("interrupted", "", INTERRUPTED)
    except KeyboardInterrupt:
        return _tell("interrupted", "", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        code = error.exit_code if isinstance(error, click.UsageError) else FAILED
        _tell_programs(arguments, error.format_message(), "", code)
        return code
    except MunimentError as error:
        _tell_programs(arguments, str(error.message), str(error.remedy), error.exit_code)
        return _tell(error.message, error.remedy, error.exit_code)
    except (BrokenPipeError, SystemExit):  # click exits by itself, and with 1, when its reader has gone
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- the interpreter flushes it as it ends
        return READER_GONE
    except Exception as error:  # noqa: BLE001 -- the outermost edge
        if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- the interpreter flushes it as it ends
            return _tell(f"the output cannot be written: {error.strerror}", "Write it where there is room.", FAILED)
        if isinstance(error, UnicodeEncodeError) and not all(map(_is_text, arguments)):
            return _tell("something that was given is not UTF-8 text", "Write it in UTF-8.", UsageError.exit_code)
        if os.environ.get("MUNIMENT_DEBUG"):
            traceback.print_exc()
        return _tell(
            f"Muniment failed ({type(error).__name__}); nothing was allowed",
            "This is a defect: please report it, with what MUNIMENT_DEBUG=1 prints.",
            FAILED,
        )
    return code if isinstance(code, int) else 0


def _tell_programs(arguments: list[str], message: str, remedy: str, code: int) -> None:
    """An error as one JSON document on standard output, for a program that asked for JSON."""
    if "--format=json" in arguments or ("--format", "json") in itertools.pairwise(arguments):
        printing.json({"error": {"message": message, "remedy": remedy, "exit_code": code}})


def _tell(message: str, remedy: str, code: int) -> int:
    click.secho(f"muniment: {_plain(message)}", fg="red", err=True)
    if remedy:
        click.echo(f"Next: {_plain(remedy)}", err=True)
    return code


def _plain(text: str) -> str:
    """What is told may quote anybody: a terminal obeys nothing of it."""
    return "\n".join(map(printing.plain, text.split("\n")))


def _is_text(argument: str) -> bool:
    """Whether an argument is UTF-8: what is not comes as surrogates, which only file names may hold."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
