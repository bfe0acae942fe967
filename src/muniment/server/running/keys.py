"""Keys in the home, for this account alone: what sessions and links are signed with, and permissions to deploy."""

import secrets
from pathlib import Path

from muniment.errors import HomeError

WEB = "keys/web.key"


def web_key(home: Path) -> str:
    """The key. Raises HomeError if there is none: `make_web_key` makes it, and nothing falls back to another."""
    try:
        found = (home / WEB).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"{home / WEB} cannot be read", "Make it with: muniment up") from error
    if len(found) < 50:
        raise HomeError(f"{home / WEB} is too short to be a key", "Delete it, then run: muniment up")
    return found


def make_web_key(home: Path) -> None:
    """Make it, unless it is there."""
    from muniment.home import durable

    if not (home / WEB).exists():
        durable.write(home / WEB, secrets.token_urlsafe(64).encode() + b"\n", 0o600)


DEPLOY, DEPLOY_PUBLIC = "keys/deploy.key", "keys/deploy.pub"  # signs permissions to deploy, and nothing else
_DEPLOY_NAME = "muniment-deploy"


def make_deploy_key(home: Path) -> None:
    """Make the pair, unless it is there. The private half comes first, so that stopping half-way denies."""
    from muniment.home import durable
    from muniment.ledger.keys import generate, public_of

    if not (home / DEPLOY).exists():
        durable.write(home / DEPLOY, generate(_DEPLOY_NAME)[0].encode() + b"\n", 0o600)
    if not (home / DEPLOY_PUBLIC).exists():
        public = public_of(deploy_key(home))
        durable.write(home / DEPLOY_PUBLIC, public.encode() + b"\n", 0o644)


def deploy_key(home: Path) -> str:
    """The private half, for the worker. Raises HomeError."""
    return _read(home / DEPLOY)


def deploy_public(home: Path) -> str:
    """The public half, for whoever looks at permissions at the door. Raises HomeError."""
    return _read(home / DEPLOY_PUBLIC)


def public_of_deploy(home: Path) -> str:
    """The name of the pair, if its halves belong together and the private one is readable. Raises HomeError."""
    from muniment.ledger.keys import public_of, read_public

    try:
        public = public_of(deploy_key(home))
    except ValueError as error:
        raise HomeError(f"{home / DEPLOY} is no key", "Restore it, or delete both halves and start again.") from error
    if public.strip() != deploy_public(home):
        raise HomeError(f"{home / DEPLOY_PUBLIC} is not the half of {DEPLOY}", "Delete it, then run: muniment up")
    return read_public(public).name


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HomeError(f"{file} cannot be read", "Make it with: muniment up") from error
