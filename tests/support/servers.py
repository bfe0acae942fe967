"""Real git servers on loopback: gitolite behind OpenSSH, smart HTTP, and the daemon that identifies nobody.

Each serves bare repositories from a folder of its own, on a free port, and is ended by its process id.
"""

import base64
import http.server
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.support.repos import Repo

_SSHD = "/usr/sbin/sshd"


class Server(Protocol):
    """Interface of a git server."""

    variable: str  # in which it says who pushes

    def repo(self, name: str) -> Path:
        """The bare repository of that name on the disk, made if it is not there."""

    def url(self, name: str, user: str) -> str:
        """Where that person finds it."""

    def environment(self, user: str) -> dict[str, str]:
        """Environment variables for that person's git."""

    def hooks(self, name: str) -> Path | None:
        """Where hooks for it have to lie, None for where git itself looks."""

    def refresh(self) -> None:
        """Make the server use hooks that were just installed."""


class _Plain:
    """Repositories in a folder."""

    variable = "MUNIMENT_PUSHER"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def repo(self, name: str) -> Path:
        path = self.folder / f"{name}.git"
        if not path.exists():
            Repo(path, bare=True).git("config", "http.receivepack", "true")
        return path

    def environment(self, user: str) -> dict[str, str]:
        return {}

    def hooks(self, name: str) -> Path | None:
        return None

    def refresh(self) -> None:
        """Do nothing: git looks for hooks at each push."""


