"""Links of accounts to persons: an unconfirmed link counts only after a second person or the owner confirmed it."""

import re
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.facts.people import Person as KnownPerson
from muniment.server.acts.execution import execute_act
from muniment.server.acts.parser import parse_act
from muniment.server.people.models import Account, Person
from muniment.server.people.own_account_acts import ConfirmOwnAccount
from muniment.server.people.people_facts import build_people
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, token_of

pytestmark = pytest.mark.usefixtures("service")

VOUCH = {"act": "vouch-for-account", "kind": "login", "value": "github/eve-gh"}
LOGIN = "login:github/eve-gh"


def of(slug: str) -> Client:
    return browser(Person.objects.get(slug=slug))


def known(slug: str) -> KnownPerson:
    return build_people().by_id[slug]


def decide(slug: str, answer: str = "agree") -> str:
    return post(of(slug), f"/requests/{Request.objects.get(state='waiting').pk}", answer=answer, reason="As agreed.")


@pytest.fixture
def eve() -> Person:
    enough()
    return person("eve", Role.DEVELOPER)


def test_vouched_account_counts_after_second_person_approves(eve: Person) -> None:
    assert "waits for a second person" in post(of("amy"), "/people/eve/change", **VOUCH)
    assert (known("eve").accounts, known("eve").unconfirmed) == ((), (LOGIN,))
    assert LOGIN not in build_people().by_identity
    waiting = Request.objects.get(state="waiting")
    assert "Eve (eve): login github/eve-gh" in waiting.summary
    assert of("amy").post(f"/requests/{waiting.pk}", {"answer": "agree"}).status_code == 403
    assert "Approved." in decide("sam")
    assert (known("eve").accounts, known("eve").unconfirmed) == (("github/eve-gh",), ())
    assert Account.objects.get().confirmed_by == Person.objects.get(slug="sam")


def test_account_vouched_by_api_counts_only_after_confirmation(eve: Person) -> None:
    headers = {"Authorization": f"Bearer {token_of(Person.objects.get(slug='amy'))}"}
    body = {"kind": "email", "value": "Eve@Work.test"}
    answer = browser().post("/api/people/eve/accounts", body, "application/json", headers=headers).json()
    assert answer == {"done": False, "request": Request.objects.get().pk}
    assert known("eve").unconfirmed == ("email:eve@work.test",)
    (row,) = browser().get("/api/people/eve/accounts", headers=headers).json()["items"]
    assert (row["counts"], row["confirmed_by"]) == (False, None)
    fields = {"accounts": str(Account.objects.get().pk)}
    again = browser().post("/api/accounts/confirm", fields, "application/json", headers=headers)
    assert again.status_code == 409


def test_one_administrator_cannot_move_login_to_another_person(eve: Person) -> None:
    post(of("amy"), "/people/eve/change", **VOUCH)
    decide("sam")
    person("mallory")
    number = Account.objects.get().pk
    post(of("amy"), "/people/eve/change", act="unlink-account", account=number)
    post(of("amy"), "/people/mallory/change", **VOUCH)
    assert (known("mallory").accounts, known("eve").accounts) == ((), ())
    assert LOGIN not in build_people().by_identity
    post(of("amy"), "/people/mallory/change", act="unlink-account", account=Account.objects.get().pk)
    post(of("amy"), "/people/eve/change", **VOUCH)
    assert known("eve").accounts == ()


def test_the_owner_confirms_an_account_with_their_own_second_factor(eve: Person) -> None:
    post(of("amy"), "/people/eve/change", **VOUCH)
    number = Account.objects.get().pk
    without = browser(eve, second_factor=False)
    without.post(f"/me/accounts/{number}/confirm")
    assert known("eve").accounts == ()
    other = browser(person("mallory", Role.DEVELOPER))
    assert other.post(f"/me/accounts/{number}/confirm").status_code == 404
    assert "Link waits for a second person" in browser(eve).get("/me").content.decode()
    assert "counts as yours" in post(browser(eve), f"/me/accounts/{number}/confirm")
    assert known("eve").accounts == ("github/eve-gh",)


