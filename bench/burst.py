"""From an event to the verdict, with many changes open: fakes of forges over HTTP, with real git behind them."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import multiprocessing
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.measure import Row
from muniment.forges.shapes import Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.acting_fakes import GitHubActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.faulty import Route
from tests.support.forges.github_shown import APP

A_SECOND, AT_ONCE = 50, 4
_LONGEST = 900.0

Credential = Mapping[str, str]
Said = list[tuple[str, float]]


class Place(ABC):
    """A connected repository at a fake forge. `said`: the head and moment of each verdict but pending."""

    name = ""
    vendor = Vendor.GITEA
    event = ""  # the header that names the kind of a delivery
    says: tuple[str, ...] = ()  # the calls that show a verdict
    town: Any  # of the service, once it is connected

    def __init__(self, fake: Any, acting: Any) -> None:
        self.fake, self.acting = fake, acting
        self.said: Said = []
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

    @abstractmethod
    def credential(self) -> Credential:
        """What the vault would hold."""

    @abstractmethod
    def head_said(self, request: Any, reply: Any) -> str:
        """The head on which a call showed a verdict; "" for pending."""

    @abstractmethod
    def signature(self, mac: str) -> dict[str, str]:
        """The header of a delivery's signature."""

    def _note(self) -> None:
        def noted(answer: Any) -> Any:
            def answered(fake: Any, request: Any) -> Any:
                reply = answer(fake, request)
                if head := self.head_said(request, reply):
                    self.said.append((head, time.perf_counter()))
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
        return {"number": number}

    def credential(self) -> Credential:
        return {"token": self.acting.token("muniment")}

    def head_said(self, request: Any, reply: Any) -> str:  # noqa: ARG002 -- one shape for all
        return request.found[1] if request.body["state"] != "pending" else ""

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
        return {"number": number, "updated_at": self.fake.world.changes[number].updated}

    def credential(self) -> Credential:
        return {"app_id": str(APP), "pem": self.fake.pem}

    def head_said(self, request: Any, reply: Any) -> str:
        return reply.body["head_sha"] if request.body["status"] == "completed" else ""

    def signature(self, mac: str) -> dict[str, str]:
        return {"HTTP_X_HUB_SIGNATURE_256": f"sha256={mac}"}


PLACES: tuple[type[Place], ...] = (AtGitHub, AtGitea)


@contextlib.contextmanager
def at(kind: type[Place], folder: Path, commits: int) -> Iterator[Place]:
    """A new organisation whose one repository is connected there, with so many commits on its main branch."""
    from muniment.server.connections import credentials
    from muniment.server.running import preparing
    from tests.support.connected import Town
    from tests.support.service import empty

    empty()
    preparing.first_policy()
    with kind.there(folder / "forge") as place:
        vars(credentials)["of"] = lambda _: place.credential()
        place.town = Town(place.fake, place.acting, folder, kind.vendor)
        for number in range(commits):
            place.git.commit({"log.txt": f"{number}\n"}, on="main")
        place.town.connect()
        yield place


def rows(kind: type[Place], folder: Path, changes: int, seconds: int) -> list[Row]:
    """The first verdicts on so many changes, and then a label on one after another, so many seconds long."""
    with at(kind, folder, 10) as place:
        numbers = [place.open(f"topic-{number}") for number in range(changes)]
        place.git.git("gc", "--quiet")  # as forges do now and then
        begun = time.perf_counter()
        for number in numbers:
            place.town.look(number)
        first = time.perf_counter() - begun
        with _worker(place.credential()):
            place.said.clear()
            _waits(_events(place, numbers[:A_SECOND], 1)[0], place.said)  # the worker is warm
            place.said.clear()
            calls = len(place.fake.calls)
            heard, told = _events(place, numbers, seconds)
            waits = sorted(_waits(heard, place.said))
        api = Counter(name for name in place.fake.calls[calls:] if name != "git")
        return _table(kind.name, changes, first, _Burst(heard, told, waits, list(place.said), api))


