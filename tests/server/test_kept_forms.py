"""What somebody typed is not lost, and a page that refuses says what it waits for."""

import pytest

from muniment.access.roles import Role
from muniment.server.products.models import Product
from tests.server.test_duties import enough
from tests.support.service import browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def test_a_form_that_takes_a_second_factor_is_sent_again_as_it_was_typed() -> None:
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


def test_whoever_waits_for_a_role_is_told_so_where_a_page_is_not_there_yet() -> None:
    enough()
    product("secret")
    bob = browser(person("bob"))
    assert "waits for a second person" not in bob.get("/products/secret").content.decode()
    post(browser(person("amy", Role.ADMIN)), "/people/bob/role", act="grant-role", role="developer", product="secret")
    answer = bob.get("/products/secret")
    assert answer.status_code == 404
    assert "waits for a second person" in answer.content.decode()


def test_whoever_requested_an_exception_sees_it_wait() -> None:
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