class Daemon(_Plain):
    """git daemon: it serves anybody."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder)
        self.port = port

    def url(self, name: str, user: str) -> str:
        return f"git://127.0.0.1:{self.port}/{name}.git"


class Http(_Plain):
    """git http-backend behind a server that asks for a name and a password."""

    variable = "REMOTE_USER"

    def __init__(self, folder: Path, port: int, passwords: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.port = port
        self.passwords = passwords

    def url(self, name: str, user: str) -> str:
        return f"http://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/{name}.git"


class Gitolite:
    """gitolite 3 behind an sshd of its own."""

    variable = "GL_USER"

    def __init__(self, home: Path, port: int, keys: Mapping[str, Path], known_hosts: Path) -> None:
        self.home = home
        self.port = port
        self.keys = keys
        self.known_hosts = known_hosts
        self._names: list[str] = []

    def gitolite(self, *arguments: str) -> None:
        """`gitolite ...` as its administrator."""
        done = subprocess.run(
            ["gitolite", *arguments], env=_gitolite(self.home), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def repo(self, name: str) -> Path:
        if name not in self._names:
            self._names.append(name)
            rules = "".join(f"repo {one}\n    RW+ = @all\n" for one in self._names)
            (self.home / ".gitolite/conf/gitolite.conf").write_text(rules)
            self.gitolite("compile")
            self.gitolite("trigger", "POST_COMPILE")
        return self.home / "repositories" / f"{name}.git"

    def url(self, name: str, user: str) -> str:
        return f"ssh://127.0.0.1:{self.port}/{name}"

    def environment(self, user: str) -> dict[str, str]:
        return _ssh(self.keys[user], self.known_hosts)

    def hooks(self, name: str) -> Path | None:
        return self.home / "local/hooks/common"

    def refresh(self) -> None:
        self.gitolite("setup", "--hooks-only")


class GitShell(_Plain):
    """git-shell behind an sshd of its own, which says who it is for each key."""

    def __init__(self, folder: Path, port: int, keys: Mapping[str, Path], known_hosts: Path) -> None:
        super().__init__(folder)
        self.port = port
        self.keys = keys
        self.known_hosts = known_hosts

    def url(self, name: str, user: str) -> str:
        return f"ssh://127.0.0.1:{self.port}{self.folder}/{name}.git"

    def environment(self, user: str) -> dict[str, str]:
        return _ssh(self.keys[user], self.known_hosts)


@contextmanager
def daemon(folder: Path) -> Iterator[Daemon]:
    """git daemon over the repositories in `folder`."""
    port = _free_port()
    options = ["--reuseaddr", "--export-all", "--enable=receive-pack", f"--base-path={folder}"]
    command = ["git", "daemon", *options, "--listen=127.0.0.1", f"--port={port}", str(folder)]
    with _running(command, port):
        yield Daemon(folder, port)


@contextmanager
def smart_http(folder: Path, people: Mapping[str, Path]) -> Iterator[Http]:
    """git http-backend over the repositories in `folder`, for those people."""
    passwords = {name: secrets.token_hex(8) for name in people}
    backend = _git_program("git-http-backend")

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body go one after the other, at once

        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self._body())

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

        def _user(self) -> str:
            kind, _, given = self.headers.get("Authorization", "").partition(" ")
            name, _, password = base64.b64decode(given).decode().partition(":") if kind == "Basic" else ("", "", "")
            return name if name and passwords.get(name) == password else ""

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "") == "chunked":
                pieces: list[bytes] = []
                while size := int(self.rfile.readline().strip(), 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                body = b"".join(pieces)
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            return body  # git http-backend inflates it, if need be

        def _serve(self, body: bytes) -> None:
            user = self._user()
            if not user:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_USER": user,
                "REMOTE_ADDR": "127.0.0.1",
                **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()},
            }
            done = subprocess.run([backend], input=body, env=environment, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
            status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
            self.send_response(status)
            for name, value in fields:
                if name not in ("Status", "Content-Length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Http(folder, server.server_address[1], passwords)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def gitolite(folder: Path, keys: Mapping[str, Path]) -> Iterator[Gitolite]:
    """gitolite with a home in `folder`, for people with those SSH keys."""
    assert shutil.which("gitolite"), "gitolite is missing: bin/test installs it"
    home = folder / "gitolite"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = admin\nemail = admin@example.test\n[init]\ndefaultBranch = main\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "admin")], check=True)
    port = _free_port()
    server = Gitolite(home, port, keys, folder / "known_hosts")
    server.gitolite("setup", "-pk", str(folder / "admin.pub"))
    rc = home / ".gitolite.rc"
    rc.write_text(rc.read_text().replace("%RC = (", '%RC = (\n    LOCAL_CODE => "$ENV{HOME}/local",', 1))
    shell = subprocess.run(
        ["gitolite", "query-rc", "GL_BINDIR"], env=_gitolite(home), capture_output=True, text=True, check=True
    ).stdout.strip()
    with _sshd(folder, port, keys, f"env HOME={home} {shell}/gitolite-shell NAME"):
        yield server


@contextmanager
def git_shell(folder: Path, keys: Mapping[str, Path]) -> Iterator[GitShell]:
    """git-shell behind OpenSSH, as docs/guides/server-hook.md has it."""
    port = _free_port()
    command = r"env MUNIMENT_PUSHER=NAME git-shell -c \"$SSH_ORIGINAL_COMMAND\""
    with _sshd(folder, port, keys, command):
        yield GitShell(folder, port, keys, folder / "known_hosts")


@contextmanager
def _sshd(folder: Path, port: int, keys: Mapping[str, Path], command: str) -> Iterator[None]:
    """An sshd that runs `command` for whoever has a key, with NAME for who it is, and lets them set variables."""
    assert shutil.which(_SSHD), f"{_SSHD} is missing: bin/test installs it"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")], check=True)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    lines = [
        f'restrict,command="{command.replace("NAME", name)}" {key.with_suffix(".pub").read_text()}'
        for name, key in keys.items()
    ]
    (folder / "authorized_keys").write_text("".join(lines))
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin yes\nAcceptEnv MUNIMENT_PUSHER GL_USER\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with _running([_SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], port):
        yield


def _gitolite(home: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GL_"))}
    return own | {"HOME": str(home)}


def _ssh(key: Path, known_hosts: Path) -> dict[str, str]:
    """A client's environment, which sends every name that a server might believe."""
    options = ("BatchMode=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known_hosts}")
    more = ("StrictHostKeyChecking=yes", "SendEnv=MUNIMENT_PUSHER GL_USER REMOTE_USER")
    command = ["ssh", "-F", "none", "-i", str(key)]
    command += [part for option in (*options, *more) for part in ("-o", option)]
    return {"GIT_SSH_COMMAND": shlex.join(command)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _git_program(name: str) -> str:
    folder = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    return str(Path(folder) / name)


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    """A server process, once it listens; ended with its children."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            for _ in range(1000):
                if process.poll() is not None:
                    assert process.stderr is not None
                    raise AssertionError(f"{command[0]} did not start: {process.stderr.read().decode()}")
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait(20)
