"""A real browser before a real service: `muniment up` on a home of its own, Chromium from Debian."""

import json
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from dev.rules import ROOT
from tests.support.repos import Repo
from tests.support.running import Up

ARTIFACTS = ROOT / "artifacts"
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("service")
    repo = Repo(folder / "shop")
    base = repo.commit({"app.py": "x = 1\n"})
    repo.commit({"app.py": "x = 2\n"}, on="topic", parents=[base], author="Bob <bob@example.test>")
    running = Up(folder / "home", repo.path)
    yield running
    running.end()


@pytest.fixture(scope="module")  # its event loop would be in the way of Django in other tests
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: bin/test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """Browser of one person with a virtual passkey, which collects console messages."""

    def __init__(self, chromium: Browser, url: str) -> None:
        self.url = url
        self.context: BrowserContext = chromium.new_context(
            viewport={"width": 1200, "height": 900}, reduced_motion="reduce"
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.page.on("console", lambda text: self.complaints.append(text.text) if text.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        session = self.context.new_cdp_session(self.page)
        session.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True}
        options |= {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def go(self, path: str) -> int:
        """Open a page; return its status code."""
        answer = self.page.goto(self.url + path)
        assert answer is not None
        return answer.status

    def text(self) -> str:
        """Text of the main part of the page."""
        return self.page.inner_text("main")

    def enter(self, link: str, name: str) -> None:
        """Open a setup link, and register with a passkey."""
        self.page.goto(link)
        self.page.fill("#accept-invitation-name", name.title())
        self.page.click("text=Use a passkey instead")
        self.page.wait_for_selector("#mfa_webauthn_add")
        self.page.fill("#id_name", "laptop")
        self.page.click("#mfa_webauthn_add")
        self.page.wait_for_url("**/webauthn/try/**")
        self.page.click("#try_passkey")
        self.page.wait_for_url("**/recovery-codes/**")

    def violations(self, *rules: str) -> list[str]:
        """Accessibility violations that axe reports, of these rules or of all that a standard demands."""
        from axe_playwright_python.sync_playwright import Axe

        standards = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        chosen = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": standards}
        found = Axe().run(self.page, options={"runOnly": chosen})
        return [
            f"{each['id']}: {each['help']}: {json.dumps([node['html'][:200] for node in each['nodes']][:3])}"
            for each in found.response["violations"]
        ]

    def picture(self, name: str) -> None:
        """Save a picture of the page among the artifacts, where somebody asks for it by MUNIMENT_TEST_PICTURES=1."""
        if "MUNIMENT_TEST_PICTURES" not in os.environ:
            return
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def visit(chromium: Browser, up: Up) -> Iterator[object]:
    visitors: list[Visitor] = []

    def new() -> Visitor:
        visitors.append(Visitor(chromium, up.url))
        return visitors[-1]

    yield new
    for visitor in visitors:
        visitor.context.close()
