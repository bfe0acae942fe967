"""Expiry of roles after their last day: immediate, everywhere and recorded."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.people.messages import find_role_holders
from muniment.server.people.models import GrantExpiry, Message, Person, RoleGrant, current_day
from muniment.server.people.people_facts import build_people
from muniment.server.people.role_expiry import record_expired_roles
from muniment.server.records.models import Record
from tests.support.service import as_role, browser, person, post, token_of

pytestmark = pytest.mark.usefixtures("service")

DAY = timedelta(days=1)


def grant_role(last: str) -> str:
    admin = browser(person("amy", Role.ADMIN))
    return post(admin, "/people/ann/role", act="grant-role", role="auditor", product="", until=last)


def expire_roles() -> None:
    """Move the last day of every role into the past."""
    with as_role("owner"):
        RoleGrant.objects.filter(role="auditor").update(last_day=current_day() - DAY)


def test_role_expires_after_its_last_day() -> None:
    ann = browser(person("ann"))
    assert "Done" in grant_role(current_day().isoformat())
    assert f"{current_day():%a %-d %b}, today" in ann.get("/me").content.decode()
    key = token_of(Person.objects.get(slug="ann"), (Action.SEE_LEDGER,))
    programs = {"Authorization": f"Bearer {key}"}
    assert ann.get("/ledger").status_code == 200
    assert browser().get("/api/records", headers=programs).status_code == 200
    expire_roles()
    assert browser().get("/api/records", headers=programs).status_code == 403
    assert ann.get("/ledger").status_code == 403
    assert all("auditor" not in known.roles for known in build_people().persons)
    assert not find_role_holders([Role.AUDITOR], None).exists()
    assert "Expired" in browser(Person.objects.get(slug="amy")).get("/people/ann").content.decode()


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ((current_day() - DAY).isoformat(), "over already"),
        ("soon", "such as 2027-01-31"),
        ("2030-02-31", "such as 2027-01-31"),
    ],
)
def test_refuses_invalid_or_past_last_day(last: str, message: str) -> None:
    person("ann")
    assert message in grant_role(last)
    assert not RoleGrant.objects.filter(person__slug="ann").exists()


def test_expired_role_is_recorded_and_notified_once_and_can_be_granted_again() -> None:
    person("ann")
    grant_role(current_day().isoformat())
    expire_roles()
    before = Record.objects.count()
    with as_role("worker"):
        record_expired_roles()
        record_expired_roles()
    assert Record.objects.count() == before + 1
    message = set(Message.objects.values_list("person__slug", flat=True))
    assert message == {"ann", "amy"}
    assert "Done" in grant_role("")
    assert [grant.in_force for grant in RoleGrant.objects.filter(person__slug="ann").order_by("pk")] == [False, True]
    with as_role("worker"):
        record_expired_roles()
    assert GrantExpiry.objects.count() == 1


def test_worker_cannot_restore_expired_role() -> None:
    person("ann")
    grant_role(current_day().isoformat())
    with as_role("worker"), pytest.raises(Exception, match="permission denied"), transaction.atomic():
        connection.cursor().execute("UPDATE people_rolegrant SET ended_at = NULL, last_day = NULL")


def test_api_shows_and_sets_last_day() -> None:
    person("ann")
    amy = person("amy", Role.ADMIN)
    headers = {"Authorization": f"Bearer {token_of(amy)}", "Idempotency-Key": "once-only-1"}
    body = {"role": "auditor", "until": "2099-12-31"}
    answer = browser().post("/api/people/ann/roles", body, "application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    listed = browser().get("/api/people", headers=headers).json()["items"]
    roles = {one["handle"]: one["roles"] for one in listed}
    assert roles["ann"] == [{"role": "auditor", "product": "", "last": "2099-12-31"}]
