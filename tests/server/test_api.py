"""The API: the same acts as the pages, narrowed by what a token is for."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.api import api
from muniment.server.people.models import Person, Token
from muniment.server.products.models import Product
from tests.support.service import browser, person, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")


class Program:
    """A program with a token."""

    def __init__(self, who: Person, *actions: Action, second_factor: bool = True, **changed: Any) -> None:
        text = token_of(who, actions or tuple(Action), second_factor=second_factor, **changed)
        self.client = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {text}"})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.client.generic(method, f"/api{path}", data, content_type="application/json", headers=headers)
        self.answer = answer
        return answer.status_code, json.loads(answer.content or b"null")


def test_a_token_does_what_it_is_for_and_no_more() -> None:
    product("shop")
    ada = person("ada", Role.ADMIN)
    reading = Program(ada, Action.SEE_STATE)
    assert reading.send("GET", "/products")[0] == 200
    assert reading.send("POST", "/products", {"id": "x", "name": "X"}) == (
        403,
        {
            "type": "urn:muniment:token-not-for-this",
            "title": "token not for this",
            "status": 403,
            "detail": "Your roles, or the token's, do not allow this.",
        },
    )
    assert Program(ada).send("POST", "/products", {"id": "x", "name": "X"})[0] == 200


@pytest.mark.parametrize("changed", [{"expires": timezone.now() - timedelta(1)}, {"ended": timezone.now()}])
def test_a_token_that_is_over_is_none(changed: dict[str, Any]) -> None:
    assert Program(person("ada", Role.ADMIN), **changed).send("GET", "/products")[0] == 401


def test_a_token_of_somebody_who_left_is_none() -> None:
    ada, bob = person("ada", Role.ADMIN), person("bob", Role.DEVELOPER)
    program = Program(bob)
    assert program.send("GET", "/products")[0] == 200
    post(browser(ada), "/people/bob/change", do="leave")
    assert program.send("GET", "/products")[0] == 401


def test_a_token_without_a_second_factor_changes_nothing() -> None:
    program = Program(person("ada", Role.ADMIN), second_factor=False)
    assert program.send("POST", "/products", {"id": "x", "name": "X"})[0] == 403
    assert Product.objects.count() == 0


def test_a_page_of_ones_own_makes_a_token_that_is_shown_once() -> None:
    ada = browser(person("ada", Role.ADMIN))
    page = ada.post("/me/tokens", {"name": "ci", "days": "30", "scope": ["see-state", "nonsense"]}).content.decode()
    text = page[page.index("<pre") :].partition(">")[2].partition("<")[0]
    client = Client(HTTP_HOST="localhost", headers={"Authorization": f"Bearer {text}"})
    assert client.get("/api/products").status_code == 200
    assert text not in ada.get("/me").content.decode()
    assert not Token.objects.filter(hash=text).exists()


def test_a_session_is_no_token() -> None:
    assert browser(person("ada", Role.ADMIN)).get("/api/products").status_code == 401


def test_pages_of_a_list_follow_each_other() -> None:
    for number in range(5):
        product(f"p{number}")
    program = Program(person("ada", Role.ADMIN))
    found: list[str] = []
    below = ""
    while True:
        _, page = program.send("GET", f"/products?limit=2{below}")
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        below = f"&below={page['next']}"
    assert found == ["p4", "p3", "p2", "p1", "p0"]
    for wrong in ("limit=0", "limit=101", "below=x", "below=-1", "below=99999999999999999999999"):
        assert program.send("GET", f"/products?{wrong}")[0] == 422


def test_the_same_request_sent_twice_is_done_once() -> None:
    program = Program(person("ada", Role.ADMIN))
    headers = {"Idempotency-Key": "k1"}
    first = program.send("POST", "/products", {"id": "x", "name": "X"}, **headers)
    assert program.send("POST", "/products", {"id": "x", "name": "X"}, **headers) == first
    assert first[0] == 200
    assert program.send("POST", "/products", {"id": "y", "name": "Y"}, **headers)[0] == 422
    assert program.send("POST", "/products", {"id": "x", "name": "X"})[0] == 409
    assert Product.objects.count() == 1


def test_a_change_to_what_was_changed_meanwhile_is_refused() -> None:
    product("shop")
    program = Program(person("ada", Role.OWNER))
    program.send("GET", "/products/shop")
    tag = program.answer["ETag"]
    assert program.send("PATCH", "/products/shop", {"name": "One"}, **{"If-Match": tag})[0] == 200
    status, told = program.send("PATCH", "/products/shop", {"name": "Two"}, **{"If-Match": tag})
    assert (status, told["type"]) == (412, "urn:muniment:changed-meanwhile")
    assert Product.objects.get().name == "One"


@pytest.mark.parametrize("body", [{"retired": "2020-01-01"}, {"id": "x"}, {"name": 3}, [], "x", {"name": "x" * 201}])
def test_what_no_field_is_for_is_refused(body: Any) -> None:
    product("shop")
    assert Program(person("ada", Role.OWNER)).send("PATCH", "/products/shop", body)[0] == 422


def test_another_products_things_are_not_there() -> None:
    shop = product("shop")
    product("other")
    program = Program(person("ada", Role.OWNER, product=shop))
    for path in ("/products/other", "/products/other/changes", "/products/none"):
        assert program.send("GET", path)[0] == 404
    assert [one["id"] for one in program.send("GET", "/products")[1]["items"]] == ["shop"]
    assert program.send("PATCH", "/products/other", {"name": "x"})[0] == 404
    assert program.send("GET", "/entries")[0] == 403


def test_a_dangerous_act_waits_here_too() -> None:
    for name, role in (("abe", Role.ADMIN), ("sam", Role.SECURITY)):
        person(name, role)
    program = Program(person("ada", Role.ADMIN))
    for name in ("sid", "eve"):
        person(name)
    assert program.send("POST", "/people/sid/roles", {"role": "security"})[1] == {"done": True, "proposal": None}
    status, told = program.send("POST", "/people/eve/roles", {"role": "security"})
    assert (status, told["done"]) == (200, False)


def test_its_description_is_openapi_and_names_every_operation() -> None:
    answer = browser().get("/api/openapi.json")
    described = json.loads(answer.content)
    assert described["openapi"].startswith("3.1")
    assert len(described["paths"]) == sum(len(router.path_operations) for _, router in api._routers)


def test_numbers_for_a_monitoring_system_name_nobody() -> None:
    product("secret-shop")
    program = Program(person("ada", Role.ADMIN), Action.SEE_WORK)
    answer = program.client.get("/api/metrics")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "muniment_workers 0.0" in text
    assert "muniment_entries_waiting" in text
    assert "shop" not in text
    assert Program(person("bob", Role.DEVELOPER)).client.get("/api/metrics").status_code == 403
