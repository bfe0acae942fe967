"""What names a home finds the database of that home, or fails: nothing begins a second ledger under the same key."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from muniment.cli import homes
from muniment.errors import DatabaseError
from muniment.server.guarding import logins
from muniment.server.guarding.database_roles import OWNER, PROCESSES
from muniment.server.records.sequencer import give_places
from muniment.server.running import home_database
from muniment.server.running.embedded import Embedded
from muniment.server.running.folder import make_folder
from muniment.server.running.home_database import Kind
from tests.server.conftest import HOME
from tests.support.repos import Repo
from tests.support.running import clean
from tests.support.servers import _free_port
from tests.support.service import as_role

ELSEWHERE = {"DATABASE_URL": "postgresql://owner@db.example.test/muniment"}


def run(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "muniment", *map(str, arguments)]
    done = subprocess.run(
        command, env={**clean(), **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_a_home_with_a_database_of_its_own_takes_no_other(tmp_path: Path) -> None:
    home_database.require_same_kind(tmp_path, ELSEWHERE)  # a new home may begin with either
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(DatabaseError, match="has a database of its own"):
        home_database.require_same_kind(tmp_path, ELSEWHERE)
    home_database.require_same_kind(tmp_path, {})
    home_database.require_same_kind(tmp_path, {"DATABASE_URL": ""})


def test_a_home_whose_database_is_elsewhere_begins_none_of_its_own(tmp_path: Path) -> None:
    home_database.write_mark(tmp_path, Kind.EXTERNAL)
    home_database.require_same_kind(tmp_path, ELSEWHERE)
    with pytest.raises(DatabaseError, match="DATABASE_URL does not name it"):
        home_database.require_same_kind(tmp_path, {})


def test_a_database_that_was_removed_is_not_made_anew(tmp_path: Path) -> None:
    home_database.require_present(tmp_path, {})
    home_database.write_mark(tmp_path, Kind.EMBEDDED)
    with pytest.raises(DatabaseError, match="is gone"):
        home_database.require_present(tmp_path, {})


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"database": "other"}', "\x00", "\ud800"])
def test_nothing_starts_where_the_mark_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / home_database.MARK).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DatabaseError, match="does not say which database"):
        home_database.read_mark(tmp_path)


@pytest.mark.parametrize("name", ["service.json", "database.json", "keys/web.key"])
def test_what_a_service_leaves_in_its_home_tells_its_tools_where_to_look(tmp_path: Path, name: str) -> None:
    assert not homes.is_service(str(tmp_path))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}\n")
    assert homes.is_service(str(tmp_path))


def test_the_ledger_of_another_home_is_refused(service: None, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_folder(other)
    home_database.require_own_ledger(other)  # nothing was signed yet
    with as_role("sequencer"):
        while give_places():
            pass
    home_database.require_own_ledger(HOME)
    with pytest.raises(DatabaseError, match="not that of"):
        home_database.require_own_ledger(other)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home that was used once on a port that was given, and the repository it has."""
    folder = tmp_path_factory.mktemp("used")
    repo = Repo(folder / "shop")
    repo.commit({"app.py": "x = 1\n"})
    code, told = run("up", repo.path, "--once", "--home", folder / "home", "--port", str(_free_port()))
    assert code == 0, told
    return folder / "home", repo.path


@pytest.mark.slow
def test_a_used_home_is_found_by_every_tool_though_its_port_was_given(used: tuple[Path, Path]) -> None:
    home, _ = used
    for command in (("ledger", "verify"), ("link", "admin")):
        code, told = run(*command, "--home", home)
        assert code != 0, (command, told)
        assert "0 entries" not in told
    assert "muniment up" in run("ledger", "verify", "--home", home)[1]


@pytest.mark.slow
def test_a_used_home_refuses_another_database_and_begins_nothing_there(used: tuple[Path, Path], tmp_path: Path) -> None:
    home, repo = used
    with Embedded(tmp_path / "other" / "postgres") as server:
        with psycopg.connect(server.url("muniment_super"), autocommit=True) as superuser:
            superuser.execute(f"GRANT {', '.join(PROCESSES)} TO {OWNER}".encode())
        for command in (("up", repo, "--once"), ("sequencer",), ("ledger", "verify")):
            code, told = run(*command, "--home", home, DATABASE_URL=server.url(OWNER))
            assert code == 3, (command, told)
            assert "has a database of its own, and DATABASE_URL names another; nothing was started" in told
            assert "Next: Unset DATABASE_URL" in told
        new = tmp_path / "new"
        make_folder(new)
        (new / logins.FOLDER).symlink_to(tmp_path / "other" / logins.FOLDER)
        code, told = run("up", repo, "--once", "--home", new, DATABASE_URL=server.url(OWNER))
        assert code == 0, told
        copied = tmp_path / "copied"
        code, told = run("up", repo, "--once", "--home", new)
        assert (code, "DATABASE_URL does not name it" in told) == (3, True)
        make_folder(copied)
        (copied / logins.FOLDER).symlink_to(tmp_path / "other" / logins.FOLDER)
        for command in (("up", repo, "--once"), ("web",)):
            code, told = run(*command, "--home", copied, DATABASE_URL=server.url(OWNER))
            assert (code, "the ledger in the database is not that of" in told) == (3, True), told
        assert not (new / "postgres").exists()
        with psycopg.connect(server.url("muniment_super"), autocommit=True) as superuser:
            superuser.execute(b"DROP OWNED BY muniment_owner CASCADE")
            superuser.execute(b"CREATE SCHEMA IF NOT EXISTS public AUTHORIZATION muniment_owner")
        code, told = run("up", repo, "--once", "--home", new, DATABASE_URL=server.url(OWNER))
        assert (code, "the database is empty" in told) == (3, True), told
