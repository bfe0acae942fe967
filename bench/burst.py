"""From an event to the right status, with many changes open: fakes of forges over HTTP, with real git behind them.

Half of the events are reviews that change the result, in turn "changes requested" and "approved" by one reviewer; the
others are labels, which are no input. An event of the first kind waits until a verdict with its result is shown after
it; one that was overtaken before such a verdict waits on for the next, so what is never shown counts against us.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import multiprocessing
import os
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

SLOTS = "MUNIMENT_SLOTS"  # `muniment.server.job_queue.SLOTS`, which cannot be imported before Django is set up
A_SECOND, AT_ONCE = 50, 3
_LONGEST = 900.0

Credential = Mapping[str, str]
Said = list[tuple[str, str, float]]  # a head, a result, and when it was shown, or became the right one


class Place(ABC):
    """A connected repository at a fake forge. `said`: head, result and moment of each verdict but pending."""

    name = ""
    vendor = Vendor.GITEA
    event = ""  # the header that names the kind of a delivery
    says: tuple[str, ...] = ()  # the calls that show a verdict
    setup: Any  # of the service, once it is connected

    def __init__(self, fake: Any, acting: Any) -> None:
        self.fake, self.acting = fake, acting
        self.said: Said = []
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
        return self.told(number)

    @abstractmethod
    def told(self, number: int) -> dict[str, Any]:
        """Body of a delivery about a change."""

    @abstractmethod
    def credential(self) -> Credential:
        """Credential of the connection, as the vault would store it."""

    @abstractmethod
    def verdict_said(self, request: Any, reply: Any) -> tuple[str, str]:
        """The head on which a call showed a verdict, and the result, "" for pending."""

    @abstractmethod
    def signature(self, mac: str) -> dict[str, str]:
        """The header of a delivery's signature."""

    def _note(self) -> None:
        def noted(answer: Any) -> Any:
            def answered(fake: Any, request: Any) -> Any:
                reply = answer(fake, request)
                head, result = self.verdict_said(request, reply)
                if result:
                    self.said.append((head, result, time.perf_counter()))
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
        return self.told(number)

    def told(self, number: int) -> dict[str, Any]:
        return {"number": number}

    def credential(self) -> Credential:
        return {"token": self.acting.token("muniment")}

    def verdict_said(self, request: Any, reply: Any) -> tuple[str, str]:  # noqa: ARG002 -- one shape for all
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
        return self.told(number)

    def told(self, number: int) -> dict[str, Any]:
        return {"number": number, "updated_at": self.fake.world.changes[number].updated}

    def credential(self) -> Credential:
        return {"app_id": str(APP), "pem": self.fake.pem}

    def verdict_said(self, request: Any, reply: Any) -> tuple[str, str]:
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
    from tests.support.service import by_an_act, empty, trust_rows

    empty()
    row_checks.forget_comparisons()
    preparation.apply_first_policy()
    with kind.there(folder / "forge") as place:
        vars(credentials)["of"] = lambda _: place.credential()
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


def rows(kind: type[Place], folder: Path, changes: int, seconds: int) -> list[Row]:
    """The first verdicts on so many changes, and then one event on one after another, so many seconds long."""
    with at(kind, folder, 10) as place:
        numbers = [place.open(f"topic-{number}") for number in range(changes)]
        place.git.git("gc", "--quiet")  # as forges do now and then
        begun = time.perf_counter()
        for number in numbers:
            place.setup.evaluate(number)
        first = time.perf_counter() - begun
        with _worker(place.credential()):
            place.said.clear()
            _waits(_events(place, numbers, 2).heard, place.said)  # the worker is warm
            place.said.clear()
            calls = len(place.fake.calls)
            heard, told, events = _events(place, numbers, seconds)
            waits = sorted(_waits(heard, place.said))
        api = Counter(name for name in place.fake.calls[calls:] if name != "git")
        return _table(kind.name, changes, first, _Burst(heard, told, events, waits, list(place.said), api))


class _Events(NamedTuple):
    """Results at the forge: `heard` are those that a delivery changed, `told` the seconds until they were posted."""

    heard: Said
    told: float
    events: int


