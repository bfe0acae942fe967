"""Rights of each database role on each table: the second layer, enforced by PostgreSQL (design, section 8).

Each model declares them as `privileges`; a model without them prevents the start. Tables of other apps are in
`OTHERS`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.apps import apps
from django.db import connection, models
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from muniment.server.guarding import row_security
from muniment.server.guarding.database_roles import ERASER, OPERATOR, PROCESSES, ROLE_PREFIX

READ, ADD, CHANGE, DROP = "SELECT", "INSERT", "UPDATE", "DELETE"
_ALL = (READ, ADD, CHANGE, DROP)


class Privileges(NamedTuple):
    """Rights of each role on one table. The operator may read every table: it makes backups. So may the eraser: it
    searches for traces, and erases in the columns in which people write freely (`free_texts`).

    `ROLE_adds` limits an INSERT to these columns. `ROLE_changes` limits an UPDATE to these columns; for the worker it
    also grants it.
    """

    web: tuple[str, ...]
    worker: tuple[str, ...]
    web_adds: tuple[str, ...] = ()
    worker_changes: tuple[str, ...] = ()
    worker_adds: tuple[str, ...] = ()
    web_changes: tuple[str, ...] = ()
    sequencer: tuple[str, ...] = ()
    sequencer_adds: tuple[str, ...] = ()
    sequencer_changes: tuple[str, ...] = ()
    eraser: tuple[str, ...] = ()
    eraser_adds: tuple[str, ...] = ()
    eraser_changes: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    operator_adds: tuple[str, ...] = ()
    operator_changes: tuple[str, ...] = ()
    confirmation: tuple[str, ...] = ()
    confirmation_adds: tuple[str, ...] = ()

    def list_rights(self, role: str) -> dict[str, tuple[str, ...]]:
        """Rights of a role, each with the columns that it is limited to; () for all columns."""
        name = role.removeprefix(ROLE_PREFIX)
        adds: tuple[str, ...] = getattr(self, f"{name}_adds", ())
        changes: tuple[str, ...] = getattr(self, f"{name}_changes", ())
        rights = {right: {ADD: adds, CHANGE: changes}.get(right, ()) for right in getattr(self, name)}
        if changes:
            rights[CHANGE] = changes
        if role in (OPERATOR, ERASER):
            rights[READ] = ()
        return rights


_SIGN_IN = Privileges(_ALL, (READ,), eraser=(DROP,))
_QUEUE = Privileges((READ, ADD), _ALL, operator=(ADD,), eraser=(ADD, DROP))
OTHERS = {
    "auth_permission": Privileges((READ,), (READ,)),
    "auth_group": Privileges((READ,), (READ,)),
    "auth_group_permissions": Privileges((READ,), (READ,)),
    "django_content_type": Privileges((READ,), (READ,)),
    "django_session": Privileges(_ALL, (), eraser=(DROP,)),
    "muniment_cache": Privileges(_ALL, ()),
    "django_migrations": Privileges((READ,), (READ,), sequencer=(READ,), eraser=(READ,), confirmation=(READ,)),
    "account_emailaddress": _SIGN_IN,
    "account_emailconfirmation": _SIGN_IN,
    "mfa_authenticator": _SIGN_IN,
    "socialaccount_socialaccount": _SIGN_IN,
    "socialaccount_socialapp": Privileges((READ,), ()),
    "socialaccount_socialtoken": Privileges((READ,), (), eraser=(DROP,)),
    "procrastinate_jobs": _QUEUE._replace(
        web_changes=("priority",), operator_changes=("priority",), eraser_changes=("priority",)
    ),
    "procrastinate_events": _QUEUE,
    "procrastinate_periodic_defers": _QUEUE._replace(eraser=(ADD, CHANGE, DROP)),  # a deleted job is unlinked there
    "procrastinate_workers": Privileges((READ,), _ALL),
}


def grant_privileges() -> None:
    """Grant each role the declared rights, and no others. For the owner, after a migration of the schema."""
    with connection.cursor() as cursor:
        tables = frozenset(connection.introspection.table_names(cursor))
        own = row_security.find_missing_statements(cursor, tables)
        for statement in (*_build_statements(tables), *own, *row_security.revoke_functions(tables)):
            cursor.execute(statement)


def find_privileges(model: type[models.Model]) -> Privileges | None:
    """Privileges of a model; None if it declares none."""
    found = getattr(model, "privileges", None) or OTHERS.get(model._meta.db_table)
    if not isinstance(found, Privileges):
        return None
    texts: tuple[str, ...] = getattr(model, "free_texts", ())
    if CHANGE not in found.eraser:
        found = found._replace(eraser_changes=tuple(dict.fromkeys((*found.eraser_changes, *texts))))
    return found


def list_privileges() -> dict[str, Privileges]:
    """Privileges of every table that has any."""
    rights = dict(OTHERS)
    for model in apps.get_models():
        own = find_privileges(model)
        if own is not None and model._meta.managed:
            rights[model._meta.db_table] = own
    return rights


def find_deviations(cursor: CursorWrapper) -> list[str]:
    """Rights that the database grants beyond the declared ones, or lacks, each in a sentence."""
    cursor.execute(_GRANTS, [list(PROCESSES)])
    granted = {(role or "everybody", right, table, column) for role, right, table, column in cursor.fetchall()}
    wanted = {
        (role, right, table, column)
        for table, own in list_privileges().items()
        for role in PROCESSES
        for right, columns in own.list_rights(role).items()
        for column in columns or ("",)
    }
    found = [f"{role} may {right} {table} {column}".strip() for role, right, table, column in sorted(granted - wanted)]
    tables = {table for _, _, table, _ in granted}
    missing = sorted(one for one in wanted - granted if one[2] in tables)
    found += [f"{role} may not {right} {table} {column}".strip() for role, right, table, column in missing]
    cursor.execute(_ATTRIBUTES, [list(PROCESSES)])
    found += [f"{role} is more than a login, or a member of another role" for (role,) in cursor.fetchall()]
    if any(True for _ in row_security.find_missing_statements(cursor, frozenset(tables))):
        found.append("what is checked of each record is not up to date")
    return found


_GRANTS = """
    SELECT r.rolname, a.privilege_type, c.relname, '' FROM pg_class c
        CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
            AND (a.grantee = 0 OR r.rolname = ANY(%s))
    UNION ALL
    SELECT r.rolname, a.privilege_type, c.relname, t.attname FROM pg_class c
        JOIN pg_attribute t ON t.attrelid = c.oid
        CROSS JOIN aclexplode(t.attacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relnamespace = 'public'::regnamespace AND (a.grantee = 0 OR r.rolname LIKE 'muniment\\_%%')
"""
_ATTRIBUTES = """
    SELECT rolname FROM pg_roles r WHERE rolname = ANY(%s) AND (
        rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication
        OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid))
"""


def _build_statements(tables: frozenset[str]) -> Iterator[sql.Composed]:
    for role in PROCESSES:
        who = sql.Identifier(role)
        yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(who)
        yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(who)
        yield sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(who)
        yield sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {}").format(who)
    for table, own in list_privileges().items():
        if table in tables:
            for role in PROCESSES:
                yield from _build_grants(table, role, own.list_rights(role))


def _build_grants(table: str, role: str, rights: Mapping[str, tuple[str, ...]]) -> Iterator[sql.Composed]:
    for right, only in rights.items():
        narrowed = sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Identifier, only))) if only else sql.SQL("")
        yield sql.SQL("GRANT {}{} ON {} TO {}").format(
            sql.SQL(right), narrowed, sql.Identifier(table), sql.Identifier(role)
        )
