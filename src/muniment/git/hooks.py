"""Installs hooks where git runs them, and the settings that the server hook relies on."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from muniment.errors import GitError, UsageError
from muniment.git.git_process import git_error, run_git
from muniment.git.repository import Repository
from muniment.programs.command import ProgramOption
from muniment.programs.environment import account_environment, git_environment

HOOK_MARK = "# Muniment put this here. The command muniment hook install makes it anew."

# What `-m muniment` does, without the modules that find and run a package: everybody who pushes waits for them.
_START = "from muniment.__main__ import end_with_main; end_with_main()"

_SETTINGS = (("receive.shallowUpdate", "false"),)
_HIDDEN = ("transfer.hideRefs", "refs/replace")


def make_hook_script(*arguments: str) -> str:
    """A hook that runs `muniment hook ARGUMENTS`, and what git gives it. It does not depend on PATH or the folder."""
    return f'#!/bin/sh\n{HOOK_MARK}\nexec {_make_command(arguments)} "$@"\n'


def make_background_script(*arguments: str) -> str:
    """A hook that runs in the background: git goes on at once, and its output is closed."""
    return f"#!/bin/sh\n{HOOK_MARK}\n{_make_command(arguments)} </dev/null >/dev/null 2>&1 &\n"


def _make_command(arguments: Sequence[str]) -> str:
    return " ".join(shlex.quote(word) for word in (sys.executable, "-I", "-c", _START, "hook", *arguments))


def find_hooks_folder(repository: Repository) -> str:
    """Folder in which git looks for the hooks of the repository, by this account's configuration. Raises GitError."""
    question: tuple[ProgramOption, ...] = ("--path-format=absolute", ("--git-path", "hooks"))
    try:
        done = run_git("rev-parse", question, account_environment(), cwd=repository.git_dir)
    except GitError as error:
        raise GitError("git did not say where it looks for hooks", "Name the folder with --hooks DIR.") from error
    if done.code:
        raise git_error("git rev-parse", done.err)
    return os.fsdecode(done.out.rstrip(b"\n"))


def install_hooks(folder: str, scripts: Mapping[str, str]) -> tuple[str, ...]:
    """Write each hook; their files. Raises UsageError if a file there is not ours, or it cannot be written."""
    files = {name: os.path.join(folder, name) for name in scripts}
    for file in files.values():
        if os.path.lexists(file) and not _is_ours(file):
            raise UsageError(
                f"{file} is there and is not Muniment's",
                "Remove it, or run both from one script, the server hook last and with exec, so that it can deny.",
            )
    try:
        os.makedirs(folder, exist_ok=True)
        for name, file in files.items():
            _write_hook(file, scripts[name])
    except OSError as error:
        raise UsageError(f"no hook can be written to {folder} ({error.strerror})", "Make it writable.") from error
    return tuple(files.values())


def find_missing_hooks(repository: Repository, names: Sequence[str]) -> tuple[str, ...]:
    """Files of our hooks that git would not run here. Raises GitError."""
    files = [os.path.join(find_hooks_folder(repository), name) for name in names]
    return tuple(file for file in files if not _is_ours(file) or not os.access(file, os.X_OK))


def harden_repository(repository: Repository) -> None:
    """Set git to refuse pushes of a shallow history, and to hide replaced objects. Raises GitError."""
    file = os.path.join(repository.git_dir, "config")
    for key, value in _SETTINGS:
        _run_config(file, "--replace-all", key, value)
    key, value = _HIDDEN
    if value not in _run_config(file, "--get-all", key, codes=(0, 1)).split("\n"):
        _run_config(file, "--add", key, value)


def add_fetch_refspec(repository: Repository, remote: str, refspec: str) -> None:
    """Configure git to fetch a ref with all others of a remote. Raises GitError."""
    file, key = os.path.join(repository.git_dir, "config"), f"remote.{remote}.fetch"
    if refspec not in _run_config(file, "--get-all", key, codes=(0, 1)).split("\n"):
        _run_config(file, "--add", key, refspec)


def _run_config(file: str, option: str, *values: str, codes: Sequence[int] = (0,)) -> str:
    done = run_git("config", (("--file", file), option), git_environment({}), values=values)
    if done.code not in codes:
        raise git_error("git config", done.err)
    return os.fsdecode(done.out)


def _is_ours(file: str) -> bool:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            return HOOK_MARK in stream.read(4096)
    except OSError:
        return False


def _write_hook(file: str, text: str) -> None:
    """Write in one step, through a link to its target: gitolite's hooks are links to one file for all."""
    target = os.path.realpath(file)
    new = f"{target}.new"
    with open(new, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(new, 0o755)  # noqa: S103 -- git runs it as whoever pushes
    os.replace(new, target)
