"""Database logins: each process has its own with only its privileges, in the embedded and in an external database."""

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import ProgrammingError, connection
from psycopg import sql

from muniment.access.roles import Role
from muniment.errors import DatabaseError
from muniment.server.guarding import privileges
from muniment.server.guarding.database_passwords import LOGIN_FOLDER, find_password_file, write_password
from muniment.server.guarding.database_roles import DATABASE_ROLES, OPERATOR, OWNER, PROCESSES, WEB, WORKER
from muniment.server.guarding.privileges import ADD, CHANGE, DROP, READ
from muniment.server.requests.models import Request
from muniment.server.running import database_settings, embedded_postgres, home_database, operator_login
from muniment.server.running.embedded_postgres import EmbeddedPostgres
from muniment.server.running.installation_folder import make_installation_folder
from muniment.server.running.login_trials import try_logins
from tests.server.conftest import HOME
from tests.server.test_login_attacks import OF_EVERYBODY, OF_ONE
from tests.support.repos import Repo
from tests.support.running import Up, clean, muniment
from tests.support.service import as_role, person

TRUNCATE = "TRUNCATE"


def try_everything(url: str, role: str) -> list[str]:
    """Try each right on each table and column as a role; every answer that differs from the table's `privileges`."""
    wrong: list[str] = []
    with psycopg.connect(url, autocommit=True) as session:
        tables = session.execute(
            "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
            " AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a' GROUP BY 1"
        ).fetchall()
        assert len(tables) > 60
        known = privileges.list_privileges()
        for table, columns in tables:
            rights = known[table].list_rights(role) if table in known else {}
            for right, column, statement in _statements(table, columns):
                wanted = right in rights and (not column or not rights[right] or column in rights[right])
                if _is_permitted(session, statement) != wanted:
                    wrong.append(f"{role} {right} {table} {column}")
    return wrong


def _statements(table: str, columns: list[str]) -> Iterator[tuple[str, str, sql.Composed]]:
    """(right, column, statement): none of them changes a row."""
    where = sql.Identifier(table)
    yield READ, "", sql.SQL("SELECT 1 FROM {} LIMIT 0").format(where)
    yield DROP, "", sql.SQL("DELETE FROM {} WHERE false").format(where)
    yield TRUNCATE, "", sql.SQL("TRUNCATE {}").format(where)
    for column in columns:
        name = sql.Identifier(column)
        yield ADD, column, sql.SQL("INSERT INTO {} ({}) SELECT NULL WHERE false").format(where, name)
        yield CHANGE, column, sql.SQL("UPDATE {} SET {} = NULL WHERE false").format(where, name)


def _is_permitted(session: "psycopg.Connection[tuple[object, ...]]", statement: sql.Composed) -> bool:
    try:
        session.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("role", PROCESSES)
def test_each_login_has_exactly_declared_privileges(service: None, postgres: EmbeddedPostgres, role: str) -> None:
    assert try_everything(postgres.make_address(role), role) == []


@pytest.mark.parametrize("role", PROCESSES)
def test_login_cannot_change_to_another_role(service: None, postgres: EmbeddedPostgres, role: str) -> None:
    with psycopg.connect(postgres.make_address(role), autocommit=True) as session:
        for statement in (
            *(f"SET ROLE {other}" for other in DATABASE_ROLES if other != role),
            f"SET SESSION AUTHORIZATION {OWNER}",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())
        session.execute("SET ROLE NONE")
        assert session.execute("SELECT current_user, session_user").fetchone() == (role, role)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("CREATE TABLE t (a int)")


def test_login_requires_its_own_password(service: None, postgres: EmbeddedPostgres) -> None:
    own, other = (str(find_password_file(Path(postgres._home), role)) for role in (WEB, WORKER))
    url = postgres.make_address(WEB)
    for wrong in (url.replace(f"passfile={own}", ""), url.replace(own, other)):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)


