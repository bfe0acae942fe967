"""PostgreSQL by default: one server of our own below the home, reached through a socket by this account alone.

Its programs come with a wheel; its data, its configuration and who may connect are ours. There is no TCP. Each role has
a password of its own, drawn at each start. The superuser has none: it is whichever account runs the server or Muniment.
Where root starts it, `database_account` says which account runs it, and what that account has to be able to enter.
"""

import contextlib
import errno
import os
import pwd
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from muniment.errors import DatabaseError
from muniment.programs.catalogue import Program
from muniment.programs.command import Option, build_command
from muniment.programs.environment import minimal_environment
from muniment.programs.service import Service
from muniment.server.guarding.database_roles import OWNER, PROCESSES, ROLES
from muniment.server.guarding.logins import draw_password, password_file, write_password
from muniment.server.running.database_account import find_database_account, open_home, require_way
from muniment.server.running.postgres_programs import prepare_programs
from muniment.store import sockets, taking

_DATABASE, _SUPERUSER = "muniment", "muniment_super"
_START_SECONDS, _STOP_SECONDS = 60, 30
_LEAST_FREE = 200  # MB for a new one
_MAP = "muniment"
_ACCESS = f"""# Written by Muniment at each start. Nobody but this account, and only through the socket.
local all {_SUPERUSER} peer map={_MAP}
local {_DATABASE} {",".join(ROLES)} scram-sha-256
local all all reject
"""
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "log_min_messages": "warning",
    "log_statement": "none",
    "log_min_error_statement": "panic",  # a failing statement may hold what a person typed
    "log_parameter_max_length_on_error": "0",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Embedded:
    """The server in one folder: `with Embedded(folder) as server`. One process at a time may run it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder.parent.absolute()
        self._data = folder / "data"
        self._account = find_database_account()
        self._programs: Path | None = None
        self._process: Service | None = None
        self._lock: int | None = None

    def __enter__(self) -> "Embedded":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def socket_folder(self) -> Path:
        """Where its socket is."""
        return sockets.folder_for(self._folder)

    @property
    def pid(self) -> int:
        """Its process. Raises DatabaseError if it does not run."""
        if self._process is None or self._process.code is not None:
            raise _failed("it does not run", "Start it again: muniment up")
        return self._process.pid

    def url(self, role: str) -> str:
        """How a process connects as one of ROLES."""
        file = "" if role == _SUPERUSER else f"&passfile={password_file(self._home, role)}"
        return f"postgresql://{role}@/{_DATABASE}?host={self.socket_folder.absolute()}{file}"

    def variables(self, role: str) -> dict[str, str]:
        """The same for PostgreSQL's own programs, which read it from their environment."""
        file = str(password_file(self._home, role))
        host = str(self.socket_folder.absolute())
        return {"PGDATABASE": _DATABASE, "PGHOST": host, "PGUSER": role, "PGPASSFILE": file}

    def start(self) -> None:
        """Start it, made anew if there is none, and make its roles. Raises DatabaseError; nothing then runs."""
        self._account = find_database_account(make=True)
        self._lock = taking.take(self._folder, self._make, _failed)
        try:
            self._begin()
            self._make_roles()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> None:
        """Start it again if somebody ended it. Raises DatabaseError; then try once more."""
        if self._process is not None and self._process.code is not None:
            self._begin()

    def stop(self) -> None:
        """Stop it, and let others start it. A second time does nothing."""
        if self._process is not None:
            self._process.send(signal.SIGINT)  # "fast": open transactions are undone
            if self._process.wait(_STOP_SECONDS) is None:
                self._process.send(signal.SIGQUIT)  # it recovers at its next start
                self._process.wait(_STOP_SECONDS)
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _begin(self) -> None:
        self._wait_for_former()  # it may still run programs of an older copy, which is then removed
        self._require_space()
        self._programs = prepare_programs(self._folder.parent / "programs", self._account)
        self._prepare()
        self._process = self._run(Program.POSTGRES, [("-D", str(self._data)), *self._options()])
        self._ready()

    def _prepare(self) -> None:
        """The data folder comes to be in one step, so that stopping half-way leaves none."""
        try:
            if not (self._data / "PG_VERSION").exists():
                self._initialize()
            if self._account is not None:
                taking.give_tree(self._data, self._account.user, self._account.group)
            self._socket()
            self._configure(self._access_file, _ACCESS)
            self._configure(self._identity_file, self._identities())
        except OSError as error:
            raise _failed(f"{error.filename} cannot be written ({error.strerror})", "Free some space there.") from error

    def _wait_for_former(self) -> None:
        """One whose starter was killed ends by itself, and has to be gone first."""
        end = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < end:
            try:
                former = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
                os.kill(former, 0)
            except (FileNotFoundError, ProcessLookupError, ValueError):
                return
            except PermissionError:
                return  # another account's: not ours, and postgres sees to it
            time.sleep(0.05)

    def _options(self) -> list[Option]:
        """What is given here, no configuration file and no ALTER SYSTEM can change."""
        files = {"hba_file": self._access_file, "ident_file": self._identity_file}
        settings = {**_SETTINGS, **files, "unix_socket_directories": self.socket_folder.absolute()}
        if self._shared is not None:
            settings["unix_socket_permissions"] = "0777"  # its folder says who may come to it
        return [("-c", f"{name}={value}") for name, value in settings.items()]

    def _require_space(self) -> None:
        """Before anything is made, a copy of the programs included. Raises DatabaseError."""
        if (self._data / "PG_VERSION").exists():
            return
        free = shutil.disk_usage(self._folder).free >> 20
        if free < _LEAST_FREE:
            remedy = f"Free {_LEAST_FREE} MB there, or name another home: --home DIR"
            raise _failed(f"only {free} MB are free at {self._folder}", remedy)

    def _initialize(self) -> None:
        new = self._folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._own(new)
        options = ["--auth=reject", "--encoding=UTF8", "--no-locale", "--data-checksums"]
        process = self._run(Program.INITDB, [("-D", str(new)), ("-U", _SUPERUSER), *options])
        if process.wait(_START_SECONDS) != 0:
            process.kill()
            raise _failed(f"initdb failed: {self._complaint()}", "See postgres/log in the home.")
        new.rename(self._data)

    def _socket(self) -> None:
        folder = self.socket_folder
        if self._account is not None:
            require_way(folder.parent, self._account)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._own(folder, shared=self._shared)

    def _make(self, folder: Path) -> None:
        """The folder itself stays root's where root starts the server: its account replaces none of these files."""
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._account is not None:
            open_home(folder.parent, self._account)
            require_way(folder.parent, self._account)
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._account is None:
            self._own(folder)
        else:
            os.chown(folder, os.geteuid(), self._account.group if self._shared is None else self._shared)
            folder.chmod(0o710)

    @property
    def _access_file(self) -> Path:
        return (self._folder / "pg_hba.conf").absolute()

    @property
    def _identity_file(self) -> Path:
        return (self._folder / "pg_ident.conf").absolute()

    @property
    def _shared(self) -> int | None:
        """The group of all accounts that connect; None where one account runs everything."""
        return next(iter(self._account.groups), None) if self._account is not None else None

    def _configure(self, file: Path, text: str) -> None:
        """Write a file that the server's account reads and cannot change."""
        file.write_text(text)
        file.chmod(0o600 if self._account is None else 0o640)
        if self._account is not None:
            os.chown(file, os.geteuid(), self._account.group)

    def _own(self, folder: Path, *, shared: int | None = None) -> None:
        """Close a folder to all but the server's account, and to the group `shared`, which passes through it.

        Raises DatabaseError for a link, and for another's folder.
        """
        theirs = {os.geteuid(), self._account.user if self._account else os.geteuid()}
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise _failed(f"{folder} is a link, or is no folder", "Remove it, then start again.") from error
        try:
            if os.fstat(handle).st_uid not in theirs:
                raise _failed(f"{folder} belongs to somebody else", "Remove it, then start again.")
            if self._account is not None:
                os.fchown(handle, self._account.user, self._account.group if shared is None else shared)
            os.fchmod(handle, 0o700 if shared is None else 0o710)
        finally:
            os.close(handle)

    def _identities(self) -> str:
        """This account, and that of the server, may be the superuser; every role else needs its password."""
        names = {pwd.getpwuid(os.geteuid()).pw_name, *([self._account.name] if self._account else [])}
        return "".join(f"{_MAP} {name} {_SUPERUSER}\n" for name in sorted(names))

    def _run(self, program: Program, options: Sequence[Option]) -> Service:
        assert self._programs is not None  # noqa: S101 -- they were just prepared
        command = build_command(program, options, _failed, self._programs / program)
        with (self._folder / "log").open("ab") as log:
            os.fchmod(log.fileno(), 0o600)
            return Service(
                command,
                minimal_environment(TZ="UTC"),
                _failed,
                ended_by=signal.SIGINT,
                cwd="/",
                log=log.fileno(),
                account=self._account.ids if self._account else None,
            )

    def _ready(self) -> None:
        import psycopg

        assert self._process is not None  # noqa: S101 -- it was just started
        url = f"postgresql://{_SUPERUSER}@/postgres?host={self.socket_folder.absolute()}"
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process.code is not None:
                raise _failed(f"it ended at once: {self._complaint()}", "See postgres/log in the home.")
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=5):
                return
            time.sleep(0.02)
        raise _failed(f"it was not ready within {_START_SECONDS} seconds", "See postgres/log in the home.")

    def _make_roles(self) -> None:
        """The owner of the schema, and a role for each process. Each start gives them new passwords."""
        import psycopg
        from psycopg import sql

        at = f"@/{{}}?host={self.socket_folder.absolute()}"
        with psycopg.connect(f"postgresql://{_SUPERUSER}{at.format('postgres')}", autocommit=True) as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role in ROLES:
                verb = sql.SQL("ALTER" if role in known else "CREATE")
                password = draw_password()
                stored = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
                rights = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}")
                named = rights.format(sql.Literal(stored.decode()))
                connection.execute(sql.SQL("{} ROLE {} {}").format(verb, sql.Identifier(role), named))
                write_password(self._home, role, password)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,)).fetchone():
                names = (sql.Identifier(_DATABASE), sql.Identifier(OWNER))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(*names))
        with psycopg.connect(f"postgresql://{_SUPERUSER}{at.format(_DATABASE)}", autocommit=True) as connection:
            owner = sql.Identifier(OWNER)
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(_DATABASE)))
            connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
            for role in PROCESSES:
                connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))

    def _complaint(self) -> str:
        try:
            lines = (self._folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it gave no reason"


def _failed(why: str, remedy: str) -> DatabaseError:
    return DatabaseError(f"the database cannot be used: {why}", remedy)
