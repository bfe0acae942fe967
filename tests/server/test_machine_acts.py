"""Machine accounts: two people declare one, a person's account is none, and what is removed is unknown again."""

from typing import Any

import pytest

from muniment.forges.shapes import Account as AtForge
from muniment.server.connections import account_ids
from muniment.server.connections.models import Connection
from muniment.server.people.machine_acts import find_proposed_machines
from muniment.server.people.models import Account, ForgeMachine, Machine, Person
from muniment.server.people.people_facts import build_people
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, post, token_of

pytestmark = pytest.mark.usefixtures("service")

BOT = {"id": "renovate", "kind": "login", "value": "forge/renovate[bot]", "acts_on_request": "no"}


def signed_in(name: str) -> Any:
    return browser(Person.objects.get(slug=name))


def declared() -> dict[str, bool]:
    """Logins of machines, and whether their commits must name a requester."""
    found = build_people().machines
    return {login: machine.needs_requester for machine in found for login in machine.accounts}


def test_declaring_machine_takes_two_people(service: None) -> None:
    enough()
    post(signed_in("amy"), "/machines/declare", **BOT)
    assert not Machine.objects.exists()
    request = Request.objects.get(state="waiting")
    post(signed_in("amy"), f"/requests/{request.pk}", answer="agree")
    post(signed_in("abe"), f"/requests/{request.pk}", answer="agree")
    assert declared() == {}
    post(signed_in("sam"), f"/requests/{request.pk}", answer="agree")
    assert declared() == {"forge/renovate[bot]": False}
    assert "renovate" in signed_in("amy").get("/people").content.decode()


def test_approver_sees_account_and_whether_machine_acts_on_request(service: None) -> None:
    enough()
    post(signed_in("amy"), "/machines/declare", **{**BOT, "acts_on_request": "yes"})
    page = signed_in("sam").get("/").content.decode()
    assert (
        "add the account forge/renovate[bot] of the machine renovate, which writes code at the request of people"
        in page
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"value": "forge/ada"}, "belongs to somebody already"),
        ({"id": "amy"}, "A person has this handle"),
        ({"kind": "key"}, "known by an address or a login"),
    ],
)
def test_refuses_account_of_person_as_machine(service: None, changed: dict[str, str], message: str) -> None:
    enough()
    with as_role("owner"):
        ada = Person.objects.create(pk="ada", slug="ada", name="Ada")
        Account.objects.create(person=ada, kind="login", value="forge/ada", verification="vouched")
    assert message in post(signed_in("amy"), "/machines/declare", **{**BOT, **changed})
    assert not Request.objects.filter(state="waiting").exists()


def test_refuses_approval_after_account_was_linked_to_person(service: None) -> None:
    enough()
    post(signed_in("amy"), "/machines/declare", **BOT)
    with as_role("owner"):
        ada = Person.objects.create(pk="ada", slug="ada", name="Ada")
        Account.objects.create(person=ada, kind="login", value=BOT["value"], verification="vouched")
    post(signed_in("sam"), f"/requests/{Request.objects.get(state='waiting').pk}", answer="agree")
    assert declared() == {}
    assert Account.objects.get().person == ada


def test_account_marked_as_bot_by_forge_needs_declaration_by_two_people(
    service: None,
) -> None:
    enough()
    with as_role("owner"):
        forge = Connection.objects.create(slug="forge", vendor="github", url="https://x", account_id="7")
    bot, ours = AtForge("9", "renovate[bot]", machine=True), AtForge("7", "us[bot]", machine=True)
    ghost, person = AtForge("-1", "Ghost", machine=True), AtForge("12", "ada")
    with as_role("worker"):
        for _ in range(2):
            account_ids.store_account_ids(forge, [bot, ours, ghost, person])
    assert [(row.number, row.value) for row in ForgeMachine.objects.all()] == [("9", "forge/renovate[bot]")]
    assert declared() == {}
    page = signed_in("amy").get("/people").content.decode()
    assert "forge/renovate[bot]" in page
    post(signed_in("amy"), "/machines/declare", **BOT)
    assert declared() == {}
    post(signed_in("sam"), f"/requests/{Request.objects.get(state='waiting').pk}", answer="agree")
    assert declared() == {"forge/renovate[bot]": False}
    assert find_proposed_machines() == []
    with as_role("owner"):
        ForgeMachine.objects.all().delete()
    with as_role("worker"):
        account_ids.store_account_ids(forge, [bot])
    assert not ForgeMachine.objects.exists(), "it was declared"


def test_list_of_proposed_machines_is_limited(service: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_ids, "_MOST_MACHINES", 3)
    with as_role("owner"):
        forge = Connection.objects.create(slug="forge", vendor="github", url="https://x")
    with as_role("worker"):
        for number in range(5):
            account_ids.store_account_ids(forge, [AtForge(str(number + 1), f"bot-{number}[bot]", machine=True)])
    assert ForgeMachine.objects.count() == 3


def test_one_person_removes_machine_account(service: None) -> None:
    enough()
    with as_role("owner"):
        made = Account.objects.create(
            machine=Machine.objects.create(slug="renovate"), kind="login", value=BOT["value"], verification="vouched"
        )
    assert "Done." in post(signed_in("amy"), f"/machines/accounts/{made.pk}/remove")
    assert declared() == {}


def test_api_declares_machine_with_two_people(service: None) -> None:
    enough()
    headers = {"Authorization": f"Bearer {token_of(Person.objects.get(slug='amy'))}"}
    body = {**BOT, "acts_on_request": True}
    answer = browser().post("/api/machines", body, "application/json", headers=headers)
    assert answer.status_code in (200, 202), answer.content
    assert declared() == {}
    waiting = f"/requests/{Request.objects.get(state='waiting').pk}"
    post(signed_in("amy"), waiting, answer="confirm")  # what a token requested, its person confirms
    post(signed_in("sam"), waiting, answer="agree")
    assert declared() == {"forge/renovate[bot]": True}
    listed = browser().get("/api/machines", headers=headers).json()
    assert [(one["id"], one["value"]) for one in listed] == [("renovate", "forge/renovate[bot]")]
