"""Report of a replay in a browser: no accessibility violation, no request, no page wider than the window."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from muniment.cli import replay_html
from tests.browser.conftest import ARTIFACTS
from tests.cli.test_replay_page import make_report

pytestmark = pytest.mark.slow

_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_report_is_accessible_and_asks_for_nothing(chromium: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    file = tmp_path / "report.html"
    file.write_text(replay_html.format_page(make_report()), encoding="utf-8")
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    noted: list[str] = []
    page.on("console", lambda text: noted.append(text.text))
    page.on("request", lambda request: noted.append(request.url))
    page.goto(file.as_uri())
    for summary in page.locator("summary").all():
        summary.click()
    assert noted == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page, options={"runOnly": list(_RULES)}).response["violations"]
    assert [each["id"] for each in found] == []
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"replay-{width}-{scheme}.png", full_page=True)
    context.close()
