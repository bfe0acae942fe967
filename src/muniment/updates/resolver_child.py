"""Runs an ecosystem's resolver in a confined child: a folder that we wrote, and registries through our proxy.

It gets no credential, no configuration of a user and no file of the machine but its own program. What it writes is read
back as untrusted: plain files below the folder, reached through no link.
"""

import contextlib
import os
import socket
import stat
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from msgspec import Struct

from muniment.errors import ProgramError
from muniment.programs.catalogue import Program
from muniment.programs.command import ProgramOption, build_command, confine_resolver
from muniment.programs.confinement import NO_CHILD
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ProcessLimits, ProcessResult, run_program
from muniment.programs.resolver_confinement import PROXY_PORT
from muniment.programs.temporary_files import TemporaryFolder
from muniment.updates.lock_values import LARGEST_LOCK
from muniment.updates.registry_proxy import RegistryAnswer, RegistryProxy

RESOLVER_SECONDS = 300  # of one attempt
_MOST_OUTPUT = 4 << 20
_START_SECONDS = 30
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives")


class FilteredRegistry(Protocol):
    """Registries of an ecosystem, as the resolver sees them."""

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Hosts that the resolver may reach."""
        ...

    def answer_request(self, host: str, path: str, accept: str, /) -> RegistryAnswer:
        """Answer a request of the resolver."""
        ...


class ResolverTool(Struct, frozen=True):
    """Program of a resolver, by its whole path. `readable`: what it needs besides the system's own files."""

    program: Program
    location: Path
    readable: tuple[str, ...] = ()


class ResolverFolder:
    """Folder of one resolver, removed at the end. The project is below `project`, next to it caches and a home."""

    def __init__(self, tool: ResolverTool, registry: FilteredRegistry, seconds: float = RESOLVER_SECONDS) -> None:
        self._tool = tool
        self._seconds = seconds
        self._folder = TemporaryFolder()
        self.proxy = RegistryProxy(registry.allowed_hosts, registry.answer_request)
        try:
            for name in ("project", "home", "tmp", "cache"):
                os.mkdir(os.path.join(self._folder.path, name), 0o700)
            Path(self._folder.path, "authority.pem").write_bytes(self.proxy.authority)
        except OSError as error:
            self._folder.remove_folder()
            message = f"the resolver's folder cannot be written: {error.strerror}"
            raise ProgramError(message, "Free some space.") from None

    def __enter__(self) -> "ResolverFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.remove_folder()

    @property
    def folder_path(self) -> str:
        """Path of the folder, which has the project below it."""
        return self._folder.path

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Write files of the project by path. Only before the first attempt, or over files of the same paths."""
        for path, content in files.items():
            target = Path(self.folder_path, "project", path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            with open(target, "xb") as file:
                file.write(content)

    def read_file(self, path: str) -> bytes | None:
        """Content of a plain file of the project; None if there is none, or it is too large or reached by a link."""
        handle = os.open(os.path.join(self.folder_path, "project"), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            *folders, name = path.split("/")
            for folder in folders:
                above, handle = handle, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                os.close(above)
            with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle), "rb") as file:
                about = os.fstat(file.fileno())
                if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST_LOCK:
                    return None
                return file.read(LARGEST_LOCK)
        except OSError:
            return None
        finally:
            os.close(handle)

    def run_tool(
        self, options: Sequence[ProgramOption], environment: Mapping[str, str], folder: str = ""
    ) -> ProcessResult:
        """Run the tool in a folder of the project. Raises ProgramError if it cannot be confined, or takes too long."""
        command = build_command(self._tool.program, options, ProgramError, self._tool.location)
        readable = (*_SYSTEM, *self._tool.readable)
        ours, theirs = socket.socketpair()
        receiver = threading.Thread(target=self._receive_listener, args=(ours,), daemon=True)
        receiver.start()
        try:
            done = run_program(
                confine_resolver(command, theirs.fileno(), self.folder_path, f"project/{folder}", readable),
                minimal_environment(**self._make_environment(), **environment),
                ProgramError,
                limits=ProcessLimits(self._seconds, output=_MOST_OUTPUT),
                passed=(theirs.fileno(),),
            )
        finally:
            theirs.close()
            receiver.join(_START_SECONDS)
            ours.close()
            self.proxy.stop_serving()
        if done.code == NO_CHILD:
            raise ProgramError(
                "this machine cannot confine a resolver of dependencies",
                "Use Linux 5.19 or newer with Landlock and user namespaces.",
            )
        return done

    def _receive_listener(self, ours: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the child ended before it opened its network: its exit code says so
            ours.settimeout(_START_SECONDS)
            _, handles, _, _ = socket.recv_fds(ours, 1, 1)
            if handles:
                self.proxy.serve_listener(socket.socket(fileno=handles[0]))

    def _make_environment(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{PROXY_PORT}"
        authority = os.path.join(self.folder_path, "authority.pem")
        home = os.path.join(self.folder_path, "home")
        return {
            "HOME": home,
            "TMPDIR": os.path.join(self.folder_path, "tmp"),
            **dict.fromkeys(("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_CACHE_HOME"), home),
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"), proxy),
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), authority),
            "OPENSSL_CONF": os.devnull,
            "NO_COLOR": "1",
        }
