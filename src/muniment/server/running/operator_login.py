"""Login of the operator at a server of the company's own: none of its passwords is stored.

A password is drawn when a command needs one, and ends within minutes. Only whoever may connect as the owner of the
schema can draw it: a command whose DATABASE_URL names that owner, or `muniment up`, which draws one for commands of its
own account. The kernel says which account asks, as it does for the embedded database.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from muniment.errors import DatabaseError
from muniment.server.guarding.database_passwords import generate_password
from muniment.server.guarding.database_roles import OPERATOR
from muniment.server.running import database_settings
from muniment.store import sockets

_MINUTES = 10  # in which a command connects; its connection stays open afterwards
_REUSED_SECONDS = 300.0  # a command that begins while another connects gets the same password
_LOCK = 0x6D756F70  # of whoever draws: two statements about one role at the same moment fail
_CONNECT_LOCK = 0x6D756F71  # of whoever draws and connects; held for longer than the other, by another connection
_FOLDER, _SOCKET = "operator", "login"
_SECONDS = 5.0
_LONGEST = 200  # bytes of an answer
_PEER = struct.Struct("3i")  # process, user and group, as SO_PEERCRED says them


class DrawnPassword(NamedTuple):
    """Password of the operator, and the moment (monotonic, seconds) when it was drawn."""

    text: str
    drawn_at: float


def needs_password(environment: Mapping[str, str]) -> bool:
    """Whether the operator signs in by a password: not in the embedded database, which knows the account."""
    own = bool(environment.get(database_settings.URL_VARIABLE))
    return own and database_settings.read_role(environment) == OPERATOR


def add_password(settings: dict[str, Any], home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Django's settings, with a password drawn just now where the operator needs one. Raises DatabaseError."""
    if needs_password(environment):
        settings["PASSWORD"] = obtain_password(home, environment)
        settings["OPTIONS"].pop("passfile", None)
    return settings