def test_refuses_confirmation_of_own_account_by_its_voucher(eve: Person) -> None:
    post(of("amy"), "/people/amy/change", **VOUCH)
    number = Account.objects.get().pk
    assert "You vouched for it yourself" in post(of("amy"), f"/me/accounts/{number}/confirm")
    assert known("amy").accounts == ()


def test_refuses_confirmation_by_owner_whom_voucher_invited(eve: Person) -> None:
    person("bob")
    page = post(of("amy"), "/people/bob/invite")
    link = page[page.index("/welcome/") :].partition("</pre>")[0]
    fields = {"name": "Bob", "email": "bob@example.test", "password": "violet otter carries lantern", "way": "password"}
    assert browser().post(link, fields).status_code == 302  # amy does
    assert Person.objects.get(slug="bob").let_in_by_id == "amy"
    post(of("amy"), "/people/bob/change", **VOUCH)
    number = Account.objects.get().pk
    assert "alone made the link by which you entered" in post(of("bob"), f"/me/accounts/{number}/confirm")
    assert known("bob").accounts == ()
    with as_role("owner"):
        Account.objects.update(vouched_by="abe")
    assert "counts as yours" in post(of("bob"), f"/me/accounts/{number}/confirm")


def test_token_does_not_confirm_an_account(eve: Person) -> None:
    post(of("amy"), "/people/eve/change", **VOUCH)
    program = Actor(eve.pk, active=True, second_factor=True, scopes=frozenset({Action.LINK_ACCOUNT}))
    act = parse_act(ConfirmOwnAccount, {"person": "eve", "account": Account.objects.get().pk}, program)
    with as_role("web"), pytest.raises(RefusedError, match="token confirms nothing"), transaction.atomic():
        execute_act(program, act)
    assert known("eve").accounts == ()


def test_refuses_approval_of_link_that_was_unlinked_meanwhile(eve: Person) -> None:
    post(of("amy"), "/people/eve/change", **VOUCH)
    post(of("amy"), "/people/eve/change", act="unlink-account", account=Account.objects.get().pk)
    post(of("amy"), "/people/mallory/change", **VOUCH)
    assert "unlinked or confirmed meanwhile" in decide("sam")
    assert known("eve").accounts == ()


def test_account_list_import_is_one_request_with_one_approval(eve: Person) -> None:
    person("bob", Role.DEVELOPER)
    lines = "eve login github/eve-gh\nbob email bob@work.test\n\nbob login github/bob-gh"
    assert "waits for a second person" in post(of("amy"), "/people/accounts/import", accounts=lines)
    assert known("bob").unconfirmed == ("email:bob@work.test", "login:github/bob-gh")
    assert Request.objects.filter(state="waiting").count() == 1
    assert "Approved." in decide("abe")
    assert (known("bob").emails, known("bob").accounts) == (("bob@work.test",), ("github/bob-gh",))
    assert known("eve").accounts == ("github/eve-gh",)


BAD: list[Any] = ["", "eve", "eve login", "eve phone 1", "eve login ada", "nobody login github/x"]


@pytest.mark.parametrize("lines", [*BAD, "eve login github/a\neve login github/A", "eve email x@y.z\n" * 201])
def test_account_list_with_one_invalid_line_links_nothing(eve: Person, lines: str) -> None:
    of("amy").post("/people/accounts/import", {"accounts": lines})
    assert not Account.objects.exists()
    assert not Request.objects.filter(state="waiting").exists()


def test_a_rejected_link_still_counts_for_nothing_and_can_be_requested_again(eve: Person) -> None:
    post(of("amy"), "/people/eve/change", **VOUCH)
    decide("sam", "refuse")
    assert known("eve").accounts == ()
    post(of("amy"), "/people/accounts/confirm", accounts=str(Account.objects.get().pk))
    assert "Approved." in decide("sam")
    assert known("eve").accounts == ("github/eve-gh",)


def test_link_by_one_administrator_in_bootstrap_is_marked() -> None:
    amy = browser(person("amy", Role.ADMIN))
    person("eve")
    post(amy, "/people/eve/change", **VOUCH)
    row = Account.objects.get()
    assert (row.counts, row.confirmed_by) == (True, None)
    page = re.sub(r"\s+", " ", amy.get("/people/eve").content.decode())
    assert "Confirmed in the setup phase" in page
