"""Which database, and as whom: the schema belongs to one role; the web and the worker are two that own nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from muniment.errors import DatabaseError
from muniment.server.running.embedded import OWNER, WEB, WORKER, Embedded

ROLE_VARIABLE, URL_VARIABLE = "MUNIMENT_ROLE", "DATABASE_URL"
NAMES = {"owner": OWNER, "web": WEB, "worker": WORKER}

_REMEDY = "Write it like postgresql://user:password@host:5432/muniment"


def role(environment: Mapping[str, str]) -> str:
    """The role of this process in the database. Raises DatabaseError for one that there is not."""
    name = environment.get(ROLE_VARIABLE, "web")
    if name not in NAMES:
        raise DatabaseError(f"there is no role {name}", f"Set {ROLE_VARIABLE} to one of: {', '.join(NAMES)}")
    return NAMES[name]


def settings(home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Django's settings for it. Raises DatabaseError for an address that is none.

    On a server of the company's own, `DATABASE_URL` names whoever owns the schema; web and worker connect as the same
    and at once become their own roles, which that one was made a member of.
    """
    own = environment.get(URL_VARIABLE)
    me = role(environment)
    found = _settings(own if own else embedded(home).url(me))
    options = found["OPTIONS"]
    if own and me != OWNER:
        options["options"] = f"{options.get('options', '')} -c role={me}".strip()
    options.setdefault("connect_timeout", "5")
    return found


def embedded(home: Path) -> Embedded:
    """The server that comes with Muniment, for this home."""
    return Embedded(home / "postgres")


def _settings(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DatabaseError("DATABASE_URL cannot be read", _REMEDY) from error
    options = dict(parse_qsl(parts.query))
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise DatabaseError("DATABASE_URL does not name a PostgreSQL database", _REMEDY)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": True,
    }