class _Burst(NamedTuple):
    """What came of it: what was `heard`, in how many seconds it was `told`, how long each event waited."""

    heard: Said
    told: float
    waits: list[float]
    said: Said
    api: Counter[str]


def _table(name: str, changes: int, first: float, burst: _Burst) -> list[Row]:
    verdicts, waits = len(burst.said), burst.waits
    calls = ", ".join(f"{call} {count}" for call, count in sorted(burst.api.items()))
    return [
        Row(
            f"{name}: first verdicts on {changes} changes, one after the other",
            f"{first / changes * 1e3:.0f} ms each",
            "allowed by two approvals",
            f"{changes / first:.1f} verdicts a second",
            "",
        ),
        Row(
            f"{name}: {len(burst.heard)} events in {burst.told:.0f} s on {changes} open changes: heard until shown",
            f"p50 {waits[len(waits) // 2]:.1f} s, p95 {waits[int(len(waits) * 0.95)]:.1f} s",
            f"{verdicts} verdicts for them",
            f"{verdicts / (burst.said[-1][1] - burst.heard[0][1]):.1f} verdicts a second",
            "p95 2 s",
        ),
        Row(
            f"{name}: calls to the forge for a verdict, two reviewers",
            f"{burst.api.total() / max(verdicts, 1):.1f}",
            calls,
            "",
            "3",
        ),
    ]


def _events(place: Place, numbers: list[int], seconds: int) -> tuple[Said, float]:
    from django.test import Client

    from muniment.server.connections import hearing

    secret, client = hearing.secret_of(place.town.connection), Client(HTTP_HOST="localhost")
    repository = {"id": int(place.town.repository.forge_link.forge_id), "full_name": place.acting.path}
    heads = {number: place.head(number) for number in numbers}
    heard: Said = []
    begun = time.perf_counter()
    for number_of in range(A_SECOND * seconds):
        number = numbers[(number_of * 7919) % len(numbers)]
        time.sleep(max(0.0, begun + number_of / A_SECOND - time.perf_counter()))
        told = place.label(number, f"label-{number_of}")
        heard.append((heads[number], time.perf_counter()))
        once = time.perf_counter_ns()  # the same bytes are not heard twice
        raw = json.dumps({"action": "labeled", "at": once, "repository": repository, "pull_request": told}).encode()
        mac = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers: dict[str, Any] = {
            place.event: "pull_request",
            f"{place.event[:-6]}_DELIVERY": f"d-{once}",
        }
        headers |= place.signature(mac)
        answer = client.post("/webhooks/forge", raw, content_type="application/json", **headers)
        assert answer.status_code == 202, answer.status_code
    return heard, time.perf_counter() - begun


def _waits(heard: Said, said: Said) -> list[float]:
    """How long each event waited for the first verdict on its head after it."""
    waits: dict[int, float] = {}
    end = time.perf_counter() + _LONGEST
    while len(waits) < len(heard):
        assert time.perf_counter() < end, f"{len(heard) - len(waits)} events have no verdict"
        time.sleep(0.5)
        for number, (head, moment) in enumerate(heard):
            after = [when for place, when in list(said) if place == head and when > moment]
            if number not in waits and after:
                waits[number] = after[0] - moment
    return list(waits.values())


@contextlib.contextmanager
def _worker(credential: Credential) -> Iterator[None]:
    """A worker as `muniment worker` runs one, in a process of its own, with what the vault would hold."""
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(dict(credential),), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(30)


def _work(credential: Credential) -> None:
    import django

    django.setup()
    from procrastinate import PsycopgConnector
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.utils import connector_params

    from muniment.server.connections import credentials
    from muniment.server.work import QUEUE

    vars(credentials)["of"] = lambda _: credential

    async def work() -> None:
        other = app.with_connector(PsycopgConnector(kwargs=connector_params()))
        async with other.open_async():
            await other.run_worker_async(queues=[QUEUE], concurrency=AT_ONCE)

    asyncio.run(work())
