"""PostgreSQL as it comes with Muniment: reached by nobody else, gone with nobody's data."""

import grp
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from muniment.errors import DatabaseError
from muniment.server.guarding.database_roles import OWNER, ROLES, WEB, WORKER
from muniment.server.running.accounts import GROUP
from muniment.server.running.embedded import Embedded
from tests.support.mounts import mounted


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with Embedded(tmp_path_factory.mktemp("home") / "postgres") as running:
        yield running


def said(server: Embedded, role: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(role), autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def test_each_role_may_connect_and_none_is_more_than_it_should_be(server: Embedded) -> None:
    for role in ROLES:
        assert said(server, role, "SELECT current_user") == [(role,)]
    assert said(server, OWNER, "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin") == [("muniment_super",)]
    assert said(server, OWNER, "SELECT count(*) FROM pg_roles WHERE rolcreaterole AND NOT rolsuper") == [(0,)]


@pytest.mark.parametrize("role", [WEB, WORKER])
def test_the_web_and_the_worker_cannot_change_the_schema(server: Embedded, role: str) -> None:
    for statement in ("CREATE TABLE t (a int)", "CREATE TEMP TABLE t (a int)", "CREATE SCHEMA s", "CREATE ROLE r"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            said(server, role, statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        said(server, role, f"SET ROLE {OWNER}")


def test_there_is_no_other_way_in(server: Embedded) -> None:
    assert said(server, OWNER, "SHOW listen_addresses") == [("",)]
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


def test_no_statement_is_logged(server: Embedded) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        said(server, OWNER, "SELECT 'typed by somebody' FROM nowhere")
    log = (server.socket_folder.parent / "log").read_text() if server.socket_folder.name == "socket" else ""
    assert "typed by somebody" not in log


def test_a_second_one_on_the_same_folder_says_so(tmp_path: Path) -> None:
    with Embedded(tmp_path / "postgres") as first:
        with pytest.raises(DatabaseError, match="another process runs it"):
            Embedded(tmp_path / "postgres").start()
        assert first.pid


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_what_was_committed_is_there_after_it_was_ended(tmp_path: Path, end: signal.Signals) -> None:
    with Embedded(tmp_path / "postgres") as server:
        said(server, OWNER, "CREATE TABLE t (a int)")
        said(server, OWNER, "INSERT INTO t VALUES (7)")
        os.kill(server.pid, end)
        server._process.wait(30)  # type: ignore[union-attr]  # whoever ended it
        with pytest.raises(DatabaseError, match="does not run"):
            assert server.pid
    with Embedded(tmp_path / "postgres") as server:
        assert said(server, OWNER, "SELECT a FROM t") == [(7,)]


@pytest.mark.slow
def test_stopping_half_way_through_the_first_start_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data.new").mkdir(parents=True)
    (tmp_path / "postgres" / "data.new" / "PG_VERSION").write_text("spoilt")
    with Embedded(tmp_path / "postgres") as server:
        assert said(server, OWNER, "SELECT 1") == [(1,)]


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    with Embedded(tmp_path / ("x" * 100) / "postgres") as server:
        assert said(server, OWNER, "SELECT 1") == [(1,)]


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot be used"):
        Embedded(tmp_path / "file" / "postgres").start()


def test_a_disk_without_space_for_a_new_one_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=20m,mode=755"):
        folder = tmp_path / "small" / "postgres"
        with pytest.raises(DatabaseError, match=r"only [0-9]+ MB are free") as caught, Embedded(folder):
            pass
        assert "--home DIR" in caught.value.remedy
        assert not (folder / "data").exists()
