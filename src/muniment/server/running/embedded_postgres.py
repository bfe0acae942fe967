"""PostgreSQL by default: one server of our own below the home, reached through a socket by this account alone.

Its programs come with a wheel; its data, its configuration and who may connect are ours. There is no TCP. The role of
each process has a password, drawn at each start. The operator and the owner of the schema have none: they are the
account that started Muniment, as the kernel says. So is the superuser, which the server's account is too.
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
from muniment.programs.command import ProgramOption, build_command
from muniment.programs.environment import minimal_environment
from muniment.programs.service_process import ServiceProcess
from muniment.server.guarding.database_passwords import find_password_file, generate_password, write_password
from muniment.server.guarding.database_roles import CONNECTION_LIMITS, DATABASE_ROLES, OPERATOR, OWNER, PROCESSES
from muniment.server.running.database_account import find_database_account, open_home_for, require_passable
from muniment.server.running.postgres_programs import prepare_programs
from muniment.store import folder_locks, sockets

_DATABASE, _SUPERUSER = "muniment", "muniment_super"
# A first start writes 40 MB and syncs each file: on a machine that does much else it takes minutes.
_START_SECONDS, _STOP_SECONDS = 600, 30
_QUOTED_LINES = 5  # of the server's log in an error: whoever removes a home that failed removes its log too
_LEAST_FREE = 200  # MB for a new one
_LEAST_LEFT = 20  # of them, with which an existing database starts: it writes a lock file, then its log of changes
_MAP = "muniment"
_BY_ACCOUNT = (OWNER, OPERATOR)  # logins without a password, of the account that starts Muniment
_ACCESS = f"""# Written by Muniment at each start. Nobody but this account, and only through the socket.
local all {_SUPERUSER} peer map={_MAP}
local {_DATABASE} {",".join(_BY_ACCOUNT)} peer map={_MAP}
local {_DATABASE} {",".join(role for role in DATABASE_ROLES if role not in _BY_ACCOUNT)} scram-sha-256
local all all reject
"""
# Large objects have no table, so no right on a table forbids them: any login could fill the disk.
_LARGE_OBJECTS = (
    *("pg_catalog.lo_creat(integer)", "pg_catalog.lo_create(oid)", "pg_catalog.lo_from_bytea(oid, bytea)"),
    *("pg_catalog.lo_open(oid, integer)", "pg_catalog.lo_put(oid, bigint, bytea)", "pg_catalog.lo_unlink(oid)"),
)
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "log_min_messages": "warning",
    "log_statement": "none",
    "log_min_error_statement": "panic",  # a failing statement may hold what a person typed
    "log_parameter_max_length_on_error": "0",
    "max_connections": "200",  # more than all logins may have together, with some for the owner and the superuser
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """Server in one folder: `with EmbeddedPostgres(folder) as server`. One process at a time may run it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder.parent.absolute()
        self._data = folder / "data"
        self._account = find_database_account()
        self._programs: Path | None = None
        self._process: ServiceProcess | None = None
        self._lock: int | None = None

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def socket_folder(self) -> Path:
        """Folder of its socket."""
        return sockets.choose_socket_folder(self._folder)

    @property
    def pid(self) -> int:
        """Id of its process. Raises DatabaseError if it does not run."""
        if self._process is None or self._process.exit_code is not None:
            raise _make_server_error("it does not run", "Start it again: muniment up")
        return self._process.pid

    def make_address(self, role: str) -> str:
        """Address by which a process connects as one of ROLES."""
        file = "" if role in (_SUPERUSER, *_BY_ACCOUNT) else f"&passfile={find_password_file(self._home, role)}"
        return f"postgresql://{role}@/{_DATABASE}?host={self.socket_folder.absolute()}{file}"

    def make_variables(self, role: str) -> dict[str, str]:
        """Address for PostgreSQL's own programs, which read it from their environment."""
        file = str(find_password_file(self._home, role))
        host = str(self.socket_folder.absolute())
        return {"PGDATABASE": _DATABASE, "PGHOST": host, "PGUSER": role, "PGPASSFILE": file}

    def start(self) -> None:
        """Start it, made anew if there is none, and make its roles. Raises DatabaseError; nothing then runs."""
        self._account = find_database_account(make=True)
        self._lock = folder_locks.lock_folder(self._folder, self._make_folder, _make_server_error)
        try:
            self._start_server()
            self._make_roles()
        except BaseException:
            self.stop()
            raise

    def restart_if_ended(self) -> None:
        """Start it again if it was ended. Raises DatabaseError; then try once more."""
        if self._process is not None and self._process.exit_code is not None:
            self._start_server()

    def stop(self) -> None:
        """Stop it, and let others start it. A second time does nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": open transactions are undone
            if self._process.wait_for_end(_STOP_SECONDS) is None:
                self._process.send_signal(signal.SIGQUIT)  # it recovers at its next start
                self._process.wait_for_end(_STOP_SECONDS)
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _start_server(self) -> None:
        self._wait_for_former_server()  # it may still run programs of an older copy, which is then removed
        self._require_space()
        self._programs = prepare_programs(self._folder.parent / "programs", self._account)
        self._prepare_data()
        self._process = self._run_program(Program.POSTGRES, [("-D", str(self._data)), *self._make_options()])
        self._wait_until_ready()

    def _prepare_data(self) -> None:
        """Make the data folder in one step, so that an interruption leaves none."""
        try:
            if not (self._data / "PG_VERSION").exists():
                self._initialize_data()
            if self._account is not None:
                folder_locks.change_owner(self._data, self._account.user, self._account.group)
            self._make_socket_folder()
            self._write_configuration(self._access_file, _ACCESS)
            self._write_configuration(self._identity_file, self._make_identity_map())
        except OSError as error:
            raise _make_server_error(
                f"{error.filename} cannot be written ({error.strerror})", "Free some space there."
            ) from error

    def _wait_for_former_server(self) -> None:
        """Wait for the end of a server whose starter was killed: it ends by itself."""
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

    def _make_options(self) -> list[ProgramOption]:
        """Options of the server. Given here, no configuration file and no ALTER SYSTEM can change them."""
        files = {"hba_file": self._access_file, "ident_file": self._identity_file}
        settings = {**_SETTINGS, **files, "unix_socket_directories": self.socket_folder.absolute()}
        if self._socket_group is not None:
            settings["unix_socket_permissions"] = "0777"  # its folder says who may come to it
        return [("-c", f"{name}={value}") for name, value in settings.items()]

    def _require_space(self) -> None:
        """Before anything is made, a copy of the programs included. Raises DatabaseError."""
        if (self._data / "PG_VERSION").exists():
            return
        free = shutil.disk_usage(self._folder).free >> 20
        if free < _LEAST_FREE:
            remedy = f"Free {_LEAST_FREE} MB there, or name another home: --home FOLDER"
            raise _make_server_error(f"only {free} MB are free at {self._folder}", remedy)

    def _initialize_data(self) -> None:
        new = self._folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self._secure_folder(new)
        options = ["--auth=reject", "--encoding=UTF8", "--no-locale", "--data-checksums"]
        process = self._run_program(Program.INITDB, [("-D", str(new)), ("-U", _SUPERUSER), *options])
        code = process.wait_for_end(_START_SECONDS)
        if code is None:
            process.kill()
            raise self._make_ended_error(f"initdb did not end within {_START_SECONDS} seconds")
        if code != 0:
            raise self._make_ended_error("initdb failed")
        new.rename(self._data)

    def _make_socket_folder(self) -> None:
        folder = self.socket_folder
        if self._account is not None:
            require_passable(folder.parent, self._account)
        folder.mkdir(mode=0o700, exist_ok=True)
        self._secure_folder(folder, shared=self._socket_group)

    def _make_folder(self, folder: Path) -> None:
        """Make the folder, which stays root's where root starts the server: its account replaces none of these
        files.
        """
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._account is not None:
            open_home_for(folder.parent, self._account)
            require_passable(folder.parent, self._account)
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._account is None:
            self._secure_folder(folder)
        else:
            os.chown(folder, os.geteuid(), self._account.group if self._socket_group is None else self._socket_group)
            folder.chmod(0o710)

    @property
    def _access_file(self) -> Path:
        return (self._folder / "pg_hba.conf").absolute()

    @property
    def _identity_file(self) -> Path:
        return (self._folder / "pg_ident.conf").absolute()

    @property
    def _socket_group(self) -> int | None:
        """Group of all accounts that connect; None where one account runs everything."""
        return next(iter(self._account.groups), None) if self._account is not None else None

    def _write_configuration(self, file: Path, text: str) -> None:
        """Write a file that the server's account reads and cannot change."""
        file.write_text(text)
        file.chmod(0o600 if self._account is None else 0o640)
        if self._account is not None:
            os.chown(file, os.geteuid(), self._account.group)

    def _secure_folder(self, folder: Path, *, shared: int | None = None) -> None:
        """Close a folder to all but the server's account, and to the group `shared`, which passes through it.

        Raises DatabaseError for a link, and for another's folder.
        """
        theirs = {os.geteuid(), self._account.user if self._account else os.geteuid()}
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise _make_server_error(f"{folder} is a link, or is no folder", "Remove it, then start again.") from error
        try:
            if os.fstat(handle).st_uid not in theirs:
                raise _make_server_error(f"{folder} belongs to somebody else", "Remove it, then start again.")
            if self._account is not None:
                os.fchown(handle, self._account.user, self._account.group if shared is None else shared)
            os.fchmod(handle, 0o700 if shared is None else 0o710)
        finally:
            os.close(handle)

    def _make_identity_map(self) -> str:
        """Identity map: this account may be the operator and the owner. It and that of the server may be the superuser.
        Every other role needs its password.
        """
        own = pwd.getpwuid(os.geteuid()).pw_name
        names = {own, *([self._account.name] if self._account else [])}
        pairs = [*((name, _SUPERUSER) for name in sorted(names)), *((own, role) for role in _BY_ACCOUNT)]
        return "".join(f"{_MAP} {name} {role}\n" for name, role in pairs)

    def _run_program(self, program: Program, options: Sequence[ProgramOption]) -> ServiceProcess:
        assert self._programs is not None  # noqa: S101 -- they were just prepared
        command = build_command(program, options, _make_server_error, self._programs / program)
        with (self._folder / "log").open("ab") as log:
            os.fchmod(log.fileno(), 0o600)
            return ServiceProcess(
                command,
                minimal_environment(TZ="UTC"),
                _make_server_error,
                ended_by=signal.SIGINT,
                cwd="/",
                log=log.fileno(),
                account=self._account.account_ids if self._account else None,
            )

    def _wait_until_ready(self) -> None:
        import psycopg

        assert self._process is not None  # noqa: S101 -- it was just started
        url = f"postgresql://{_SUPERUSER}@/postgres?host={self.socket_folder.absolute()}"
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process.exit_code is not None:
                raise self._make_ended_error("it ended at once")
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=5):
                return
            time.sleep(0.02)
        raise self._make_ended_error(f"it was not ready within {_START_SECONDS} seconds")

    def _make_roles(self) -> None:
        """Make the owner of the schema, and a role for each process. Each start gives them new passwords."""
        import psycopg
        from psycopg import sql

        at = f"@/{{}}?host={self.socket_folder.absolute()}"
        with psycopg.connect(f"postgresql://{_SUPERUSER}{at.format('postgres')}", autocommit=True) as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role in DATABASE_ROLES:
                verb = sql.SQL("ALTER" if role in known else "CREATE")
                password = "" if role in _BY_ACCOUNT else generate_password()
                stored = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
                rights = sql.SQL(
                    "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
                    " CONNECTION LIMIT {} PASSWORD {}"
                )
                limit = sql.Literal(CONNECTION_LIMITS.get(role, -1))
                named = rights.format(limit, sql.Literal(stored.decode()) if password else sql.NULL)
                connection.execute(sql.SQL("{} ROLE {} {}").format(verb, sql.Identifier(role), named))
                # Each login may change settings of its own, which would outlast the attacker.
                connection.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(sql.Identifier(role)))
                if password:
                    write_password(self._home, role, password)
            for role in _BY_ACCOUNT:  # of a version that gave it one
                find_password_file(self._home, role).unlink(missing_ok=True)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,)).fetchone():
                names = (sql.Identifier(_DATABASE), sql.Identifier(OWNER))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(*names))
        with psycopg.connect(f"postgresql://{_SUPERUSER}{at.format(_DATABASE)}", autocommit=True) as connection:
            owner = sql.Identifier(OWNER)
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            connection.execute(f"REVOKE EXECUTE ON FUNCTION {', '.join(_LARGE_OBJECTS)} FROM PUBLIC")
            connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(_DATABASE)))
            connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
            for role in DATABASE_ROLES:
                place = sql.Identifier(role), sql.Identifier(_DATABASE)
                connection.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(*place))
            for role in PROCESSES:
                connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))

    def _make_ended_error(self, why: str) -> DatabaseError:
        """Make the error of a program that ended or is not ready, with the end of its log.

        A full disk is the cause more often than all others.
        """
        free = shutil.disk_usage(self._folder).free >> 20
        if free < _LEAST_LEFT:
            return _make_server_error(f"only {free} MB are free at {self._folder}", f"Free {_LEAST_FREE} MB there.")
        return _make_server_error(f"{why}. {self._quote_log()}", "Correct its cause, then start it again.")

    def _quote_log(self) -> str:
        try:
            lines = (self._folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"Its log ends with: {' / '.join(lines[-_QUOTED_LINES:])}" if lines else "It logged no reason"


def _make_server_error(why: str, remedy: str) -> DatabaseError:
    return DatabaseError(f"the database cannot be used: {why}", remedy)
