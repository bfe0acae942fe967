"""The database of a home: every tool finds it or fails, and none begins a second ledger under the same key."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import psycopg
import pytest

from muniment.cli import commands, home_access
from muniment.errors import DatabaseError
from muniment.server.guarding.database_roles import OWNER, PROCESSES
from muniment.server.records.sequencer import assign_positions
from muniment.server.running import home_database
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.running.home_database import DatabaseKind
from muniment.server.running.installation_folder import make_installation_folder
from tests.server.conftest import HOME
from tests.support.external_logins import share_passwords
from tests.support.repos import Repo
from tests.support.running import clean
from tests.support.servers import _free_port
from tests.support.service import as_role

ELSEWHERE = {"DATABASE_URL": "postgresql://owner@db.example.test/muniment"}


def run(*arguments: str | Path, at: Path | None = None, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "muniment", *map(str, arguments)]
    done = subprocess.run(
        command, env={**clean(), **environment}, cwd=at, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_home_with_embedded_database_refuses_external_one(tmp_path: Path) -> None:
    home_database.require_same_kind(tmp_path, ELSEWHERE)  # a new home may begin with either
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(DatabaseError, match="has a database of its own"):
        home_database.require_same_kind(tmp_path, ELSEWHERE)
    home_database.require_same_kind(tmp_path, {})
    home_database.require_same_kind(tmp_path, {"DATABASE_URL": ""})


def test_home_with_external_database_creates_no_embedded_one(tmp_path: Path) -> None:
    home_database.store_kind(tmp_path, DatabaseKind.EXTERNAL)
    home_database.require_same_kind(tmp_path, ELSEWHERE)
    with pytest.raises(DatabaseError, match="DATABASE_URL does not name it"):
        home_database.require_same_kind(tmp_path, {})


def test_removed_database_is_not_created_again(tmp_path: Path) -> None:
    home_database.require_database_present(tmp_path, {})
    home_database.store_kind(tmp_path, DatabaseKind.EMBEDDED)
    with pytest.raises(DatabaseError, match="is gone"):
        home_database.require_database_present(tmp_path, {})


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"database": "other"}', "\x00", "\ud800"])
def test_refuses_start_with_unreadable_database_mark(tmp_path: Path, text: str) -> None:
    (tmp_path / home_database.DATABASE_MARK).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DatabaseError, match="does not say which database"):
        home_database.read_stored_kind(tmp_path)


@pytest.mark.parametrize("name", ["service.json", "database.json", "keys/web.key"])
def test_service_files_identify_home_of_service(tmp_path: Path, name: str) -> None:
    assert not home_access.is_service(str(tmp_path))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}\n")
    assert home_access.is_service(str(tmp_path))


def test_the_ledger_of_another_home_is_refused(service: None, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_installation_folder(other)
    home_database.require_own_ledger(other)  # nothing was signed yet
    with as_role("sequencer"):
        while assign_positions():
            pass
    home_database.require_own_ledger(HOME)
    with pytest.raises(DatabaseError, match="not that of"):
        home_database.require_own_ledger(other)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home that was used once on a given port, and its repository."""
    folder = tmp_path_factory.mktemp("used")
    repo = Repo(folder / "shop")
    repo.commit({"app.py": "x = 1\n"})
    code, output = run("up", repo.path, "--once", "--home", folder / "home", "--port", str(_free_port()))
    assert code == 0, output
    return folder / "home", repo.path


@pytest.mark.slow
def test_commands_find_used_home_although_port_was_given(used: tuple[Path, Path]) -> None:
    home, _ = used
    for command in (("ledger", "verify"), ("link", "admin")):
        code, output = run(*command, "--home", home)
        assert code != 0, (command, output)
        assert "0 entries" not in output
    assert "muniment up" in run("ledger", "verify", "--home", home)[1]


