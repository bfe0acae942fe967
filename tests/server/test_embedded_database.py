"""The embedded PostgreSQL server: unreachable for others, and its data survives a crash."""

import grp
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from muniment.errors import DatabaseError
from muniment.server.guarding.database_roles import DATABASE_ROLES, OWNER, WEB, WORKER
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.running.process_system_accounts import GROUP
from tests.support.mounts import mounted


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("home") / "postgres") as running:
        yield running


def query(server: EmbeddedPostgres, role: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.make_address(role), autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def test_each_role_connects_and_none_has_extra_privilege(server: EmbeddedPostgres) -> None:
    for role in DATABASE_ROLES:
        assert query(server, role, "SELECT current_user") == [(role,)]
    assert query(server, OWNER, "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin") == [("muniment_super",)]
    assert query(server, OWNER, "SELECT count(*) FROM pg_roles WHERE rolcreaterole AND NOT rolsuper") == [(0,)]


@pytest.mark.parametrize("role", [WEB, WORKER])
def test_the_web_and_the_worker_cannot_change_the_schema(server: EmbeddedPostgres, role: str) -> None:
    for statement in ("CREATE TABLE t (a int)", "CREATE TEMP TABLE t (a int)", "CREATE SCHEMA s", "CREATE ROLE r"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(server, role, statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(server, role, f"SET ROLE {OWNER}")


def test_server_accepts_only_its_own_socket_and_roles(server: EmbeddedPostgres) -> None:
    assert query(server, OWNER, "SHOW listen_addresses") == [("",)]
    folder = server.socket_folder
    found = folder.stat()
    if os.geteuid() == 0:  # then the accounts of the processes pass through, and nobody else
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o710, grp.getgrnam(GROUP).gr_gid)
    else:
        assert stat.S_IMODE(found.st_mode) == 0o700
    for url in (f"postgresql://postgres@/muniment?host={folder}", f"postgresql://{OWNER}@/postgres?host={folder}x"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
    owner = os.stat(f"/proc/{server.pid}").st_uid
    assert owner != 0


def test_no_statement_is_logged(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        query(server, OWNER, "SELECT 'typed by somebody' FROM nowhere")
    log = (server.socket_folder.parent / "log").read_text() if server.socket_folder.name == "socket" else ""
    assert "typed by somebody" not in log


def test_refuses_second_server_on_same_folder(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "postgres") as first:
        with pytest.raises(DatabaseError, match="another process runs it"):
            EmbeddedPostgres(tmp_path / "postgres").start()
        assert first.pid


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_committed_data_survives_end_of_server(tmp_path: Path, end: signal.Signals) -> None:
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        query(server, OWNER, "CREATE TABLE t (a int)")
        query(server, OWNER, "INSERT INTO t VALUES (7)")
        os.kill(server.pid, end)
        server._process.wait_for_end(30)  # type: ignore[union-attr]  # whoever ended it
        with pytest.raises(DatabaseError, match="does not run"):
            assert server.pid
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        assert query(server, OWNER, "SELECT a FROM t") == [(7,)]


@pytest.mark.slow
def test_interrupted_first_start_leaves_no_partial_data(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data.new").mkdir(parents=True)
    (tmp_path / "postgres" / "data.new" / "PG_VERSION").write_text("spoilt")
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        assert query(server, OWNER, "SELECT 1") == [(1,)]


def test_starts_below_path_too_long_for_socket(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / ("x" * 100) / "postgres") as server:
        assert query(server, OWNER, "SELECT 1") == [(1,)]


def test_refuses_unusable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be used"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()


def test_refuses_new_database_without_disk_space(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=20m,mode=755"):
        folder = tmp_path / "small" / "postgres"
        with pytest.raises(DatabaseError, match=r"only [0-9]+ MB are free") as caught, EmbeddedPostgres(folder):
            pass
        assert "--home FOLDER" in caught.value.remedy
        assert not (folder / "data").exists()
