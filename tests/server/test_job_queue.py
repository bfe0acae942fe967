"""Background jobs: one for each subject, retried after failure, requeued from dead workers."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from dev.task_names import SERVER, find_tasks
from muniment.access.roles import Role
from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.server import job_queue, worker_slot_locks
from muniment.server import moments as server_moments
from muniment.server.job_queue import (
    TASKS,
    enqueue,
    enqueue_first,
    enqueue_in,
    requeue_all,
    requeue_from_dead_workers,
    requeue_from_ended_slot,
)
from muniment.server.pages import job_sentences, metrics
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def jobs(**wanted: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(job.status, job.args) for job in ProcrastinateJob.objects.filter(**wanted).order_by("id")]


def execute_sql(statement: str) -> None:
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_identical_jobs_are_enqueued_once() -> None:
    for _ in range(10):
        enqueue("scan-repository", repository=1)
    enqueue("scan-repository", repository=2)
    assert len(jobs()) == 2


def test_rolled_back_job_is_not_enqueued() -> None:
    with transaction.atomic():
        enqueue("scan-repository", repository=1)
        transaction.set_rollback(True)
    assert jobs() == []


def test_duplicate_job_does_not_break_the_transaction() -> None:
    enqueue("scan-repository", repository=1)
    with transaction.atomic():
        enqueue("scan-repository", repository=1)
        enqueue("scan-repository", repository=2)
    assert len(jobs()) == 2


@job_queue.register_task("explode")
def explode(repository: int) -> None:
    raise OSError("out of reach")


def test_failed_job_is_retried_later_and_does_not_delay_a_new_one() -> None:
    with as_role("worker"):
        TASKS["explode"].func(repository=1)
    assert jobs() == [("todo", {"repository": 1, "attempt": 2})]
    assert ProcrastinateJob.objects.get().scheduled_at is not None
    assert fetch_next_job() is None
    enqueue("explode", repository=1)
    assert len(jobs()) == 2
    assert fetch_next_job() == {"repository": 1}


@job_queue.register_task("explode-in-part")
def fail_with_two_arguments(repository: int, number: int) -> None:
    raise OSError("out of reach")


def test_retry_and_new_job_of_one_subject_share_a_lock() -> None:
    enqueue("explode-in-part", repository=1, number=2)
    (job,) = ProcrastinateJob.objects.all()
    with as_role("worker"):
        TASKS["explode-in-part"].func(**job.args)  # as the database gives them: in another order
    first, again = ProcrastinateJob.objects.order_by("id")
    assert again.args["attempt"] == 2
    assert again.lock == first.lock
    assert again.queueing_lock == f"{first.queueing_lock}:again"


def test_jobs_of_different_subjects_have_different_locks() -> None:
    enqueue("explode-in-part", repository=1, number=2)
    enqueue("explode-in-part", repository=2, number=1)
    assert len(set(ProcrastinateJob.objects.values_list("lock", flat=True))) == 2


@job_queue.register_task("explode-limited")
def fail_by_rate_limit(again_at: str) -> None:
    raise ForgeError(ForgeCode.RATE_LIMITED, "the rate limit is used up", "Wait.", again_at)


def test_rate_limited_job_is_not_retried_before_the_limit_ends() -> None:
    again_at = moments.add_time(server_moments.current_moment(), minutes=30)
    with as_role("worker"):
        TASKS["explode-limited"].func(again_at=again_at)
    planned = ProcrastinateJob.objects.get().scheduled_at
    assert planned is not None
    assert abs(planned - moments.parse_moment(again_at)) < timedelta(minutes=1)


def test_job_postponed_for_a_day_does_not_delay_a_new_one() -> None:
    enqueue_in("scan-repository", 86_400, repository=1)
    enqueue("scan-repository", repository=1)
    assert fetch_next_job() == {"repository": 1}
    assert fetch_next_job() is None


def test_prioritised_job_passes_waiting_ones_and_moves_up_if_already_waiting() -> None:
    for number in (1, 2, 3):
        enqueue("scan-repository", repository=number)
    enqueue_first("scan-repository", repository=3)
    enqueue_first("scan-repository", repository=4)
    assert [fetch_next_job() for _ in range(5)] == [{"repository": number} for number in (3, 4, 1, 2)] + [None]


def fetch_next_job() -> dict[str, Any] | None:
    """Arguments of the job that PostgreSQL gives to a worker next."""
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        worker = cursor.fetchone()[0]
        cursor.execute("SELECT args FROM procrastinate_fetch_job_v2(NULL, %s)", [worker])
        found = cursor.fetchone()[0]
    return json.loads(found) if found is not None else None


def test_job_that_failed_all_attempts_raises_its_error() -> None:
    with as_role("worker"), pytest.raises(OSError, match="out of reach"):
        TASKS["explode"].func(repository=1, attempt=8)
    assert jobs() == []


@pytest.mark.parametrize("waits", [False, True])
def test_job_of_a_dead_worker_is_requeued_once(waits: bool) -> None:
    enqueue("scan-repository", repository=1)
    execute_sql("UPDATE procrastinate_jobs SET status = 'doing'")
    if waits:
        enqueue("scan-repository", repository=1)
    with as_role("worker"):
        requeue_from_dead_workers()
        requeue_from_dead_workers()
    assert jobs() == [("todo", {"repository": 1})]


def test_job_of_a_live_worker_is_not_requeued() -> None:
    enqueue("scan-repository", repository=1)
    execute_sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    execute_sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
    with as_role("worker"):
        requeue_from_dead_workers()
    assert jobs() == [("doing", {"repository": 1})]


def begun(**about: Any) -> int:
    """Enqueue a job that a slot has begun; its id."""
    enqueue("scan-repository", **about)
    execute_sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    execute_sql(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT max(id) FROM procrastinate_workers) "
        "WHERE status = 'todo'"
    )
    return int(ProcrastinateJob.objects.latest("id").pk)


def worker_of(job: int) -> int:
    return int(ProcrastinateJob.objects.get(pk=job).worker_id)


def test_jobs_of_other_dead_workers_are_all_requeued() -> None:
    begun(repository=1)
    begun(repository=2)
    with as_role("worker"):
        requeue_all()
    assert jobs() == [("todo", {"repository": 1}), ("todo", {"repository": 2})]
    assert ProcrastinateWorker.objects.count() == 0, "the dead are not counted again"


@pytest.mark.parametrize(("seconds", "message"), [(7, "ran longer than 7 s"), (0, "the process ended")])
def test_job_of_a_killed_slot_fails_with_its_cause_and_is_retried(seconds: int, message: str) -> None:
    job = begun(repository=1)
    with as_role("worker"):
        requeue_from_ended_slot(worker_of(job), job, seconds)
    assert jobs() == [("failed", {"repository": 1}), ("todo", {"repository": 1, "attempt": 2})]
    assert (fetch_next_job() is None) == bool(seconds), "what was killed once costs no time"
    page = browser(person("ada", Role.ADMIN)).get("/jobs").content.decode()
    assert message in page
    assert "repository&#x27;: 1" not in page
    cause = "limit" if seconds else "crash"
    assert f'muniment_ended_task_processes{{cause="{cause}"}} 1.0' in metrics.format_metrics().decode()


def test_job_over_its_time_limit_is_not_retried_after_eight_attempts() -> None:
    job = begun(repository=1, attempt=8)
    with as_role("worker"):
        requeue_from_ended_slot(worker_of(job), job, 7)
    assert [status for status, _ in jobs()] == ["failed"]


def test_job_already_requeued_to_another_worker_is_left_alone() -> None:
    job = begun(repository=1)
    former = worker_of(job)
    execute_sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    execute_sql("UPDATE procrastinate_jobs SET worker_id = (SELECT max(id) FROM procrastinate_workers)")
    with as_role("worker"):
        requeue_from_ended_slot(former, job, 7)
    assert jobs() == [("doing", {"repository": 1})]


def test_job_that_a_slot_had_just_begun_or_ended_is_requeued() -> None:
    job = begun(repository=1)
    with as_role("worker"):
        requeue_from_ended_slot(worker_of(job), 0, 0)
    assert jobs() == [("todo", {"repository": 1})]


def test_administrator_sees_and_retries_a_failed_job() -> None:
    enqueue("scan-repository", repository=1)
    execute_sql("UPDATE procrastinate_jobs SET status = 'failed'")
    ada = browser(person("ada", Role.ADMIN))
    assert "Failed jobs" in ada.get("/jobs").content.decode()
    number = ProcrastinateJob.objects.get().pk
    assert "tried again" in post(ada, f"/jobs/{number}/retry")
    assert [status for status, _ in jobs()] == ["failed", "todo"]
    sam = browser(person("sam", Role.SECURITY))
    assert sam.post(f"/jobs/{number}/retry").status_code == 403


@job_queue.register_task("occupy", share_slots=True)
def occupy(repository: int, number: int) -> None:
    occupied.append(number)


occupied: list[int] = []


def test_one_repository_never_uses_all_slots_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(worker_slot_locks.SLOTS, "2")
    occupied.clear()
    other = connections.create_connection("default")  # another slot, at work on the same repository
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [worker_slot_locks._SLOT_LOCKS, 7])
    try:
        with as_role("worker"):
            TASKS["occupy"].func(repository=7, number=1)
            TASKS["occupy"].func(repository=8, number=2)
        assert occupied == [2]
        ((status, args),) = jobs(task_name="occupy")
        assert (status, args) == ("todo", {"repository": 7, "number": 1}), "it waits, and is not counted as failed"
    finally:
        other.close()
    with as_role("worker"):
        TASKS["occupy"].func(repository=7, number=1)
        TASKS["occupy"].func(repository=7, number=3)
    assert occupied == [2, 1, 3], "a slot is left when its task is done"


def test_each_task_has_a_sentence_for_people() -> None:
    assert frozenset(job_sentences.TASK_SENTENCES) <= find_tasks(sorted(SERVER.rglob("*.py"))), "a task has gone"
    assert job_sentences.describe_job("plan-something-new") == "Plan something new"
