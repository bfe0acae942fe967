"""A role with a last day ends with that day: at once, everywhere, and on the record."""

from datetime import timedelta

import pytest
from django.db import connection, transaction

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.people.lapsing import note_lapsed
from muniment.server.people.messages import holding
from muniment.server.people.models import GrantExpiry, Message, Person, RoleGrant, today
from muniment.server.people.people_facts import people_of
from muniment.server.records.models import Record
from tests.support.service import as_role, browser, person, post, token_of

pytestmark = pytest.mark.usefixtures("service")

DAY = timedelta(days=1)


def give(last: str) -> str:
    admin = browser(person("amy", Role.ADMIN))
    return post(admin, "/people/ann/role", act="grant-role", role="auditor", product="", until=last)


def pass_by() -> None:
    """The last day is over."""
    with as_role("owner"):
        RoleGrant.objects.filter(role="auditor").update(last_day=today() - DAY)


def test_a_role_holds_through_its_last_day_and_not_a_click_longer() -> None:
    ann = browser(person("ann"))
    assert "Done" in give(today().isoformat())
    assert f"last day {today():%-d %b %Y}" in ann.get("/me").content.decode()
    key = token_of(Person.objects.get(slug="ann"), (Action.SEE_LEDGER,))
    programs = {"Authorization": f"Bearer {key}"}
    assert ann.get("/ledger").status_code == 200
    assert browser().get("/api/records", headers=programs).status_code == 200
    pass_by()
    assert browser().get("/api/records", headers=programs).status_code == 403
    assert ann.get("/ledger").status_code == 403
    assert all("auditor" not in known.roles for known in people_of().persons)
    assert not holding([Role.AUDITOR], None).exists()
    assert "over by itself" in browser(Person.objects.get(slug="amy")).get("/people/ann").content.decode()


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ((today() - DAY).isoformat(), "over already"),
        ("soon", "such as 2027-01-31"),
        ("2030-02-31", "such as 2027-01-31"),
    ],
)
def test_a_last_day_that_is_none_or_over_is_refused(last: str, told: str) -> None:
    person("ann")
    assert told in give(last)
    assert not RoleGrant.objects.filter(person__slug="ann").exists()


def test_what_ended_by_itself_is_recorded_and_told_once_and_can_be_given_anew() -> None:
    person("ann")
    give(today().isoformat())
    pass_by()
    before = Record.objects.count()
    with as_role("worker"):
        note_lapsed()
        note_lapsed()
    assert Record.objects.count() == before + 1
    told = set(Message.objects.values_list("person__slug", flat=True))
    assert told == {"ann", "amy"}
    assert "Done" in give("")
    assert [grant.in_force for grant in RoleGrant.objects.filter(person__slug="ann").order_by("pk")] == [False, True]
    with as_role("worker"):
        note_lapsed()
    assert GrantExpiry.objects.count() == 1


def test_the_worker_notes_an_end_and_cannot_bring_a_role_back() -> None:
    person("ann")
    give(today().isoformat())
    with as_role("worker"), pytest.raises(Exception, match="permission denied"), transaction.atomic():
        connection.cursor().execute("UPDATE people_rolegrant SET ended_at = NULL, last_day = NULL")


def test_programs_see_and_give_a_last_day() -> None:
    person("ann")
    amy = person("amy", Role.ADMIN)
    headers = {"Authorization": f"Bearer {token_of(amy)}", "Idempotency-Key": "once-only-1"}
    body = {"role": "auditor", "until": "2099-12-31"}
    answer = browser().post("/api/people/ann/roles", body, "application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    listed = browser().get("/api/people", headers=headers).json()["items"]
    roles = {one["handle"]: one["roles"] for one in listed}
    assert roles["ann"] == [{"role": "auditor", "product": "", "last": "2099-12-31"}]
