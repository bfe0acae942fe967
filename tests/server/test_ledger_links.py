"""Links to the ledger are shown to those alone who may open it."""

import pytest

from muniment.access.roles import Role
from tests.support.service import browser, person, product

pytestmark = pytest.mark.usefixtures("service")


def test_page_links_to_the_ledger_only_for_a_reader_of_it() -> None:
    shop = product("shop")
    developer, auditor = person("dev", Role.DEVELOPER, product=shop), person("eve", Role.AUDITOR)
    for someone, may_open in ((developer, False), (auditor, True)):
        client = browser(someone)
        page = client.get("/products").content.decode()
        assert ('href="/ledger"' in page) is may_open
        assert (client.get("/ledger").status_code == 200) is may_open
        assert 'href="/privacy"' in page
