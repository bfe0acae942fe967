"""Runs one command line and tells every failure in two lines: what happened, and what to do."""

import errno
import itertools
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from muniment.cli import printing
from muniment.cli.commands import muniment
from muniment.cli.exit_codes import FAILED, INTERRUPTED, OK, READER_GONE
from muniment.errors import MunimentError, UsageError

_COMPLETION = "_MUNIMENT_COMPLETE"  # the variable by which a shell asks for completions
_UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)


def run(arguments: list[str]) -> int:
    """The exit code of `muniment ARGUMENTS`. The one place where a broad except stands: it never means yes."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    return _run(arguments)


def _run(arguments: list[str]) -> int:
    colour = None if printing.is_coloured() else False  # for what click styles by itself, and in every command
    try:
        code = muniment.main(arguments, prog_name="muniment", standalone_mode=False, color=colour)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _tell(arguments, "interrupted", "", INTERRUPTED)
    except click.ClickException as error:
        code = error.exit_code if isinstance(error, click.UsageError) else FAILED
        _tell_programs(arguments, error.format_message(), "", code)
        with _written_if_possible("stderr"):
            error.show()
        return code
    except MunimentError as error:
        remedy = _with_home(str(error.remedy), arguments)
        return _tell(arguments, str(error.message), remedy, error.exit_code)
    except BrokenPipeError:
        _discard("stdout")
        return READER_GONE
    except SystemExit as ended:
        return _ended_by_click(arguments, ended)
    except Exception as error:  # noqa: BLE001 -- the outermost edge
        return _fail(arguments, error)
    return code if isinstance(code, int) else 0


def _ended_by_click(arguments: list[str], ended: SystemExit) -> int:
    """The exit code where click ends by itself: it completed a line, was asked to badly, or its reader has gone."""
    if ended.code == OK:
        return OK
    if os.environ.get(_COMPLETION):
        why = f"{_COMPLETION} names no completion: {os.environ[_COMPLETION]}"
        return _tell(arguments, why, "Name one: bash_source, zsh_source or fish_source.", UsageError.exit_code)
    _discard("stdout")
    return READER_GONE


def _fail(arguments: list[str], error: Exception) -> int:
    """Tell what no command expected. Returns the exit code, which is never a yes."""
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        _discard("stdout")
        why = f"the output cannot be written: {error.strerror}"
        return _tell(arguments, why, "Write it where there is room.", FAILED)
    if isinstance(error, UnicodeEncodeError) and not all(map(_is_text, arguments)):
        why = "something that was given is not UTF-8 text"
        return _tell(arguments, why, "Write it in UTF-8.", UsageError.exit_code)
    if os.environ.get("MUNIMENT_DEBUG"):
        traceback.print_exception(error)
    return _tell(
        arguments,
        f"Muniment failed ({type(error).__name__}); nothing was allowed",
        "This is a defect: please report it, with what MUNIMENT_DEBUG=1 prints.",
        FAILED,
    )


def _tell_programs(arguments: list[str], message: str, remedy: str, code: int) -> None:
    """An error as one JSON document on standard output, for a program that asked for JSON."""
    if "--format=json" in arguments or ("--format", "json") in itertools.pairwise(arguments):
        with _written_if_possible("stdout"):
            printing.json({"error": {"message": message, "remedy": remedy, "exit_code": code}})


def _tell(arguments: list[str], message: str, remedy: str, code: int) -> int:
    """Tell people and programs of a failure. Returns `code`: it says the same where nothing can be written."""
    _tell_programs(arguments, message, remedy, code)
    with _written_if_possible("stderr"):
        click.echo(printing.style(f"muniment: {_plain(message)}", colour="red"), err=True)
        if remedy:
            click.echo(f"Next: {_plain(remedy)}", err=True)
    return code


def _with_home(remedy: str, arguments: list[str]) -> str:
    """A remedy whose commands name the home that the command line named: they are to run as they stand there."""
    given = dict(itertools.pairwise(arguments)).get("--home", "")
    return remedy.replace("--home DIR", f"--home {shlex.quote(given)}") if given else remedy


@contextmanager
def _written_if_possible(name: str) -> Iterator[None]:
    """Write to a stream of `sys`; one that is full, or that nobody reads, changes no exit code."""
    try:
        yield
        getattr(sys, name).flush()
    except OSError:
        _discard(name)


def _discard(name: str) -> None:
    """Replace a stream of `sys` by one that takes everything: the interpreter flushes it as it ends."""
    setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 -- it is needed until the process ends


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
