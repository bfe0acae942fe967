"""Vault of a running service: created once, kept alive, examined, backed up without its key, and restored."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.db import connections

from muniment.access.roles import Role
from muniment.errors import VaultError
from muniment.server.products.models import Environment
from muniment.vault import layout, process_tokens
from muniment.vault.embedded_vault import SEAL_FILE, EmbeddedVault
from muniment.vault.vault_client import Vault
from tests.server.conftest import HOME
from tests.support.repos import Repo
from tests.support.running import Up, clean, muniment, until
from tests.support.service import as_role, person, product, token_of
from tests.support.vaults import passing

pytestmark = pytest.mark.slow  # whole services

_VALUE = "-".join(["through", "standard", "input"])


class UpWithVault(Up):
    """Service with a vault, started by `muniment up`, and its output."""

    def _read_welcome(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        self.output = ""
        for line in self.process.stdout:
            self.output += line
            if "Ctrl-C" in line:
                break
        return "", ""

    @property
    def bao(self) -> int:
        """Process of the vault of the service."""
        below = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in below if b"-config=/proc/self/fd/" in Path(f"/proc/{pid}/cmdline").read_bytes())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repo = Repo(tmp_path / "shop")
    repo.commit({"app.py": "x = 1\n"})
    return repo.path


def _web(home: Path) -> tuple[str, ...]:
    vault = Vault(EmbeddedVault(home).address, seconds=5)
    identity = process_tokens.create_identity_token(home, layout.WEB, int(time.time()))
    return vault.sign_in(layout.WEB, layout.WEB, identity).list_secret_names("shop", "production")


def _check_vault_works(home: Path) -> bool:
    try:
        return _web(home) == ("A",)
    except Exception:  # noqa: BLE001 -- it is asked again
        return False


def _with_token(home: Path, password: str, *arguments: str) -> tuple[int, str]:
    """Run a command as a person who has a token at the vault."""
    session = Vault(EmbeddedVault(home).address).sign_in_person(layout.ADMINISTRATOR, password)
    command = [sys.executable, "-m", "muniment", *arguments, "--home", str(home)]
    environment = {**clean(), "MUNIMENT_VAULT_TOKEN": session._token}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_up_creates_the_vault_once_keeps_it_alive_and_restores_it_from_a_backup(
    repository: Path, tmp_path: Path
) -> None:
    home, file, new = tmp_path / "home", tmp_path / "backup", tmp_path / "new"
    up = UpWithVault(home, repository)
    try:
        found = re.search(r"name admin, password (\S+)", up.output)
        assert found is not None, up.output
        password = found[1]
        lines = up.output.splitlines()
        assert lines[0] == f"Muniment starts in {home}: database, vault, web and worker"
        assert lines[1].startswith("Muniment runs at http")
        assert up.output.index("/welcome/") < up.output.index(password)
        assert up.output.count(password) == 1
        vault = Vault(EmbeddedVault(home).address)
        identity = process_tokens.create_identity_token(home, layout.WEB, int(time.time()))
        vault.sign_in(layout.WEB, layout.WEB, identity).patch_secrets("shop", "production", {"A": _VALUE})
        code, output = muniment("doctor", "--home", home)
        assert "it lets Muniment in" in output
        assert "holds the seal key" in output
        assert muniment("vault", "status", "--home", home)[0] == 0
        os.kill(up.bao, signal.SIGKILL)
        until(lambda: _check_vault_works(home))
        code, output = _with_token(home, password, "vault", "plan")
        assert (code, "as it should be" in output) == (0, True), output
        password = _replace_password(home, password)
        assert muniment("backup", file, "--home", home)[0] == 0
        seal = (home / SEAL_FILE).read_bytes()
        data = file.read_bytes()
        for name in ("muniment-web.key", "muniment-worker.key"):
            assert (home / "keys" / name).read_bytes() not in data
        assert seal not in data
        assert _VALUE.encode() not in data
    finally:
        up.end()
    code, output = muniment("restore", file, "--home", new, "--no-erasures-since", "2020-01-01")
    assert code == 0, output
    assert f"bring its seal key to {new}/{SEAL_FILE}" in output
    up = UpWithVault(new, repository)
    try:  # without its key: everything else works
        assert "password" not in up.output
        code, output = muniment("doctor", "--home", new)
        assert "the vault cannot be reached" in output
        (new / SEAL_FILE).write_bytes(seal)
        until(lambda: _alive(new), 40)  # it is tried again without a restart
        assert not _check_vault_works(new)
        code, output = _with_token(new, password, "vault", "plan")
        assert (code, output.count("change auth/muniment-")) == (1, 2), output
        code, output = _with_token(new, password, "vault", "apply", "--yes")
        assert code == 0, output
        assert _check_vault_works(new)
    finally:
        up.end()


def _replace_password(home: Path, password: str) -> str:
    """Set a new password of the vault's administrator, after which the old one fails; the new one."""
    code, output = _with_token(home, password, "vault", "password")
    found = re.search(r"name admin, password (\S+)", output)
    assert (code, found is not None) == (0, True), output
    assert found is not None
    vault = Vault(EmbeddedVault(home).address)
    with pytest.raises(VaultError):
        vault.sign_in_person(layout.ADMINISTRATOR, password)
    vault.sign_in_person(layout.ADMINISTRATOR, found[1])
    return found[1]