class _Burst(NamedTuple):
    """Outcome of a burst: as `_Events`, the seconds that each changed result waited, and the posted results."""

    heard: Said
    told: float
    events: int
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
            f"{name}: {burst.events} events in {burst.told:.0f} s on {changes} open changes, "
            f"of which {len(burst.heard)} change a result: until the right status is shown",
            f"p50 {waits[len(waits) // 2]:.1f} s, p95 {waits[int(len(waits) * 0.95)]:.1f} s",
            f"{verdicts} verdicts for them",
            f"{verdicts / (burst.said[-1][2] - burst.heard[0][2]):.1f} verdicts a second",
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


def _events(place: Place, numbers: list[int], seconds: int) -> _Events:
    from django.test import Client

    from muniment.server.connections import webhook_deliveries

    secret, client = webhook_deliveries.find_webhook_secret(place.setup.connection), Client(HTTP_HOST="localhost")
    repository = {"id": int(place.setup.repository.forge_link.forge_id), "full_name": place.acting.path}
    heads = {number: place.head(number) for number in numbers}
    heard: Said = []
    begun = time.perf_counter()
    for at in range(A_SECOND * seconds):
        turn, place_in = divmod(at, len(numbers))
        number = numbers[(place_in * 7) % len(numbers)]
        time.sleep(max(0.0, begun + at / A_SECOND - time.perf_counter()))
        if (turn + place_in) % 2:
            told = place.label(number, f"label-{at}")
        else:  # each change is reviewed at every other of its events: no, yes, no, yes
            yes = place.allowed[number] = not place.allowed.get(number, True)
            told = place.review(number, approve=yes)
            heard.append((heads[number], "success" if yes else "failure", time.perf_counter()))
        once = time.perf_counter_ns()  # the same bytes are not heard twice
        raw = json.dumps({"action": "edited", "at": once, "repository": repository, "pull_request": told}).encode()
        mac = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers: dict[str, Any] = {
            place.event: "pull_request",
            f"{place.event[:-6]}_DELIVERY": f"d-{once}",
        }
        headers |= place.signature(mac)
        answer = client.post("/webhooks/forge", raw, content_type="application/json", **headers)
        assert answer.status_code == 202, answer.status_code
    return _Events(heard, time.perf_counter() - begun, A_SECOND * seconds)


def _waits(heard: Said, said: Said) -> list[float]:
    """How long each event waited for the first verdict of its result on its head after it.

    Whatever had a later one of the other result stand before it came waits until the last of that head is right.
    """
    last = {head: (result, moment) for head, result, moment in heard}
    end = time.perf_counter() + _LONGEST
    settled: dict[str, float] = {}
    while len(settled) < len(last):
        assert time.perf_counter() < end, f"{len(last) - len(settled)} changes do not have the right status"
        time.sleep(0.5)
        shown = list(said)
        for head, (result, moment) in last.items():
            after = [when for at, what, when in shown if at == head and when > moment and what == result]
            if head not in settled and after:
                settled[head] = after[0]
    shown = list(said)
    waits = []
    for head, result, moment in heard:
        right = (when for at, what, when in shown if at == head and what == result and when > moment)
        waits.append(next(right, settled[head]) - moment)
    return waits


@contextlib.contextmanager
def _worker(credential: Credential) -> Iterator[None]:
    """The slots of a worker, processes of their own as `muniment worker` has them, with what the vault would hold."""
    os.environ[SLOTS] = str(AT_ONCE)
    context = multiprocessing.get_context("spawn")
    slots = [context.Process(target=_work, args=(dict(credential),), daemon=True) for _ in range(AT_ONCE)]
    for process in slots:
        process.start()
    try:
        yield
    finally:
        for process in slots:
            process.terminate()
        for process in slots:
            process.join(30)


def _work(credential: Credential) -> None:
    import django

    django.setup()
    from procrastinate import PsycopgConnector
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.utils import connector_params

    from muniment.server.connections import credentials
    from muniment.server.job_queue import QUEUE

    vars(credentials)["of"] = lambda _: credential

    async def work() -> None:
        other = app.with_connector(PsycopgConnector(kwargs=connector_params()))
        async with other.open_async():
            await other.run_worker_async(queues=[QUEUE], concurrency=1)

    asyncio.run(work())
