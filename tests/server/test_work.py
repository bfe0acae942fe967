"""Work in the background: once for each thing, tried again when it fails, taken up from the dead."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from muniment.access.roles import Role
from muniment.errors import ForgeCode, ForgeError
from muniment.facts import moments
from muniment.server import moments as server_moments
from muniment.server import work
from muniment.server.pages import measures
from muniment.server.work import TASKS, first, later, settle, soon, take_over, take_up
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def jobs(**wanted: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(job.status, job.args) for job in ProcrastinateJob.objects.filter(**wanted).order_by("id")]


def run(statement: str) -> None:
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_ten_of_the_same_are_one() -> None:
    for _ in range(10):
        soon("scan-repository", repository=1)
    soon("scan-repository", repository=2)
    assert len(jobs()) == 2


def test_what_was_undone_is_not_done() -> None:
    with transaction.atomic():
        soon("scan-repository", repository=1)
        transaction.set_rollback(True)
    assert jobs() == []


def test_a_duplicate_does_not_break_the_transaction_that_asks_for_it() -> None:
    soon("scan-repository", repository=1)
    with transaction.atomic():
        soon("scan-repository", repository=1)
        soon("scan-repository", repository=2)
    assert len(jobs()) == 2


@work.task("explode")
def explode(repository: int) -> None:
    raise OSError("out of reach")


def test_what_fails_is_tried_again_later_and_news_are_not_held_up() -> None:
    with as_role("worker"):
        TASKS["explode"].func(repository=1)
    assert jobs() == [("todo", {"repository": 1, "attempt": 2})]
    assert ProcrastinateJob.objects.get().scheduled_at is not None
    assert taken() is None
    soon("explode", repository=1)
    assert len(jobs()) == 2
    assert taken() == {"repository": 1}


@work.task("explode-in-part")
def explode_in_part(repository: int, number: int) -> None:
    raise OSError("out of reach")


def test_what_is_tried_again_never_runs_beside_news_of_the_same() -> None:
    soon("explode-in-part", repository=1, number=2)
    (job,) = ProcrastinateJob.objects.all()
    with as_role("worker"):
        TASKS["explode-in-part"].func(**job.args)  # as the database gives them: in another order
    first, again = ProcrastinateJob.objects.order_by("id")
    assert again.args["attempt"] == 2
    assert again.lock == first.lock
    assert again.queueing_lock == f"{first.queueing_lock}:again"


def test_what_is_about_others_has_another_lock() -> None:
    soon("explode-in-part", repository=1, number=2)
    soon("explode-in-part", repository=2, number=1)
    assert len(set(ProcrastinateJob.objects.values_list("lock", flat=True))) == 2


@work.task("explode-limited")
def explode_limited(again_at: str) -> None:
    raise ForgeError(ForgeCode.RATE_LIMITED, "the rate limit is used up", "Wait.", again_at)


def test_what_a_rate_limit_refused_is_not_tried_before_it_ends() -> None:
    again_at = moments.later(server_moments.now(), minutes=30)
    with as_role("worker"):
        TASKS["explode-limited"].func(again_at=again_at)
    planned = ProcrastinateJob.objects.get().scheduled_at
    assert planned is not None
    assert abs(planned - moments.parse(again_at)) < timedelta(minutes=1)


def test_news_are_not_held_up_by_what_is_put_off_for_a_day() -> None:
    later("scan-repository", 86_400, repository=1)
    soon("scan-repository", repository=1)
    assert taken() == {"repository": 1}
    assert taken() is None


def test_what_comes_first_passes_what_waits_and_moves_up_if_it_waits_itself() -> None:
    for number in (1, 2, 3):
        soon("scan-repository", repository=number)
    first("scan-repository", repository=3)
    first("scan-repository", repository=4)
    assert [taken() for _ in range(5)] == [{"repository": number} for number in (3, 4, 1, 2)] + [None]


def taken() -> dict[str, Any] | None:
    """What a worker is given to do, as PostgreSQL chooses it."""
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        worker = cursor.fetchone()[0]
        cursor.execute("SELECT args FROM procrastinate_fetch_job_v2(NULL, %s)", [worker])
        found = cursor.fetchone()[0]
    return json.loads(found) if found is not None else None


def test_what_fails_to_the_end_stays_to_be_seen() -> None:
    with as_role("worker"), pytest.raises(OSError, match="out of reach"):
        TASKS["explode"].func(repository=1, attempt=8)
    assert jobs() == []


@pytest.mark.parametrize("waits", [False, True])
def test_what_the_dead_had_begun_is_taken_up_once(waits: bool) -> None:
    soon("scan-repository", repository=1)
    run("UPDATE procrastinate_jobs SET status = 'doing'")
    if waits:
        soon("scan-repository", repository=1)
    with as_role("worker"):
        take_up()
        take_up()
    assert jobs() == [("todo", {"repository": 1})]


def test_what_a_living_worker_does_is_left_to_it() -> None:
    soon("scan-repository", repository=1)
    run("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    run("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
    with as_role("worker"):
        take_up()
    assert jobs() == [("doing", {"repository": 1})]


def begun(**about: Any) -> int:
    """A job that a slot has begun; its number."""
    soon("scan-repository", **about)
    run("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    run(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT max(id) FROM procrastinate_workers) "
        "WHERE status = 'todo'"
    )
    return int(ProcrastinateJob.objects.latest("id").pk)


def worker_of(job: int) -> int:
    return int(ProcrastinateJob.objects.get(pk=job).worker_id)


def test_what_others_had_begun_is_taken_over_where_none_of_them_lives() -> None:
    begun(repository=1)
    begun(repository=2)
    with as_role("worker"):
        take_over()
    assert jobs() == [("todo", {"repository": 1}), ("todo", {"repository": 2})]
    assert ProcrastinateWorker.objects.count() == 0, "the dead are not counted again"


@pytest.mark.parametrize(("seconds", "told"), [(7, "ran longer than 7 s"), (0, "its process ended")])
def test_a_task_whose_slot_was_ended_failed_says_why_and_is_tried_again(seconds: int, told: str) -> None:
    job = begun(repository=1)
    with as_role("worker"):
        settle(worker_of(job), job, seconds)
    assert jobs() == [("failed", {"repository": 1}), ("todo", {"repository": 1, "attempt": 2})]
    assert (taken() is None) == bool(seconds), "what was killed once costs no time"
    page = browser(person("ada", Role.ADMIN)).get("/jobs").content.decode()
    assert told in page
    cause = "limit" if seconds else "crash"
    assert f'muniment_ended_task_processes{{cause="{cause}"}} 1.0' in measures.text().decode()


def test_a_task_that_outlives_its_limit_eight_times_is_not_tried_again() -> None:
    job = begun(repository=1, attempt=8)
    with as_role("worker"):
        settle(worker_of(job), job, 7)
    assert [status for status, _ in jobs()] == ["failed"]


def test_what_another_has_taken_up_meanwhile_is_left_to_it() -> None:
    job = begun(repository=1)
    former = worker_of(job)
    run("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    run("UPDATE procrastinate_jobs SET worker_id = (SELECT max(id) FROM procrastinate_workers)")
    with as_role("worker"):
        settle(former, job, 7)
    assert jobs() == [("doing", {"repository": 1})]


def test_what_a_slot_had_only_just_begun_or_ended_is_done_again() -> None:
    job = begun(repository=1)
    with as_role("worker"):
        settle(worker_of(job), 0, 0)
    assert jobs() == [("todo", {"repository": 1})]


def test_what_failed_is_seen_and_tried_again_by_an_administrator() -> None:
    soon("scan-repository", repository=1)
    run("UPDATE procrastinate_jobs SET status = 'failed'")
    ada = browser(person("ada", Role.ADMIN))
    assert "failed" in ada.get("/jobs").content.decode()
    number = ProcrastinateJob.objects.get().pk
    assert "tried again" in post(ada, f"/jobs/{number}/retry")
    assert [status for status, _ in jobs()] == ["failed", "todo"]
    sam = browser(person("sam", Role.SECURITY))
    assert sam.post(f"/jobs/{number}/retry").status_code == 403


@work.task("occupy", share_slots=True)
def occupy(repository: int, number: int) -> None:
    occupied.append(number)


occupied: list[int] = []


def test_one_repository_never_has_all_slots_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(work.SLOTS, "2")
    occupied.clear()
    other = connections.create_connection("default")  # another slot, at work on the same repository
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [work._SLOT_LOCKS, 7])
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
