"""Tries as each login what it must not be able to do. No statement changes anything, even where it is permitted.

Where each process has an account of its own, a child with that account tries its login: only it reads the password.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from muniment.errors import DatabaseError
from muniment.server.guarding.database_passwords import find_password_file
from muniment.server.guarding.database_roles import (
    CONFIRMATION,
    ERASER,
    OPERATOR,
    OWNER,
    PROCESSES,
    ROLE_PREFIX,
    SEQUENCER,
    WEB,
    WORKER,
)
from muniment.server.running import database_settings, operator_login
from muniment.server.running.mount_view import cover_closed_folders, find_closed_folders
from muniment.server.running.process_separation import find_needed_paths
from muniment.server.running.process_system_accounts import ProcessAccount, find_process_account

_ALTER_RECORD = "alter a record", "UPDATE records_record SET data = data WHERE false"
_DELETE_RECORD = "delete a record", "DELETE FROM records_record WHERE false"
_DECIDE = "insert a decision", "INSERT INTO changes_decision (allowed) SELECT NULL WHERE false"
_PLACE = "assign a record its position", "UPDATE records_recordposition SET position = 0 WHERE false"
_SIGN = "write a checkpoint", "UPDATE records_ledgerhead SET checkpoint = NULL WHERE false"
_ADD_PERSON = "add a person", "INSERT INTO people_person (slug) SELECT NULL WHERE false"
_GRANT = "grant a role", "INSERT INTO people_rolegrant (role) SELECT NULL WHERE false"
_POLICY = "bring a policy into force", "UPDATE policies_policyversion SET in_force = true WHERE false"
_ENROL = "enrol a second factor", "INSERT INTO mfa_authenticator (type) SELECT NULL WHERE false"
_SESSION = "begin a session", "INSERT INTO django_session (session_key) SELECT NULL WHERE false"

TEMPORARY_TABLE = "create a temporary table"
_ALL = (
    ("create a table", "CREATE TABLE muniment_trial ()"),
    (TEMPORARY_TABLE, "CREATE TEMPORARY TABLE muniment_trial ()"),
    ("become the owner of the schema", f"SET ROLE {OWNER}"),
    ("read the logins' passwords", "SELECT rolpassword FROM pg_authid LIMIT 0"),
    ("start a program", "COPY (SELECT 1) TO PROGRAM 'true'"),
    _ALTER_RECORD,
    _DELETE_RECORD,
)
_OWN: Mapping[str, tuple[tuple[str, str], ...]] = {
    WEB: (_DECIDE, _PLACE, _SIGN),
    WORKER: (_PLACE, _SIGN, _ADD_PERSON, _GRANT, _POLICY, _ENROL, _SESSION),
    CONFIRMATION: (_DECIDE, _PLACE, _SIGN, _ADD_PERSON, _GRANT, _POLICY, _ENROL, _SESSION),
    SEQUENCER: (_DECIDE, _ADD_PERSON, _GRANT, _POLICY, _ENROL, _SESSION),
    ERASER: (_DECIDE, _PLACE, _SIGN, _ADD_PERSON, _GRANT, _POLICY, _ENROL, _SESSION),
    OPERATOR: (_DECIDE, _PLACE, _SIGN, _ENROL, _SESSION),
}
_SECONDS = 5


class LoginTrial(NamedTuple):
    """Result of the trials of one login: `permitted` names what it could do; `problem` is the reason why nothing
    was tried.
    """

    login: str
    tried: int
    permitted: tuple[str, ...] = ()
    problem: str = ""


def try_logins(home: Path) -> list[LoginTrial]:
    """Try every login of a process."""
    return [try_login(home, role) for role in PROCESSES]


def try_login(home: Path, role: str) -> LoginTrial:
    """Try one login. The operator has no stored password; every other has one in the home."""
    account = find_process_account(role.replace("_", "-")) if role != OPERATOR and os.geteuid() == 0 else None
    if account is not None and _is_owner(account, find_password_file(home, role)):
        return _try_in_child(home, role, account)
    return _try_here(home, role)


def _is_owner(account: ProcessAccount, file: Path) -> bool:
    try:
        return file.stat().st_uid == account.user
    except OSError:
        return False


def _try_in_child(home: Path, role: str, account: ProcessAccount) -> LoginTrial:
    """Try one login in a child that runs as this account."""
    output, child_output = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _become_account(home, account)
            os.write(child_output, json.dumps(_try_here(home, role)).encode())
            code = 0
        finally:
            os._exit(code)  # no handler of this process runs twice, and its connections stay open
    os.close(child_output)
    with open(output, "rb") as stream:
        found = stream.read()
    if os.waitpid(pid, 0)[1] != 0:
        return LoginTrial(role, 0, problem=f"no process can be started as {account.name}")
    login, tried, permitted, problem = json.loads(found)
    return LoginTrial(login, tried, tuple(permitted), problem)


def _become_account(home: Path, account: ProcessAccount) -> None:
    """Run as this account from now on, with the home at its place also below a folder that is closed to it."""
    closed = find_closed_folders(find_needed_paths(home, (), {}), [account])
    if closed:
        cover_closed_folders(closed)
    os.setgroups(account.groups)
    os.setresgid(account.group, account.group, account.group)
    os.setresuid(account.user, account.user, account.user)


def _try_here(home: Path, role: str) -> LoginTrial:
    if role != OPERATOR and not os.access(find_password_file(home, role), os.R_OK):
        return LoginTrial(role, 0, problem="this account cannot read its password")
    statements = (*_ALL, *_OWN[role])
    try:
        with psycopg.connect(**_make_connection_parameters(home, role), connect_timeout=_SECONDS) as session:
            permitted = tuple(name for name, statement in statements if _is_permitted(session, statement))
            session.rollback()
    except (psycopg.Error, DatabaseError) as error:
        return LoginTrial(
            role, 0, problem=str(error).strip().splitlines()[0] if str(error).strip() else "it gave no reason"
        )
    return LoginTrial(role, len(statements), permitted)


def _is_permitted(session: "psycopg.Connection[tuple[Any, ...]]", statement: str) -> bool:
    """Whether a login may do it. What fails for another reason than a missing right is no refusal: psycopg.Error."""
    try:
        with session.transaction(force_rollback=True):
            session.execute(sql.SQL(statement))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def _make_connection_parameters(home: Path, role: str) -> dict[str, Any]:
    environment = {**os.environ, database_settings.ROLE_VARIABLE: role.removeprefix(ROLE_PREFIX)}
    found = operator_login.add_password(database_settings.make_django_settings(home, environment), home, environment)
    names = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
    options = {name: value for name, value in found["OPTIONS"].items() if name != "connect_timeout"}
    options["options"] = f"{options.get('options', '')} -c lock_timeout={_SECONDS}s".strip()  # a migration may hold it
    return {**options, **{names[name]: found[name] for name in names if found[name]}}
