"""Preparation of the database: one process at a time, and no process uses a schema of another version."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from muniment.errors import DatabaseError, UsageError
from muniment.server.guarding.database_roles import OWNER
from muniment.server.running import database_settings, preparation, schema_version
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.running.installation_folder import make_installation_folder
from muniment.server.running.postgres_programs import find_postgres_program
from tests.support.external_logins import share_passwords
from tests.support.repos import Repo
from tests.support.running import clean
from tests.support.service import as_role

PREPARE = """
import sys
from pathlib import Path
from muniment.cli import service_setup
service_setup.set_up_process(Path(sys.argv[1]), "owner", "http://localhost:8000")
from muniment.server.running import preparation
print("begun", flush=True)
sys.stdin.readline()
preparation.migrate_schema()
preparation.apply_first_policy()
preparation.register_repository(sys.argv[2])
preparation.make_first_link()
"""


MIGRATE = """
import sys
from pathlib import Path
from muniment.cli import service_setup
service_setup.set_up_process(Path(sys.argv[1]), "owner", "http://localhost:8000")
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from muniment.server.running.schema_migration import apply_migrations
if sys.argv[2] == "by Django":
    call_command("migrate", verbosity=0, interactive=False)
else:
    apply_migrations(MigrationExecutor(connection))
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Home with an empty database."""
    home = tmp_path_factory.mktemp("home")
    make_installation_folder(home)
    with database_settings.embedded_server(home):
        yield home


def execute(home: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_settings.embedded_server(home).make_address(OWNER), autocommit=True) as owner:
        done = owner.execute(statement.encode())
        return done.fetchall() if done.description else []


def run(*arguments: str | Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "muniment", *map(str, arguments)]
    done = subprocess.run(command, env=clean(), capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stderr


COMMANDS = (("web",), ("worker",), ("link", "admin"), ("ledger", "show"), ("vault", "status"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.slow
def test_no_process_uses_an_incomplete_schema(fresh: Path, command: tuple[str, ...]) -> None:
    (fresh / "service.json").write_text('{"port": 1}\n')
    code, error = run(*command, "--home", fresh)
    assert (code, "migrations are missing" in error) == (3, True), error
    assert f"Next: Bring it up to date: muniment up --home {fresh} --once" in error


@pytest.mark.slow
def test_new_database_has_the_schema_that_django_makes(fresh: Path) -> None:
    program, variables = (
        find_postgres_program("pg_dump"),
        clean() | database_settings.embedded_server(fresh).make_variables(OWNER),
    )
    options = ["--schema-only", "--no-owner", "--no-privileges", "--no-comments", "--restrict-key=same"]
    schemas = []
    for way in ("by Django", "by us"):
        subprocess.run([sys.executable, "-c", MIGRATE, fresh, way], env=clean(), check=True, timeout=300)
        schemas.append(
            subprocess.run([program, *options], env=variables, capture_output=True, text=True, check=True).stdout
        )
        execute(fresh, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert schemas[0] == schemas[1]
    assert "CREATE TABLE" in schemas[0]


@pytest.mark.slow
def test_concurrent_preparation_creates_everything_once(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    repo.commit({"app.py": "x = 1\n"})
    with EmbeddedPostgres(tmp_path / "database" / "postgres") as server:
        homes = [tmp_path / f"home{number}" for number in range(3)]
        for home in homes:
            make_installation_folder(home)
            share_passwords(tmp_path / "database", home)
        environment = {**clean(), "DATABASE_URL": server.make_address(OWNER)}
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", PREPARE, str(home), str(repo.path)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for home in homes
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
        for process in processes:  # they begin together: Django took each of them another time to load
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            _, error = process.communicate(timeout=120)
            assert (process.returncode, error) == (0, "")
        with psycopg.connect(server.make_address(OWNER)) as owner:
            for table in ("policies_policyversion", "products_product", "products_repository", "people_person"):
                counted = owner.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
                assert counted == (1,), table


def test_preparation_locks_out_other_processes_until_it_ends(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres
) -> None:
    monkeypatch.setattr(schema_version, "_WAIT_SECONDS", 1)
    with as_role("owner"), psycopg.connect(postgres.make_address(OWNER), autocommit=True) as another:
        another.execute("SELECT pg_advisory_lock(%s)", [schema_version._KEY])
        with pytest.raises(DatabaseError, match="another process has been preparing") as caught:
            preparation.migrate_schema()
        assert "pg_locks" in caught.value.remedy
        timer = threading.Timer(0.3, another.execute, ["SELECT pg_advisory_unlock_all()"])
        before = time.monotonic()
        timer.start()
        preparation.migrate_schema()
        assert time.monotonic() > before + 0.2
        timer.join()
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("0",)
        assert another.execute("SELECT pg_try_advisory_lock(%s)", [schema_version._KEY]).fetchone() == (True,)


@pytest.mark.usefixtures("service")
def test_schema_of_a_newer_version_is_not_used() -> None:
    applied = "INSERT INTO django_migrations (app, name, applied) VALUES (%s, '9999_later', now())"
    with as_role("owner"), connection.cursor() as cursor:
        try:
            cursor.execute(applied, ["wiki"])
            preparation.require_ready()  # of an app that this version does not have any more
            cursor.execute(applied, ["people"])
            with pytest.raises(DatabaseError, match=r"newer Muniment \(people 9999_later\)"):
                preparation.require_ready()
        finally:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")


@pytest.mark.slow
def test_database_of_another_program_is_not_changed(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "database" / "postgres") as server:
        with psycopg.connect(server.make_address(OWNER), autocommit=True) as owner:
            columns = "id serial PRIMARY KEY, app text, name text, applied timestamptz"
            owner.execute(f"CREATE TABLE django_migrations ({columns})".encode())
            owner.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('wiki', '0001_initial', now())")
        command = [sys.executable, "-m", "muniment", "up", "--once", "--home", str(tmp_path / "home")]
        environment = {**clean(), "DATABASE_URL": server.make_address(OWNER)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 3
        assert "the database belongs to another program (wiki 0001_initial); nothing was changed" in done.stderr
        with psycopg.connect(server.make_address(OWNER)) as owner:
            tables = owner.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
            assert tables == (1,)


def test_lock_of_a_killed_process_is_released(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    code = (
        "import psycopg, sys, time\nc = psycopg.connect(sys.argv[1], autocommit=True)\n"
        "c.execute('SELECT pg_advisory_lock(%s)', [int(sys.argv[2])])\nprint('held', flush=True)\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", code, postgres.make_address(OWNER), str(schema_version._KEY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, 9)
    with as_role("owner"):
        preparation.migrate_schema()


def test_folder_without_repository_is_refused_with_the_command_that_takes_one(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError) as caught:
            preparation.register_repository(str(path))
        assert caught.value.remedy == "Name the folder of a git repository: muniment up FOLDER"
