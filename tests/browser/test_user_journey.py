"""The first days of an installation, in a real browser: from the first link to an exception that two agree to."""

import functools
import subprocess
import sys
from collections.abc import Callable
from typing import Literal

import pytest

from tests.browser.conftest import Visitor
from tests.support.running import Up, until

pytestmark = pytest.mark.slow  # a browser

LISTED = (  # besides those without a parameter, which the addresses themselves tell
    *("/products/shop", "/products/shop/environments", "/people/admin", "/ledger/1", "/policy/versions/1"),
    *("/search?q=shop", "/nowhere"),
    *("/account/2fa/", "/account/2fa/totp/activate/", "/account/2fa/webauthn/", "/account/password/change/"),
)


LIGHT: Literal["light"] = "light"
DARK: Literal["dark"] = "dark"
LOOKS = ((1200, LIGHT), (1200, DARK), (360, DARK), (360, LIGHT))
OF_LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")

OF_FINDINGS = (
    "/designs",
    "/findings",
    "/findings/coverage",
    "/findings/early",
    "/findings/suppressions",
    "/requirement-lists",
    "/updates",
)  # no administrator sees weaknesses


@functools.cache
def list_pages() -> tuple[str, ...]:
    """Addresses of every page without a parameter, and of the listed ones."""
    found = subprocess.run([sys.executable, "-m", "dev.page_addresses"], capture_output=True, text=True, check=True)
    return (*found.stdout.split(), *LISTED)


@pytest.fixture(scope="module")
def ada(up: Up, visit: Callable[[], Visitor]) -> Visitor:
    """The first administrator, signed in with a passkey."""
    visitor = visit()
    visitor.enter(up.link, "ada")
    return visitor


def add_person(ada: Visitor, visit: Callable[[], Visitor], name: str, *roles: str) -> Visitor:
    """Add a person as ada, and open a browser for them."""
    page = ada.page
    ada.go("/people")
    page.fill("#add-person-handle", name)
    page.fill("#add-person-name", name.title())
    page.click("main button:has-text('Add person')")
    for role in roles:
        ada.go(f"/people/{name}")
        page.click("summary:has-text('Grant role')")
        page.select_option("#grant-role-role", role)
        page.click("button:has-text('Grant role'):visible")
    ada.go(f"/people/{name}")
    page.click("text=Create a one-time sign-in link")
    visitor = visit()
    visitor.enter(page.inner_text("pre").strip(), name)
    return visitor


def test_setup_link_works_once(up: Up, ada: Visitor, visit: Callable[[], Visitor]) -> None:
    other = visit()
    answer = other.page.goto(up.link)
    assert answer is not None
    assert answer.status == 410


def test_every_page_opens_without_violations_and_fits_phone_and_desktop(ada: Visitor) -> None:
    until(lambda: ada.go("/products/shop/settings") == 200 and "past change" in ada.text())
    page = ada.page
    try:
        for path in list_pages():
            status = ada.go(path)
            assert status == (404 if path == "/nowhere" else 403 if path in OF_FINDINGS else 200), path
            name = path.strip("/").replace("/", "-").replace("?", "-") or "home"
            rules: tuple[str, ...] = ()  # all of them once
            for width, scheme in LOOKS:
                page.set_viewport_size({"width": width, "height": 800})
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                assert ada.violations(*rules) == [], path
                rules = OF_LOOKS
                ada.picture(f"{name}-{scheme}-{width}")
    finally:
        page.set_viewport_size({"width": 1200, "height": 900})
        page.emulate_media(color_scheme="light")
    assert [text for text in ada.complaints if "404" not in text and "403" not in text] == []


def test_browser_verifies_ledger_entry(ada: Visitor) -> None:
    ada.go("/ledger/1")
    ada.page.wait_for_selector("#steps li.passing, #steps li.failing")
    assert ada.page.locator("#steps li.passing").count() == 3, ada.text()


