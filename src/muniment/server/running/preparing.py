"""Makes a home ready for the service: keys, schema, rights, a first policy, a first administrator."""

import io
import os
import re
from datetime import timedelta
from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from psycopg import errors, sql

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import DatabaseError, HomeError, UsageError
from muniment.git.repository import Repository as Git
from muniment.policy.document import read_policy
from muniment.policy.pack import pack_text
from muniment.server.guarding import privileges
from muniment.server.installation import home
from muniment.server.people.actors import has_passkey
from muniment.server.people.models import INVITATION, Grant, Invitation, Person, held
from muniment.server.policies.models import Version
from muniment.server.products.models import Product, Repository
from muniment.server.record.entering import SHELL, act
from muniment.server.record.home import POLICY
from muniment.server.record.models import Head
from muniment.server.running.database import URL_VARIABLE
from muniment.server.running.embedded import WEB, WORKER
from muniment.server.work import soon

_FIRST = "admin"
_START = "Start the service first: muniment up"
_OWNER, _REPOSITORY = "security@example.test", "organisation"


def reachable() -> None:
    """Raises DatabaseError unless the database answers."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        own = os.environ.get(URL_VARIABLE)
        remedy = "See that it runs, and that DATABASE_URL names it and a user that it lets in." if own else _START
        where = f" at {connection.settings_dict['HOST']}" if own else ""
        raise DatabaseError(f"the database{where} does not answer", remedy) from error


def connections_closed() -> None:
    """Before the database ends."""
    connections.close_all()


def check() -> None:
    """What must be so before anything is served. Raises HomeError, and nothing starts."""
    try:
        call_command("check", stdout=io.StringIO())
    except SystemCheckError as error:
        raise HomeError(f"the service cannot be served: {error}", "This is a defect: please report it.") from error


def migrate() -> None:
    """Bring the schema up to date, and give each role its rights. As the owner of the schema. Raises DatabaseError."""
    reachable()
    _make_roles()
    executor = MigrationExecutor(connection)
    _not_newer(executor)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
        call_command("createcachetable", verbosity=0)
    with transaction.atomic():
        privileges.apply()
        Head.objects.get_or_create(id=1)


def _not_newer(executor: MigrationExecutor) -> None:
    """Raises DatabaseError for a schema that a later version made: what it means is not known here."""
    ours = {app.label for app in apps.get_app_configs() if app.name.startswith("muniment.")}
    unknown = sorted(set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations))
    later = next((f"{label} {name}" for label, name in unknown if label in ours), "")
    if later:
        raise DatabaseError(
            f"the database was made by a newer Muniment ({later}); nothing was changed",
            "Start that version again, or restore a backup of before into an empty home: muniment restore --help",
        )


def _make_roles() -> None:
    """Web and worker, where they are missing: on a server of the company's own nobody else made them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [[WEB, WORKER]])
        missing = {WEB, WORKER} - {row[0] for row in cursor.fetchall()}
        try:
            for role in sorted(missing):
                cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
                cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
        except Exception as error:
            if not isinstance(error.__cause__, errors.InsufficientPrivilege):
                raise
            raise DatabaseError(
                "the database's user may not make roles",
                f"As its superuser: CREATE ROLE {WEB}; CREATE ROLE {WORKER}; GRANT {WEB}, {WORKER} TO that user;",
            ) from error


@transaction.atomic
def first_policy() -> None:
    """The built-in policy, where there is none yet."""
    if Version.objects.filter(holds=True).exists():
        return
    text = pack_text(_OWNER, _REPOSITORY)
    digest = read_policy(text, POLICY).digest
    Version.objects.create(text=text, digest=digest, note="The built-in policy", applied=timezone.now(), holds=True)
    home().write(POLICY, text.encode())
    act(SHELL, Action.APPLY_POLICY, "policy:built-in", {"digest": digest})


@transaction.atomic
def first_link() -> str:
    """The one-time link of the first administrator, as a path; "" once some administrator can sign in."""
    admins = Person.objects.filter(held("grants__"), active=True, grants__role=Role.ADMIN, grants__product=None)
    if any(_can_sign_in(person) for person in admins):
        return ""
    person = admins.first()
    if person is None:
        person = Person(slug=_FIRST, name="Administrator")
        person.set_unusable_password()
        person.save()
        Grant.objects.create(person=person, role=Role.ADMIN, bootstrap=True)
        act(SHELL, Action.GRANT_CHANGING_ROLE, f"person:{_FIRST}", {"role": Role.ADMIN.value}, alone=True)
    return invite(person)


def link_for(slug: str) -> str:
    """A link for somebody who is active, made on the machine. Raises UsageError for nobody, DatabaseError."""
    reachable()
    with transaction.atomic():
        person = Person.objects.filter(slug=slug, active=True).first()
        if person is None:
            raise UsageError(f"nobody active has the id {slug}", "The page People shows the ids.")
        act(SHELL, Action.CHANGE_PERSON, f"person:{slug}", {"step": "a link was made on the machine"})
        return invite(person)


def invite(person: Person, lasts: timedelta = INVITATION) -> str:
    """A link that lets a person in once, as a path. Older ones end."""
    person.invitations.filter(ended=None).update(ended=timezone.now())
    text, hashed = Invitation.fresh()
    Invitation.objects.create(person=person, hash=hashed, expires=timezone.now() + lasts)
    return f"/welcome/{text}"


def _can_sign_in(person: Person) -> bool:
    return person.has_usable_password() or has_passkey(person)


@transaction.atomic
def register(path: str) -> Repository:
    """A repository as a product of its own, if it is not there yet. Raises UsageError if it is none."""
    with Git.open(path) as git:
        place = os.path.realpath(git.git_dir)
    known = Repository.objects.filter(path=place).first()
    if known is not None:
        return known
    folder = Path(place)
    name = folder.parent.name if folder.name == ".git" else folder.name.removesuffix(".git")
    slug = _free(re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "product")
    product = Product.objects.create(slug=slug, name=name[:200] or slug)
    repository = Repository.objects.create(product=product, name=slug, path=place)
    act(SHELL, Action.ADD_PRODUCT, f"product:{slug}", {"name": product.name, "repository": slug})
    soon("look", repository=repository.pk)
    return repository


def _free(slug: str) -> str:
    taken = set(Product.objects.filter(slug__startswith=slug).values_list("slug", flat=True))
    taken |= set(Repository.objects.filter(name__startswith=slug).values_list("name", flat=True))
    return next(name for name in (slug, *(f"{slug}-{number}" for number in range(2, 10_000))) if name not in taken)
