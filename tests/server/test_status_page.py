"""Status page at its secret address: what is missing on an open change, shown without an account."""

import pytest
from django.conf import settings

from muniment.server.connections.models import ForgeChange
from tests.support.forge_setup import ForgeSetup
from tests.support.service import browser

pytestmark = pytest.mark.usefixtures("service")


def address(setup: ForgeSetup, number: int) -> str:
    """Path of the status page, as the forge shows it."""
    setup.evaluate(number)
    visible = setup.fake.marks[setup.acting.path, setup.load_change(number).head][-1]
    assert visible["target_url"].startswith(f"{settings.URL.rstrip('/')}/change-status/")
    return str(visible["target_url"].removeprefix(settings.URL.rstrip("/")))


def test_status_page_shows_missing_approvals_without_an_account(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    answer = browser().get(address(setup, number))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Merging is blocked" in page
    assert "0 of 2 required approvals" in page
    assert "Pull request to main" in page
    assert "Can approve" in page
    assert "<nav" not in page
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Cache-Control"] == "no-store"
    assert "@example.test" not in answer.content.decode()
    assert browser().post(address(setup, number)).status_code == 405


def test_status_page_is_not_found_after_the_merge(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    path = address(setup, number)
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    assert "Ready to merge" in browser().get(path).content.decode()
    setup.acting.merge("bob", number, "merge")
    setup.evaluate(number)
    over = browser().get(path)
    assert over.status_code == 404
    assert "This link has ended" in over.content.decode()


def test_any_other_address_is_not_found(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    path = address(setup, number)
    for other in (path[:-1], f"{path}x", "/change-status/1", f"/change-status/{ForgeChange.objects.get().pk}"):
        answer = browser().get(other)
        assert answer.status_code == 404
        assert "required approvals" not in answer.content.decode()


def test_each_change_has_its_own_address(setup: ForgeSetup) -> None:
    numbers = [setup.open_change({f"{name}.py": "x = 1\n"}, branch=name) for name in ("one", "two")]
    assert len({address(setup, number) for number in numbers}) == 2
