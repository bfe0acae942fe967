"""The key that sessions and links are signed with: in the home, for this account alone."""

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
