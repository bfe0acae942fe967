"""The built-in OpenBao: one server below the home, reached through a socket by this account alone.

It ends with us, and unseals itself with a key that it gets through memory. No root token ever exists: its first start
makes everything from a description that is never on a disk, and one person's credential, which is shown once.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from muniment.errors import VaultCode, VaultError
from muniment.http import authorities, proxies
from muniment.programs.catalogue import Program
from muniment.programs.command import build_command
from muniment.programs.environment import minimal_environment
from muniment.programs.service_process import ServiceProcess, SystemAccount
from muniment.store import durable_files, folder_locks, sockets
from muniment.vault import hcl, layout, process_tokens, vault_program
from muniment.vault.audit_stream import LogPosition, announce_rotation, skip_to_end
from muniment.vault.plan import apply_differences, find_resource_differences
from muniment.vault.vault_client import Vault
from muniment.vault.vault_resources import (
    DesiredState,
    list_own_resources,
    list_people_resources,
    list_retention_resources,
)

SEAL_FILE = "keys/vault.seal"
LARGEST_LOG = 256 << 20  # bytes

_SEAL_BYTES = 32
_START_SECONDS, _UNSEAL_SECONDS, _STOP_SECONDS = 30, 8, 20
_INITIALIZED = "made"  # a file next to the store that shows that the first start was completed


class VaultListener(NamedTuple):
    """Address where pipelines reach the vault too. Without a certificate, on this machine alone."""

    host: str
    port: int
    certificate: str = ""
    key: str = ""


class EmbeddedVault:
    """The server of one home: `with Embedded(home) as server`. One process at a time may run it."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] = os.environ,
        listen: VaultListener | None = None,
        account: SystemAccount | None = None,
    ) -> None:
        """`account`: account of the process, if root starts it as another. Its primary group reads the audit logs;
        members of one of its other groups reach the socket.
        """
        self._home = home.absolute()
        self._account = account
        self._folder = self._home / "vault"
        self._environment = environment
        self._listen = listen
        self._process: ServiceProcess | None = None
        self._lock: int | None = None
        self._program: Path | None = None
        self._fresh = ""

    def __enter__(self) -> "EmbeddedVault":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Address by which this account reaches the server."""
        return f"unix:{self._socket_path}"

    @property
    def audit(self) -> Path:
        """Path of the first audit device's log."""
        return self._folder / "audit.log"

    @property
    def audits(self) -> tuple[Path, Path]:
        """Paths of the logs of both audit devices, which get the same entries: a missing one was removed."""
        return (self.audit, self._folder / "audit-second.log")

    @property
    def is_initialized(self) -> bool:
        """Whether the first start was completed."""
        return (self._folder / _INITIALIZED).exists()

    def first_positions(self) -> list[LogPosition]:
        """Positions where the audit logs ended after the first start: every later entry has an author. Raises
        VaultError.
        """
        try:
            return msgspec.json.decode((self._folder / _INITIALIZED).read_bytes(), type=list[LogPosition])
        except (OSError, msgspec.MsgspecError) as error:
            raise _vault_error(f"{self._folder / _INITIALIZED} cannot be read", "Restore it from a backup.") from error

    @property
    def pid(self) -> int:
        """Process id of the server. Raises VaultError if it does not run."""
        if self._process is None or self._process.exit_code is not None:
            raise _vault_error("it does not run", "Start it again: muniment up")
        return self._process.pid

    def take_password(self) -> str:
        """Password of the administrator, once after the first start; "" ever after."""
        password, self._fresh = self._fresh, ""
        return password

    def start(self) -> None:
        """Start the server, created first if there is none. Raises VaultError or StoreError; then no server runs."""
        self._lock = folder_locks.lock_folder(self._folder, self._secure_folder, _vault_error)
        try:
            self._prepare_keys()
            if not (self._folder / _INITIALIZED).exists():
                self._initialize_store()
            self._start_server("")
        except BaseException:
            self.stop()
            raise

    def restart_if_ended(self) -> None:
        """Start the server again if it was ended; rotate its audit logs if they are large.

        Raises VaultError; a later call tries again.
        """
        if self._process is None:
            return
        if self._process.exit_code is not None:
            self._start_server("")
        elif any(log.exists() and log.stat().st_size > LARGEST_LOG for log in self.audits):
            self._rotate_logs()

    def _rotate_logs(self) -> None:
        """Rotate the audit logs: the server goes on in new files, and no line is lost.

        The rotation is announced first: a log that is renamed without an announcement is an incident.
        """
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for log in self.audits:
            announce_rotation(log)
            log.rename(log.with_name(f"{log.name}.{when}"))
            self._create_log(log)
        os.kill(self.pid, signal.SIGHUP)

    def stop(self) -> None:
        """Stop the server, and release the lock. A second call does nothing."""
        self._end_server()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _socket_path(self) -> Path:
        return sockets.choose_socket_folder(self._folder).absolute() / "vault"

    def _secure_folder(self, folder: Path) -> None:
        """Restrict the folder. Where root starts the vault it stays root's: its account then cannot replace a log."""
        durable_files.make_folder(folder)
        if self._account is None:
            folder.chmod(0o700)
        else:
            os.chown(folder, os.geteuid(), self._socket_group)
            folder.chmod(0o710)

    @property
    def _socket_group(self) -> int:
        """Group that may reach the socket; -1, which changes none, where one account runs everything."""
        return next(iter(self._account.groups), -1) if self._account is not None else -1

    def _create_log(self, log: Path) -> None:
        if self._account is None:
            return
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        try:
            os.fchown(handle, self._account.user, self._account.group)
            os.fchmod(handle, 0o640)
        finally:
            os.close(handle)

    def _give_files(self) -> None:
        """Give the vault's account its store and audit logs, and its watchers the files that they read."""
        if self._account is None:
            return
        store = self._folder / "store"
        store.mkdir(mode=0o700, exist_ok=True)
        folder_locks.change_owner(store, self._account.user, self._account.group)
        for log in self.audits:
            self._create_log(log)
        self._give_mark()

    def _give_mark(self) -> None:
        mark = self._folder / _INITIALIZED
        if self._account is not None and mark.exists():
            os.chown(mark, os.geteuid(), self._account.group)
            mark.chmod(0o640)

    def _prepare_keys(self) -> None:
        process_tokens.create_process_keys(self._home)
        seal = self._home / SEAL_FILE
        if not seal.exists():
            if (self._folder / _INITIALIZED).exists():
                raise _vault_error(
                    f"{seal} is not there, and nothing else can open what is stored",
                    "Bring the seal key from where you keep it: 32 bytes, in a file for this account alone.",
                )
            durable_files.write_file(seal, secrets.token_bytes(_SEAL_BYTES), 0o600)

    def _initialize_store(self) -> None:
        """Perform the first start. If it is interrupted, a second try begins anew."""
        shutil.rmtree(self._folder / "store", ignore_errors=True)
        wanted = DesiredState(
            process_tokens.read_process_key(self._home, layout.WEB),
            process_tokens.read_process_key(self._home, layout.WORKER),
        )
        password = secrets.token_urlsafe(24)
        self._start_server(hcl.format_initialization([*list_own_resources(wanted), *list_people_resources(password)]))
        person = Vault(self.address).sign_in_person(layout.ADMINISTRATOR, password)
        apply_differences(person, find_resource_differences(person, list_retention_resources()))
        person.request("POST", "auth/token/revoke-self", {})
        self._end_server()  # what it began with, its memory too, is gone
        durable_files.write_file(
            self._folder / _INITIALIZED, msgspec.json.encode([skip_to_end(log) for log in self.audits]), 0o600
        )
        self._give_mark()
        self._fresh = password

    def _start_server(self, first: str) -> None:
        folder = self._socket_path.parent
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._secure_socket_folder(folder)  # the server ignores what mode its socket should have
            self._give_files()
        except OSError as error:
            raise _vault_error(f"{folder} cannot be used ({error.strerror})", "Make it writable.") from error
        with contextlib.ExitStack() as stack:
            seal = stack.enter_context(_memory_file(self._read_seal()))
            config = stack.enter_context(_memory_file(self._build_configuration(seal, first).encode()))
            self._program = self._program or vault_program.find_vault_program(self._environment)
            self._process = self._run_server(self._program, (seal, config))
            self._wait_until_ready()

    def _secure_socket_folder(self, folder: Path) -> None:
        """Restrict the socket's folder. Raises VaultError for a link, and for a folder of another account; OSError."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            theirs = {os.geteuid(), self._account.user if self._account is not None else os.geteuid()}
            if os.fstat(handle).st_uid not in theirs:
                raise _vault_error(f"{folder} belongs to somebody else", "Remove it, then start again.")
            if self._account is not None:
                os.fchown(handle, self._account.user, self._socket_group)
            os.fchmod(handle, 0o700 if self._account is None else 0o710)
        finally:
            os.close(handle)

    def _open_socket(self) -> None:
        """Let accounts that reach the folder connect. Only a socket of the vault's own account is opened so."""
        if self._account is None:
            return
        handle = os.open(self._socket_path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != self._account.user:
                raise _vault_error(f"{self._socket_path} is no socket of the vault's", "Start it again: muniment up")
            os.chmod(f"/proc/self/fd/{handle}", 0o666)  # noqa: S103 -- its folder says who comes to it
        finally:
            os.close(handle)

    def _read_seal(self) -> bytes:
        try:
            found = (self._home / SEAL_FILE).read_bytes()
        except OSError as error:
            raise _vault_error(
                f"{self._home / SEAL_FILE} cannot be read ({error.strerror})", "Bring the seal key."
            ) from error
        if len(found) != _SEAL_BYTES:
            raise _vault_error(
                f"{self._home / SEAL_FILE} is no seal key", "It is 32 bytes. Bring it from where you keep it."
            )
        return found

    def _build_configuration(self, seal: int, first: str) -> str:
        listener = hcl.format_listener(*self._listen) if self._listen is not None and not first else ""
        store, socket = str(self._folder / "store"), str(self._socket_path)
        at = f"/proc/self/fd/{seal}"
        audits = [log.name for log in self.audits]  # the store remembers them, and may be moved: so they are relative
        return hcl.format_server(store=store, socket=socket, audits=audits, seal=at, listener=listener) + first

    def _run_server(self, bao: Path, passed: tuple[int, int]) -> ServiceProcess:
        """Run the server. `passed`: open files that contain the seal's key and the configuration."""
        options = ("server", ("-config", f"/proc/self/fd/{passed[1]}"), "-log-level=warn")
        command = build_command(Program.BAO, options, _vault_error, bao)
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            log = os.open(self._folder / "log", flags, 0o600)
        except OSError as error:
            raise _vault_error(f"{error.filename} cannot be written ({error.strerror})", "Make it writable.") from error
        try:
            return ServiceProcess(
                command,
                _vault_environment(),
                _vault_error,
                ended_by=signal.SIGTERM,
                cwd=str(self._folder),
                log=log,
                passed=passed,
                account=self._account,
                secret=True,
            )
        finally:
            os.close(log)

    def _wait_until_ready(self) -> None:
        """Wait until the server is unsealed. Its output at the first start is not repeated: it may contain secrets."""
        assert self._process is not None  # noqa: S101 -- it was just started
        vault = Vault(self.address, seconds=5)
        end = time.monotonic() + _START_SECONDS
        opened = time.monotonic() + _UNSEAL_SECONDS
        while time.monotonic() < end:
            if self._process.exit_code is not None:
                raise _vault_error("it ended at once", f"See {self._folder / 'log'}")
            try:
                vault.request("GET", "sys/health")
            except VaultError as error:
                if error.code is VaultCode.SEALED and time.monotonic() > opened:
                    raise _vault_error(
                        f"{self._home / SEAL_FILE} does not open what is stored", "Bring the right key."
                    ) from None
                time.sleep(0.01)
            else:
                self._open_socket()
                return
        raise _vault_error(f"it was not ready within {_START_SECONDS} seconds", f"See {self._folder / 'log'}")

    def _end_server(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait_for_end(_STOP_SECONDS) is None:
            self._process.kill()  # stopped by somebody, perhaps: what it acknowledged is on the disk
        self._process = None


@contextlib.contextmanager
def _memory_file(data: bytes) -> Iterator[int]:
    """Create a file that is on no disk, for a child process to inherit."""
    handle = os.memfd_create("muniment", os.MFD_ALLOW_SEALING)
    try:
        os.write(handle, data)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield handle
    finally:
        os.close(handle)


def _vault_error(why: str, remedy: str) -> VaultError:
    return VaultError(VaultCode.UNREACHABLE, f"the vault cannot be used: {why}", remedy)


def _vault_environment() -> dict[str, str]:
    """Environment of the server: of ours, only the paths of programs, and the settings for proxies and authorities."""
    names = (*authorities.CERTIFICATE_VARIABLES, *proxies.PROXY_VARIABLES)
    found = {name: os.environ[name] for name in names if name in os.environ}
    return minimal_environment(TZ="UTC", HOME="/", **found)
