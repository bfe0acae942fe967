"""Makes a home ready for the service: keys, schema, rights, a first policy, a first administrator."""

import io
import os
import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import Error, OperationalError, connection, connections, transaction
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor
from psycopg import Connection, errors, sql

from muniment.access.roles import Role
from muniment.errors import DatabaseError, StoreError, UsageError
from muniment.git.repository import Repository as Git
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.inputs import read_visible_text
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.repository_acts import AddRepository
from muniment.server.demonstration_story import BY_HANDLE, SIGN_IN_ROLES
from muniment.server.guarding import database_passwords, privileges
from muniment.server.guarding.database_roles import CONNECTION_LIMITS, OPERATOR, PROCESSES
from muniment.server.people.actors import has_passkey
from muniment.server.people.company_sign_in import parse_group_roles
from muniment.server.people.models import Machine, Person, build_in_force_condition
from muniment.server.people.person_acts import AddPerson, InvitePerson
from muniment.server.people.role_acts import GrantRole
from muniment.server.policies.models import PolicyVersion
from muniment.server.policies.version_acts import AdoptBuiltInPolicy
from muniment.server.products.models import Product, Repository
from muniment.server.products.product_acts import AddProduct
from muniment.server.products.repository_folders import add_given_folder
from muniment.server.records.models import LedgerHead
from muniment.server.running import database_settings, operator_login
from muniment.server.running.database_settings import ROLE_VARIABLE, URL_VARIABLE
from muniment.server.running.home_database import require_own_ledger
from muniment.server.running.pooled_sessions import refuse_shared_sessions
from muniment.server.running.schema_migration import apply_migrations
from muniment.server.running.schema_version import (
    lock_preparation,
    lock_preparation_in_transaction,
    refuse_early_schema,
    refuse_foreign_schema,
    require_current_schema,
)

_FIRST = "admin"
_ROLE_SETTINGS = """
    SELECT d.datname FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
        LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %s
"""  # of a login: the databases for which it has settings of its own, NULL for all of them
_START = "Start the service first: muniment up. If it runs on another home, name that: MUNIMENT_HOME=FOLDER"


def require_reachable() -> None:
    """Raise DatabaseError unless the database answers."""
    try:
        _connect_database()
    except OperationalError as error:
        own = os.environ.get(URL_VARIABLE)
        remedy = "See that it runs, and that DATABASE_URL names it and a user that it lets in." if own else _START
        where = f" at {connection.settings_dict['HOST']}" if own else ""
        home = "" if own else f" (home: {settings.HOME})"
        raise DatabaseError(f"the database{where} does not answer{home}", remedy) from error


def refuse_transaction_pooler() -> None:
    """Raise DatabaseError where DATABASE_URL leads through a pooler that shares sessions between transactions."""

    def open_session() -> Connection[tuple[Any, ...]]:
        opened = database_settings.connect_database(connection.settings_dict)
        opened.autocommit = True
        return opened

    if os.environ.get(URL_VARIABLE):
        refuse_shared_sessions(open_session)


def _connect_database() -> None:
    """Connect, as the operator with a new password; once more where the supervisor drew one at this very moment."""
    if not operator_login.needs_password(os.environ):
        connection.ensure_connection()
        return
    with operator_login.lock_connecting(Path(settings.HOME), os.environ):
        if connection.connection is None:
            use_role_settings()
        try:
            connection.ensure_connection()
        except OperationalError:
            use_role_settings()
            connection.ensure_connection()


def require_ready() -> None:
    """Raise DatabaseError unless the database answers, with the schema of this version and the home's own ledger."""
    require_reachable()
    refuse_transaction_pooler()
    require_current_schema()
    require_own_ledger(Path(settings.HOME))


def switch_role(name: str) -> None:
    """Connect as another role from now on: `operator`, `worker` and so on. Raises DatabaseError for no such role."""
    os.environ[ROLE_VARIABLE] = name
    connections.close_all()
    use_role_settings()


def use_role_settings() -> None:
    """Connect from now on as the role that the environment names. Raises DatabaseError."""
    home = Path(settings.HOME)
    found = database_settings.make_django_settings(home, os.environ)
    connection.settings_dict.update(operator_login.add_password(found, home, os.environ))


def close_start_connections() -> None:
    """Close all connections, before the database ends."""
    connections.close_all()


