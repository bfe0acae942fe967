"""Takes the pictures of README from the demonstration data: `python -m dev.screenshots`. Needs Chromium.

It fills a new home with the demonstration company, starts the service on it, signs in as a security officer, and writes
`docs/images/`. Run it after a change of those pages, and look at the pictures.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from dev.rules import ROOT

IMAGES = ROOT / "docs" / "images"
_ROLE, _PASSPHRASE = "security officer", "violet otter carries lantern"
_WIDTH, _HEIGHT = 1280, 800
_PULL_REQUEST = "Patient Portal"


def main() -> None:
    """Write a picture of the overview and one of a pull request's page."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("screenshots: chromium is missing; bin/test installs it")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        subprocess.run([sys.executable, "-m", "muniment", "demo", "--home", str(home)], check=True)
        command = [sys.executable, "-m", "muniment", "up", "--home", str(home)]
        with subprocess.Popen(command, cwd=name, stdout=subprocess.PIPE, text=True) as service:
            try:
                address, link, person = _read_start(service)
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                    page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
                    _sign_in(page, link, person)
                    IMAGES.mkdir(exist_ok=True)
                    page.goto(f"{address}/?overview")
                    page.screenshot(path=IMAGES / "overview.png")
                    page.goto(f"{address}/search?q=passkey")
                    page.get_by_role("link", name=re.compile("passkey", re.IGNORECASE)).first.click()
                    page.screenshot(path=IMAGES / "pull-request.png")
                    browser.close()
            finally:
                service.terminate()


def _read_start(service: "subprocess.Popen[str]") -> tuple[str, str, str]:
    """Address of the service, and the sign-in link and name of the person with the role. Exits if it did not start."""
    lines: list[str] = []
    for line in service.stdout or ():
        lines.append(line)
        if "Ctrl-C" in line:
            break
    text = "".join(lines)
    address = re.search(r"runs at (\S+)", text)
    person = re.search(rf"^  ([^,\n]+), {_ROLE}: (\S+)$", text, re.MULTILINE)
    if address is None or person is None:
        sys.exit(f"screenshots: the service did not start:\n{text}")
    return address[1], person[2], person[1]


def _sign_in(page: Page, link: str, name: str) -> None:
    page.goto(link)
    page.fill("#accept-invitation-name", name)
    page.fill("#password", _PASSPHRASE)
    page.click("button[name=way][value=password]")
    page.wait_for_load_state()


if __name__ == "__main__":
    main()
