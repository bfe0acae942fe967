"""Settings of the database connection: one role owns the schema, and each process has a login that owns nothing."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from muniment.errors import DatabaseError
from muniment.server.guarding.database_passwords import find_password_file
from muniment.server.guarding.database_roles import CONFIRMATION, OWNER, ROLE_NAMES, WEB
from muniment.server.running.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    import psycopg

ROLE_VARIABLE, URL_VARIABLE = "MUNIMENT_ROLE", "DATABASE_URL"

_VARIABLES = {"NAME": "PGDATABASE", "HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
_SECURED = {  # by libpq's names of both
    "passfile": "PGPASSFILE",
    **{name: f"PG{name.upper()}" for name in ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "gssencmode")},
    "channel_binding": "PGCHANNELBINDING",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
}
_CHECK_SECONDS = 2  # after which the server ends a statement whose client is gone, such as a slot that was killed
# A process that people wait for does not wait itself for what another login locked. A task of the worker has a limit.
_SERVING_SETTINGS = ("-c lock_timeout=15s", "-c idle_in_transaction_session_timeout=120s")
_REMEDY = "Write it like postgresql://user:password@host:5432/muniment"


def read_role(environment: Mapping[str, str]) -> str:
    """Database role of this process. Raises DatabaseError for an unknown one."""
    name = environment.get(ROLE_VARIABLE, "web")
    if name not in ROLE_NAMES:
        raise DatabaseError(f"there is no role {name}", f"Set {ROLE_VARIABLE} to one of: {', '.join(ROLE_NAMES)}")
    return ROLE_NAMES[name]


def make_django_settings(home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Django's settings for the database. Raises DatabaseError for an invalid address.

    On a server of the company's own, `DATABASE_URL` names the owner of the schema, or no user at all. Every process
    connects by its own login, whose password is in the home: it never has the owner's. That of the operator is
    stored nowhere: `operator_login` draws one.
    """
    own = environment.get(URL_VARIABLE)
    me = read_role(environment)
    found = _parse_address(own if own else embedded_server(home).make_address(me))
    options = found["OPTIONS"]
    words = [options.get("options", ""), f"-c client_connection_check_interval={_CHECK_SECONDS}s"]
    if me in (WEB, CONFIRMATION):
        words += _SERVING_SETTINGS
    if own and me != OWNER:
        found |= {"USER": me, "PASSWORD": ""}
        options["passfile"] = str(find_password_file(home.absolute(), me))
    options["options"] = " ".join(words).strip()
    options.setdefault("connect_timeout", "5")
    return found


def connect_database(settings: Mapping[str, Any]) -> "psycopg.Connection[tuple[Any, ...]]":
    """Connection of our own, from Django's settings. Raises psycopg.Error."""
    import psycopg

    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = {name: settings[ours] for name, ours in names.items() if settings[ours]}
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "server_side_binding"}  # Django's
    return psycopg.connect(**given, **options)


def make_program_variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Environment of PostgreSQL's own programs from Django's settings, as our own driver uses it.

    Variables that are set there by hand (`PGSSLMODE`, a `.pgpass` at home) apply to them too.
    """
    own = {name: value for name, value in os.environ.items() if name.startswith("PG") or name == "HOME"}
    given = {**{_VARIABLES[name]: settings[name] for name in _VARIABLES}, **_convert_options(settings["OPTIONS"])}
    return own | {name: str(value) for name, value in given.items() if value}


def _convert_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Variables that secure the connection: a copy is not sent in the clear where the service would not connect so."""
    return {_SECURED[name]: value for name, value in options.items() if name in _SECURED}


def strip_credentials(url: str) -> str:
    """Address without user and password: for processes that have a login of their own."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in ("user", "password")])
    return urlunsplit(parts._replace(netloc=place, query=query))


def embedded_server(home: Path) -> EmbeddedPostgres:
    """Server that comes with Muniment, for this home."""
    return EmbeddedPostgres(home / "postgres")


def _parse_address(url: str) -> dict[str, Any]:
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