def test_password_files_are_private_and_new_at_each_start(tmp_path: Path) -> None:
    found = []
    for _start in range(2):
        with EmbeddedPostgres(tmp_path / "postgres") as server:
            files = {role: find_password_file(tmp_path, role) for role in PROCESSES if role != OPERATOR}
            assert {file.stat().st_mode & 0o077 for file in files.values()} == {0}
            assert (tmp_path / LOGIN_FOLDER).stat().st_mode & 0o077 == 0
            found += [file.read_text() for file in files.values()]
            with psycopg.connect(server.make_address(WEB)):
                pass
    assert len(set(found)) == 2 * (len(PROCESSES) - 1)


@pytest.mark.parametrize("role", [OPERATOR, OWNER])
def test_operator_and_owner_of_embedded_database_have_no_password_that_another_account_could_use(
    tmp_path: Path, role: str
) -> None:
    write_password(tmp_path, role, "of-an-older-version")
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        assert not find_password_file(tmp_path, role).exists()
        assert "passfile" not in server.make_address(role)
        with psycopg.connect(server.make_address("muniment_super")) as superuser:
            stored = superuser.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,)).fetchone()
        assert stored == (None,)
        with psycopg.connect(server.make_address(role)) as session:
            assert session.execute("SELECT session_user").fetchone() == (role,)
        lines = server._identity_file.read_text().splitlines()
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert [line.split()[1] for line in lines if line.split()[2] == role] == [own]


def test_doctor_finds_excess_privilege(service: None) -> None:
    with as_role("owner"), connection.cursor() as cursor:
        assert privileges.find_deviations(cursor) == []
        cursor.execute(f"GRANT UPDATE (allowed) ON changes_decision TO {WEB}")
        cursor.execute("ALTER TABLE records_record DISABLE ROW LEVEL SECURITY")
        assert privileges.find_deviations(cursor) == [
            f"{WEB} may UPDATE changes_decision allowed",
            "what is checked of each record is not up to date",
        ]
        privileges.grant_privileges()
        assert privileges.find_deviations(cursor) == []


def test_forbidden_statements_are_tried_and_excess_is_named(service: None, postgres: EmbeddedPostgres) -> None:
    assert [trial.permitted for trial in try_logins(HOME)] == [()] * len(PROCESSES)
    with psycopg.connect(postgres.make_address("muniment_super"), autocommit=True) as superuser:
        superuser.execute(f"GRANT UPDATE (data), DELETE ON records_record TO {WEB}".encode())
        superuser.execute(f"GRANT {OWNER} TO {WORKER}".encode())
        try:
            found = {trial.login: trial.permitted for trial in try_logins(HOME)}
        finally:
            superuser.execute(f"REVOKE {OWNER} FROM {WORKER}".encode())
            superuser.execute(f"REVOKE UPDATE (data), DELETE ON records_record FROM {WEB}".encode())
    assert found.pop(WEB) == ("alter a record", "delete a record")
    assert "become the owner of the schema" in found.pop(WORKER)
    assert set(found.values()) == {()}


def test_login_with_unreadable_password_is_reported_as_not_tried(tmp_path: Path) -> None:
    (trial,) = [trial for trial in try_logins(tmp_path) if trial.login == WEB]
    assert (trial.tried, trial.problem) == (0, "this account cannot read its password")


# --- a server of the company's own --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def external_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """A server whose owner may create roles, prepared from a home; with that home."""
    folder = tmp_path_factory.mktemp("external_server")
    home = folder / "home"
    with pytest.MonkeyPatch.context() as patch, patched_access(patch), EmbeddedPostgres(folder / "postgres") as server:
        with psycopg.connect(server.make_address("muniment_super"), autocommit=True) as superuser:
            for role in PROCESSES:
                superuser.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
            superuser.execute(f"ALTER ROLE {OWNER} CREATEROLE".encode())
        make_installation_folder(home)
        code, output = prepare(server, home)
        assert code == 0, output
        yield server, home


