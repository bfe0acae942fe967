"""What the web and the worker may do with each table: the second layer, held by PostgreSQL itself (design, section 8).

Each model says it, as `privileges`; a model that says nothing does not start. A table of somebody else's app stands
in `OTHERS`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.apps import apps
from django.db import connection, models
from psycopg import sql

from muniment.server.running.embedded import WEB, WORKER

READ, ADD, CHANGE, DROP = "SELECT", "INSERT", "UPDATE", "DELETE"
_ALL = (READ, ADD, CHANGE, DROP)


class Privileges(NamedTuple):
    """Rights of each role. `web_adds` and `worker_adds` narrow an INSERT to these columns; `worker_changes` are those
    that the worker may UPDATE although it may not the others.
    """

    web: tuple[str, ...]
    worker: tuple[str, ...]
    web_adds: tuple[str, ...] = ()
    worker_changes: tuple[str, ...] = ()
    worker_adds: tuple[str, ...] = ()


_SESSIONS = Privileges(_ALL, (READ, DROP))
_QUEUE = Privileges((READ, ADD, CHANGE), _ALL)
OTHERS = {
    "auth_permission": Privileges((READ,), (READ,)),
    "auth_group": Privileges((READ,), (READ,)),
    "auth_group_permissions": Privileges((READ,), (READ,)),
    "django_content_type": Privileges((READ,), (READ,)),
    "django_session": Privileges(_ALL, _ALL),
    "muniment_cache": Privileges(_ALL, _ALL),
    "django_migrations": Privileges((READ,), (READ,)),
    "account_emailaddress": _SESSIONS,
    "account_emailconfirmation": _SESSIONS,
    "mfa_authenticator": _SESSIONS,
    "socialaccount_socialaccount": _SESSIONS,
    "socialaccount_socialapp": Privileges((READ,), ()),
    "socialaccount_socialtoken": Privileges((READ,), ()),
    "procrastinate_jobs": _QUEUE,
    "procrastinate_events": _QUEUE,
    "procrastinate_periodic_defers": _QUEUE,
    "procrastinate_workers": Privileges((READ,), _ALL),
}


def apply() -> None:
    """Give each role what its tables say, and nothing else. For the owner of the schema, after it was migrated."""
    with connection.cursor() as cursor:
        for statement in _statements(frozenset(connection.introspection.table_names(cursor))):
            cursor.execute(statement)


def of(model: type[models.Model]) -> Privileges | None:
    """Those of a model; None if nothing says."""
    found = getattr(model, "privileges", None) or OTHERS.get(model._meta.db_table)
    return found if isinstance(found, Privileges) else None


def _statements(tables: frozenset[str]) -> Iterator[sql.Composed]:
    rights = dict(OTHERS)
    for model in apps.get_models():
        own = of(model)
        if own is not None and model._meta.managed:
            rights[model._meta.db_table] = own
    for role in (WEB, WORKER):
        who = sql.Identifier(role)
        yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(who)
        yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(who)
        yield sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(who)
        yield sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {}").format(who)
    for table, own in rights.items():
        if table in tables:
            yield from _grants(table, WEB, own.web, {ADD: own.web_adds})
            more = (CHANGE,) if own.worker_changes else ()
            yield from _grants(table, WORKER, (*own.worker, *more), {ADD: own.worker_adds, CHANGE: own.worker_changes})


def _grants(
    table: str, role: str, rights: tuple[str, ...], columns: Mapping[str, tuple[str, ...]]
) -> Iterator[sql.Composed]:
    for right in rights:
        only = columns.get(right, ())
        narrowed = sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Identifier, only))) if only else sql.SQL("")
        yield sql.SQL("GRANT {}{} ON {} TO {}").format(
            sql.SQL(right), narrowed, sql.Identifier(table), sql.Identifier(role)
        )
