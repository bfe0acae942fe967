"""Which key a person signs with: the one they name, git's user.signingKey, or a known one of the agent's."""

import subprocess
from pathlib import Path
from typing import TypeVar

from muniment.errors import UsageError
from muniment.facts.people import Machine, People, Person
from muniment.policy.keys import KINDS, parse_key

_NEXT = "Name a key with --key FILE, or set it: git config user.signingKey ~/.ssh/id_ed25519.pub"


T = TypeVar("T", Person, Machine)


def signer(people: People, key: str | None, repo: str) -> tuple[Person, str]:
    """The person that the key belongs to, and the key as `git.signatures.sign` takes it. UsageError if none."""
    return _holder(people, key, repo, Person, "nobody")


def machine(people: People, key: str | None, repo: str) -> tuple[Machine, str]:
    """The same for a machine."""
    return _holder(people, key, repo, Machine, "no machine")


def _holder(people: People, key: str | None, repo: str, of: type[T], none: str) -> tuple[T, str]:
    chosen = key or _said(["git", "-C", repo, "config", "user.signingKey"]).strip()
    for candidate in (chosen,) if chosen else tuple(_said(["ssh-add", "-L"]).splitlines()):
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
    except ValueError as error:
        raise UsageError(f"the key {key} cannot sign here: {error}", _NEXT) from error


def _derived(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"there is no key {file}", _NEXT)
    return _said(["ssh-keygen", "-y", "-f", str(file)]).strip()


def _said(command: list[str]) -> str:
    """What the person's own program prints, "" if it fails or is missing: then there is no key from there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def git_email() -> str:
    """git's user.email here, "" if there is none."""
    return _said(["git", "config", "user.email"]).strip()
