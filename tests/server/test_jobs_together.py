"""Jobs of one repository that follow one another are done together, and each of them ends, fails and waits alone."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import connection
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.contrib.django.utils import connector_params

from muniment.server import job_queue, worker_slot_locks
from muniment.server.job_queue import TASKS, enqueue, enqueue_first, requeue_from_ended_slot
from muniment.server.running import worker_slots
from muniment.server.running_jobs import RUNNING_JOB, RunningJob, report_job
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")

calls: list[tuple[int, tuple[int, ...]]] = []
failing: set[int] = set()
breaking: set[int] = set()
meanwhile: list[dict[str, int]] = []  # enqueued while the first of a call is at work
reported: list[int] = []


@job_queue.register_repository_task("visit", 7, each="number", most=4)
def visit(repository: int, numbers: Mapping[int, int]) -> Iterator[tuple[int, Exception | None]]:
    calls.append((repository, tuple(numbers)))
    while meanwhile:
        enqueue("visit", **meanwhile.pop())
    for number, job in numbers.items():
        report_job(job)
        if number in breaking:
            raise OSError("out of reach")
        yield number, OSError("out of reach") if number in failing else None


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    for kept in (calls, failing, breaking, meanwhile, reported):
        kept.clear()


def begin_next_job() -> Any:
    """The job that the queue gives to a new worker next, which runs it from then on."""
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        worker = cursor.fetchone()[0]
        cursor.execute("SELECT id FROM procrastinate_fetch_job_v2(NULL, %s)", [worker])
        job = ProcrastinateJob.objects.get(pk=cursor.fetchone()[0])
    RUNNING_JOB.set(RunningJob(job.pk, worker, [job_queue.QUEUE], reported.append))
    return job


def run_next_job() -> None:
    job = begin_next_job()
    try:
        with as_role("worker"):
            TASKS[job.task_name].func(**job.args)
    finally:
        RUNNING_JOB.set(None)
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', false)", [job.pk])


def list_jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(job.status, job.args) for job in ProcrastinateJob.objects.order_by("id")]


def test_next_jobs_of_a_repository_are_done_together_and_all_of_them_end() -> None:
    for number in (1, 2, 3):
        enqueue("visit", repository=7, number=number)
    run_next_job()
    assert calls == [(7, (1, 2, 3))]
    assert [status for status, _ in list_jobs()] == ["succeeded"] * 3
    assert reported == list(ProcrastinateJob.objects.order_by("id").values_list("pk", flat=True)), (
        "the supervisor knows at any time which one to blame"
    )


def test_no_more_jobs_are_done_together_than_permitted() -> None:
    for number in range(6):
        enqueue("visit", repository=7, number=number)
    run_next_job()
    run_next_job()
    assert calls == [(7, (0, 1, 2, 3)), (7, (4, 5))]


def test_job_does_not_pass_many_of_other_repositories() -> None:
    enqueue("visit", repository=7, number=1)
    for number in (1, 2, 3):
        enqueue("visit", repository=8, number=number)
    enqueue("visit", repository=7, number=2)
    run_next_job()
    run_next_job()
    assert calls == [(7, (1,)), (8, (1, 2, 3))]


def test_more_urgent_jobs_are_done_first_of_those_done_together() -> None:
    for number in (1, 2, 3):
        enqueue("visit", repository=7, number=number)
    enqueue_first("visit", repository=7, number=3)
    run_next_job()
    assert calls == [(7, (3, 1, 2))]


def test_failed_one_is_retried_alone_and_the_others_are_done() -> None:
    failing.add(2)
    for number in (1, 2, 3):
        enqueue("visit", repository=7, number=number)
    run_next_job()
    assert list_jobs() == [
        *(("succeeded", {"repository": 7, "number": number}) for number in (1, 2, 3)),
        ("todo", {"repository": 7, "number": 2, "attempt": 2}),
    ]
    failing.clear()
    with as_role("owner"):
        ProcrastinateJob.objects.filter(status="todo").update(scheduled_at=None)
    enqueue("visit", repository=7, number=4)
    run_next_job()
    run_next_job()
    assert calls[1:] == [(7, (4,)), (7, (2,))], "nobody waits for a retry"


def test_those_done_before_an_error_are_ended_and_the_others_are_retried() -> None:
    breaking.add(3)
    for number in (1, 2, 3, 4):
        enqueue("visit", repository=7, number=number)
    run_next_job()
    assert list_jobs() == [
        *(("succeeded", {"repository": 7, "number": number}) for number in (1, 2, 3, 4)),
        ("todo", {"repository": 7, "number": 4, "attempt": 2}),
        ("todo", {"repository": 7, "number": 3, "attempt": 2}),
    ]


def test_news_about_an_object_at_work_are_done_afterwards() -> None:
    enqueue("visit", repository=7, number=1)
    enqueue("visit", repository=7, number=2)
    meanwhile.append({"repository": 7, "number": 2})
    run_next_job()
    run_next_job()
    assert calls == [(7, (1, 2)), (7, (2,))]


def test_jobs_of_a_killed_slot_wait_again_and_the_reported_one_failed() -> None:
    for number in (1, 2, 3):
        enqueue("visit", repository=7, number=number)
    job = begin_next_job()
    running = RUNNING_JOB.get()
    assert running is not None
    with as_role("worker"):
        taken = job_queue._take_next_jobs("visit", 7, "number", 3)
        assert sorted(taken) == [2, 3]
        RUNNING_JOB.set(None)
        requeue_from_ended_slot(running.worker, taken[2], 7)
    assert list_jobs() == [
        ("todo", {"repository": 7, "number": 1}),
        ("failed", {"repository": 7, "number": 2}),
        ("todo", {"repository": 7, "number": 3}),
        ("todo", {"repository": 7, "number": 2, "attempt": 2}),
    ]
    assert ProcrastinateJob.objects.get(pk=job.pk).worker_id is None


def test_job_that_could_not_be_ended_waits_again_with_the_next_one() -> None:
    for number in (1, 2):
        enqueue("visit", repository=7, number=number)
    job = begin_next_job()
    with as_role("worker"):
        assert job_queue._take_next_jobs("visit", 7, "number", 3)
        again = job_queue._take_next_jobs("visit", 7, "number", 3)
        RUNNING_JOB.set(None)
    assert list(again) == [2]
    assert ProcrastinateJob.objects.filter(status="doing").exclude(pk=job.pk).count() == 1


def test_outside_of_a_worker_a_job_is_done_alone() -> None:
    for number in (1, 2):
        enqueue("visit", repository=7, number=number)
    with as_role("worker"):
        TASKS["visit"].func(repository=7, number=1)
    assert calls == [(7, (1,))]


def test_last_attempt_raises_its_error() -> None:
    failing.add(1)
    with as_role("worker"), pytest.raises(OSError, match="out of reach"):
        TASKS["visit"].func(repository=7, number=1, attempt=8)
    assert list_jobs() == []


def register_slot() -> int:
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        return int(cursor.fetchone()[0])


def fetch_job(slot: int) -> Any:
    """The job that a worker's slot begins next, None for none."""

    async def fetch() -> Any:
        waiting = app.with_connector(PsycopgConnector(kwargs=connector_params(), min_size=1))
        async with waiting.open_async():
            manager = worker_slots._WaitingJobs(waiting.connector)
            return await manager.fetch_job(queues=worker_slots.list_queues(), worker_id=slot)

    with as_role("worker"):
        return asyncio.run(fetch())


