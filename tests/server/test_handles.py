"""Handles: only an administrator assigns them, and nobody gets one by which others know another person."""

import pytest

from muniment.access.roles import Role
from muniment.server.people.models import Account, Person
from muniment.server.people.verifications import link_account
from muniment.server.requests.models import Request
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, token_of

pytestmark = pytest.mark.usefixtures("service")

GIVE = {"act": "grant-role", "role": "security", "product": ""}


def test_invited_person_cannot_choose_handle() -> None:
    amy = browser(person("amy", Role.ADMIN))
    post(amy, "/people/add", handle="mallory", name="Mallory")
    page = post(amy, "/people/mallory/invite")
    link = page[page.index("/welcome/") :].partition("</pre>")[0]
    fields = {"name": "Mallory", "email": "", "password": "violet otter carries lantern", "way": "password"}
    assert 'name="handle"' not in browser().get(link).content.decode()
    assert browser().post(link, {**fields, "handle": "bob"}).status_code == 200  # the form again: nothing was done
    assert browser().post(link, fields).status_code == 302
    assert not Person.objects.filter(slug="bob").exists()
    assert Person.objects.get(slug="mallory").has_usable_password()


def test_refuses_former_handle_of_another_person() -> None:
    amy = person("amy", Role.ADMIN)
    person("bob", id="k3f7")
    person("mallory")
    page, headers = browser(amy), {"Authorization": f"Bearer {token_of(amy)}"}
    post(page, "/people/bob/handle", handle="robert")
    assert "still known by it" in post(page, "/people/mallory/handle", handle="bob")
    assert "still known by it" in post(page, "/people/add", handle="bob", name="Bob")
    put = browser().put("/api/people/mallory/handle", {"handle": "bob"}, "application/json", headers=headers)
    added = browser().post("/api/people", {"handle": "bob", "name": "Bob"}, "application/json", headers=headers)
    assert (put.status_code, added.status_code) == (409, 409)
    assert "Done" in post(page, "/people/robert/handle", handle="bob")
    assert Person.objects.get(slug="bob").pk == "k3f7"


def test_refuses_handle_that_is_forge_login_of_another() -> None:
    amy, bob = browser(person("amy", Role.ADMIN)), person("robert")
    person("mallory")
    with as_role("owner"):
        link_account(bob, Account.Kind.LOGIN, "github/Bob", Account.Verification.PUBLISHED_KEY)
    assert "has a login of this name" in post(amy, "/people/mallory/handle", handle="bob")
    assert "Done" in post(amy, "/people/robert/handle", handle="bob")


def test_refuses_rename_while_request_about_person_waits() -> None:
    enough()
    amy, abe = (browser(Person.objects.get(slug=slug)) for slug in ("amy", "abe"))
    person("mallory")
    post(amy, "/people/mallory/role", **GIVE)
    assert "waits for a second person" in post(amy, "/people/mallory/handle", handle="bob")
    post(amy, "/people/mallory/change", act="change-person", name="Bob", email="")
    assert (Person.objects.get(pk="mallory").slug, Person.objects.get(pk="mallory").name) == ("mallory", "Mallory")
    post(abe, f"/requests/{Request.objects.get().pk}", answer="refuse", reason="Not now.")
    assert "Done" in post(amy, "/people/mallory/handle", handle="bob")


def test_refuses_handle_named_by_waiting_request() -> None:
    enough()
    amy = browser(Person.objects.get(slug="amy"))
    fields = {"id": "deployer", "kind": "email", "value": "deployer@example.test", "acts_on_request": "no"}
    assert "second person" in post(amy, "/machines/declare", **fields)
    assert "names this handle" in post(amy, "/people/add", handle="deployer", name="Deployer")
