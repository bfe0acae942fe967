"""Entry point of the program: answers --version at once, and turns every ending into the one table of exit codes."""

import os
import sys

from muniment.cli.exit_codes import FAILED, OK, READER_GONE, WRONG_USE
from muniment.cli.quick_imports import QuickImports, import_msgspec


def main() -> int:
    """Run the command line. Returns the exit code, one of those that `muniment --help` lists."""
    _open_closed_streams()
    if sys.argv[1:] in (["--version"], ["-V"]):
        return _print_version()
    if sys.platform == "win32":
        sys.stderr.write("muniment runs on Linux and macOS; on Windows, run it in the Windows Subsystem for Linux.\n")
        return WRONG_USE
    if sys.argv[1:] == ["hook", "pre-commit"]:
        return _run_pre_commit()
    if sys.argv[1:2] == ["hook"]:  # everybody who pushes waits for it: without what parses command lines
        code = _run_server_hook(sys.argv[2:])
        if code is not None:
            return code
    import_msgspec()
    from muniment.cli.command_line import run_command_line

    return run_command_line(sys.argv[1:])


def _open_closed_streams() -> None:
    """Open standard streams that are closed: a file of ours would get their number, and take what is printed."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 -- until the process ends


def _run_server_hook(arguments: list[str]) -> int | None:
    """Run a hook of a server, and return its exit code; None if it is another command."""
    from muniment.cli import server_hooks

    return server_hooks.main(arguments)


def _run_pre_commit() -> int:
    """Run the hook of a commit, with as few imports as a server hook."""
    with QuickImports():
        from muniment.cli import pre_commit
    return pre_commit.run_hook()


def end_with_main() -> None:
    """Run the command line, and end the process without cleaning up: pushers would wait for that.

    Output is written before, and no other work is left: it was done in a child of the process.
    """
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or FAILED
    os._exit(code)


def _print_version() -> int:
    """Print the version; 3 if it cannot be written, 141 if nobody reads it."""
    from muniment import __version__

    try:
        sys.stdout.write(f"muniment {__version__}\n")
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- the interpreter flushes it as it ends
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        try:
            sys.stderr.write(f"muniment: the output cannot be written: {error.strerror}\n")
            sys.stderr.flush()
        except OSError:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115 -- likewise
        return FAILED
    return OK


if __name__ == "__main__":
    sys.exit(main())