@contextmanager
def patched_access(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the server let the operator in by its password alone, as a server of the company's own does."""
    by_account = ",".join(embedded_postgres._BY_ACCOUNT)
    lines = embedded_postgres._ACCESS.replace(f" {by_account} peer", f" {OWNER} peer")
    assert lines != embedded_postgres._ACCESS
    scram = f"local muniment {OPERATOR} scram-sha-256\nlocal all all reject"
    patch.setattr(embedded_postgres, "_ACCESS", lines.replace("local all all reject", scram))
    yield


def prepare(server: EmbeddedPostgres, home: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "muniment", "up", "--once", "--home", str(home), *options],
        env={**clean(), "DATABASE_URL": server.make_address(OWNER)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def address(server: EmbeddedPostgres, home: Path, role: str) -> str:
    if role == OPERATOR:
        password = operator_login.obtain_password(home, {"DATABASE_URL": server.make_address(OWNER)})
        return f"postgresql://{role}:{password}@/muniment?host={server.socket_folder}"
    return f"postgresql://{role}@/muniment?host={server.socket_folder}&passfile={find_password_file(home, role)}"


@pytest.mark.parametrize("role", PROCESSES)
@pytest.mark.slow
def test_external_server_gives_each_login_only_its_privileges(
    external_server: tuple[EmbeddedPostgres, Path], role: str
) -> None:
    server, home = external_server
    assert try_everything(address(server, home, role), role) == []
    with psycopg.connect(address(server, home, role), autocommit=True) as session:
        session.execute("SET ROLE NONE")
        assert session.execute("SELECT current_user").fetchone() == (role,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"SET ROLE {OWNER}".encode())


@pytest.mark.slow
def test_commands_find_external_server_by_home(external_server: tuple[EmbeddedPostgres, Path]) -> None:
    server, home = external_server
    code, output = muniment("doctor", "--home", home)  # without DATABASE_URL, and nothing runs
    assert (code, "no `muniment up` runs on" in output) == (1, True), output
    code, output = muniment("doctor", "--home", home, DATABASE_URL=server.make_address(OWNER))
    assert code == 1, output
    assert "schema: it is up to date" in output
    for role in PROCESSES:
        assert f"login {role}: it was refused each of" in output
    assert OWNER not in (home / home_database.DATABASE_MARK).read_text()


@pytest.mark.slow
def test_operator_of_external_server_has_no_stored_password(external_server: tuple[EmbeddedPostgres, Path]) -> None:
    server, home = external_server
    write_password(home, OPERATOR, "of-an-older-version")
    assert prepare(server, home)[0] == 0
    assert not find_password_file(home, OPERATOR).exists()
    with psycopg.connect(server.make_address("muniment_super")) as superuser:
        superuser.execute(f"ALTER ROLE {OPERATOR} PASSWORD 'of-an-older-version'".encode())
    assert prepare(server, home)[0] == 0
    with psycopg.connect(address(server, home, OPERATOR)) as session:
        assert session.execute("SELECT session_user").fetchone() == (OPERATOR,)
    with psycopg.connect(server.make_address("muniment_super")) as superuser:
        ends = superuser.execute(
            "SELECT rolvaliduntil BETWEEN now() AND now() + interval '10 minutes' FROM pg_roles WHERE rolname = %s",
            [OPERATOR],
        ).fetchone()
    assert ends == (True,)
    for file in (path for path in home.rglob("*") if path.is_file()):
        assert f"{OPERATOR}:".encode() not in file.read_bytes(), file


@pytest.mark.slow
def test_commands_that_draw_a_password_at_once_do_not_shut_each_other_out(
    external_server: tuple[EmbeddedPostgres, Path],
) -> None:
    server, home = external_server
    environment = {"DATABASE_URL": server.make_address(OWNER)}
    together = threading.Barrier(6)

    def draw_and_connect() -> object:
        together.wait(60)
        with operator_login.lock_connecting(home, environment), psycopg.connect(address(server, home, OPERATOR)) as one:
            return one.execute("SELECT session_user").fetchone()

    with ThreadPoolExecutor(6) as pool:
        for _time in range(3):
            found = [one.result(60) for one in [pool.submit(draw_and_connect) for _command in range(6)]]
            assert found == [(OPERATOR,)] * 6


@pytest.mark.slow
def test_commands_connect_through_supervisor_of_external_server(
    external_server: tuple[EmbeddedPostgres, Path], tmp_path: Path
) -> None:
    server, home = external_server
    repo = Repo(tmp_path / "shop")
    repo.commit({"app.py": "x = 1\n"})
    up = Up(home, repo.path, migrated=False, DATABASE_URL=server.make_address(OWNER))
    try:
        socket_file = operator_login._find_socket(home)
        assert (socket_file.stat().st_mode & 0o077, socket_file.parent.stat().st_mode & 0o077) == (0, 0)
        for _time in range(2):
            code, output = muniment("link", "admin", "--home", home)
            assert (code, "/welcome/" in output) == (0, True), output
        code, output = muniment("backup", tmp_path / "backup", "--home", home)
        assert code == 0, output
        _code, output = muniment("doctor", "--home", home)
        for role in PROCESSES:
            assert f"login {role}: it was refused each of" in output, output
        without_owner = {"DATABASE_URL": home_database.read_stored_address(home)}
        drawn = operator_login.obtain_password(home, without_owner)
        assert drawn == operator_login.obtain_password(home, without_owner)  # one for commands at the same moment
        address(server, home, OPERATOR)  # the owner draws another meanwhile
        assert operator_login.obtain_password(home, without_owner) != drawn
        assert muniment("ledger", "show", "--home", home)[0] == 0
    finally:
        up.end()
    code, output = muniment("link", "admin", "--home", home)
    assert (code, "no `muniment up` runs on" in output) == (3, True), output


def test_supervisor_gives_no_password_to_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_login, "draw_password", lambda owner: "drawn")
    environment = {"DATABASE_URL": "postgresql://owner@db.example.test/muniment"}
    with operator_login.listen_for_commands(tmp_path, environment) as passwords:
        assert passwords is not None
        for account, given in ((os.geteuid(), "drawn"), (os.geteuid() + 1, "")):
            monkeypatch.setattr(operator_login, "_read_peer", lambda request, account=account: account)
            with ThreadPoolExecutor() as pool:
                answer = pool.submit(operator_login._ask_supervisor, tmp_path)
                while not answer.done():
                    passwords.answer_requests()
            assert answer.result() == given
    assert operator_login._ask_supervisor(tmp_path) == ""


def test_supervisor_refuses_folder_of_another_account(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "operator").symlink_to(tmp_path / "elsewhere")
    environment = {"DATABASE_URL": "postgresql://owner@db.example.test/muniment"}
    with (
        pytest.raises(DatabaseError, match="belongs to somebody else"),
        operator_login.listen_for_commands(tmp_path, environment),
    ):
        pass


def test_embedded_database_needs_no_password_of_operator(tmp_path: Path) -> None:
    with operator_login.listen_for_commands(tmp_path, {}) as passwords:
        assert passwords is None
    assert not operator_login.needs_password({"MUNIMENT_ROLE": "operator"})


@pytest.mark.slow
def test_login_cannot_create_temporary_tables_at_external_server(
    external_server: tuple[EmbeddedPostgres, Path],
) -> None:
    server, home = external_server
    with psycopg.connect(server.make_address("muniment_super"), autocommit=True) as superuser:
        superuser.execute("GRANT TEMPORARY ON DATABASE muniment TO PUBLIC")
    assert prepare(server, home)[0] == 0
    with (
        psycopg.connect(address(server, home, WEB), autocommit=True) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute("CREATE TEMPORARY TABLE t ()")


@pytest.mark.slow
def test_refuses_second_home_without_passwords_and_replaces_them_on_request(
    external_server: tuple[EmbeddedPostgres, Path], tmp_path: Path
) -> None:
    server, home = external_server
    other = tmp_path / "other"
    make_installation_folder(other)
    code, output = prepare(server, other)
    assert code == 3
    assert "this home does not have its password" in output
    before = find_password_file(home, WEB).read_text()
    code, output = prepare(server, home, "--new-passwords")
    assert code == 0, output
    assert find_password_file(home, WEB).read_text() != before
    with psycopg.connect(address(server, home, WEB)):
        pass


@pytest.mark.parametrize("role", PROCESSES)
@pytest.mark.slow
def test_external_server_refuses_statements_of_an_attacker(
    external_server: tuple[EmbeddedPostgres, Path], role: str
) -> None:
    """The same statements as at the embedded one, but for large objects: there only its superuser can forbid them."""
    server, home = external_server
    permitted = []
    with psycopg.connect(address(server, home, role), autocommit=True) as session:
        for statement in (*OF_EVERYBODY, *OF_ONE[role]):
            try:
                with session.transaction(force_rollback=True):
                    session.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.Error as error:  # it was permitted, or is no attack any more
                permitted.append(str(error))
            permitted.append(statement)
    assert [one for one in permitted if not one.startswith("SELECT lo_")] == []


@pytest.mark.slow
def test_settings_that_a_login_gave_itself_end_at_the_next_start_of_external_server(
    external_server: tuple[EmbeddedPostgres, Path],
) -> None:
    server, home = external_server
    with psycopg.connect(address(server, home, WEB), autocommit=True) as session:
        session.execute("ALTER ROLE CURRENT_USER SET statement_timeout = 1")
        session.execute("ALTER ROLE CURRENT_USER IN DATABASE muniment SET search_path = nowhere")
    assert prepare(server, home)[0] == 0
    with psycopg.connect(address(server, home, WEB), autocommit=True) as session:
        assert session.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert session.execute("SHOW search_path").fetchone() != ("nowhere",)


def test_process_settings_contain_no_owner_credentials(tmp_path: Path) -> None:
    environment = {
        "MUNIMENT_ROLE": "web",
        "DATABASE_URL": "postgresql://owner:s3cret@db.example.test/muniment?sslmode=require",
    }
    found = database_settings.make_django_settings(tmp_path, environment)
    assert (found["USER"], found["PASSWORD"]) == (WEB, "")
    assert "s3cret" not in str(found)
    stripped = database_settings.strip_credentials(environment["DATABASE_URL"])
    assert stripped == "postgresql://db.example.test/muniment?sslmode=require"


# --- requests -----------------------------------------------------------------------------------------------


def create_request(state: str = "waiting") -> Request:
    asker = person("ada", Role.ADMIN)
    with as_role("owner"):
        return Request.objects.create(action="grant-role", act="{}", state=state, requester=asker)


@pytest.mark.parametrize(
    ("role", "state", "changed"),
    [
        ("worker", "waiting", {"state": "withdrawn"}),
        ("eraser", "approved", {"state": "waiting"}),
        ("eraser", "approved", {"act": "{}!"}),
        ("eraser", "waiting", {"state": "approved"}),
        ("eraser", "waiting", {"act": '{"other":1}'}),
        ("web", "rejected", {"state": "waiting"}),
        ("web", "waiting", {"act": '{"other":1}'}),
        ("web", "waiting", {"digest": "sha256:1"}),
        ("web", "waiting", {"requester": "bob"}),
    ],
)
def test_request_refuses_forbidden_change_of_state_or_content(
    service: None, role: str, state: str, changed: dict[str, str]
) -> None:
    row = create_request(state)
    person("bob", Role.ADMIN)
    with as_role(role), pytest.raises(ProgrammingError, match=r"is not changed|permission denied"):
        Request.objects.filter(pk=row.pk).update(**changed)


def test_waiting_request_is_approved_by_web_and_withdrawn_by_eraser(service: None) -> None:
    row = create_request()
    with as_role("eraser"):
        Request.withdraw_waiting(Request.objects.all())
    row.refresh_from_db()
    assert (row.state, row.act) == ("withdrawn", "")
    with as_role("eraser"):
        Request.objects.filter(pk=row.pk).update(summary="(erased)")
    other = create_request()
    with as_role("web"):
        Request.objects.filter(pk=other.pk).update(state="approved", act="", second_person="ada")
