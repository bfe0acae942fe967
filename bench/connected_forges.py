"""Connected repositories at fakes of forges over HTTP, with real git behind them."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from muniment.forges.shapes import Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.acting_fakes import GitHubActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.faulty import Route
from tests.support.forges.github_answers import APP

Credential = Mapping[str, str]
PostedResults = list[tuple[str, str, float]]  # a head, a result, and when it was shown, or became the right one


class Place(ABC):
    """A connected repository at a fake forge. `posted`: head, result and moment of each decision but pending."""

    name = ""
    vendor = Vendor.GITEA
    event = ""  # the header that names the kind of a delivery
    says: tuple[str, ...] = ()  # the calls that show a decision
    setup: Any  # of the service, once it is connected

    def __init__(self, fake: Any, acting: Any) -> None:
        self.fake, self.acting = fake, acting
        self.posted: PostedResults = []
        self.allowed: dict[int, bool] = {}  # what the last review of each change leads to
        self._note()

    @classmethod
    @abstractmethod
    def there(cls, folder: Path) -> contextlib.AbstractContextManager["Place"]:
        """A new forge with one repository, which nothing is connected to yet."""

    def open(self, branch: str) -> int:
        """A change by ada, pushed without git's own ceremony, and approved by two: each event is then shown."""
        login = self.acting.login("ada")
        base, who = self.git.tip("main"), f"{login} <{login}@example.test>"
        made = self.git.commit({f"{branch}.txt": "1\n"}, on=branch, parents=[base], author=who)
        self.pushed(login, f"refs/heads/{branch}", made)
        number: int = self.acting.open("ada", branch, "main", branch)
        for name in ("bob", "carol"):
            self.acting.approve(name, number)
        return number

    def head(self, number: int) -> str:
        """Where a change stands."""
        found: str = self.git.tip(f"refs/pull/{number}/head")
        return found

    @property
    @abstractmethod
    def git(self) -> Any:
        """The repository at the forge."""

    @abstractmethod
    def pushed(self, login: str, ref: str, commit: str) -> None:
        """Somebody pushed a branch."""

    @abstractmethod
    def label(self, number: int, label: str) -> dict[str, Any]:
        """Somebody puts a label there; what a delivery tells of the change then."""

    def review(self, number: int, *, approve: bool) -> dict[str, Any]:
        """A reviewer approves, or asks for changes, as the last word; what a delivery tells of the change then."""
        (self.acting.approve if approve else self.acting.reject)("bob", number)
        return self.read_pull(number)

    @abstractmethod
    def read_pull(self, number: int) -> dict[str, Any]:
        """Body of a delivery about a change."""

    @abstractmethod
    def credential(self) -> Credential:
        """Credential of the connection, as the vault would store it."""

    @abstractmethod
    def read_posted_result(self, request: Any, reply: Any) -> tuple[str, str]:
        """The head on which a call showed a decision, and the result, "" for pending."""

    @abstractmethod
    def signature(self, mac: str) -> dict[str, str]:
        """The header of a delivery's signature."""

    def _note(self) -> None:
        def noted(answer: Any) -> Any:
            def answered(fake: Any, request: Any) -> Any:
                reply = answer(fake, request)
                head, result = self.read_posted_result(request, reply)
                if result:
                    self.posted.append((head, result, time.perf_counter()))
                return reply

            return answered

        self.fake.routes = tuple(
            Route(r.method, r.pattern, r.name, noted(r.answer)) if r.name in self.says else r for r in self.fake.routes
        )


class AtGitea(Place):
    """Gitea, with a token."""

    name = "Gitea"
    vendor = Vendor.GITEA
    event = "HTTP_X_GITEA_EVENT"
    says = ("publish",)

    @classmethod
    @contextlib.contextmanager
    def there(cls, folder: Path) -> Iterator["Place"]:
        with FakeGitea(folder) as fake:
            yield cls(fake, GiteaActing(fake.url, fake.administrator))

    @property
    def git(self) -> Any:
        return self.fake.repos[self.acting.path]["git"]

    def pushed(self, login: str, ref: str, commit: str) -> None:
        self.fake.pushed(self.acting.path, login, ref, "", commit)

    def label(self, number: int, label: str) -> dict[str, Any]:
        pull = self.fake.pulls[self.acting.path, number]
        pull["labels"].append(label)
        self.fake.happened(pull, self.acting.login("carol"), type="label")
        return self.read_pull(number)

    def read_pull(self, number: int) -> dict[str, Any]:
        return {"number": number}

    def credential(self) -> Credential:
        return {"token": self.acting.token("muniment")}

    def read_posted_result(self, request: Any, reply: Any) -> tuple[str, str]:  # noqa: ARG002 -- one shape for all
        state = request.body["state"]
        return request.found[1], "" if state == "pending" else state

    def signature(self, mac: str) -> dict[str, str]:
        return {"HTTP_X_GITEA_SIGNATURE": mac}


class AtGitHub(Place):
    """GitHub, as an App."""

    name = "GitHub"
    vendor = Vendor.GITHUB
    event = "HTTP_X_GITHUB_EVENT"
    says = ("make run", "change run")

    @classmethod
    @contextlib.contextmanager
    def there(cls, folder: Path) -> Iterator["Place"]:
        with FakeGitHub(folder) as fake:
            yield cls(fake, GitHubActing(fake))

    @property
    def git(self) -> Any:
        return self.fake.world.repo

    def pushed(self, login: str, ref: str, commit: str) -> None:
        self.fake.world.pushed(login, ref, "", commit)

    def label(self, number: int, label: str) -> dict[str, Any]:
        self.fake.world.label(number, label)
        return self.read_pull(number)

    def read_pull(self, number: int) -> dict[str, Any]:
        return {"number": number, "updated_at": self.fake.world.changes[number].updated}

    def credential(self) -> Credential:
        return {"app_id": str(APP), "pem": self.fake.pem}

    def read_posted_result(self, request: Any, reply: Any) -> tuple[str, str]:
        done = request.body["status"] == "completed"
        return reply.body["head_sha"], request.body["conclusion"] if done else ""

    def signature(self, mac: str) -> dict[str, str]:
        return {"HTTP_X_HUB_SIGNATURE_256": f"sha256={mac}"}


PLACES: tuple[type[Place], ...] = (AtGitHub, AtGitea)


@contextlib.contextmanager
def at(kind: type[Place], folder: Path, commits: int) -> Iterator[Place]:
    """A new organisation whose one repository is connected there, with so many commits on its main branch."""
    import pytest

    from muniment.server.connections import credentials
    from muniment.server.records import row_checks
    from muniment.server.records.recorded_rows import list_recorded_models, note_rows
    from muniment.server.running import preparation
    from tests.support.forge_setup import ForgeSetup
    from tests.support.service import as_role, by_an_act, empty, trust_rows

    empty()
    row_checks.forget_comparisons()
    with as_role("operator"):  # the sequencer accepts a policy of no other process
        preparation.apply_first_policy()
    with kind.there(folder / "forge") as place:
        vars(credentials)["read_credential"] = lambda _: place.credential()
        for number in range(commits):
            place.git.commit({"log.txt": f"{number}\n"}, on="main")
        with pytest.MonkeyPatch.context() as patch:
            trust_rows(patch)
            place.setup = ForgeSetup(place.fake, place.acting, folder, kind.vendor)
            place.setup.connect()
        with by_an_act():  # from here on its rows are compared with the ledger, as in the service
            for model in list_recorded_models():
                note_rows(model, model._base_manager.values_list("pk", flat=True))
        yield place