@pytest.mark.slow
def test_used_home_refuses_another_database_and_leaves_it_unchanged(used: tuple[Path, Path], tmp_path: Path) -> None:
    home, repo = used
    with EmbeddedPostgres(tmp_path / "other" / "postgres") as server:
        with psycopg.connect(server.make_address("muniment_super"), autocommit=True) as superuser:
            superuser.execute(f"GRANT {', '.join(PROCESSES)} TO {OWNER}".encode())
        for command in (("up", repo, "--once"), ("sequencer",), ("ledger", "verify")):
            code, output = run(*command, "--home", home, DATABASE_URL=server.make_address(OWNER))
            assert code == 3, (command, output)
            assert "has a database of its own, and DATABASE_URL names another; nothing was started" in output
            assert "Next: Unset DATABASE_URL" in output
        new = tmp_path / "new"
        make_installation_folder(new)
        share_passwords(tmp_path / "other", new)
        code, output = run("up", repo, "--once", "--home", new, DATABASE_URL=server.make_address(OWNER))
        assert code == 0, output
        copied = tmp_path / "copied"
        code, output = run("up", repo, "--once", "--home", new)
        assert (code, "DATABASE_URL does not name it" in output) == (3, True)
        make_installation_folder(copied)
        share_passwords(tmp_path / "other", copied)
        for command in (("up", repo, "--once"), ("web",)):
            code, output = run(*command, "--home", copied, DATABASE_URL=server.make_address(OWNER))
            assert (code, "the ledger in the database is not that of" in output) == (3, True), output
        assert not (new / "postgres").exists()
        with psycopg.connect(server.make_address("muniment_super"), autocommit=True) as superuser:
            superuser.execute(b"DROP OWNED BY muniment_owner CASCADE")
            superuser.execute(b"CREATE SCHEMA IF NOT EXISTS public AUTHORIZATION muniment_owner")
        code, output = run("up", repo, "--once", "--home", new, DATABASE_URL=server.make_address(OWNER))
        assert (code, "the database is empty" in output) == (3, True), output


STARTING = {
    "up",
    "demo",
    "init",
    "restore",
    "web",
    "confirmation",
    "worker",
    "sequencer",
    "eraser",
}  # make or serve one
WITHOUT_DATABASE = {"hook install-pre-push", "hook post-receive", "vault init"}  # they read files, or a new vault
WORDS = {  # of commands that need some
    "backup": ("../copy",),
    "link": ("admin",),
    "vault unwatch": ("worker",),
    "environments apply": ("environments.toml",),
    "explain": ("review.two-reviewers",),
    "approve": ("HEAD",),
    "tests submit": ("HEAD", "--junit", "x.xml", "--pipeline", "ci"),
    "exception ask": ("e1", "--clause", "review.two-reviewers", "--reason", "x"),
    "exception sign": ("e1",),
    "hook pre-push": ("origin", "/nowhere"),
    "freeze": ("--reason", "x"),
    "unfreeze": ("f1",),
    "ledger exchange-key": ("--reason", "x"),
    "ledger export": ("../export",),
    "ledger prove": ("1",),
    "ledger raw": ("1",),
    "ledger reconcile": ("--reason", "x"),
    "home accept-row": ("people_person", "x", "--reason", "x"),
    "home erase": ("--person", "x", "--reason", "x"),
    "home move-database": ("external",),
}


def list_home_commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Commands with the option --home, each by its whole name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from list_home_commands(command, (*path, name))
        elif command is not None and any("--home" in option.opts for option in command.params):
            yield " ".join((*path, name))


@pytest.mark.slow
def test_every_command_that_names_a_home_finds_its_database_or_fails(used: tuple[Path, Path]) -> None:
    """Its database does not run: no command says that it is empty, begins another one, or ends well."""
    home, repo = used
    before = {path.name for path in home.iterdir()}
    names = [name for name in list_home_commands(commands.muniment) if name not in STARTING | WITHOUT_DATABASE]
    assert len(names) > 30
    wrong = []
    for name in names:
        code, output = run(*name.split(), *WORDS.get(name, ()), "--home", home, at=repo)
        if code == 0 or "Traceback" in output or "0 entries" in output:
            wrong.append(name)  # its output may have a password
    assert wrong == []
    assert {path.name for path in home.iterdir()} - {"cache"} == before
