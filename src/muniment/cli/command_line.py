"""Runs one command line, and reports every failure in two lines: the problem, and the next step."""

import errno
import itertools
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from muniment.cli import printing
from muniment.cli.commands import COMPLETION_VARIABLE, muniment
from muniment.cli.exit_codes import FAILED, INTERRUPTED, OK, READER_GONE
from muniment.cli.remedies import put_home_into_commands
from muniment.errors import MunimentError, UsageError

_LONGEST_PATH = 200  # characters of a path in a message
_UNWRITABLE = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)


def run_command_line(arguments: list[str]) -> int:
    """Run `muniment ARGUMENTS`, and return the exit code. Its broad except is the outermost one: it never allows
    anything.
    """
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    return _run_click(arguments)


def _run_click(arguments: list[str]) -> int:
    colour = None if printing.is_coloured() else False  # for what click styles by itself, and in every command
    try:
        code = muniment.main(arguments, prog_name="muniment", standalone_mode=False, color=colour)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt) as error:
        return _report_abort(arguments, error)
    except click.ClickException as error:
        code = error.exit_code if isinstance(error, click.UsageError) else FAILED
        _report_as_json(arguments, error.format_message(), _name_help(error), code)
        with _ignore_write_errors("stderr"):
            error.show()
        return code
    except MunimentError as error:
        remedy = put_home_into_commands(str(error.remedy), _find_named_home(arguments))
        return _report_failure(arguments, str(error.message), remedy, error.exit_code)
    except BrokenPipeError:
        _discard_stream("stdout")
        return READER_GONE
    except SystemExit as ended:
        return _convert_click_exit(arguments, ended)
    except Exception as error:  # noqa: BLE001 -- the outermost edge
        return _report_unexpected(arguments, error)
    return code if isinstance(code, int) else 0


def _name_help(error: click.ClickException) -> str:
    """Next step of wrong usage: the help of the command that it was about."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"Run {context.command_path} --help." if context is not None else ""


def _convert_click_exit(arguments: list[str], ended: SystemExit) -> int:
    """Exit code where click ends by itself: after a completion, a wrong one, or when the reader of its output
    has gone.
    """
    if ended.code == OK:
        return OK
    if os.environ.get(COMPLETION_VARIABLE):
        why = f"{COMPLETION_VARIABLE} names no completion: {os.environ[COMPLETION_VARIABLE]}"
        return _report_failure(
            arguments, why, "Name one: bash_source, zsh_source or fish_source.", UsageError.exit_code
        )
    _discard_stream("stdout")
    return READER_GONE


def _report_abort(arguments: list[str], error: BaseException) -> int:
    """Report an interruption, or a question that was answered by no, or by nobody. Returns the exit code."""
    ended = error.__cause__ or error.__context__  # click raises its Abort for all of them
    if isinstance(ended, EOFError):
        why = "a question got no answer: nobody is at a terminal"
        remedy = "Run it at a terminal, or answer by an option that its --help lists."
        return _report_failure(arguments, why, remedy, UsageError.exit_code)
    declined = isinstance(error, click.exceptions.Abort) and ended is None
    return _report_failure(arguments, "the answer was no" if declined else "interrupted", "", INTERRUPTED)


def _report_unexpected(arguments: list[str], error: Exception) -> int:
    """Report an error that no command expected. Returns the exit code, which is never 0."""
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        _discard_stream("stdout")
        why = f"the output cannot be written: {error.strerror}"
        return _report_failure(arguments, why, "Write it where there is room.", FAILED)
    if isinstance(error, UnicodeEncodeError) and not all(map(_is_text, arguments)):
        why = "something that was given is not UTF-8 text"
        return _report_failure(arguments, why, "Write it in UTF-8.", UsageError.exit_code)
    if os.environ.get("MUNIMENT_DEBUG"):
        traceback.print_exception(error)
    from muniment.server.database_failures import describe_database_failure

    if isinstance(error, OSError) and isinstance(error.filename, str) and error.strerror:
        why = f"{error.filename[:_LONGEST_PATH]} cannot be used ({error.strerror})"
        return _report_failure(arguments, why, "Name another file or folder, or give this account access.", FAILED)
    failure = describe_database_failure(error)
    if failure is not None:
        remedy = put_home_into_commands(str(failure.remedy), _find_named_home(arguments))
        return _report_failure(arguments, str(failure.message), remedy, FAILED)
    return _report_failure(
        arguments,
        f"Muniment failed ({type(error).__name__}); nothing was allowed",
        "This is a defect: please report it, with what MUNIMENT_DEBUG=1 prints.",
        FAILED,
    )


def _report_as_json(arguments: list[str], message: str, remedy: str, code: int) -> None:
    """Print an error as one JSON document on standard output, for a program that asked for JSON."""
    if "--format=json" in arguments or ("--format", "json") in itertools.pairwise(arguments):
        with _ignore_write_errors("stdout"):
            printing.print_json({"error": {"message": message, "remedy": remedy, "exit_code": code}})


def _report_failure(arguments: list[str], message: str, remedy: str, code: int) -> int:
    """Report a failure to people and programs. Returns `code`, also where nothing can be written."""
    _report_as_json(arguments, message, remedy, code)
    with _ignore_write_errors("stderr"):
        click.echo(printing.style_text(f"muniment: {_make_printable(message)}", colour="red"), err=True)
        if remedy:
            click.echo(f"Next: {_make_printable(remedy)}", err=True)
    return code


def _find_named_home(arguments: list[str]) -> str:
    """Find the home that a command line names; "" where it names none."""
    joined = (argument.partition("=")[2] for argument in arguments if argument.startswith("--home="))
    return dict(itertools.pairwise(arguments)).get("--home", "") or next(joined, "")


@contextmanager
def _ignore_write_errors(name: str) -> Iterator[None]:
    """Write to a stream of `sys`; a full stream, or one without a reader, changes no exit code."""
    try:
        yield
        getattr(sys, name).flush()
    except OSError:
        _discard_stream(name)


def _discard_stream(name: str) -> None:
    """Replace a stream of `sys` by one that takes everything: the interpreter flushes it as it ends."""
    setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 -- it is needed until the process ends


def _make_printable(text: str) -> str:
    """Make each line printable: a message may quote foreign text, and a terminal obeys nothing of it."""
    return "\n".join(map(printing.make_printable, text.split("\n")))


def _is_text(argument: str) -> bool:
    """Whether an argument is UTF-8. Other bytes come as surrogates, which only file names may hold."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
