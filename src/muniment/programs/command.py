"""A command line, in which no value is ever an option.

What we write ourselves (verbs, options) and what comes from settings, people, repositories and forges (values, paths)
are given apart. An option that `catalogue` does not list is a defect of the caller; a value that looks
like an option is refused, and so is one that no program could be given.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from muniment.errors import MunimentError
from muniment.facts import paths as fact_paths
from muniment.programs.catalogue import GIT_GRAMMARS, OTHER_GRAMMARS, CommandGrammar, Program
from muniment.programs.credential_hiding import hide_credentials

LONGEST_VALUE = 131_071  # bytes of one argument: Linux takes no longer one

_OWN_PROGRAMS = {
    Program.MUNIMENT: (sys.executable, "-m", "muniment"),
    Program.SCANNER: (sys.executable, "-I", "-m", "muniment.scanners.child"),
    Program.REPORT_READER: (sys.executable, "-I", "-m", "muniment.scanners.imports.child"),
    Program.DESIGN_READER: (sys.executable, "-I", "-m", "muniment.design.child"),
}

MakeError = Callable[[str, str], MunimentError]  # makes the error to raise, of a message and a remedy
ProgramOption = str | tuple[str, str]  # `--quiet`, `--depth=1`, ("--depth", value), ("-p", value)


class Command(Struct, frozen=True):
    """A program with its arguments. `name`: for messages (`git rev-list`).

    `arguments`: all, the program's own first.
    """

    program: Program
    name: str
    arguments: tuple[str, ...]


def build_git_command(
    verb: str, options: Sequence[ProgramOption], values: Sequence[str], paths: Sequence[str], fail: MakeError
) -> Command:
    """`git VERB OPTIONS`, then values (revisions, refs, addresses) and paths behind what ends the options.

    Raises what `fail` makes for a value or path that is refused; ValueError for a verb or option that is not listed.
    """
    if verb not in GIT_GRAMMARS:
        raise ValueError(f"git {verb} is not in the catalogue of programs")
    name = f"git {verb}"
    arguments = _build_arguments(name, GIT_GRAMMARS[verb], options, values, paths, fail)
    return Command(Program.GIT, name, ("git", verb, *arguments))


def build_command(
    program: Program, options: Sequence[ProgramOption], fail: MakeError, location: Path | None = None
) -> Command:
    """`PROGRAM OPTIONS`; values stand in the options that take them. `location`: where it is, if not on PATH.

    Raises what `fail` makes for a value that is refused; ValueError for an option that is not listed.
    """
    if location is not None and not location.is_absolute():
        raise ValueError("a program is named by its whole path, or found on PATH")
    arguments = _build_arguments(program, OTHER_GRAMMARS[program], options, (), (), fail)
    start = _OWN_PROGRAMS.get(program) or (str(location or program),)
    return Command(program, program, (*start, *arguments))


def confine_command(command: Command) -> Command:
    """The command without network, with little memory and time (`confinement`). It needs a location."""
    start = (sys.executable, "-I", "-m", "muniment.programs.confinement")
    return Command(command.program, command.name, (*start, *command.arguments))


def confine_resolver(command: Command, handle: int, folder: str, start: str, readable: Sequence[str]) -> Command:
    """The command in a folder, with the proxy alone for a network (`resolver_confinement`). It needs a location.

    `handle`: the socket that it inherits, over which it hands out the proxy's port. `start`: where it starts, below
    `folder`. `readable`: paths that it may read and execute.
    """
    launcher = (sys.executable, "-I", "-m", "muniment.programs.resolver_confinement", str(handle), folder, start)
    return Command(command.program, command.name, (*launcher, *readable, "--", *command.arguments))


def join_lines(name: str, values: Iterable[str], fail: MakeError) -> bytes:
    """Values for a program that reads them from its input, one a line. Raises what `fail` makes for a refused one."""
    return b"".join(_encode_value(name, value, fail) + b"\n" for value in values)


def _build_arguments(
    name: str,
    grammar: CommandGrammar,
    options: Sequence[ProgramOption],
    values: Sequence[str],
    paths: Sequence[str],
    fail: MakeError,
) -> list[str]:
    found = [word for option in options for word in _build_option(name, grammar, option, fail)]
    for value in values:
        _encode_value(name, value, fail)
    for path in paths:
        _encode_checked(name, path, fail)
    if paths and grammar.paths is None:
        raise ValueError(f"{name} takes no paths")
    if values or paths:
        found += [*grammar.values, *values, *(grammar.paths or ()), *paths]
    return found


def _build_option(name: str, grammar: CommandGrammar, option: ProgramOption, fail: MakeError) -> tuple[str, ...]:
    if isinstance(option, str):
        word, assigned, value = option.partition("=")
        known = grammar.assigned if assigned else grammar.flags
    else:
        word, value = option
        known = grammar.assigned | grammar.followed
    if word not in known:
        raise ValueError(f"{name} {word} is not in the catalogue of programs")
    if isinstance(option, str):
        _encode_checked(name, option, fail)
        return (option,)
    if word in grammar.followed:
        _encode_value(name, value, fail)
        return (word, value)
    _encode_checked(name, value, fail)
    return (f"{word}={value}",)


def _encode_value(name: str, value: str, fail: MakeError) -> bytes:
    """A value that stands alone. It could be taken for an option if it began like one, even behind a separator."""
    found = _encode_checked(name, value, fail)
    if found.startswith(b"-"):
        raise _make_refusal(name, value, "it begins with - as options do", fail)
    if b"\n" in found:
        raise _make_refusal(name, value, "it has a line end", fail)
    return found


def _encode_checked(name: str, value: str, fail: MakeError) -> bytes:
    """Bytes of a value that stands where no option can, as the program gets them."""
    try:
        found = value.encode(sys.getfilesystemencoding(), "surrogateescape")
    except UnicodeEncodeError:
        raise _make_refusal(name, value, "it is not text", fail) from None
    if not found:
        raise _make_refusal(name, value, "it is empty", fail)
    if b"\0" in found:
        raise _make_refusal(name, value, "it has a null byte", fail)
    if len(found) > LONGEST_VALUE:
        raise _make_refusal(name, value, f"it has more than {LONGEST_VALUE} bytes", fail)
    return found


def _make_refusal(name: str, value: str, why: str, fail: MakeError) -> MunimentError:
    printable = fact_paths.decode_path(hide_credentials(value[:100]).encode("utf-8", "replace"))
    return fail(f"{name} is not given the value {printable!r}: {why}", "Name it in another way.")
