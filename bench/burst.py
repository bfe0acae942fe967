"""From an event to the right status, with many changes open: fakes of forges over HTTP, with real git behind them.

Half of the events are reviews that change the result, in turn "changes requested" and "approved" by one reviewer; the
others are labels, which are no input. An event of the first kind waits until a decision with its result is shown after
it; one that was overtaken before such a decision waits on for the next, so what is never shown counts against us.

The bound of p95 2 s is not met. On 2026-12-01, at Gitea with three slots, two runs each, with priority over 10 others
that waited for 2 cores: p50 2.4 and 2.7 s, p95 7.4 and 11.4 s; before statements were prepared p50 3.4 and 4.0 s, p95
9.7 and 12.5 s. One reading takes 40 ms of the worker's processor time and 14 ms of PostgreSQL's, before 46 and 26. All
of it, with the web, the forge and who acts there, takes 20 to 25 s of processors for events of 10 s: the machine is
full, and 50 changes wait in turn. Batches of 4 readings instead of 10 made no difference.
"""

import contextlib
import hashlib
import hmac
import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.connected_forges import Credential, Place, PostedResults, at
from bench.measure import Row
from bench.processor_time import find_postmaster, measure_trees

SLOTS = "MUNIMENT_SLOTS"  # `muniment.server.worker_slot_locks.SLOTS`, which cannot be imported before Django is set up
A_SECOND, AT_ONCE = 50, 3
_LONGEST = 900.0


def rows(kind: type[Place], folder: Path, changes: int, seconds: int) -> list[Row]:
    """The first decisions on so many changes, and then one event on one after another, so many seconds long."""
    with at(kind, folder, 10) as place:
        numbers = [place.open(f"topic-{number}") for number in range(changes)]
        place.git.git("gc", "--quiet")  # as forges do now and then
        begun = time.perf_counter()
        for number in numbers:
            place.setup.evaluate(number)
        first = time.perf_counter() - begun
        with _worker(place.credential()) as slots:
            place.posted.clear()
            _list_waits(_events(place, numbers, 2).caused, place.posted)  # the worker is warm
            place.posted.clear()
            calls, before = len(place.fake.calls), _measure_processor_time(slots)
            caused, duration, events = _events(place, numbers, seconds)
            waits = sorted(_list_waits(caused, place.posted))
            taken = tuple(now - then for now, then in zip(_measure_processor_time(slots), before, strict=True))
        api = Counter(name for name in place.fake.calls[calls:] if name != "git")
        return _table(
            kind.name, changes, first, _Burst(caused, duration, events, waits, list(place.posted), api, taken)
        )


def _measure_processor_time(slots: list[int]) -> tuple[float, ...]:
    """Seconds of the worker's slots, of PostgreSQL, and of this process: the web, the forge and who acts there."""
    database, here = measure_trees([find_postmaster(Path(os.environ["MUNIMENT_HOME"]))]), os.times()
    return measure_trees(slots), database, here.user + here.system + here.children_user + here.children_system


class _Events(NamedTuple):
    """Results at the forge: `caused` by a delivery, and `duration`, the seconds until they were posted."""

    caused: PostedResults
    duration: float
    events: int


class _Burst(NamedTuple):
    """Outcome of a burst: as `_Events`, the seconds that each changed result waited, and the posted results.

    `taken`: seconds of processors, as `_measure_processor_time` gives them.
    """

    caused: PostedResults
    duration: float
    events: int
    waits: list[float]
    posted: PostedResults
    api: Counter[str]
    taken: tuple[float, ...]