def check_configuration() -> None:
    """Check the conditions of serving. Raises StoreError or ParseError, and nothing starts."""
    parse_group_roles(os.environ.get("MUNIMENT_OIDC_ROLES", ""))  # otherwise the first sign-in would fail by it
    try:
        call_command("check", stdout=io.StringIO())
    except SystemCheckError as error:
        raise StoreError(f"the service cannot be served: {error}", "This is a defect: please report it.") from error


def migrate_schema(*, new_passwords: bool = False) -> None:
    """Bring the schema up to date, and give each role its login and its rights. As the owner. Raises DatabaseError."""
    require_reachable()
    refuse_transaction_pooler()
    with lock_preparation():
        executor = MigrationExecutor(connection)
        refuse_foreign_schema(executor)
        if os.environ.get(URL_VARIABLE):  # the embedded server makes its logins at each start
            _make_logins(renew=new_passwords)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            apply_migrations(executor)
            call_command("createcachetable", verbosity=0)
        refuse_early_schema()
        _apply_rights()


def _apply_rights() -> None:
    with transaction.atomic():
        privileges.grant_privileges()
        _revoke_temporary_tables()
        LedgerHead.objects.get_or_create(id=1)


def _revoke_temporary_tables() -> None:
    """Revoke the right to make temporary tables. Only the database's owner may; otherwise `doctor` reports it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT datname, pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()"
        )
        name, is_owner = cursor.fetchone() or ("", False)
        if is_owner:
            cursor.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))


def _make_logins(*, renew: bool) -> None:
    """Make the processes' logins that are missing, on a server of the company's own. Raises DatabaseError.

    Their passwords are drawn once, since several machines may use them; `renew` draws them anew.
    """
    home = Path(settings.HOME)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = ANY(%s)", [list(PROCESSES)])
        known: dict[str, bool] = dict(cursor.fetchall())
        try:
            for role in PROCESSES:
                if role == OPERATOR:
                    _make_operator(cursor, exists=role in known)
                    continue
                password = None if renew else database_passwords.read_password(home, role)
                if password is None and known.get(role) and not renew:
                    raise DatabaseError(
                        f"the login {role} is there already, and this home does not have its password",
                        f"Copy {home / database_passwords.LOGIN_FOLDER} from the machine that made it, "
                        "or: muniment up --new-passwords",
                    )
                if password is None or not known.get(role):
                    _make_login(cursor, role, password or database_passwords.generate_password(), exists=role in known)
            for role in PROCESSES:
                _limit_connections(cursor, role)
                _reset_settings(cursor, role)
        except Error as error:
            if not isinstance(error.__cause__, errors.InsufficientPrivilege):
                raise
            raise DatabaseError(
                "the database's user may not make the logins of the processes",
                f"As its superuser: DROP ROLE IF EXISTS {', '.join(PROCESSES)}; ALTER ROLE that user CREATEROLE;",
            ) from error


def _make_login(cursor: CursorWrapper, role: str, password: str, *, exists: bool) -> None:
    """Make a login, or give it its password; the password itself is not sent, so that no log can have it."""
    assert connection.connection is not None  # noqa: S101 -- the cursor is open
    stored = connection.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    verb = sql.SQL("ALTER" if exists else "CREATE")
    rights = sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(stored.decode()))
    cursor.execute(sql.SQL("{} ROLE {} {}").format(verb, sql.Identifier(role), rights))
    database_passwords.write_password(Path(settings.HOME), role, password)


def _make_operator(cursor: CursorWrapper, *, exists: bool) -> None:
    """Make the operator's login, which has no password until a command draws one, and end that of an older version."""
    verb = sql.SQL("ALTER" if exists else "CREATE")
    cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD NULL").format(verb, sql.Identifier(OPERATOR)))
    database_passwords.find_password_file(Path(settings.HOME), OPERATOR).unlink(missing_ok=True)


def _limit_connections(cursor: CursorWrapper, role: str) -> None:
    """Limit the connections of a login, unless the administrator of the server gave it another limit."""
    cursor.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", [role])
    if cursor.fetchone() == (-1,):
        limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
        cursor.execute(limit.format(sql.Identifier(role), sql.Literal(CONNECTION_LIMITS[role])))


