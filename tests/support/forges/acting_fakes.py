"""What people do at the fakes of GitHub and GitLab: they act on the world that both show, within the forge's rules."""

import base64

from tests.support.forges.acting import READS, Refused
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.forge_state import World
from tests.support.forges.gitlab_requests import OURS


class _Acting:
    """Implements `tests.support.forges.acting.Acting` for the fakes."""

    ours = ""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self.path = world.path
        self.world = world

    def login(self, name: str) -> str:
        return self.ours if name == "muniment" else name

    def token(self, name: str) -> str:
        return f"person-{self.login(name)}"

    def clone_url(self) -> str:
        return f"{self.url}/{self.path}.git"

    def header(self, name: str) -> str:
        word = base64.b64encode(f"any:{self.token(name)}".encode()).decode()
        return f"Authorization: Basic {word}"

    def open(self, name: str, source: str, target: str, title: str) -> int:
        return self.world.open(self.login(name), source, target, title)

    def approve(self, name: str, number: int) -> None:
        self.world.review(self.login(name), number, "approved")

    def reject(self, name: str, number: int) -> None:
        self.world.review(self.login(name), number, "changes")

    def dismiss(self, name: str, number: int, of: str) -> None:
        self.world.dismiss(self.login(name), number, self.login(of))

    def ask(self, name: str, number: int, whom: str) -> None:
        self.world.ask(self.login(name), number, self.login(whom))

    def retarget(self, name: str, number: int, target: str) -> None:
        self.world.retarget(self.login(name), number, target)

    def merge(self, name: str, number: int, method: str, *, force: bool = False) -> None:
        if self.login(name) in READS or not self._may_merge(self.login(name), number):
            raise Refused("the branch's rules")
        self.world.merge(self.login(name), number, method)

    def _may_merge(self, login: str, number: int) -> bool:
        raise Refused(f"{login} merges {number} nowhere")


class GitHubActing(_Acting):
    """At the fake GitHub."""

    ours = "muniment[bot]"

    def __init__(self, fake: FakeGitHub) -> None:
        super().__init__(fake.url, fake.world)
        self._fake = fake
        fake.world.web = "GitHub <noreply@github.com>"
        fake.world.user(self.ours, "write", bot=True)

    def _may_merge(self, login: str, number: int) -> bool:
        return self._fake.mergeable(self.world.changes[number], login)

    def weaken(self, ref: str) -> None:
        self._fake.rulesets[0]["enforcement"] = "disabled"


class GitLabActing(_Acting):
    """At the fake GitLab."""

    ours = OURS

    def __init__(self, fake: FakeGitLab) -> None:
        super().__init__(fake.url, fake.world)
        self._fake = fake

    def dismiss(self, name: str, number: int, of: str) -> None:
        """Ask for a review again, which takes back the former one: GitHub and GitLab have no other way."""
        self.world.ask(self.login(name), number, self.login(of))

    def _may_merge(self, login: str, number: int) -> bool:
        return self._fake.mergeable(self.world.changes[number], login)

    def weaken(self, ref: str) -> None:
        self._fake.protected.clear()
