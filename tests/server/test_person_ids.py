"""People have an internal id that never changes; handles are typed and can change; pages show names."""

import re

import pytest

from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.server.people.actors import load_actor
from muniment.server.people.models import Person, new_person_id
from muniment.server.people.people_facts import build_people
from muniment.server.records.models import Record
from tests.support.service import browser, person, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")


def test_internal_id_is_random_and_reveals_nothing_about_the_person() -> None:
    found = {new_person_id() for _ in range(100)}
    assert len(found) == 100
    assert all(re.fullmatch(r"[a-z2-7]{26}", one) for one in found)
    amy = Person.objects.get(pk=person("amy", id=new_person_id()).pk)
    assert amy.pk != amy.slug


def test_facts_identify_people_by_internal_id_and_include_handles() -> None:
    amy = person("amy", Role.DEVELOPER, id="k3f7")
    people = build_people()
    assert people.by_id["k3f7"].handle == "amy"
    assert people.by_handle["amy"].id == amy.pk
    assert people.labels == {"k3f7": "Amy"}


def test_current_user_is_identified_by_internal_id() -> None:
    amy = person("amy", Role.ADMIN, id="k3f7")

    class Request:
        user, session = amy, {"second_factor": "k3f7"}

    found = load_actor(Request())  # type: ignore[arg-type]
    assert (found.person, found.second_factor) == ("k3f7", True)
    assert isinstance(found, Actor)


def test_no_page_or_api_response_shows_an_internal_id() -> None:
    ids = [person("amy", Role.ADMIN, Role.SECURITY, Role.DPO, id="zzidamy").pk, person("bob", id="zzidbob").pk]
    product("shop")
    amy = browser(Person.objects.get(pk=ids[0]))
    post(amy, "/people/bob/role", act="grant-role", role="auditor")
    post(amy, "/people/bob/role", act="grant-role", role="owner", product="shop")
    post(amy, "/policy/freeze", reason="a drill", drill="yes")
    number = Record.objects.order_by("-pk").values_list("pk", flat=True)[0]
    post(amy, f"/ledger/{number}/addendum", wrong="this", right="that")
    token = token_of(Person.objects.get(pk=ids[0]))
    pages = [
        *("/", "/people", "/people/bob", "/people/amy", "/activity", "/me", "/inbox", "/policy", "/search?q=bob"),
        *("/products/shop", f"/ledger/{number}", "/incidents", "/exceptions"),
    ]
    answers = ["/people", "/people/bob", "/activity", "/requests", "/freezes", "/policy/versions"]
    page = [amy.get(address).content.decode() for address in pages]
    page += [
        amy.get(f"/api{address}", headers={"Authorization": f"Bearer {token}"}).content.decode() for address in answers
    ]
    assert not [text for text in page if any(one in text for one in ids)]
    activity = page[pages.index("/activity")]
    assert "Amy" in activity


def test_people_and_products_are_listed_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("muniment.server.page_lists.page_in_order.__kwdefaults__", {"handle": "slug", "size": 2})
    for slug, one in (("amy", "z1"), ("eve", "a1"), ("bob", "m1"), ("cy", "c1")):
        person(slug, Role.ADMIN, id=one)
        product(slug)
    amy = browser(Person.objects.get(slug="amy"))
    for address in ("/people", "/products"):
        first = amy.get(address).content.decode()
        assert first.index("Amy") < first.index("Bob")
        assert ">Eve<" not in first
        following = re.findall(r'href="\?(after=\w+)&', first)
        assert following == ["after=bob"]
        assert ">Eve<" in amy.get(f"{address}?{following[0]}").content.decode()


def test_the_api_lists_people_by_handle() -> None:
    for slug, one in (("amy", "z1"), ("eve", "a1"), ("bob", "m1")):
        person(slug, Role.ADMIN, id=one)
    client, headers = browser(), {"Authorization": f"Bearer {token_of(Person.objects.get(slug='amy'))}"}
    first = client.get("/api/people?limit=2", headers=headers).json()
    assert ([row["handle"] for row in first["items"]], first["next"]) == (["amy", "bob"], "bob")
    rest = client.get(f"/api/people?limit=2&after={first['next']}", headers=headers).json()
    assert ([row["handle"] for row in rest["items"]], rest["next"]) == (["eve"], None)
