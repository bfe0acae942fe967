"""python -m bench.forges: from an event of a forge to the verdict there, and what many repositories cost.

A fake Gitea over HTTP with real git behind it, the PostgreSQL that comes with Muniment, one worker process that does
four things at once; all of it, the forge included, on this machine.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.measure import Row, table

CHANGES, A_SECOND, SECONDS, AT_ONCE = 500, 50, 10, 4
REPOSITORIES, LIMIT = 1_000, 5_000  # an installation's requests an hour at GitHub, at least


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.forges", description=__doc__)
    parser.add_argument("--changes", type=int, default=CHANGES, metavar="N", help="Open changes.")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="N", help="How long the burst lasts.")
    parser.add_argument("--history", type=int, default=10_000, metavar="N", help="Commits of the larger repository.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for rows in _rows(Path(folder), given.changes, given.seconds, given.history):
            sys.stdout.write(table(rows) + "\n")
            sys.stdout.flush()


def _rows(folder: Path, changes: int, seconds: int, history: int) -> Any:
    from muniment.server.running import database
    from muniment.server.running.folder import make_folder

    make_folder(folder)
    os.environ |= {"MUNIMENT_HOME": str(folder), "MUNIMENT_ROLE": "owner", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    with database.embedded(folder):
        import django

        django.setup()
        from muniment.server.running import preparing

        preparing.migrate()
        preparing.first_policy()
        yield [_going_through()]
        yield _sizes(folder, history)
        yield _vendors(folder)
        yield _burst(folder, changes, seconds)


# Going through many repositories


class _Counted:
    """A reader that answers as GitHub does: what is unchanged costs nothing of its limit."""

    def __init__(self, world: Any) -> None:
        self._reader, self._seen = world.forge().reader, set[tuple[Any, ...]]()
        self.asked = self.counted = 0

    def __getattr__(self, name: str) -> Any:
        answer = getattr(self._reader, name)

        def asked(repository: Any, *more: Any) -> Any:
            self.asked += 1
            key = (name, repository.id, *map(str, more))
            self.counted += key not in self._seen
            self._seen.add(key)
            return answer(repository, *more)

        return asked


def _going_through() -> Row:
    from muniment.forges.shapes import Account, Repo, State
    from muniment.workflows import reconcile_forge
    from tests.support.forges.memory import MemoryKeeper, World, change

    world, keeper = World(), MemoryKeeper()
    world.put(change(1, "1" * 40))
    reader = _Counted(world)

    def go_through() -> tuple[int, int]:
        before = (reader.asked, reader.counted)
        for number in range(REPOSITORIES):
            repo = Repo(str(number), f"o/r{number}", "refs/heads/main", "", "")
            reconcile_forge.missed(reader, repo, {})
            reader.tips(repo)
            reader.rules(repo, "refs/heads/main")
            reconcile_forge.statuses(reader, repo, "1" * 40, ["muniment/main"], keeper, Account("1", "us"))
        return reader.asked - before[0], reader.counted - before[1]

    assert world.changes[1].state is State.OPEN
    cold, warm = go_through(), go_through()
    return Row(
        f"going through {REPOSITORIES} repositories, one change open in each",
        f"first: {cold[0]} requests, {cold[1]} count; again: {warm[0]} requests, {warm[1]} count",
        f"a tenth of GitHub's {LIMIT} an hour",
        f"{warm[1]} of {LIMIT // 10}; the first one takes {cold[1] / (LIMIT / 10):.0f} hours at that pace",
        f"again: {LIMIT // 10}",
    )


# One verdict, in a small repository and a large one


def _sizes(folder: Path, history: int) -> list[Row]:
    found = {}
    for size in (10, history):
        with _town(folder / f"size-{size}", size) as town:
            number = _opened(town, "topic")
            town.look(number)  # the copy is made
            taken, before = [], 0
            for _ in range(7):
                before, start = len(town.fake.calls), time.perf_counter()
                town.look(number)
                taken.append(time.perf_counter() - start)
            calls = Counter(name for name in town.fake.calls[before:])
            found[size] = (statistics.median(taken), calls)
    small, large = found[10], found[history]
    git = large[1].pop("git", 0)
    return [
        Row(
            f"one verdict, read anew, {history} commits behind",
            f"{large[0] * 1e3:.0f} ms",
            f"the same, 10 commits behind ({small[0] * 1e3:.0f} ms)",
            f"{large[0] / small[0]:.2f} x",
            "1.5 x",
        ),
        Row(
            "calls to the forge for it, warm (Gitea)",
            f"{sum(large[1].values())} of the API: {', '.join(f'{k} {v}' for k, v in sorted(large[1].items()))}",
            f"and {git} of git",
            "",
            "3",
        ),
    ]


def _vendors(folder: Path) -> list[Row]:
    """What a reading that a delivery asked for, its pending and its verdict ask of the other forges, warm.

    The change has no reviewers: each of them adds one call at GitHub; at GitLab the first adds two.
    """
    from muniment.forges.statuses import Saying, Status
    from tests.support.forges import ours
    from tests.support.forges.fake_github import FakeGitHub
    from tests.support.forges.fake_gitlab import FakeGitLab

    rows: list[Row] = []
    for name, made, connected in (("GitHub", FakeGitHub, ours.github), ("GitLab", FakeGitLab, ours.gitlab)):
        (folder / name).mkdir()
        with made(folder / name) as fake:
            fake.world.push("ada", "topic", {"a.py": "1\n"})
            number = fake.world.open("ada", "topic")
            fake.written()
            forge = connected(fake)
            repository, before = forge.reader.repository("shop/api").repository, 0
            heard = forge.reader.change(repository, number).updated
            for _ in range(2):
                before = len(fake.calls)
                head = forge.reader.read(repository, number, heard).change.head
                for saying in (Saying.PENDING, Saying.DENIED):
                    forge.publisher.publish(repository, head, Status("muniment/main", saying, "x", "https://m.test"))
            calls = Counter(fake.calls[before:])
        told = ", ".join(f"{key} {count}" for key, count in sorted(calls.items()))
        rows.append(Row(f"calls to the forge for a verdict, warm ({name})", str(calls.total()), told, "", "3"))
    return rows


# A burst


def _burst(folder: Path, changes: int, seconds: int) -> list[Row]:
    from django.test import Client

    from muniment.server.connections import hearing

    with _town(folder / "burst", 10) as town:
        numbers = [_opened(town, f"topic-{at}") for at in range(changes)]
        heads = {number: town.fake.repos[town.acting.path]["git"].tip(f"refs/pull/{number}/head") for number in numbers}
        town.fake.repos[town.acting.path]["git"].git("gc", "--quiet")  # as forges do now and then
        begun = time.perf_counter()
        for number in numbers:
            town.look(number)
        first = time.perf_counter() - begun
        said: list[tuple[str, float]] = []
        _note(town, said)
        with _worker(town.acting.token("muniment")):
            forge_id = int(town.repository.connected.forge_id)
            secret, client = hearing.secret_of(town.connection), Client(HTTP_HOST="localhost")
            heard: list[tuple[str, float]] = []
            begun, calls = time.perf_counter(), len(town.fake.calls)
            for at in range(A_SECOND * seconds):
                number = numbers[(at * 7919) % len(numbers)]
                time.sleep(max(0.0, begun + at / A_SECOND - time.perf_counter()))
                heard.append((heads[number], time.perf_counter()))
                _deliver(client, secret, forge_id, town.acting.path, number, at)
            told = time.perf_counter() - begun
            waits = _waits(heard, said)
        api = Counter(name for name in town.fake.calls[calls:] if name != "git")
        verdicts = len(said)
    ordered = sorted(waits)
    return [
        Row(
            f"first verdicts on {changes} changes, one after the other",
            f"{first / changes * 1e3:.0f} ms each",
            "with a comment, since nobody approved",
            f"{changes / first:.1f} verdicts a second",
            "",
        ),
        Row(
            f"{len(heard)} events in {told:.0f} s on {changes} open changes: heard until shown",
            f"p50 {ordered[len(ordered) // 2]:.1f} s, p95 {ordered[int(len(ordered) * 0.95)]:.1f} s",
            f"{verdicts} verdicts for them",
            f"{verdicts / (said[-1][1] - heard[0][1]):.1f} verdicts a second",
            "",
        ),
        Row("calls to the forge for a verdict", f"{sum(api.values()) / max(verdicts, 1):.1f}", str(dict(api)), "", "3"),
    ]


def _note(town: Any, said: list[tuple[str, float]]) -> None:
    """Have every verdict that is shown noted with its moment."""
    from tests.support.forges.faulty import Route

    def noted(fake: Any, request: Any) -> Any:
        reply = fake.mark(request)
        if request.body["state"] != "pending":
            said.append((request.found[1], time.perf_counter()))
        return reply

    routes = [Route(r.method, r.pattern, r.name, noted) if r.name == "publish" else r for r in town.fake.routes]
    town.fake.routes = tuple(routes)


def _waits(heard: list[tuple[str, float]], said: list[tuple[str, float]]) -> list[float]:
    """How long each event waited for the first verdict on its head after it."""
    waits: dict[int, float] = {}
    end = time.perf_counter() + 900
    while len(waits) < len(heard):
        assert time.perf_counter() < end, f"{len(heard) - len(waits)} events have no verdict"
        time.sleep(0.5)
        for at, (head, moment) in enumerate(heard):
            after = [when for place, when in list(said) if place == head and when > moment]
            if at not in waits and after:
                waits[at] = after[0] - moment
    return list(waits.values())


def _deliver(client: Any, secret: str, forge_id: int, path: str, number: int, at: int) -> None:
    repository = {"id": forge_id, "full_name": path}
    raw = json.dumps({"repository": repository, "pull_request": {"number": number}, "at": at}).encode()
    answer = client.post(
        "/hear/forge",
        raw,
        content_type="application/json",
        HTTP_X_GITEA_EVENT="pull_request",
        HTTP_X_GITEA_DELIVERY=f"d-{at}",
        HTTP_X_GITEA_SIGNATURE=hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest(),
    )
    assert answer.status_code == 202, answer.status_code


@contextlib.contextmanager
def _worker(token: str) -> Iterator[None]:
    """A worker as `muniment worker` runs one, in a process of its own, with the forge's token in place of the vault."""
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(token,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(30)


def _work(token: str) -> None:
    import django

    django.setup()
    from procrastinate import PsycopgConnector
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.utils import connector_params

    from muniment.server.connections import credentials
    from muniment.server.work import QUEUE

    vars(credentials)["of"] = lambda _: {"token": token}

    async def work() -> None:
        other = app.with_connector(PsycopgConnector(kwargs=connector_params()))
        async with other.open_async():
            await other.run_worker_async(queues=[QUEUE], concurrency=AT_ONCE)

    asyncio.run(work())


def _town(folder: Path, commits: int) -> Any:
    from contextlib import contextmanager

    from muniment.server.connections import credentials
    from tests.support.connected import Town
    from tests.support.forges.acting import GiteaActing
    from tests.support.forges.fake_gitea import FakeGitea
    from tests.support.service import empty

    @contextmanager
    def made() -> Any:
        from muniment.server.running import preparing

        empty()
        preparing.first_policy()
        with FakeGitea(folder / "forge") as fake:
            acting = GiteaActing(fake.url, fake.administrator)
            git = fake.repos[acting.path]["git"]
            for at in range(commits):
                git.commit({"log.txt": f"{at}\n"}, on="main")
            vars(credentials)["of"] = lambda _: {"token": acting.token("muniment")}
            town = Town(fake, acting, folder)
            town.connect()
            yield town

    return made()


def _opened(town: Any, branch: str) -> int:
    """A change by ada, pushed without git's own ceremony."""
    path, login = town.acting.path, town.acting.login("ada")
    git = town.fake.repos[path]["git"]
    base = git.tip("main")
    who = f"{login} <{login}@example.test>"
    head = git.commit({f"{branch}.txt": "1\n"}, on=branch, parents=[base], author=who)
    town.fake.pushed(path, login, f"refs/heads/{branch}", "", head)
    number: int = town.acting.open("ada", branch, "main", branch)
    return number


if __name__ == "__main__":
    main()