def test_skip_link_and_navigation_are_reachable_by_keyboard(ada: Visitor) -> None:
    ada.go("/")
    seen = []
    for _ in range(12):
        ada.page.keyboard.press("Tab")
        seen.append(ada.page.evaluate("document.activeElement.innerText || document.activeElement.id"))
    assert seen[0] == "Skip to the content"
    assert seen[1:4] == ["Muniment", "Overview", "Inbox"]
    ada.go("/")
    ada.page.keyboard.press("Tab")
    ada.page.keyboard.press("Enter")
    assert ada.page.evaluate("document.activeElement.id") == "main"


def test_signing_out_and_in_with_the_passkey(ada: Visitor) -> None:
    ada.go("/me")
    ada.page.click("main >> text=Sign out")
    ada.page.wait_for_load_state()
    ada.go("/people")
    assert "/account/login/" in ada.page.url
    assert ada.violations() == []
    ada.picture("sign-in")
    ada.page.click("#passkey_login")
    ada.page.wait_for_selector("text=People")
    ada.go("/me")
    assert "Used for this session" in ada.text()


def test_exception_takes_two_people_and_revoked_role_ends_immediately(
    ada: Visitor, visit: Callable[[], Visitor]
) -> None:
    dev = add_person(ada, visit, "dev", "developer")
    sam = add_person(ada, visit, "sam", "security")
    dev.go("/products/shop")
    dev.page.click("table a")
    assert "Blocked" in dev.text()
    dev.picture("change-denied")
    dev.page.click("text=Request an exception >> nth=0")
    dev.page.fill("#request-exception-reason", "The site is down.")
    dev.page.click("button:has-text('Request exception')")
    assert "waits for a second person" in dev.text()
    sam.go("/")
    assert "The site is down." in sam.text()
    sam.picture("home-with-something-to-do")
    assert sam.violations() == []
    sam.page.click("a:has-text('Review request')")
    sam.page.check("input[value='agree']")
    sam.page.click("button:has-text('Record decision')")
    assert "Approved." in sam.text()
    dev.go("/exceptions")
    assert "The site is down." in dev.text()
    assert sam.go("/policy/propose") == 200
    ada.go("/people/sam")
    ada.page.click("text=Revoke role")
    assert sam.go("/policy/propose") == 403
    assert dev.complaints + [text for text in sam.complaints if "403" not in text] == []


def test_typed_secret_is_never_shown_again(ada: Visitor, visit: Callable[[], Visitor]) -> None:
    value = "-".join(["typed", "in", "a", "browser"])
    own = add_person(ada, visit, "own", "owner")
    own.go("/products/shop/environments")
    own.page.fill("#add-environment-name", "production")
    own.page.click("main button:has-text('Add environment')")
    own.go("/products/shop/secrets")
    for name, how in (("API_TOKEN", "Set this value"), ("SESSION_KEY", "Generate a random")):
        own.page.click("summary:has-text('Set or replace')")
        own.page.fill("input[name=name]:visible", name)
        own.page.fill("textarea[name=value]", value if "Set" in how else "")
        own.page.click(f"button:has-text('{how}')")
        assert "No person can read it" in own.text()
    assert value not in own.page.content()
    own.page.click("summary:has-text('Set or replace')")
    for width in (360, 1200):
        for scheme in ("light", "dark"):
            own.page.set_viewport_size({"width": width, "height": 800})
            own.page.emulate_media(color_scheme=scheme)
            assert own.page.evaluate("document.documentElement.scrollWidth") <= width
            assert own.violations() == []
            own.picture(f"secrets-{scheme}-{width}")
    assert own.complaints == []


def test_pages_of_findings_open_for_security_officer_without_violations(
    ada: Visitor, visit: Callable[[], Visitor]
) -> None:
    officer = add_person(ada, visit, "fay", "security")
    for path in OF_FINDINGS:
        assert officer.go(path) == 200, path
        assert officer.violations() == [], path
    assert officer.complaints == []
