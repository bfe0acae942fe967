"""Key that a person signs with: the one they name, git's user.signingKey, one of the agent, or the usual file."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from muniment.errors import ParseError, ProgramError, UsageError
from muniment.facts.people import Machine, People, Person
from muniment.policy.ssh_keys import KEY_TYPES, parse_ssh_key
from muniment.programs.catalogue import Program
from muniment.programs.command import Command, build_command, build_git_command
from muniment.programs.environment import account_environment
from muniment.programs.process import ProcessLimits, run_program

_REMEDY = "Name a key with --key FILE, or set it: git config user.signingKey ~/.ssh/id_ed25519.pub"
_DEFAULT_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")
_LIMITS = ProcessLimits(seconds=60)  # for a passphrase

T = TypeVar("T", Person, Machine)


def find_signer(people: People, key: str | None, repo: str) -> tuple[Person, str]:
    """Find the person that a key belongs to, and the key as `git.signatures.make_signature` takes it. Raises UsageError
    if none.
    """
    return _find_holder(people, key, repo, Person, "nobody")


def find_machine(people: People, key: str | None, repo: str) -> tuple[Machine, str]:
    """Find the machine that a key belongs to, and the key as `git.signatures.make_signature` takes it. Raises
    UsageError if none.
    """
    return _find_holder(people, key, repo, Machine, "no machine")


def find_own_key(key: str | None, repo: str) -> tuple[str, str]:
    """Find a public key of the person, and the key as `git.signatures.make_signature` takes it, where no list of people
    is here.

    The named one, git's, the agent's first, or the usual file. Raises UsageError if there is none.
    """
    for candidate, public in _find_candidates(key, repo):
        return public, candidate
    raise UsageError("there is no SSH key to sign with", _REMEDY)


def _find_candidates(key: str | None, repo: str) -> Iterator[tuple[str, str]]:
    """Find keys as `git.signatures.make_signature` takes them, each with its public key.

    The named one or git's alone, and UsageError if it cannot be used; else those of the agent and the usual files.
    """
    chosen = key or read_git_setting("user.signingKey", repo)
    if chosen:
        yield chosen, _read_public_key(chosen)
        return
    listed = _run_program(build_command(Program.SSH_ADD, ["-L"], ProgramError))
    usual = [str(file) for name in _DEFAULT_FILES if (file := Path("~/.ssh", name).expanduser()).is_file()]
    for candidate in (*listed.splitlines(), *usual):
        with contextlib.suppress(UsageError):
            yield candidate, _read_public_key(candidate)


def _find_holder(people: People, key: str | None, repo: str, holder_type: type[T], none: str) -> tuple[T, str]:
    for candidate, public in _find_candidates(key, repo):
        holder = people.by_identity.get(f"key:{public}")
        if isinstance(holder, holder_type):
            return holder, candidate
    chosen = key or read_git_setting("user.signingKey", repo)
    if chosen:
        raise UsageError(
            f"the key {chosen} belongs to {none} in people.toml",
            "Have it added to the entry of whoever signs with it, on the branch.",
        )
    raise UsageError("there is no key to sign with that people.toml knows", _REMEDY)


def _read_public_key(key: str) -> str:
    """Public key of a key file, or of a public key line."""
    line = key.removeprefix("key::")
    if not line.startswith(KEY_TYPES):
        file = Path(key).expanduser()
        public = file if file.suffix == ".pub" else Path(f"{file}.pub")
        try:
            line = public.read_text(encoding="utf-8").strip() if public.exists() else _derive_public_key(file)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the key {key} cannot be read", _REMEDY) from error
    try:
        return parse_ssh_key(line.strip())
    except ParseError as error:
        raise UsageError(f"the key {key} cannot sign here: {error}", _REMEDY) from error


def _derive_public_key(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"there is no key {file}", _REMEDY)
    return _run_program(build_command(Program.SSH_KEYGEN, ["-y", ("-f", str(file.absolute()))], ProgramError)).strip()


def read_git_setting(name: str, repo: str = ".") -> str:
    """Value of a setting in the person's git configuration, "" if it is not set."""
    return _run_program(build_git_command("config", ["--get"], [name], [], ProgramError), os.path.abspath(repo)).strip()


def _run_program(command: Command, folder: str = "/") -> str:
    """Output of one of the person's own programs; "" if it fails or is missing: then it gives no key."""
    try:
        done = run_program(command, account_environment(), ProgramError, cwd=folder, limits=_LIMITS, interactive=True)
    except ProgramError:
        return ""
    return done.out.decode("utf-8", "replace")


def read_git_email(repo: str = ".") -> str:
    """Value of git's user.email, "" if it is not set."""
    return read_git_setting("user.email", repo)