def _alive(home: Path) -> bool:
    try:
        return bool(Vault(EmbeddedVault(home).address).request("GET", "sys/health"))
    except Exception:  # noqa: BLE001 -- it is asked again
        return False


def test_init_shows_the_vault_credential_and_up_does_not_repeat_it(repository: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, output = muniment("vault", "init", "--home", home)
    assert (code, "password" in output) == (0, True), output
    up = UpWithVault(home, repository)
    try:
        assert "password" not in up.output
    finally:
        up.end()


def test_no_credential_prompt_without_a_terminal(repository: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    up = UpWithVault(home, repository)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "muniment", "vault", "plan", "--home", str(home)],
            env=clean(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "nobody can be asked" in done.stderr
    finally:
        up.end()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Discard log messages."""


@pytest.mark.usefixtures("service")
def test_command_line_writes_secrets_without_values_as_arguments(tmp_path: Path) -> None:
    from muniment.server.wsgi import application

    shop = product("shop")
    with as_role("owner"):
        Environment.objects.create(product=shop, name="production")
    token = token_of(person("olga", Role.OWNER, product=shop))
    server = make_server("127.0.0.1", 0, application, handler_class=_Quiet)

    def serve() -> None:
        server.serve_forever(0.01)
        connections.close_all()

    thread = threading.Thread(target=serve)
    thread.start()

    def secret(*arguments: str, typed: str = "", who: str = token) -> tuple[int, str]:
        where = ["--product", "shop", "--env", "production", "--url", f"http://localhost:{server.server_port}"]
        command = [sys.executable, "-m", "muniment", "secret", *arguments, *where]
        environment = {**clean(), "MUNIMENT_TOKEN": who}
        done = subprocess.run(command, env=environment, input=typed, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    try:
        with passing(HOME) as vault:
            code, output = secret("set", "TYPED", typed=f"{_VALUE}\r\n")
            assert (code, f"lines: 1, bytes: {len(_VALUE) + 2}; it ends with a line break" in output) == (0, True)
            code, output = secret("set", "TYPED", typed=f'{{"user": "ada", "token": "{_VALUE}"}}')
            assert (code, output.splitlines()[-1]) == (0, "masked on its own, too: token")
            assert _VALUE not in output
            code, output = secret("set", "BASH_ENV", typed=_VALUE)
            assert (code, "programs obey the variable BASH_ENV" in output) == (2, True)
            assert secret("generate", "MADE")[0] == 0
            assert secret("generate", "MADE")[0] == 2
            assert secret("rotate", "MADE")[0] == 0
            assert secret("rotate", "NEVER")[0] == 2
            assert {"MADE", "TYPED"} <= set(vault.web.list_secret_names("shop", "production"))
            code, output = secret("list")
            assert (code, [line.partition("  (")[0].split()[-1] for line in output.splitlines()]) == (
                0,
                ["MADE", "TYPED"],
            )
            file = tmp_path / ".env"
            file.write_text(f"TYPED={_VALUE}\nexport FROM_FILE='{_VALUE} # 2'\n")
            code, output = secret("import", str(file))
            assert (code, "TYPED in the vault already; nothing was set" in output) == (2, True)
            code, output = secret("import", str(file), "--replace")
            assert (code, _VALUE in output) == (0, False)
            assert "FROM_FILE" in vault.web.list_secret_names("shop", "production")
            file.write_text(f"LATER={_VALUE}\nLD_PRELOAD={_VALUE}\n")
            assert secret("import", str(file))[0] == 2
            assert "LATER" not in vault.web.list_secret_names("shop", "production")
            code, output = secret("remove", "MADE")
            assert (code, "second person" in output or "removed" in output) == (0, True)
            code, output = secret("set", "TYPED", typed=_VALUE, who="wrong")
            assert (code, _VALUE in output) == (1, False)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
