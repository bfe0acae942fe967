"""The first job with a secret, by its guide, in a real browser and a real service."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dev.generate import DOCS
from tests.browser.conftest import Visitor
from tests.support.repos import Repo
from tests.support.terminals import Seated

pytestmark = pytest.mark.slow  # a browser, a service

VALUE = "://".join(["postgres", "shop:correct-horse-battery@db.example/shop"])
SCOPES = ("change-product", "change-environment", "see-deployments", "set-secret", "see-secrets")


def read_blocks() -> list[str]:
    """Commands of the guide's first task, a block for each of its steps that has some."""
    page = (DOCS / "guides" / "pipeline-secrets.md").read_text(encoding="utf-8")
    section = page.partition("## The first job with a secret\n")[2].partition("\n## ")[0]
    return [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)]


START, TOKEN, APPLY, SECRET, RUN = read_blocks()


def find_free_port() -> str:
    """A port that nothing listens at; the guide's may be taken."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


class Reader:
    """Somebody who follows the guide on a machine of their own; the ports and paths are others."""

    def __init__(self, folder: Path) -> None:
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.folder = folder
        self.environment = {"HOME": str(folder), "PATH": programs, "LANG": "C.UTF-8"}
        self.environment |= {"MUNIMENT_HOME": str(folder / "home"), "GIT_CONFIG_NOSYSTEM": "1"}
        self.ports = {"8080": find_free_port(), "8200": find_free_port()}
        self.exports = ""

    def write(self, block: str, **words: str) -> str:
        """Text of a block as this reader types it."""
        for word, value in (self.ports | words).items():
            block = block.replace(word, value)
        return block.replace("/srv", str(self.folder))

    def start(self) -> tuple[subprocess.Popen[str], str]:
        """Start the service. Returns its process, and all that it prints first."""
        install, exports, up = START.strip().splitlines()
        assert install.startswith("pip install")
        command = self.write(f"{exports}\nexec {up}\n")
        process = subprocess.Popen(
            ["bash", "-c", command], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        return process, printed

    def type(self, block: str, *answers: tuple[bytes, str]) -> bytes:
        """Run a block at a terminal, and answer what it asks. Returns what is seen."""
        shell = ["bash", "-ec", f"cd {self.folder}\n{self.exports}\n{self.write(block)}"]
        with Seated(shell, self.environment) as seat:
            for question, text in answers:
                seat.until(question, 120)
                seat.seen = b""
                seat.types(f"{text}\n".encode())
            code, seen = seat.ends()
            assert code == 0, seen
            return seen


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    repo = Repo(tmp_path / "clone")
    repo.commit({"test.sh": '#!/bin/sh\necho "the url is $DATABASE_URL"\n'})
    subprocess.run(["git", "-C", repo.path, "checkout", "--quiet", "main"], check=True)
    (repo.path / "test.sh").chmod(0o755)
    subprocess.run(["git", "clone", "--quiet", "--bare", repo.path, tmp_path / "git" / "shop.git"], check=True)
    return Reader(tmp_path)


def test_the_first_job_with_a_secret_works_as_written(reader: Reader, chromium: Browser) -> None:
    service, printed = reader.start()
    visitor = Visitor(chromium, f"http://localhost:{reader.ports['8080']}")
    try:
        (link,) = re.findall(r"\S+/welcome/\S+", printed)
        (password,) = re.findall(r"name admin, password (\S+)", printed)
        visitor.enter(link, "ada")
        visitor.go("/people/admin")
        visitor.page.click("summary:has-text('Grant role')")
        visitor.page.select_option("#grant-role-role", "owner")
        visitor.page.click("button:has-text('Grant role'):visible")
        reader.exports = reader.write(TOKEN).replace("=…", f"={make_token(visitor)}")
        keep_staging_only(reader.folder / "environments.toml")
        seen = reader.type(
            APPLY,
            *((b"Make it so", "y"), (b"Your name in the vault", "admin"), (b"Password", password)),
            (b"Make it so", "y"),
        )
        assert b"made or changed" in seen
        seen = reader.type(SECRET, (b"Value of DATABASE_URL", VALUE), (b"Repeat", VALUE))
        assert b"DATABASE_URL is in the vault" in seen
        assert b"correct-horse" not in seen
        reader.exports = "cd clone"
        seen = reader.type(RUN.replace("=KEY", f"={reader.folder / 'tests.key'}"))
        assert b"the url is ***" in seen
        assert b"correct-horse" not in seen
    finally:
        visitor.context.close()
        service.send_signal(signal.SIGINT)
        service.communicate(timeout=60)


def make_token(visitor: Visitor) -> str:
    """Make the token of step 4."""
    visitor.go("/me")
    visitor.page.click("summary:has-text('Create token')")
    visitor.page.fill("#create-token-name", "first job")
    for scope in SCOPES:
        visitor.page.check(f"input[value='{scope}']")
    visitor.page.click("button:has-text('Create token'):visible")
    return visitor.page.inner_text("pre").strip()


def keep_staging_only(file: Path) -> None:
    """Copy the template, and leave in it only the environment `staging` with the pipeline `tests`."""
    shutil.copy(DOCS / "templates" / "environments.toml", file)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.partition('\n[[environment.pipeline]]\nname = "release"')[0], encoding="utf-8")
