"""Connecting a forge in a real browser, from address and token to a published status."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Visitor
from tests.support.forges.acting import GiteaActing, Work
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.running import Up, until

pytestmark = pytest.mark.slow  # a browser


@pytest.fixture(scope="module")
def fake_forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGitea]:
    with FakeGitea(tmp_path_factory.mktemp("forge")) as found:
        yield found


@pytest.fixture(scope="module")
def acting(fake_forge: FakeGitea, tmp_path_factory: pytest.TempPathFactory) -> GiteaActing:
    """A forge with one open change to a protected file, and a later push that bypasses the rules."""
    found = GiteaActing(fake_forge.url, fake_forge.administrator)
    work = Work(tmp_path_factory.mktemp("work"), found)
    files = {"Dockerfile": "FROM scratch\nCOPY . /\n", "app.py": "x = 1\n"}
    work.push("ada", work.commit("ada", files, work.tip("main"), message="Ship it\n"), "topic")
    found.open("ada", "topic", "main", "Ship it in a container")
    return found


@pytest.fixture(scope="module")
def ada(up: Up, visit: Callable[[], Visitor]) -> Visitor:
    visitor = visit()
    visitor.enter(up.link, "ada")
    return visitor


def check_page(ada: Visitor, name: str, path: str) -> None:
    """Check that the page opens, has no axe violation and fits a phone; save pictures in light and dark."""
    page = ada.page
    for width, scheme in ((1200, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert ada.go(path) == 200, path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert ada.violations() == [], path
        ada.picture(f"{name}-{scheme}-{width}")
    page.set_viewport_size({"width": 1200, "height": 800})
    page.emulate_media(color_scheme="light")


def test_forge_is_connected_and_its_changes_evaluated(
    ada: Visitor, fake_forge: FakeGitea, acting: GiteaActing, tmp_path: Path
) -> None:
    page = ada.page
    check_page(ada, "connections-empty", "/connections")
    page.select_option("#add-connection-vendor", "gitea")
    page.fill("#add-connection-url", fake_forge.url)
    page.fill("#add-connection-name", "forge")
    page.click("button:has-text('Add connection')")
    assert "Waiting for its credential" in ada.text()
    page.fill("#token", acting.token("muniment"))
    page.click("text=Store credential")
    assert "The credential is in the vault." in ada.text()
    assert acting.token("muniment") not in page.content()
    until(lambda: ada.go("/connections/forge") == 200 and acting.path in ada.text())
    page.select_option("select[name=product]", "shop")
    page.click("td button:has-text('Connect')")
    assert "The repository is connected." in ada.text()
    pull = fake_forge.pulls[acting.path, 1]
    head = str(fake_forge.repos[acting.path]["git"].tip("refs/pull/1/head"))
    until(lambda: [row["status"] for row in fake_forge.marks.get((acting.path, head), [])][-1:] == ["failure"])
    until(lambda: len(pull["comments"]) == 1)
    check_page(ada, "connection", "/connections/forge")
    ada.go("/products/shop")
    page.click("text=Ship it in a container")
    change = page.url.removeprefix(ada.url)
    check_page(ada, "change-at-forge", change)
    page.click("text=Sensitive lines and questions")
    assert "FROM scratch" in ada.text()
    check_page(ada, "review", page.url.removeprefix(ada.url))


def test_bypass_is_found_and_branch_history_is_shown(ada: Visitor, acting: GiteaActing, tmp_path: Path) -> None:
    work = Work(tmp_path / "work", acting)
    until(lambda: ada.go("/products/shop/branches") == 200 and "already there when monitoring began" in ada.text())
    work.push("ada", work.commit("ada", {"app.py": "x = 666\n"}, work.tip("main"), message="Quick fix\n"), "main")
    ada.go("/connections/forge")
    ada.page.click("text=Refresh connection")
    ada.go("/connections/forge")
    check_page(ada, "branches", "/products/shop/branches")
    check_page(ada, "friction", "/products/shop/friction")
