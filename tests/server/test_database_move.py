"""Moves of a home's database to an external server and back: complete, or without any change."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from muniment.server.guarding import database_passwords
from muniment.server.guarding.database_roles import OWNER, PROCESSES
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.running.home_database import DatabaseKind, find_database_kind, store_kind
from muniment.server.running.installation_folder import make_installation_folder
from tests.support.external_logins import share_passwords
from tests.support.repos import Repo
from tests.support.running import clean

pytestmark = pytest.mark.slow  # whole services


def run(*arguments: str | Path, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "muniment", *map(str, arguments)]
    done = subprocess.run(
        command, env={**clean(), **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """An external server whose owner is a member of the roles."""
    with EmbeddedPostgres(tmp_path / "other" / "postgres") as running:
        with psycopg.connect(running.make_address("muniment_super"), autocommit=True) as superuser:
            superuser.execute(f"GRANT {', '.join(PROCESSES)} TO {OWNER}".encode())
        yield running


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM records_record").fetchone()
    return int(row[0]) if row else 0


def test_a_database_is_moved_to_another_server_and_back(server: EmbeddedPostgres, tmp_path: Path) -> None:
    repo, home, url = Repo(tmp_path / "shop"), tmp_path / "home", server.make_address(OWNER)
    repo.commit({"app.py": "x = 1\n"})
    code, output = run("up", repo.path, "--once", "--home", home)
    assert code == 0, output
    code, output = run("home", "move-database", "external", "--home", home)
    assert (code, "DATABASE_URL names no database" in output) == (2, True), output

    code, output = run("home", "move-database", "external", "--home", home, DATABASE_URL=url)
    assert code == 0, output
    moved = count(url)
    assert f"with {moved} records" in output
    assert moved > 1
    assert not (home / "postgres").exists()
    assert (home / "postgres-moved" / "data" / "PG_VERSION").is_file()
    assert run("up", repo.path, "--once", "--home", home)[0] == 3
    code, output = run("home", "move-database", "external", "--home", home, DATABASE_URL=url)
    assert (code, "is there already" in output) == (2, True), output
    repo.commit({"app.py": "x = 2\n"})
    shutil.rmtree(home / database_passwords.LOGIN_FOLDER)
    share_passwords(tmp_path / "other", home)
    code, output = run("up", repo.path, "--once", "--home", home, DATABASE_URL=url)
    assert code == 0, output
    code, output = run("ledger", "verify", "--home", home, DATABASE_URL=url)
    assert code == 0, output
    then = count(url)
    (home / database_passwords.LOGIN_FOLDER).unlink()
    assert then >= moved

    with psycopg.connect(url):
        code, output = run("home", "move-database", "embedded", "--home", home, DATABASE_URL=url)
        assert (code, "other processes use the database" in output) == (3, True), output
    assert (find_database_kind(home), (home / "postgres").exists()) == (DatabaseKind.EXTERNAL, False)
    code, output = run("home", "move-database", "embedded", "--home", home, DATABASE_URL=url)
    assert code == 0, output
    assert f"with {then} records" in output
    assert run("up", repo.path, "--once", "--home", home, DATABASE_URL=url)[0] == 3
    code, output = run("up", repo.path, "--once", "--home", home)
    assert code == 0, output


def test_refuses_move_into_used_database_or_out_of_foreign_one(server: EmbeddedPostgres, tmp_path: Path) -> None:
    repo, url = Repo(tmp_path / "shop"), server.make_address(OWNER)
    repo.commit({"app.py": "x = 1\n"})
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "third"
    make_installation_folder(first)
    share_passwords(tmp_path / "other", first)
    assert run("up", repo.path, "--once", "--home", first, DATABASE_URL=url)[0] == 0
    assert run("up", repo.path, "--once", "--home", second)[0] == 0
    code, output = run("home", "move-database", "external", "--home", second, DATABASE_URL=url)
    assert (code, "is not empty; nothing was changed" in output) == (3, True), output
    assert find_database_kind(second) is DatabaseKind.EMBEDDED
    make_installation_folder(third)
    code, output = run("home", "move-database", "embedded", "--home", third, DATABASE_URL=url)
    assert (code, "has no database yet" in output) == (2, True), output
    store_kind(third, DatabaseKind.EXTERNAL)
    code, output = run("home", "move-database", "embedded", "--home", third, DATABASE_URL=url)
    assert (code, "is not that of" in output) == (3, True), output
    assert not (third / "postgres").exists()
    code, output = run("home", "move-database", "external", "--home", tmp_path / "nowhere", DATABASE_URL=url)
    assert (code, (tmp_path / "nowhere").exists()) == (2, False), output
