"""Tutorial of the first deployment, in a real browser and a real service, after the two tutorials before it."""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dev.generate import DOCS
from tests.browser.conftest import Visitor
from tests.support.running import until
from tests.support.tutorials import Shell, follow, read_sections, run_commands

pytestmark = pytest.mark.slow  # a browser, a service

BUILDER = "https://ci.example.test/builder"
SECTIONS = read_sections("first-deployment.md")


def find_free_port() -> str:
    """A port that nothing listens at; the tutorial's may be taken."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


class TutorialService:
    """The service of the tutorial's first section, started in a terminal of its own."""

    def __init__(self, shell: Shell, port: str) -> None:
        enter, start = SECTIONS["1. Start the service"][0].text.strip().splitlines()
        run = f"{enter}\n{start.replace('8080', port).replace('muniment up', 'exec muniment up')}\n"
        self.process = subprocess.Popen(
            ["bash", "-c", run], env=shell.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = self.process.stdout.readline()
            assert line, printed
            printed += line
        links = re.findall(r"\S+/welcome/\S+", printed)
        assert len(links) == 1, printed
        self.link = links[0]

    def end(self) -> None:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Shell(tmp_path) as one:
        follow(one, "first-evaluation.md")
        follow(one, "first-enforced-branch.md")
        yield one


def test_the_first_deployment_works_as_written(shell: Shell, tmp_path: Path, chromium: Browser) -> None:
    port, folder = find_free_port(), tmp_path / "muniment-tutorial"
    service = TutorialService(shell, port)
    visitor = Visitor(chromium, f"http://localhost:{port}")
    try:
        visitor.enter(service.link, "ada")
        grant_roles(visitor)
        run_commands(shell, SECTIONS["3. Make a token"], **{"8080": port, "=TOKEN": f"={make_token(visitor)}"})
        run_commands(shell, SECTIONS["4. Add an environment and its pipeline"])
        run_commands(shell, SECTIONS["5. Trust a builder"])
        trust_builder(visitor, (folder / "builder.pub").read_text(encoding="utf-8"))
        permit_builder(visitor)
        run_commands(shell, SECTIONS["6. Read the server hook's log"])
        read_hook_log(visitor, folder / "hook-home")
        shutil.copy(DOCS / "templates" / "provenance.sh", folder)
        run_commands(shell, SECTIONS["7. Build, and deploy"])
        visitor.go("/deployments/1")
        assert "Deployment to staging\nDeployed" in visitor.text()
        visitor.go("/deployments/2")
        assert "Denied" in visitor.text()
    finally:
        visitor.context.close()
        service.end()
    assert [name for name, commands in SECTIONS.items() if commands and not name[0].isdigit()] == []


def grant_roles(visitor: Visitor) -> None:
    """Do section 2."""
    for role in ("owner", "security"):
        visitor.go("/people/admin")
        visitor.page.click("summary:has-text('Grant role')")
        visitor.page.select_option("#grant-role-role", role)
        visitor.page.click("button:has-text('Grant role'):visible")


def make_token(visitor: Visitor) -> str:
    """Make the token of section 3."""
    visitor.go("/me")
    visitor.page.click("summary:has-text('Create token')")
    visitor.page.fill("#create-token-name", "tutorial")
    for action in ("change-product", "change-environment", "see-deployments"):
        visitor.page.check(f"input[value='{action}']")
    visitor.page.click("button:has-text('Create token'):visible")
    return visitor.page.inner_text("pre").strip()


def trust_builder(visitor: Visitor, key: str) -> None:
    """Do the first step of section 5."""
    visitor.go("/builders")
    visitor.page.click("summary:has-text('Trust a builder')")
    visitor.page.fill("#trust-builder-builder_id", BUILDER)
    visitor.page.fill("#trust-builder-public_key", key)
    visitor.page.click("button:has-text('Request approval'):visible")


def permit_builder(visitor: Visitor) -> None:
    """Do the second step of section 5."""
    visitor.go("/policy/clauses/deployment.permitted/change")
    visitor.page.fill("textarea[name$='builders']", BUILDER)
    visitor.page.click("button:has-text('Show what it changes')")
    visitor.page.click("button:has-text('Put in force'), button:has-text('Request approval')")


def read_hook_log(visitor: Visitor, home: Path) -> None:
    """Do section 6, and wait until the log is read."""
    visitor.go("/products/shop/settings")
    visitor.page.click("summary:has-text('Read server hook')")
    visitor.page.fill("#add-server-hook-log-repository", "shop")
    visitor.page.fill("#add-server-hook-log-path", str(home))
    visitor.page.fill("#add-server-hook-log-key", (home / "keys" / "ledger.pub").read_text(encoding="utf-8").strip())
    visitor.page.locator("form", has=visitor.page.locator("#add-server-hook-log-path")).get_by_role("button").click()

    def is_read() -> object:
        visitor.go("/products/shop/settings")
        return re.search(r"[1-9]\d* records of its server hook verified", visitor.text())

    until(is_read)
