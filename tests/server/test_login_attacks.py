"""Attacks with the login of each process: statements of PostgreSQL that no right on a table is about."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from procrastinate import PsycopgConnector

from muniment.access.roles import Role
from muniment.server.changes.models import Change
from muniment.server.connections.models import Connection, FirstPush, ReviewStatement
from muniment.server.guarding.database_roles import (
    CONFIRMATION,
    CONNECTION_LIMITS,
    ERASER,
    OPERATOR,
    OWNER,
    PROCESSES,
    SEQUENCER,
    WEB,
    WORKER,
)
from muniment.server.incidents import kinds
from muniment.server.incidents.lifecycle import open_incident
from muniment.server.incidents.models import Incident
from muniment.server.products.models import Repository
from muniment.server.requests.models import Request
from muniment.server.running.backup_and_restore import _dump_database
from muniment.server.running.embedded_postgres import _SETTINGS, EmbeddedPostgres
from muniment.server.running.worker_slots import _WaitingJobs
from tests.support.service import as_role, person, product

pytestmark = pytest.mark.usefixtures("service")

Session = psycopg.Connection[tuple[Any, ...]]
DENIED = psycopg.errors.InsufficientPrivilege

OF_EVERYBODY = (
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "COPY (SELECT 1) TO '/tmp/muniment-attack'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "CREATE SCHEMA attack",
    "CREATE TEMPORARY TABLE attack ()",
    "CREATE FUNCTION public.attack() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE PUBLICATION attack",
    "SET session_replication_role = replica",
    "SELECT passwd FROM pg_shadow",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT setval('records_record_id_seq', 1)",
    "ALTER TABLE records_record DISABLE TRIGGER ALL",
    "ALTER TABLE records_record DISABLE ROW LEVEL SECURITY",
    "DROP POLICY read_all ON records_record",
    "LOCK TABLE records_record IN SHARE MODE",
    "UPDATE records_record SET writer = writer",
    "INSERT INTO records_record (kind, recorded_at, details_digest, data, writer) VALUES ('x', now(), '', '', 'x')",
    "GRANT muniment_owner TO CURRENT_USER",
    "REASSIGN OWNED BY muniment_owner TO CURRENT_USER",
)
_RECORD = "INSERT INTO records_record (kind, recorded_at, details_digest, data) VALUES ('{}', now(), '', '\\x7b7d')"
OF_ONE = {
    WEB: (
        *(_RECORD.format(kind) for kind in ("decision", "operator-action", "erasure", "incident")),
        "UPDATE requests_proofverification SET carried_out_at = NULL",
        "INSERT INTO requests_proofverification (request_id, verified_at) VALUES (1, now())",
        "INSERT INTO requests_provenrow (record_id, \"table\", key) VALUES (1, 'people_rolegrant', '1')",
        "INSERT INTO requests_actproof (request_id, step, signer_id) VALUES (1, 'approve', 'ada')",
        "UPDATE requests_acceptedrow SET facts = '{}'",
        "INSERT INTO people_authenticatornotice (authenticator_id, removal, notified_at) VALUES (1, false, '2020-1-1')",
        "UPDATE people_enrolledauthenticator SET public_key = 'x'",
        "UPDATE people_enrolledauthenticator SET enrolled_at = '2020-01-01'",
        "UPDATE requests_request SET requester_id = 'mal'",
        "UPDATE requests_request SET requested_at = now()",
        "UPDATE requests_requestexecution SET record_id = 1",
        "DELETE FROM requests_requestexecution",
        "UPDATE records_rowstate SET commitment = 'x'",
        "DELETE FROM people_rolegrant",
        "INSERT INTO people_forgeaccount (account_id, number) VALUES (1, '1')",
        "DELETE FROM people_forgeaccount",
        "UPDATE people_message SET text = 'x'",
        "UPDATE people_message SET sent_at = now()",
        "DELETE FROM people_message",
        "DELETE FROM secrets_secret",
        "UPDATE connections_connection SET url = 'https://evil.example.test'",
        "UPDATE procrastinate_jobs SET args = '{}'",
        "DELETE FROM procrastinate_jobs",
        "INSERT INTO records_signedpermission DEFAULT VALUES",
    ),
    WORKER: (
        *(_RECORD.format(kind) for kind in ("person-action", "operator-action", "erasure")),
        "SELECT value FROM muniment_cache",
        "SELECT session_data FROM django_session",
        "UPDATE people_person SET active = true",
        "UPDATE people_rolegrant SET ended_at = NULL",
        "UPDATE policies_policyversion SET in_force = true",
        "INSERT INTO policies_policyversion (text, in_force) VALUES ('x', true)",
        "UPDATE people_account SET value = 'x'",
        "UPDATE requests_request SET state = 'approved'",
        "INSERT INTO requests_actproof (request_id, step, signer_id) VALUES (1, 'approve', 'ada')",
        "UPDATE requests_proofverification SET approval_proof_id = 1",
        "UPDATE requests_proofverification SET statement_digest = 'x'",
        "DELETE FROM requests_provenrow",
        "UPDATE changes_decision SET allowed = true",
        "INSERT INTO records_signedpermission DEFAULT VALUES",
        "UPDATE products_repository SET path = '/'",
        "UPDATE connections_connection SET url = 'https://evil.example.test'",
    ),
    CONFIRMATION: (
        *(_RECORD.format(kind) for kind in ("person-action", "decision")),
        "SELECT act FROM requests_request",
        "SELECT statement FROM requests_actproof",
        "SELECT public_key FROM people_enrolledauthenticator",
        "SELECT name FROM people_person",
        "SELECT session_data FROM django_session",
        "SELECT data FROM records_record",
        "INSERT INTO requests_actproof (request_id, step, made_at) VALUES (1, 'approve', '2020-01-01')",
        "UPDATE requests_actproof SET signature = 'x'",
        "DELETE FROM requests_actproof",
        "INSERT INTO procrastinate_jobs (task_name) VALUES ('x')",
        "UPDATE requests_request SET state = 'approved'",
        "INSERT INTO people_enrolledauthenticator (person_id) VALUES ('ada')",
        "SELECT value FROM muniment_cache",
    ),
    SEQUENCER: (
        *(_RECORD.format(kind) for kind in ("person-action", "decision", "operator-action", "erasure")),
        "SELECT session_data FROM django_session",
        "SELECT name FROM people_person",
        "SELECT act FROM requests_request",
        "UPDATE changes_decision SET allowed = true",
        "INSERT INTO people_rolegrant (person_id, role) VALUES ('mal', 'admin')",
        "INSERT INTO records_rowstate (record_id) VALUES (1)",
        "INSERT INTO records_signingrequest (id) VALUES (1)",
        "DELETE FROM records_refusedrecord",
        "INSERT INTO records_recordposition (record_id, position) VALUES (1, 1)",
        "UPDATE records_document SET data = 'x'",
        "DELETE FROM records_storedobject",
    ),
    ERASER: (
        *(_RECORD.format(kind) for kind in ("person-action", "decision", "operator-action")),
        "UPDATE people_person SET active = true",
        "UPDATE people_person SET erasure_approved_at = now()",
        "UPDATE people_person SET approvals_suspended_until = NULL",
        "INSERT INTO people_person (id, slug) VALUES ('x', 'x')",
        "UPDATE people_rolegrant SET ended_at = NULL",
        "DELETE FROM people_rolegrant",
        "UPDATE people_account SET value = 'x'",
        "UPDATE requests_actproof SET signature = 'x'",
        "UPDATE requests_proofverification SET approval_proof_id = 1",
        "UPDATE policies_policyversion SET in_force = true",
        "INSERT INTO mfa_authenticator (type) VALUES ('totp')",
        "INSERT INTO django_session (session_key) VALUES ('x')",
        "DELETE FROM records_record",
        "DELETE FROM records_rowstate",
    ),
    OPERATOR: (
        *(_RECORD.format(kind) for kind in ("person-action", "decision", "erasure")),
        "UPDATE people_person SET password = 'x'",
        "UPDATE people_person SET active = true",
        "UPDATE people_rolegrant SET role = 'admin'",
        "INSERT INTO mfa_authenticator (type) VALUES ('totp')",
        "DELETE FROM mfa_authenticator",
        "INSERT INTO django_session (session_key) VALUES ('x')",
        "INSERT INTO people_account (person_id, kind, value) VALUES ('mal', 'email', 'x')",
        "INSERT INTO people_enrolledauthenticator (person_id) VALUES ('ada')",
        "UPDATE requests_request SET state = 'approved'",
        "INSERT INTO requests_requestexecution (request_id, record_id) VALUES (1, 1)",
        "UPDATE incidents_incident SET closed_at = now()",
        "UPDATE changes_decision SET allowed = true",
        "DELETE FROM records_erasure",
        "UPDATE procrastinate_jobs SET args = '{}'",
        "UPDATE procrastinate_events SET at = now()",
    ),
}


@contextmanager
def login(postgres: EmbeddedPostgres, role: str) -> Iterator[Session]:
    session = psycopg.connect(postgres.make_address(role), autocommit=True)
    try:
        yield session
    finally:
        session.close()


@pytest.mark.parametrize("role", PROCESSES)
def test_login_is_refused_statements_of_an_attacker(postgres: EmbeddedPostgres, role: str) -> None:
    person("ada", Role.ADMIN)
    permitted = []
    with login(postgres, role) as session:
        for statement in (*OF_EVERYBODY, *OF_ONE[role]):
            try:
                with session.transaction(force_rollback=True):
                    session.execute(statement.encode())
            except DENIED:
                continue
            except psycopg.Error as error:  # it was permitted, or is no attack any more
                permitted.append(str(error))
            permitted.append(statement)
    assert permitted == []


def test_login_of_the_schema_owner_reads_no_file_and_makes_no_superuser(postgres: EmbeddedPostgres) -> None:
    """The migration runs with it: it changes the schema, and nothing of the server."""
    with login(postgres, OWNER) as session:
        for statement in (
            *("SELECT pg_read_file('/etc/passwd')", "SELECT rolpassword FROM pg_authid", "SELECT lo_create(0)"),
            *("COPY (SELECT 1) TO PROGRAM 'true'", "CREATE ROLE attack", "ALTER ROLE muniment_web SUPERUSER"),
            *(
                "ALTER ROLE muniment_web PASSWORD 'x'",
                "CREATE DATABASE attack",
                "ALTER SYSTEM SET log_statement = 'all'",
            ),
            *("SET session_replication_role = replica", "SELECT pg_ls_dir('.')", "SET ROLE muniment_sequencer"),
            *("GRANT muniment_web TO muniment_worker", "SELECT * FROM pg_hba_file_rules", "SELECT pg_reload_conf()"),
        ):
            with pytest.raises(DENIED):
                session.execute(statement.encode())


def test_settings_that_a_login_gave_itself_end_at_the_next_start(postgres: EmbeddedPostgres) -> None:
    with login(postgres, WEB) as session:
        session.execute("ALTER ROLE CURRENT_USER SET statement_timeout = 1")
    postgres._make_roles()
    with login(postgres, WEB) as session:
        assert session.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_large_object_of_a_process_does_not_stop_a_backup(postgres: EmbeddedPostgres) -> None:
    """On a database server elsewhere every login can make one."""
    with login(postgres, "muniment_super") as session:
        made = session.execute("SELECT lo_from_bytea(0, 'x')").fetchone()
        assert made is not None
        try:
            with as_role("operator"), login(postgres, OPERATOR) as snapshot, snapshot.transaction():
                (name,) = snapshot.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
                assert _dump_database(name)
        finally:
            session.execute("SELECT lo_unlink(%s)", made)


@pytest.mark.parametrize("active", [True, False])
def test_eraser_login_gives_nobody_another_handle_or_address(postgres: EmbeddedPostgres, *, active: bool) -> None:
    someone = person("ada", Role.ADMIN)
    with as_role("owner"):
        type(someone).objects.filter(pk="ada").update(active=active)
    with login(postgres, ERASER) as session:
        for values in (
            "slug = 'bob'",
            "email = 'mal@example.test'",
            "name = 'Bob'",
            "slug = 'erased-x', email = 'x@y'",
        ):
            with pytest.raises(DENIED, match="renames nobody"):
                session.execute(f"UPDATE people_person SET {values} WHERE id = 'ada'".encode())
        erased = b"UPDATE people_person SET slug = 'erased-x', name = '', email = NULL WHERE id = 'ada'"
        if active:
            with pytest.raises(DENIED):
                session.execute(erased)
        else:
            session.execute(erased)


def test_eraser_login_deletes_no_open_incident_and_names_no_pusher(postgres: EmbeddedPostgres) -> None:
    with as_role("owner"):
        forge = Connection.objects.create(slug="forge", vendor="github", url="https://forge.example.test")
        FirstPush.objects.create(connection=forge, commit="a" * 40, account_id="1", login="ada")
    with as_role("worker"):
        open_incident(kinds.VAULT_READ, None, "reader:x", "x read a secret")
    with login(postgres, ERASER) as session:
        with pytest.raises(DENIED, match="open incident"):
            session.execute("DELETE FROM incidents_incident")
        with pytest.raises(DENIED, match="names nobody"):
            session.execute("UPDATE connections_firstpush SET account_id = '2', login = 'bob'")
        session.execute("UPDATE connections_firstpush SET account_id = '', login = '', unknown_reason = 'erased'")
    with as_role("owner"):
        Incident.objects.update(closed_at=timezone.now())
    with login(postgres, ERASER) as session:
        session.execute("DELETE FROM incidents_incident")


def test_eraser_login_deletes_no_statement_on_an_open_change(postgres: EmbeddedPostgres) -> None:
    sam, shop = person("sam", Role.SECURITY), product("shop")
    with as_role("owner"):
        repository = Repository.objects.create(product=shop, name="shop", path="/srv/shop")
        change = Change.objects.create(
            repository=repository, name="1", target="main", head="a" * 40, state="open", updated_at=timezone.now()
        )
        ReviewStatement.objects.create(
            change=change, person=sam, head="a" * 40, target="main", kind="blocked", act_digest="x"
        )
    with login(postgres, ERASER) as session, pytest.raises(DENIED, match="open change"):
        session.execute("DELETE FROM connections_reviewstatement")
    with as_role("owner"):
        Change.objects.update(state="merged")
    with login(postgres, ERASER) as session:
        session.execute("DELETE FROM connections_reviewstatement")


@pytest.mark.parametrize("role", [WEB, ERASER])
def test_login_rewords_no_request_that_waits(postgres: EmbeddedPostgres, role: str) -> None:
    """The approver reads the sentence on the page: it has to be that of the act."""
    person("mal", Role.ADMIN)
    with as_role("owner"):
        Request.objects.create(
            action="grant-role", summary="Grant admin.", reason="-", requester_id="mal", requested_at=timezone.now()
        )
    with login(postgres, role) as session, pytest.raises(DENIED):
        session.execute("UPDATE requests_request SET summary = 'Grant auditor.'")


@pytest.mark.parametrize("role", [WEB, ERASER])
def test_login_leaves_the_others_their_connections(postgres: EmbeddedPostgres, role: str) -> None:
    """More connections than a login may have are refused, and another login still connects."""
    with ExitStack() as stack:
        for _connection in range(CONNECTION_LIMITS[role] - 1):  # the service of the tests may have one
            stack.enter_context(login(postgres, role))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            [stack.enter_context(login(postgres, role)) for _connection in range(2)]
        with login(postgres, SEQUENCER) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)
    assert sum(CONNECTION_LIMITS.values()) < int(_SETTINGS["max_connections"])


def test_forged_notification_neither_ends_a_worker_nor_a_job(postgres: EmbeddedPostgres) -> None:
    """Every login may notify the queue: the worker then looks into it, and believes nothing of the message."""
    received: list[object] = []

    async def notify() -> None:
        connector = PsycopgConnector(conninfo=postgres.make_address(WORKER))

        async def receive(**values: object) -> None:
            received.append(values["notification"])

        await connector.open_async()
        try:
            listening = asyncio.create_task(_WaitingJobs(connector).listen_for_jobs(on_notification=receive))
            while len(received) < len(_FORGED):
                await asyncio.sleep(0.05)
                if listening.done():
                    listening.result()
                if not received:
                    with login(postgres, WEB) as session:
                        for payload in _FORGED:
                            session.execute("SELECT pg_notify('procrastinate_any_queue_v1', %s)", (payload,))
            listening.cancel()
        finally:
            await connector.close_async()

    asyncio.run(asyncio.wait_for(notify(), 60))
    assert received[0] == {"type": "job_inserted"}
    assert received.count(received[0]) == len(received)


_FORGED = ("no JSON", "[]", '{"type": "abort_job_requested", "job_id": 1}')