@pytest.mark.parametrize("slots", ["1", "3"])
def test_slot_is_given_jobs_of_its_queues(monkeypatch: pytest.MonkeyPatch, slots: str) -> None:
    monkeypatch.setenv(worker_slot_locks.SLOTS, slots)
    slot = register_slot()
    assert fetch_job(slot) is None
    enqueue("visit", repository=7, number=1)
    assert fetch_job(slot).task_kwargs == {"repository": 7, "number": 1}
    job = ProcrastinateJob.objects.get()
    assert (job.status, job.worker_id) == ("doing", slot)


def test_jobs_of_a_repository_with_its_share_of_slots_wait_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(worker_slot_locks.SLOTS, "2")
    first, second = register_slot(), register_slot()
    for number in (1, 2, 3):
        enqueue("visit", repository=7, number=number)
    enqueue("visit", repository=8, number=1)
    assert fetch_job(first).task_kwargs == {"repository": 7, "number": 1}
    assert fetch_job(second).task_kwargs == {"repository": 8, "number": 1}, "another repository is not delayed"
    assert fetch_job(register_slot()) is None
    assert [(status, args.get("number")) for status, args in list_jobs()][1:3] == [("todo", 2), ("todo", 3)]
    with as_role("owner"):
        ProcrastinateJob.objects.filter(worker_id=first).update(status="succeeded")
    assert fetch_job(first).task_kwargs == {"repository": 7, "number": 2}


def test_dead_worker_occupies_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(worker_slot_locks.SLOTS, "2")
    for number in (1, 2):
        enqueue("visit", repository=7, number=number)
    dead = register_slot()
    assert fetch_job(dead).task_kwargs == {"repository": 7, "number": 1}
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 day'")
    assert fetch_job(register_slot()).task_kwargs == {"repository": 7, "number": 2}


def test_short_task_is_begun_however_many_slots_its_repository_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(worker_slot_locks.SLOTS, "2")
    enqueue("visit", repository=7, number=1)
    assert fetch_job(register_slot()).task_name == "visit"
    enqueue("read-branch-rules", repository=7)
    assert fetch_job(register_slot()).task_name == "read-branch-rules"