@contextmanager
def lock_connecting(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Exclusive lock on drawing a password and connecting by it, between commands that draw as the owner themselves.

    Each password ends the one before, so that a command which draws in between would shut this one out. Connections
    that are open stay so.
    """
    owner = make_owner_settings(home, environment)
    with ExitStack() as stack:
        if owner["USER"] or environment.get("PGUSER"):
            # An owner who cannot connect cannot draw either, which says why.
            with suppress(psycopg.Error):
                held = stack.enter_context(database_settings.connect_database(owner))
                held.execute("SELECT pg_advisory_lock(%s)", (_CONNECT_LOCK,))
        yield


def obtain_password(home: Path, environment: Mapping[str, str]) -> str:
    """Draw a password as the owner that DATABASE_URL names, or have the supervisor of the home draw one.

    Raises DatabaseError where neither is possible.
    """
    owner = make_owner_settings(home, environment)
    if owner["USER"] or environment.get("PGUSER"):
        return draw_password(owner)
    answer = _ask_supervisor(home)
    if answer:
        return answer
    try:
        return draw_password(owner)  # where the server knows the owner by the account
    except DatabaseError as error:
        raise DatabaseError(
            f"no `muniment up` runs on {home} under this account, and DATABASE_URL names no owner of the database",
            "Start the service: muniment up; or set DATABASE_URL with the owner's user and password, as at the start.",
        ) from error


def make_owner_settings(home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Django's settings of the owner of the schema."""
    return database_settings.make_django_settings(home, {**environment, database_settings.ROLE_VARIABLE: "owner"})


def draw_password(owner: Mapping[str, Any]) -> str:
    """Draw a new password of the operator, which ends the one before. Raises DatabaseError."""
    password = generate_password()
    try:
        with database_settings.connect_database(owner) as connection:
            stored = connection.pgconn.encrypt_password(password.encode(), OPERATOR.encode(), b"scram-sha-256")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            until = connection.execute("SELECT (now() + make_interval(mins => %s))::text", (_MINUTES,)).fetchone()
            assert until is not None  # noqa: S101 -- the query always has one row
            change = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {} VALID UNTIL {}")
            role, *values = sql.Identifier(OPERATOR), sql.Literal(stored.decode()), sql.Literal(until[0])
            connection.execute(change.format(role, *values))
    except psycopg.OperationalError as error:
        where = owner["HOST"] or "this machine"
        raise DatabaseError(
            f"the database at {where} does not answer",
            "See that it runs, and that DATABASE_URL names it and a user that it lets in.",
        ) from error
    except psycopg.Error as error:
        raise DatabaseError(
            f"no password of {OPERATOR} can be drawn: {type(error).__name__}",
            "See that DATABASE_URL names the user that made the logins: it has CREATEROLE.",
        ) from error
    return password


class OperatorPasswords:
    """Passwords of the operator for commands of this account: `answer_requests` is called again and again."""

    def __init__(self, listener: socket.socket, owner: Mapping[str, Any]) -> None:
        self._listener = listener
        self._owner = owner
        self._last: DrawnPassword | None = None

    def answer_requests(self) -> None:
        """Answer each command that waits. One of another account gets nothing, as if nobody listened."""
        while True:
            try:
                request, _address = self._listener.accept()
            except OSError:  # nobody waits
                return
            with request:
                request.settimeout(_SECONDS)
                if _read_peer(request) in (0, os.geteuid()):
                    self._answer_request(request)

    def _answer_request(self, request: socket.socket) -> None:
        try:
            password = self._find_password()
            request.sendall(password.encode() + b"\n")
        except (OSError, DatabaseError):
            return  # the command says that it got none

    def _find_password(self) -> str:
        last = self._last
        if last is None or time.monotonic() > last.drawn_at + _REUSED_SECONDS or not self._is_valid(last.text):
            last = self._last = DrawnPassword(draw_password(self._owner), time.monotonic())
        return last.text

    def _is_valid(self, password: str) -> bool:
        """Whether the operator can sign in by it: another supervisor, or the owner, may have drawn one meanwhile."""
        try:
            database_settings.connect_database({**self._owner, "USER": OPERATOR, "PASSWORD": password}).close()
        except psycopg.Error:
            return False
        return True


@contextmanager
def listen_for_commands(home: Path, environment: Mapping[str, str]) -> Iterator[OperatorPasswords | None]:
    """Listen for commands of this account; None where the database is the embedded one. Raises DatabaseError."""
    if not environment.get(database_settings.URL_VARIABLE):
        yield None
        return
    path = _find_socket(home)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _make_folder(path.parent.parent if path.is_relative_to(home) else path.parent)
            _make_folder(path.parent)
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen()
        except OSError as error:
            raise DatabaseError(
                f"commands cannot be listened for at {path} ({error.strerror})", "Remove it, then start again."
            ) from error
        listener.setblocking(False)
        try:
            yield OperatorPasswords(listener, make_owner_settings(home, environment))
        finally:
            path.unlink(missing_ok=True)


def _find_socket(home: Path) -> Path:
    return sockets.choose_socket_folder(home.absolute() / _FOLDER) / _SOCKET


def _make_folder(folder: Path) -> None:
    """Make a folder that only this account enters. Raises DatabaseError for a link, and for another's folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid():
        raise DatabaseError(f"{folder} belongs to somebody else", "Remove it, then start again.")
    folder.chmod(0o700)


def _ask_supervisor(home: Path) -> str:
    """Password that the supervisor of the home drew; "" if none runs, or it gave none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as request:
        request.settimeout(_SECONDS)
        try:
            request.connect(str(_find_socket(home)))
            data = b""
            while not data.endswith(b"\n") and len(data) < _LONGEST and (part := request.recv(_LONGEST)):
                data += part
        except OSError:
            return ""
    return data.decode("ascii", errors="replace").strip() if data.endswith(b"\n") else ""


def _read_peer(request: socket.socket) -> int:
    """Account of the process at the other end."""
    data = request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(data)[1])
