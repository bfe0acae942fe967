"""Refused forms keep the typed values, and refusing pages name the request that waits."""

import pytest

from muniment.access.roles import Role
from muniment.server.products.models import Product
from tests.server.test_separation_of_duties import enough
from tests.support.service import browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def test_form_is_preserved_while_second_factor_is_set_up() -> None:
    ada = person("ada", Role.ADMIN)
    typed = {"act": "add-product", "id": "shop", "name": 'A "quoted" <name>', "password": "never shown"}
    answer = browser(ada, second_factor=False).post("/products/add", typed)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert 'name="name" value="A &quot;quoted&quot; &lt;name&gt;"' in page
    assert "/account/2fa/" in page
    assert "never shown" not in page
    assert not Product.objects.exists()
    browser(ada).post("/products/add", {name: typed[name] for name in ("act", "id", "name")})
    assert Product.objects.get().name == 'A "quoted" <name>'


def test_not_found_page_mentions_waiting_role_request() -> None:
    enough()
    product("secret")
    bob = browser(person("bob"))
    assert "A second person has to approve it first" not in bob.get("/products/secret").content.decode()
    post(browser(person("amy", Role.ADMIN)), "/people/bob/role", act="grant-role", role="developer", product="secret")
    answer = bob.get("/products/secret")
    assert answer.status_code == 404
    assert "A second person has to approve it first" in answer.content.decode()


def test_requester_sees_waiting_exception() -> None:
    enough()
    shop = product("shop", "/nowhere/shop")
    dev = browser(person("dev", Role.DEVELOPER, product=shop))
    fields = {
        "repository": "shop",
        "clause": "review.two-reviewers",
        "branch": "refs/heads/main",
        "days": "3",
        "reason": "Down.",
    }
    post(dev, "/exceptions/request", **fields)
    assert "Down." in dev.get("/exceptions").content.decode()
