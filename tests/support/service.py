"""The service under test: who is who, who is signed in, and which of the database's roles this process has."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.acts.system_actors import SystemActor
from muniment.server.guarding.database_passwords import find_password_file
from muniment.server.guarding.database_roles import OPERATOR, OWNER, ROLE_NAMES
from muniment.server.people.models import ApiToken, Bootstrap, Person, RoleGrant
from muniment.server.products.models import Product, Repository
from muniment.server.records import permission_signing, row_checks
from muniment.server.records.models import Record
from muniment.server.records.record_writing import action_code, recording_act
from muniment.server.records.recorded_rows import list_recorded_models, note_rows
from muniment.server.records.sequencer import assign_positions
from tests.support.database_connections import leave_connection

_COMPARING = {
    name: getattr(row_checks, name) for name in ("find_row_problems", "find_instance_problems", "read_recorded")
}
_KEPT = ("django_migrations", "django_content_type", "auth_permission")
_FIRST = ("procrastinate_events", "procrastinate_periodic_defers", "procrastinate_jobs")  # refer to others at once


@contextmanager
def as_role(name: str) -> Iterator[None]:
    """Connect to the database as `owner`, `web`, `worker` or another process, within a block."""
    before = connection.settings_dict["USER"]
    if before == ROLE_NAMES[name]:  # it may be within a transaction
        yield
        return
    connect_as(ROLE_NAMES[name])
    try:
        yield
    finally:
        connect_as(before)


def connect_as(role: str) -> None:
    """Connect to the database as that role from now on."""
    leave_connection()
    connection.settings_dict["USER"] = role
    connection.settings_dict["OPTIONS"]["passfile"] = str(find_password_file(Path(settings.HOME), role))


def empty() -> None:
    """Every table, as its owner; and the one row that the ledger needs.

    Rows are deleted, not tables truncated: each truncation makes new files, thousands by the end of a run, and the
    server could not stop before all of them had come to the disk.
    """
    tables = [name for name in connection.introspection.table_names() if name not in _KEPT]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(filled)
        found = {row[0] for row in cursor.fetchall()}
        first = [name for name in _FIRST if name in found]
        for name in (*first, *sorted(found - set(first))):  # what refers to others is looked at in the end
            cursor.execute(f"DELETE FROM {name}")
        cursor.execute(
            "SELECT setval(format('%%I.%%I', schemaname, sequencename), 1, false) FROM pg_sequences"
            " WHERE last_value IS NOT NULL AND schemaname = 'public' AND NOT sequencename = ANY(%s)",
            [[f"{name}_id_seq" for name in _KEPT]],
        )
        cursor.execute("INSERT INTO records_ledgerhead (id) VALUES (1)")


def trust_rows(patch: pytest.MonkeyPatch) -> None:
    """Rely on rows without a comparison with the ledger: most tests make theirs by no act."""
    patch.setattr(row_checks, "find_row_problems", lambda tables: ())
    patch.setattr(row_checks, "find_instance_problems", lambda instances: ())
    patch.setattr(row_checks, "read_recorded", lambda read, *tables: read())


def compare_rows(patch: pytest.MonkeyPatch) -> None:
    """Compare rows with the ledger again."""
    row_checks.forget_comparisons()
    for name, function in _COMPARING.items():
        patch.setattr(row_checks, name, function)


@contextmanager
def by_an_act() -> Iterator[None]:
    """Attach all rows written within the block to the record of one act, as if a person had written them."""
    actor = SystemActor.OPERATOR.make_actor()
    with as_role("owner"), transaction.atomic():
        with recording_act(actor, Action.ADD_PRODUCT, "product:fixture", {}):
            yield
        Record.objects.filter(writer=OWNER).update(writer=OPERATOR)  # the sequencer refuses the owner's


def place_records() -> None:
    """Assign positions to all waiting records, as the sequencer does."""
    with as_role("sequencer"):
        while assign_positions():
            pass


def sign_permissions() -> None:
    """Sign all waiting permissions to deploy, as the sequencer does."""
    place_records()
    with as_role("sequencer"):
        permission_signing.sign_permissions()


def record_rows() -> None:
    """Record every row that is relied on as it is now."""
    with by_an_act():
        for model in list_recorded_models():
            note_rows(model, model._default_manager.values_list("pk", flat=True))


def person(slug: str, *roles: Role, product: Product | None = None, password: str = "", id: str = "") -> Person:
    """Somebody with those roles. Their internal id is `id`, else their handle, so that assertions can name them."""
    values = {"id": id or slug, "name": slug.title(), "email": f"{slug}@example.test", "password": password or "!"}
    with as_role("owner"):
        found, _ = Person.objects.get_or_create(slug=slug, defaults=values)
        for role in roles:
            RoleGrant.objects.get_or_create(person=found, role=role.value, product=product, ended_at=None)
    return found


def finish_bootstrap() -> None:
    """From now on nobody does alone what needs two people."""
    with as_role("owner"):
        Bootstrap.objects.get_or_create(id=1, defaults={"finished": True})


def set_up_factor(*people: Person) -> None:
    """Give each a second factor, as an app for codes is one."""
    with as_role("owner"):
        for one in people:
            Authenticator.objects.create(user=one, type=Authenticator.Type.TOTP, data={"secret": "x"})


def product(slug: str, path: str = "") -> Product:
    """A product, with a repository if there is a path."""
    with as_role("owner"):
        found = Product.objects.create(slug=slug, name=slug.title())
        if path:
            Repository.objects.create(product=found, name=slug, path=path)
    return found


def browser(someone: Person | None = None, *, second_factor: bool = True) -> Client:
    """A browser, signed in as somebody."""
    client = Client(HTTP_HOST="localhost", enforce_csrf_checks=False)
    if someone is not None:
        client.force_login(someone, backend="muniment.server.people.sign_in_backend.SignInBackend")
        if second_factor:
            session = client.session
            session["second_factor"] = someone.pk
            session.save()
    return client


def token_of(someone: Person, scopes: tuple[Action, ...] = tuple(Action), **changed: Any) -> str:
    """A token of theirs, as text."""
    text, hashed = ApiToken.make_token()
    values = {"expires_at": timezone.now() + timedelta(days=1), "second_factor": True, **changed}
    with as_role("owner"):
        ApiToken.objects.create(
            person=someone, name="t", token_hash=hashed, scopes=[action_code(one) for one in scopes], **values
        )
    return text


def post(client: Client, address: str, **fields: Any) -> str:
    """Send a form, follow where it leads; what the page says."""
    answer = client.post(address, fields, follow=True)
    return answer.content.decode()
