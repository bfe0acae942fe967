"""Keys in the home, for this account alone: what signs sessions and permissions to deploy, and what webhooks prove."""

import hashlib
import hmac
import secrets
from pathlib import Path

from muniment.errors import ParseError, StoreError

WEB, HOOKS, FACTORS = "keys/web.key", "keys/hooks.key", "keys/factors.key"


def web_key(home: Path) -> str:
    """The key that sessions and links are signed with. Raises StoreError if there is none: nothing is used instead.

    `make_web_key` makes it.
    """
    return _long(home / WEB)


def make_web_key(home: Path) -> None:
    """Make it, unless it is there."""
    _make(home / WEB)


def factor_key(home: Path) -> str:
    """The key that encrypts seeds of second factors, for the web alone. Raises StoreError if there is none.

    No backup holds it: whoever has a copy of the database cannot compute codes.
    """
    return _long(home / FACTORS)


def make_factor_key(home: Path) -> None:
    """Make it, unless it is there."""
    _make(home / FACTORS)


def hook_secret(home: Path, connection: str, turn: int) -> str:
    """The secret that a forge signs its deliveries with: made of the key, kept nowhere. Each `turn` has another.

    Raises StoreError if there is no key.
    """
    asked = f"muniment-hook\n{connection}\n{turn}".encode()
    return hmac.new(_long(home / HOOKS).encode(), asked, hashlib.sha256).hexdigest()


def make_hook_key(home: Path) -> None:
    """Make the key of all of them, unless it is there."""
    _make(home / HOOKS)


DEPLOY, DEPLOY_PUBLIC = "keys/deploy.key", "keys/deploy.pub"  # signs permissions to deploy, and nothing else
_DEPLOY_NAME = "muniment-deploy"


def make_deploy_key(home: Path) -> None:
    """Make the pair, unless it is there. The private half comes first, so that stopping half-way denies."""
    from muniment.ledger.keys import generate, public_of
    from muniment.store import durable

    if not (home / DEPLOY).exists():
        durable.write(home / DEPLOY, generate(_DEPLOY_NAME)[0].encode() + b"\n", 0o600)
    if not (home / DEPLOY_PUBLIC).exists():
        public = public_of(deploy_key(home))
        durable.write(home / DEPLOY_PUBLIC, public.encode() + b"\n", 0o644)


def deploy_key(home: Path) -> str:
    """The private half, for the worker. Raises StoreError."""
    return _read(home / DEPLOY)


def deploy_public(home: Path) -> str:
    """The public half, for whoever looks at permissions at the door. Raises StoreError."""
    return _read(home / DEPLOY_PUBLIC)


def public_of_deploy(home: Path) -> str:
    """The name of the pair, if its halves belong together and the private one is readable. Raises StoreError."""
    from muniment.ledger.keys import public_of, read_public

    try:
        public = public_of(deploy_key(home))
    except ParseError as error:
        raise StoreError(f"{home / DEPLOY} is no key", "Restore it, or delete both halves and start again.") from error
    if public.strip() != deploy_public(home):
        raise StoreError(f"{home / DEPLOY_PUBLIC} is not the half of {DEPLOY}", "Delete it, then run: muniment up")
    return read_public(public).name


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{file} cannot be read", "Make it with: muniment up") from error


def _long(file: Path) -> str:
    found = _read(file)
    if len(found) < 50:
        raise StoreError(f"{file} is too short to be a key", "Delete it, then run: muniment up")
    return found


def _make(file: Path) -> None:
    from muniment.store import durable

    if not file.exists():
        durable.write(file, secrets.token_urlsafe(64).encode() + b"\n", 0o600)
