"""Puts hooks where git runs them, and the settings beside them that the gate counts on."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from muniment.errors import GitError, UsageError
from muniment.git.repository import Repository
from muniment.git.run import refusal, run
from muniment.programs.command import Option
from muniment.programs.environment import account_environment, git_environment

MARK = "# Muniment put this here. The command muniment hook install makes it anew."

# What `-m muniment` does, without the modules that find and run a package: everybody who pushes waits for them.
_START = "from muniment.__main__ import end_with_main; end_with_main()"

_SETTINGS = (("receive.shallowUpdate", "false"),)
_HIDDEN = ("transfer.hideRefs", "refs/replace")


def script(*arguments: str) -> str:
    """A hook that runs `muniment hook ARGUMENTS`, and what git gives it. It does not depend on PATH or the folder."""
    return f'#!/bin/sh\n{MARK}\nexec {_command(arguments)} "$@"\n'


def afterwards(*arguments: str) -> str:
    """The same for a hook that nobody waits for: git goes on at once, and its output is closed."""
    return f"#!/bin/sh\n{MARK}\n{_command(arguments)} </dev/null >/dev/null 2>&1 &\n"


def _command(arguments: Sequence[str]) -> str:
    return " ".join(shlex.quote(word) for word in (sys.executable, "-I", "-c", _START, "hook", *arguments))


def folder(repository: Repository) -> str:
    """Where git looks for the hooks of the repository, as this account has it configured. Raises GitError."""
    question: tuple[Option, ...] = ("--path-format=absolute", ("--git-path", "hooks"))
    try:
        done = run("rev-parse", question, account_environment(), cwd=repository.git_dir)
    except GitError as error:
        raise GitError("git did not say where it looks for hooks", "Name the folder with --hooks DIR.") from error
    if done.code:
        raise refusal("git rev-parse", done.err)
    return os.fsdecode(done.out.rstrip(b"\n"))


def install(where: str, scripts: Mapping[str, str]) -> tuple[str, ...]:
    """Write each hook; their files. Raises UsageError if one is there that is not ours, or it cannot be written."""
    files = {name: os.path.join(where, name) for name in scripts}
    for file in files.values():
        if os.path.lexists(file) and not _is_ours(file):
            raise UsageError(
                f"{file} is there and is not Muniment's",
                "Remove it, or run both from one script, the server hook last and with exec, so that it can deny.",
            )
    try:
        os.makedirs(where, exist_ok=True)
        for name, file in files.items():
            _write(file, scripts[name])
    except OSError as error:
        raise UsageError(f"no hook can be written to {where} ({error.strerror})", "Make it writable.") from error
    return tuple(files.values())


def missing(repository: Repository, names: Sequence[str]) -> tuple[str, ...]:
    """Which of our hooks git would not run here, by file. Raises GitError."""
    files = [os.path.join(folder(repository), name) for name in names]
    return tuple(file for file in files if not _is_ours(file) or not os.access(file, os.X_OK))


def harden(repository: Repository) -> None:
    """No push of a cut-off history, and no replaced objects in what others see. Raises GitError."""
    file = os.path.join(repository.git_dir, "config")
    for key, value in _SETTINGS:
        _config(file, "--replace-all", key, value)
    key, value = _HIDDEN
    if value not in _config(file, "--get-all", key, codes=(0, 1)).split("\n"):
        _config(file, "--add", key, value)


def fetch_always(repository: Repository, remote: str, refspec: str) -> None:
    """Have git fetch a ref with all others of a remote. Raises GitError."""
    file, key = os.path.join(repository.git_dir, "config"), f"remote.{remote}.fetch"
    if refspec not in _config(file, "--get-all", key, codes=(0, 1)).split("\n"):
        _config(file, "--add", key, refspec)


def _config(file: str, option: str, *values: str, codes: Sequence[int] = (0,)) -> str:
    done = run("config", (("--file", file), option), git_environment({}), values=values)
    if done.code not in codes:
        raise refusal("git config", done.err)
    return os.fsdecode(done.out)


def _is_ours(file: str) -> bool:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            return MARK in stream.read(4096)
    except OSError:
        return False


def _write(file: str, text: str) -> None:
    """In one step, and through a link to where it leads: gitolite's hooks are links to one file for all."""
    target = os.path.realpath(file)
    new = f"{target}.new"
    with open(new, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(new, 0o755)  # noqa: S103 -- git runs it as whoever pushes
    os.replace(new, target)
