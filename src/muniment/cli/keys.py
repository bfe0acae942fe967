"""Which key a person signs with: the one they name, git's user.signingKey, or a known one of the agent's."""

import os
from pathlib import Path
from typing import TypeVar

from muniment.errors import ParseError, ProgramError, UsageError
from muniment.facts.people import Machine, People, Person
from muniment.policy.keys import KINDS, parse_key
from muniment.programs.catalogue import Program
from muniment.programs.command import Command, build_command, build_git_command
from muniment.programs.environment import account_environment
from muniment.programs.process import Limits, run

_NEXT = "Name a key with --key FILE, or set it: git config user.signingKey ~/.ssh/id_ed25519.pub"
_USUAL = ("id_ed25519", "id_ecdsa", "id_rsa")
_LIMITS = Limits(seconds=60)  # for a passphrase

T = TypeVar("T", Person, Machine)


def signer(people: People, key: str | None, repo: str) -> tuple[Person, str]:
    """The person that the key belongs to, and the key as `git.signatures.sign` takes it. UsageError if none."""
    return _holder(people, key, repo, Person, "nobody")


def machine(people: People, key: str | None, repo: str) -> tuple[Machine, str]:
    """The same for a machine."""
    return _holder(people, key, repo, Machine, "no machine")


def own(key: str | None, repo: str) -> tuple[str, str]:
    """A public key of the person's own, and it as `git.signatures.sign` takes it, where no list of people is here.

    The one that they name, git's, the agent's first, or the usual file. Raises UsageError if there is none.
    """
    chosen = key or _git_setting("user.signingKey", repo)
    listed = "" if chosen else _output(build_command(Program.SSH_ADD, ["-L"], ProgramError))
    usual = [str(file) for name in _USUAL if (file := Path("~/.ssh", name).expanduser()).is_file()]
    for candidate in (chosen,) if chosen else (*listed.splitlines(), *usual):
        try:
            return _public(candidate), candidate
        except UsageError:
            if chosen:
                raise
    raise UsageError("there is no SSH key to sign with", _NEXT)


def _holder(people: People, key: str | None, repo: str, of: type[T], none: str) -> tuple[T, str]:
    chosen = key or _git_setting("user.signingKey", repo)
    listed = "" if chosen else _output(build_command(Program.SSH_ADD, ["-L"], ProgramError))
    for candidate in (chosen,) if chosen else tuple(listed.splitlines()):
        public = _public(candidate)
        holder = people.by_identity.get(f"key:{public}")
        if isinstance(holder, of):
            return holder, candidate
        if chosen:
            raise UsageError(
                f"the key {chosen} belongs to {none} in people.toml",
                "Have it added to the entry of whoever signs with it, on the branch.",
            )
    raise UsageError("there is no key to sign with that people.toml knows", _NEXT)


def _public(key: str) -> str:
    """The public key of a key file, or of a public key line itself."""
    line = key.removeprefix("key::")
    if not line.startswith(KINDS):
        file = Path(key).expanduser()
        public = file if file.suffix == ".pub" else Path(f"{file}.pub")
        try:
            line = public.read_text(encoding="utf-8").strip() if public.exists() else _derived(file)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the key {key} cannot be read", _NEXT) from error
    try:
        return parse_key(line.strip())
    except ParseError as error:
        raise UsageError(f"the key {key} cannot sign here: {error}", _NEXT) from error


def _derived(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"there is no key {file}", _NEXT)
    return _output(build_command(Program.SSH_KEYGEN, ["-y", ("-f", str(file.absolute()))], ProgramError)).strip()


def _git_setting(name: str, repo: str = ".") -> str:
    """What git has under this name for the person, "" if nothing."""
    return _output(build_git_command("config", ["--get"], [name], [], ProgramError), os.path.abspath(repo)).strip()


def _output(command: Command, folder: str = "/") -> str:
    """What the person's own program prints, "" if it fails or is missing: then there is no key from there."""
    try:
        done = run(command, account_environment(), ProgramError, cwd=folder, limits=_LIMITS, interactive=True)
    except ProgramError:
        return ""
    return done.out.decode("utf-8", "replace")


def git_email(repo: str = ".") -> str:
    """git's user.email there, "" if there is none."""
    return _git_setting("user.email", repo)