def _reset_settings(cursor: CursorWrapper, role: str) -> None:
    """Reset the settings of a login: each may change its own, which would outlast an attacker."""
    cursor.execute(_ROLE_SETTINGS, [role])
    for (database,) in cursor.fetchall():
        where = sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
        cursor.execute(sql.SQL("ALTER ROLE {}{} RESET ALL").format(sql.Identifier(role), where))


@transaction.atomic
def apply_first_policy() -> None:
    """Apply the built-in policy, where there is none yet."""
    lock_preparation_in_transaction()
    if PolicyVersion.objects.filter(in_force=True).exists():
        return
    execute_system_act(SystemActor.OPERATOR, AdoptBuiltInPolicy, {})


@transaction.atomic
def make_first_link() -> str:
    """Make a one-time link of the first administrator, as a path; "" once some administrator can sign in."""
    if settings.DEMONSTRATION:
        return ""
    lock_preparation_in_transaction()
    admins = Person.objects.filter(
        build_in_force_condition("role_grants__"), active=True, role_grants__role=Role.ADMIN, role_grants__product=None
    )
    if any(_can_sign_in(person) for person in admins):
        return ""
    person = admins.first()
    slug = person.slug if person is not None else _add_administrator()
    return str(execute_system_act(SystemActor.OPERATOR, InvitePerson, {"person": slug}))


def _add_administrator() -> str:
    """Add the first administrator, who has the role alone; the handle."""
    taken = {*Person.objects.values_list("slug", flat=True), *Machine.objects.values_list("slug", flat=True)}
    handle = _find_first_free(_FIRST, taken)
    execute_system_act(SystemActor.OPERATOR, AddPerson, {"handle": handle, "name": "Administrator"})
    execute_system_act(SystemActor.OPERATOR, GrantRole, {"person": handle, "role": Role.ADMIN.value})
    return handle


def make_demonstration_links() -> tuple[tuple[str, str], ...]:
    """Name with role, and path of a sign-in link, of some people of the demonstration; none elsewhere."""
    if not settings.DEMONSTRATION:
        return ()
    links = []
    for handle, role in SIGN_IN_ROLES:
        path = str(execute_system_act(SystemActor.OPERATOR, InvitePerson, {"person": handle}))
        links.append((f"{BY_HANDLE[handle].name}, {role}", path))
    return tuple(links)


def make_sign_in_link(handle: str) -> str:
    """Link for an active person, made on the machine, as a path.

    Raises ActInputError for an unknown handle, RefusedError for a person who has left, DatabaseError.
    """
    require_ready()
    return str(execute_system_act(SystemActor.OPERATOR, InvitePerson, {"person": handle}))


def _can_sign_in(person: Person) -> bool:
    return person.has_usable_password() or has_passkey(person)


@transaction.atomic
def register_repository(path: str) -> Repository:
    """Register a repository as a product of its own, if it is not there yet.

    Raises UsageError if it is none, ActInputError for a path that no page would take.
    """
    try:
        with Git.open(path) as git:
            place = os.path.realpath(git.git_dir)
    except UsageError as error:
        raise UsageError(error.message, "Name the folder of a git repository: muniment up FOLDER") from error
    lock_preparation_in_transaction()
    if read_visible_text(place, multiline=False) != place:
        raise UsageError(f"the path {place!r} ends in white space", "Rename the folder.")
    known = Repository.objects.filter(path=place).first()
    if known is not None:
        add_given_folder(place)
        return known
    folder = Path(place)
    name = folder.parent.name if folder.name == ".git" else folder.name.removesuffix(".git")
    add_given_folder(place)
    slug = _find_free_slug(re.sub("[^a-z0-9]+", "-", name.lower())[:60].strip("-") or "product")
    name = name[:200].strip() if name.isprintable() and name.strip() else slug
    execute_system_act(SystemActor.OPERATOR, AddProduct, {"id": slug, "name": name})
    execute_system_act(SystemActor.OPERATOR, AddRepository, {"product": slug, "name": slug, "path": place})
    return Repository.objects.get(path=place)


def _find_free_slug(slug: str) -> str:
    taken = set(Product.objects.filter(slug__startswith=slug).values_list("slug", flat=True))
    taken |= set(Repository.objects.filter(name__startswith=slug).values_list("name", flat=True))
    return _find_first_free(slug, taken)


def _find_first_free(name: str, taken: set[str]) -> str:
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if one not in taken)
