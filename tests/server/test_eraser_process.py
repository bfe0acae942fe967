"""The eraser deletes data stored outside the ledger under a login of its own, only for what two people approved."""

import signal
import subprocess
import sys

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import RowsDifferError
from muniment.server.people.models import Person
from muniment.server.people.person_erasure import erase_person
from muniment.server.records.record_writing import record_act, recording_act
from muniment.server.requests.models import Request
from muniment.server.running.eraser_process import erase_approved
from tests.server.conftest import HOME
from tests.support.running import clean, until
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")

DIGEST = "sha256:" + "d" * 64


@pytest.fixture
def bob() -> Person:
    """A deactivated person, bob."""
    found = person("bob")
    person("dan", Role.DPO)
    person("amy", Role.ADMIN)
    with as_role("owner"):
        Person.objects.filter(pk="bob").update(active=False)
    return found


def approve(step: str = "approved", resource: str = "person:bob", action: Action = Action.ERASE_PERSONAL_DATA) -> None:
    """With the web's login, write that amy approved it."""
    details = {"step": step, "act_digest": DIGEST}
    with transaction.atomic(), recording_act(Actor(person="amy"), action, resource, details):
        Person.objects.filter(pk="bob").update(erasure_approved_at=timezone.now())


def request(by: str, digest: str = DIGEST, step: str = "requested", resource: str = "person:bob") -> None:
    """With the web's login, write that somebody requested it."""
    details = {"step": step, "act_digest": digest}
    record = record_act(Actor(person=by), Action.ERASE_PERSONAL_DATA, resource, details)
    content = {"digest": DIGEST, "request_record": record, "subject": "x", "summary": "x"}
    Request.objects.create(action="erase-personal-data", state="approved", requester_id=by, **content)


def is_erased() -> bool:
    with as_role("eraser"):
        erase_approved()
    return Person.objects.get(pk="bob").erased_at is not None


def test_erases_person_after_request_and_approval_of_two_people(bob: Person) -> None:
    request("dan")
    approve()
    assert is_erased()


def test_refuses_erasure_without_request_of_another_person(bob: Person) -> None:
    request("amy")  # the same person
    request("dan", step="rejected")
    request("dan", digest="sha256:" + "e" * 64)
    request("dan", resource="person:ada")
    approve()
    assert not is_erased()


@pytest.mark.parametrize(
    ("step", "resource", "action"),
    [
        ("performed", "person:bob", Action.ERASE_PERSONAL_DATA),
        ("approved", "person:ada", Action.ERASE_PERSONAL_DATA),
        ("approved", "person:bob", Action.CHANGE_PERSON),
    ],
)
def test_refuses_erasure_by_record_of_another_act(bob: Person, step: str, resource: str, action: Action) -> None:
    request("dan")
    approve(step, resource, action)
    assert not is_erased()


def test_refuses_erasure_by_unrecorded_row(bob: Person) -> None:
    Person.objects.filter(pk="bob").update(erasure_approved_at=timezone.now())
    with as_role("eraser"), pytest.raises(RowsDifferError):
        erase_person("bob")
    assert not is_erased()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE people_person SET active = true",
        "UPDATE people_person SET password = 'x'",
        "UPDATE policies_policyversion SET in_force = true",
        "INSERT INTO people_rolegrant (person_id, role) VALUES ('bob', 'admin')",
        "INSERT INTO records_record (kind, recorded_at, details_digest, data) VALUES ('decision', now(), '', '')",
        "DELETE FROM records_record",
        "DELETE FROM records_tile",
    ],
)
def test_eraser_login_is_refused_other_statements(bob: Person, statement: str) -> None:
    with as_role("eraser"), connection.cursor() as cursor, pytest.raises(ProgrammingError):
        cursor.execute(statement)


@pytest.mark.parametrize(
    "table",
    [
        "records_storedobject",
        "records_personobject",
        "people_account",
        "people_apitoken",
        "people_message",
        "connections_reviewstatement",
        "incidents_incident",
        "django_session",
        "mfa_authenticator",
    ],
)
def test_worker_cannot_delete_rows_reserved_for_eraser(table: str) -> None:
    with as_role("worker"), connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(f"DELETE FROM {table}")


def test_eraser_process_performs_approved_erasure_and_stops_on_signal(bob: Person) -> None:
    post(browser(Person.objects.get(pk="dan")), "/people/bob/erase", reason="He asked for it.")
    waiting = Request.objects.get(state="waiting")
    post(browser(Person.objects.get(pk="amy")), f"/requests/{waiting.pk}", answer="agree")
    with as_role("owner"):
        connection.ensure_connection()
    command = [sys.executable, "-m", "muniment", "eraser", "--home", str(HOME)]
    with subprocess.Popen(command, env=clean(), stderr=subprocess.PIPE) as process:
        try:
            until(lambda: not Person.objects.filter(pk="bob", slug="bob").exists())
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
