"""Acts on people: equal values by page and API, changes of a handle, and what ends when a person leaves."""

from typing import Any

import pytest

from muniment.access.roles import Role
from muniment.server.people.models import Account, Person
from muniment.server.people.people_facts import build_people
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, token_of

pytestmark = pytest.mark.usefixtures("service")

VALUES: list[tuple[str, Any, bool]] = [
    ("handle", "bob.b-1", True),
    ("handle", " bob ", True),
    ("handle", "Bob", False),
    ("handle", "-bob", False),
    ("handle", "bob\n", True),
    ("handle", "b\u043eb", False),
    ("handle", "../x", False),
    ("handle", "b" * 65, False),
    ("handle", "", False),
    ("name", "Bob \u202egpj", False),
    ("name", "Bob\nBy", False),
    ("name", "B" * 201, False),
    ("name", "\u674e", True),
    ("email", "bob@example.test", True),
    ("email", "AMY@example.test", False),
    ("email", "bob", False),
    ("email", "a@example.test b@example.test", False),
    ("id", "chosen", False),
    ("person", "chosen", False),
    ("active", "", False),
]


def added_people() -> list[tuple[str, str, str | None]]:
    """People other than amy, who are then removed."""
    rows = Person.objects.exclude(pk="amy")
    found = list(rows.values_list("slug", "name", "email"))
    with as_role("owner"):
        rows.delete()
    return found


@pytest.mark.parametrize(("field", "value", "accepted"), VALUES, ids=lambda one: ascii(one)[:30])
def test_page_and_api_add_identical_people(field: str, value: Any, accepted: bool) -> None:
    amy = person("amy", Role.ADMIN)
    headers = {"Authorization": f"Bearer {token_of(amy)}"}
    fields = {"handle": "bob", "name": "Bob", field: value}
    browser(amy).post("/people/add", fields)
    by_page = added_people()
    browser().post("/api/people", fields, "application/json", headers=headers)
    assert by_page == added_people()
    assert bool(by_page) is accepted


def test_changing_a_handle_keeps_all_other_data_of_the_person() -> None:
    amy, bob = browser(person("amy", Role.ADMIN)), person("bob", Role.DEVELOPER, id="k3f7")
    post(amy, "/people/bob/change", act="vouch-for-account", kind="email", value="bob@work.test")
    page = amy.post("/people/bob/handle", {"handle": "robert"}, follow=True)
    assert page.redirect_chain[-1][0] == "/people/robert"
    assert "Done." in page.content.decode()
    assert Person.objects.get(pk=bob.pk).slug == "robert"
    known = build_people().by_id["k3f7"]
    assert (known.handle, known.roles[0], known.emails) == ("robert", "developer", ("bob@work.test",))
    assert amy.get("/people/bob").status_code == 404
    post(amy, "/people/add", handle="bill", name="Another Bob")
    assert "Another person has this handle" in post(amy, "/people/bill/handle", handle="robert")
    assert not Account.objects.filter(person__slug="bill").exists()


def test_only_an_administrator_changes_a_handle_by_the_api() -> None:
    amy = person("amy", Role.ADMIN)
    person("bob", Role.DEVELOPER, id="k3f7")

    def put(token: str, handle: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        answer = browser().put("/api/people/bob/handle", {"handle": handle}, "application/json", headers=headers)
        return answer.status_code

    assert put(token_of(Person.objects.get(slug="bob")), "robert") == 403
    assert put(token_of(amy), "Robert") == 422
    assert put(token_of(amy), "amy") == 409
    assert put(token_of(amy), "robert") == 200
    assert Person.objects.get(pk="k3f7").slug == "robert"


def test_pending_requests_about_a_person_end_when_the_person_leaves() -> None:
    enough()
    person("eve", id="k3f7")
    post(browser(Person.objects.get(slug="amy")), "/people/eve/role", act="grant-role", role="security")
    assert Request.objects.get().state == "waiting"
    post(browser(Person.objects.get(slug="abe")), "/people/eve/change", act="deactivate-person")
    assert (Request.objects.get().state, Request.objects.get().act) == ("withdrawn", "")


def test_token_scopes_are_limited_to_the_permissions_of_its_person() -> None:
    ada = browser(person("ada", Role.DEVELOPER))
    page = ada.get("/me").content.decode()
    assert "see-product" in page
    assert "weaken-policy" not in page
    fields = {"name": "ci", "days": "30", "scopes": ["weaken-policy"]}
    assert ada.post("/me/tokens", fields).status_code == 422