def _table(name: str, changes: int, first: float, burst: _Burst) -> list[Row]:
    decisions, waits = len(burst.posted), burst.waits
    calls = ", ".join(f"{call} {count}" for call, count in sorted(burst.api.items()))
    readings, (slots, database, others) = max(burst.api["pull"], 1), burst.taken
    return [
        Row(
            f"{name}: first decisions on {changes} changes, one after the other",
            f"{first / changes * 1e3:.0f} ms each",
            "allowed by two approvals",
            f"{changes / first:.1f} decisions a second",
            "",
        ),
        Row(
            f"{name}: {burst.events} events in {burst.duration:.0f} s on {changes} open changes, "
            f"of which {len(burst.caused)} change a result: until the right status is shown",
            f"p50 {waits[len(waits) // 2]:.1f} s, p95 {waits[int(len(waits) * 0.95)]:.1f} s",
            f"{decisions} decisions for them",
            f"{decisions / (burst.posted[-1][2] - burst.caused[0][2]):.1f} decisions a second",
            "p95 2 s",
        ),
        Row(
            f"{name}: processor time of the worker and of PostgreSQL for one of {readings} readings of a change",
            f"{slots / readings * 1e3:.0f} ms and {database / readings * 1e3:.0f} ms",
            f"the web, the forge and who acts there: {others / burst.events * 1e3:.0f} ms an event",
            f"{slots + database + others:.0f} s in all, while {os.getloadavg()[0]:.1f} processes were running",
            "",
        ),
        Row(
            f"{name}: calls to the forge for a decision, two reviewers",
            f"{burst.api.total() / max(decisions, 1):.1f}",
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
    caused: PostedResults = []
    begun = time.perf_counter()
    for turned in range(A_SECOND * seconds):
        turn, place_in = divmod(turned, len(numbers))
        number = numbers[(place_in * 7) % len(numbers)]
        time.sleep(max(0.0, begun + turned / A_SECOND - time.perf_counter()))
        if (turn + place_in) % 2:
            pull = place.label(number, f"label-{turned}")
        else:  # each change is reviewed at every other of its events: no, yes, no, yes
            yes = place.allowed[number] = not place.allowed.get(number, True)
            pull = place.review(number, approve=yes)
            caused.append((heads[number], "success" if yes else "failure", time.perf_counter()))
        once = time.perf_counter_ns()  # the same bytes are not received twice
        raw = json.dumps({"action": "edited", "at": once, "repository": repository, "pull_request": pull}).encode()
        mac = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers: dict[str, Any] = {
            place.event: "pull_request",
            f"{place.event[:-6]}_DELIVERY": f"d-{once}",
        }
        headers |= place.signature(mac)
        answer = client.post("/webhooks/forge", raw, content_type="application/json", **headers)
        assert answer.status_code == 202, answer.status_code
    return _Events(caused, time.perf_counter() - begun, A_SECOND * seconds)


def _list_waits(caused: PostedResults, posted: PostedResults) -> list[float]:
    """How long each event waited for the first decision of its result on its head after it.

    Whatever had a later one of the other result stand before it came waits until the last of that head is right.
    """
    last = {head: (result, moment) for head, result, moment in caused}
    end = time.perf_counter() + _LONGEST
    settled: dict[str, float] = {}
    while len(settled) < len(last):
        assert time.perf_counter() < end, f"{len(last) - len(settled)} changes do not have the right status"
        time.sleep(0.5)
        later = list(posted)
        for head, (result, moment) in last.items():
            after = [when for at, what, when in later if at == head and when > moment and what == result]
            if head not in settled and after:
                settled[head] = after[0]
    later = list(posted)
    waits = []
    for head, result, moment in caused:
        right = (when for at, what, when in later if at == head and what == result and when > moment)
        waits.append(next(right, settled[head]) - moment)
    return waits


@contextlib.contextmanager
def _worker(credential: Credential) -> Iterator[list[int]]:
    """The slots of a worker, processes of their own as `muniment worker` has them, with what the vault would hold."""
    os.environ[SLOTS] = str(AT_ONCE)
    context = multiprocessing.get_context("spawn")
    slots = [context.Process(target=_work, args=(dict(credential),), daemon=True) for _ in range(AT_ONCE)]
    for process in slots:
        process.start()
    try:
        yield [process.pid for process in slots if process.pid is not None]
    finally:
        for process in slots:
            process.terminate()
        for process in slots:
            process.join(30)


def _work(credential: Credential) -> None:
    import django

    django.setup()
    from muniment.server.connections import credentials
    from muniment.server.running.worker_slots import run_slot
    from muniment.server.running.worker_supervisor import SupervisorChannel

    vars(credentials)["read_credential"] = lambda _: credential
    run_slot(SupervisorChannel(os.open(os.devnull, os.O_WRONLY)), ())
