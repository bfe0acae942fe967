"""OpenBao by default: one server of our own below the home, reached through a socket by this account alone.

It ends with us, and unseals itself with a key that it gets through memory. No root token ever exists: its first start
makes everything from a description that is never on a disk, and one person's credential, which is told once.
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
from muniment.programs.service import Account, Service
from muniment.store import durable, sockets, taking
from muniment.vault import hcl, layout, program, tokens
from muniment.vault.audit_stream import Position, announce_rotation, skip_to_end
from muniment.vault.client import Vault
from muniment.vault.pieces import Wanted, kept, own, people
from muniment.vault.plan import apply, differences

SEAL = "keys/vault.seal"
LARGEST_LOG = 256 << 20  # bytes

_SEAL_BYTES = 32
_START_SECONDS, _UNSEAL_SECONDS, _STOP_SECONDS = 30, 8, 20
_MADE = "made"  # a file beside the store: its first start came to its end


class Listen(NamedTuple):
    """Where pipelines reach it too. Without a certificate, on this machine alone."""

    host: str
    port: int
    certificate: str = ""
    key: str = ""


class Embedded:
    """The server of one home: `with Embedded(home) as server`. One process at a time may run it."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] = os.environ,
        listen: Listen | None = None,
        account: Account | None = None,
    ) -> None:
        """`account`: whose process it is, if root starts it as another. Its primary group reads the audit logs; those
        who are in one of its other groups come to the socket.
        """
        self._home = home.absolute()
        self._account = account
        self._folder = self._home / "vault"
        self._environment = environment
        self._listen = listen
        self._process: Service | None = None
        self._lock: int | None = None
        self._program: Path | None = None
        self._fresh = ""

    def __enter__(self) -> "Embedded":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Where this account reaches it."""
        return f"unix:{self._socket}"

    @property
    def audit(self) -> Path:
        """Its audit log."""
        return self._folder / "audit.log"

    @property
    def audits(self) -> tuple[Path, Path]:
        """The logs of its two audit devices, which get the same entries: what one lacks was taken away."""
        return (self.audit, self._folder / "audit-second.log")

    @property
    def is_made(self) -> bool:
        """Whether its first start came to its end."""
        return (self._folder / _MADE).exists()

    def first_positions(self) -> list[Position]:
        """Where each audit log ended when it was made: whatever comes after is somebody's. Raises VaultError."""
        try:
            return msgspec.json.decode((self._folder / _MADE).read_bytes(), type=list[Position])
        except (OSError, msgspec.MsgspecError) as error:
            raise _failed(f"{self._folder / _MADE} cannot be read", "Restore it from a backup.") from error

    @property
    def pid(self) -> int:
        """Its process. Raises VaultError if it does not run."""
        if self._process is None or self._process.code is not None:
            raise _failed("it does not run", "Start it again: muniment up")
        return self._process.pid

    def password(self) -> str:
        """That of the person who administers it, after the first start, once; "" ever after."""
        told, self._fresh = self._fresh, ""
        return told

    def start(self) -> None:
        """Start it, made anew if there is none. Raises VaultError or StoreError; nothing then runs."""
        self._lock = taking.take(self._folder, self._own, _failed)
        try:
            self._prepare()
            if not (self._folder / _MADE).exists():
                self._make()
            self._begin("")
        except BaseException:
            self.stop()
            raise

    def revive(self) -> None:
        """Start it again if somebody ended it; put its audit log aside if it is large. Raises VaultError; then try
        once more.
        """
        if self._process is None:
            return
        if self._process.code is not None:
            self._begin("")
        elif any(log.exists() and log.stat().st_size > LARGEST_LOG for log in self.audits):
            self._put_aside()

    def _put_aside(self) -> None:
        """It writes on in new ones, and loses no line. Whoever reads the log reads all of them.

        The rotation is announced first: a log that is renamed without is an incident.
        """
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for log in self.audits:
            announce_rotation(log)
            log.rename(log.with_name(f"{log.name}.{when}"))
            self._make_log(log)
        os.kill(self.pid, signal.SIGHUP)

    def stop(self) -> None:
        """Stop it, and let others start it. A second time does nothing."""
        self._end()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _socket(self) -> Path:
        return sockets.folder_for(self._folder).absolute() / "vault"

    def _own(self, folder: Path) -> None:
        """Close the folder. Where root starts the vault it stays root's: its account then replaces no log."""
        durable.make_folder(folder)
        if self._account is None:
            folder.chmod(0o700)
        else:
            os.chown(folder, os.geteuid(), self._shared)
            folder.chmod(0o710)

    @property
    def _shared(self) -> int:
        """The group that passes through to the socket; -1, which changes none, where one account runs everything."""
        return next(iter(self._account.groups), -1) if self._account is not None else -1

    def _make_log(self, log: Path) -> None:
        if self._account is None:
            return
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        try:
            os.fchown(handle, self._account.user, self._account.group)
            os.fchmod(handle, 0o640)
        finally:
            os.close(handle)

    def _give_files(self) -> None:
        """What the vault's account writes: its store and its audit logs; and what those read who watch it."""
        if self._account is None:
            return
        store = self._folder / "store"
        store.mkdir(mode=0o700, exist_ok=True)
        taking.give_tree(store, self._account.user, self._account.group)
        for log in self.audits:
            self._make_log(log)
        self._give_mark()

    def _give_mark(self) -> None:
        mark = self._folder / _MADE
        if self._account is not None and mark.exists():
            os.chown(mark, os.geteuid(), self._account.group)
            mark.chmod(0o640)

    def _prepare(self) -> None:
        tokens.make_keys(self._home)
        seal = self._home / SEAL
        if not seal.exists():
            if (self._folder / _MADE).exists():
                raise _failed(
                    f"{seal} is not there, and nothing else can open what is stored",
                    "Bring the seal key from where you keep it: 32 bytes, in a file for this account alone.",
                )
            durable.write(seal, secrets.token_bytes(_SEAL_BYTES), 0o600)

    def _make(self) -> None:
        """The first start. Half-way, it leaves nothing that a second try would believe."""
        shutil.rmtree(self._folder / "store", ignore_errors=True)
        wanted = Wanted(tokens.public(self._home, layout.WEB), tokens.public(self._home, layout.WORKER))
        password = secrets.token_urlsafe(24)
        self._begin(hcl.initialize([*own(wanted), *people(password)]))
        person = Vault(self.address).sign_in_person(layout.PERSON, password)
        apply(person, differences(person, kept()))
        person.request("POST", "auth/token/revoke-self", {})
        self._end()  # what it began with, its memory too, is gone
        durable.write(self._folder / _MADE, msgspec.json.encode([skip_to_end(log) for log in self.audits]), 0o600)
        self._give_mark()
        self._fresh = password

    def _begin(self, first: str) -> None:
        folder = self._socket.parent
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._close(folder)  # the server ignores what mode its socket should have
            self._give_files()
        except OSError as error:
            raise _failed(f"{folder} cannot be used ({error.strerror})", "Make it writable.") from error
        with contextlib.ExitStack() as stack:
            seal = stack.enter_context(_in_memory(self._seal()))
            config = stack.enter_context(_in_memory(self._configuration(seal, first).encode()))
            self._program = self._program or program.find(self._environment)
            self._process = self._run(self._program, (seal, config))
            self._ready()

    def _close(self, folder: Path) -> None:
        """Close the socket's folder. Raises VaultError for a link, and for another's folder; OSError."""
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            theirs = {os.geteuid(), self._account.user if self._account is not None else os.geteuid()}
            if os.fstat(handle).st_uid not in theirs:
                raise _failed(f"{folder} belongs to somebody else", "Remove it, then start again.")
            if self._account is not None:
                os.fchown(handle, self._account.user, self._shared)
            os.fchmod(handle, 0o700 if self._account is None else 0o710)
        finally:
            os.close(handle)

    def _open_socket(self) -> None:
        """Let those connect who come to the folder. Only a socket of the vault's own account is opened so."""
        if self._account is None:
            return
        handle = os.open(self._socket, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != self._account.user:
                raise _failed(f"{self._socket} is no socket of the vault's", "Start it again: muniment up")
            os.chmod(f"/proc/self/fd/{handle}", 0o666)  # noqa: S103 -- its folder says who comes to it
        finally:
            os.close(handle)

    def _seal(self) -> bytes:
        try:
            found = (self._home / SEAL).read_bytes()
        except OSError as error:
            raise _failed(f"{self._home / SEAL} cannot be read ({error.strerror})", "Bring the seal key.") from error
        if len(found) != _SEAL_BYTES:
            raise _failed(f"{self._home / SEAL} is no seal key", "It is 32 bytes. Bring it from where you keep it.")
        return found

    def _configuration(self, seal: int, first: str) -> str:
        listener = hcl.tcp(*self._listen) if self._listen is not None and not first else ""
        store, socket = str(self._folder / "store"), str(self._socket)
        at = f"/proc/self/fd/{seal}"
        audits = [log.name for log in self.audits]  # the store remembers them, and may be moved: so they are relative
        return hcl.server(store=store, socket=socket, audits=audits, seal=at, listener=listener) + first

    def _run(self, bao: Path, passed: tuple[int, int]) -> Service:
        """`passed`: open files that hold the seal's key and the configuration."""
        options = ("server", ("-config", f"/proc/self/fd/{passed[1]}"), "-log-level=warn")
        command = build_command(Program.BAO, options, _failed, bao)
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            log = os.open(self._folder / "log", flags, 0o600)
        except OSError as error:
            raise _failed(f"{error.filename} cannot be written ({error.strerror})", "Make it writable.") from error
        try:
            return Service(
                command,
                _environment(),
                _failed,
                ended_by=signal.SIGTERM,
                cwd=str(self._folder),
                log=log,
                passed=passed,
                account=self._account,
                secret=True,
            )
        finally:
            os.close(log)

    def _ready(self) -> None:
        """Until it is unsealed. What it says at its first start is not repeated: it may hold what it was told."""
        assert self._process is not None  # noqa: S101 -- it was just started
        vault = Vault(self.address, seconds=5)
        end = time.monotonic() + _START_SECONDS
        opened = time.monotonic() + _UNSEAL_SECONDS
        while time.monotonic() < end:
            if self._process.code is not None:
                raise _failed("it ended at once", f"See {self._folder / 'log'}")
            try:
                vault.request("GET", "sys/health")
            except VaultError as error:
                if error.code is VaultCode.SEALED and time.monotonic() > opened:
                    raise _failed(f"{self._home / SEAL} does not open what is stored", "Bring the right key.") from None
                time.sleep(0.01)
            else:
                self._open_socket()
                return
        raise _failed(f"it was not ready within {_START_SECONDS} seconds", f"See {self._folder / 'log'}")

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.send(signal.SIGTERM)
        if self._process.wait(_STOP_SECONDS) is None:
            self._process.kill()  # stopped by somebody, perhaps: what it acknowledged is on the disk
        self._process = None


@contextlib.contextmanager
def _in_memory(data: bytes) -> Iterator[int]:
    """A file that is on no disk, for a child to inherit."""
    handle = os.memfd_create("muniment", os.MFD_ALLOW_SEALING)
    try:
        os.write(handle, data)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield handle
    finally:
        os.close(handle)


def _failed(why: str, remedy: str) -> VaultError:
    return VaultError(VaultCode.UNREACHABLE, f"the vault cannot be used: {why}", remedy)


def _environment() -> dict[str, str]:
    """The vault's whole environment: of ours, only where programs are, and how it reaches issuers and trusts them."""
    names = (*authorities.VARIABLES, *proxies.VARIABLES)
    found = {name: os.environ[name] for name in names if name in os.environ}
    return minimal_environment(TZ="UTC", HOME="/", **found)
