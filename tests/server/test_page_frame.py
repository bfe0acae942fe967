"""Frame of pages: the organisation's name, the reader's language, and the first page after a sign-in."""

import pytest
from django.http import HttpRequest
from django.test import Client, override_settings

from muniment.access.roles import Role
from muniment.server.pages.setup_checklist import forget_finished
from muniment.server.people.adapter import AccountAdapter
from muniment.server.records.installation import open_store
from tests.support.service import as_role, browser, person, product

pytestmark = pytest.mark.usefixtures("service")
TWO_LANGUAGES = override_settings(LANGUAGES=[("en", "English"), ("nl", "Nederlands")])


def read(client: Client, address: str = "/glossary") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("text", "visible"),
    [('organisation = "Alder & Sons"', "Alder &amp; Sons"), ("", ""), ("organisation = 7", ""), ("no toml", "")],
)
def test_pages_show_the_name_of_the_organisation(text: str, visible: str) -> None:
    with as_role("owner"):
        open_store().write_document("home.toml", text.encode())
    page = read(browser(person("ada", Role.AUDITOR)))
    assert ('<span class="org">' in page) == bool(visible)
    assert visible in page


def test_the_menu_marks_the_page_that_is_open() -> None:
    ada = browser(person("ada", Role.SECURITY))
    assert '<a href="/policy" aria-current="page">' in read(ada, "/policy")
    page = read(ada, "/products")
    assert '<a href="/products" aria-current="page">' in page
    assert page.count("aria-current") == 1


def test_each_sign_out_form_has_its_own_token() -> None:
    ada = browser(person("ada", Role.AUDITOR))
    pages = [read(ada), read(ada)]
    tokens = {page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0] for page in pages}
    assert len(tokens) == 2
    assert "<!--field-->" not in "".join(pages)


def test_searched_words_are_on_the_page_of_their_search_alone() -> None:
    ada = browser(person("ada", Role.SECURITY))
    assert 'id="q" name="q" type="search"' in read(ada, "/search?q=hidden-words")
    assert read(ada, "/search?q=hidden-words").count('value="hidden-words"') == 2
    assert "hidden-words" not in read(ada) + read(ada, "/glossary?q=hidden-words")


@pytest.mark.parametrize(
    ("roles", "address"),
    [
        ((Role.DEVELOPER,), "/changes"),
        ((Role.AUDITOR,), "/ledger"),
        ((Role.DPO,), "/reviews"),
        ((Role.STAKEHOLDER,), "/reviews"),
        ((Role.ANALYST,), "/requirements"),
        ((Role.DEVELOPER, Role.SECURITY), "/"),
        ((Role.MANAGEMENT,), "/"),
        ((), "/"),
    ],
)
def test_first_page_is_that_of_the_persons_work(roles: tuple[Role, ...], address: str) -> None:
    request = HttpRequest()
    request.user = person("ada", *roles)
    assert AccountAdapter().get_login_redirect_url(request) == address


def test_a_demonstration_begins_with_the_overview() -> None:
    forget_finished()
    product("shop", "/nowhere/shop")
    ada = browser(person("ada", Role.ADMIN))
    assert "Set up Muniment" in read(ada, "/")
    with override_settings(DEMONSTRATION=True):
        assert "Policy status" in read(ada, "/")


def test_the_language_is_that_of_the_reader() -> None:
    ada = browser(person("ada", Role.AUDITOR))
    assert '<html lang="en"' in read(ada)
    with override_settings(LANGUAGES=[("en", "English")]):
        assert 'name="language"' not in read(ada, "/me"), "there is one language"
    with TWO_LANGUAGES:
        assert 'name="language"' in read(ada, "/me")
        assert ada.post("/me/language", {"language": "nl"}).status_code == 302
        assert '<html lang="nl"' in read(ada)
        ada.post("/me/language", {"language": "en"})
        assert '<html lang="en"' in read(ada)
        assert ada.post("/me/language", {"language": 'x" onload="'}).status_code == 400
