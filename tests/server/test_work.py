"""Work in the background: once for each thing, tried again when it fails, taken up from the dead."""

import contextlib
import json
from typing import Any

import pytest
from django.db import connection, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from muniment.access.roles import Role
from muniment.server import work
from muniment.server.running import working
from muniment.server.work import TASKS, first, later, soon, take_over, take_up
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def jobs(**wanted: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(job.status, job.args) for job in ProcrastinateJob.objects.filter(**wanted).order_by("id")]


def run(statement: str) -> None:
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_ten_of_the_same_are_one() -> None:
    for _ in range(10):
        soon("look", repository=1)
    soon("look", repository=2)
    assert len(jobs()) == 2


def test_what_was_undone_is_not_done() -> None:
    with transaction.atomic():
        soon("look", repository=1)
        transaction.set_rollback(True)
    assert jobs() == []


def test_a_duplicate_does_not_break_the_transaction_that_asks_for_it() -> None:
    soon("look", repository=1)
    with transaction.atomic():
        soon("look", repository=1)
        soon("look", repository=2)
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


def test_news_are_not_held_up_by_what_is_put_off_for_a_day() -> None:
    later("look", 86_400, repository=1)
    soon("look", repository=1)
    assert taken() == {"repository": 1}
    assert taken() is None


def test_what_comes_first_passes_what_waits_and_moves_up_if_it_waits_itself() -> None:
    for number in (1, 2, 3):
        soon("look", repository=number)
    first("look", repository=3)
    first("look", repository=4)
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
    soon("look", repository=1)
    run("UPDATE procrastinate_jobs SET status = 'doing'")
    if waits:
        soon("look", repository=1)
    with as_role("worker"):
        take_up()
        take_up()
    assert jobs() == [("todo", {"repository": 1})]


def test_what_a_living_worker_does_is_left_to_it() -> None:
    soon("look", repository=1)
    run("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
    run("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)")
    with as_role("worker"):
        take_up()
    assert jobs() == [("doing", {"repository": 1})]


def test_what_a_worker_puts_off_goes_with_the_transaction_of_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []

    def running(work: Any) -> None:
        found.append(work.cr_frame.f_locals["waiting"].connector)
        work.close()
        with transaction.atomic():
            soon("look", repository=1)
            transaction.set_rollback(True)

    monkeypatch.setattr("muniment.server.running.working.asyncio.run", running)
    monkeypatch.setattr(working, "Rounds", contextlib.nullcontext)
    with as_role("worker"):
        working.run(1, alone=False)
    assert jobs() == []
    assert found != [app.connector], "what waits on the queue has connections of its own"


@pytest.mark.parametrize(("workers", "status"), [(0, "todo"), (1, "todo"), (2, "doing")])
def test_who_follows_a_worker_that_was_killed_takes_over_unless_another_may_live(workers: int, status: str) -> None:
    soon("look", repository=1)
    run("UPDATE procrastinate_jobs SET status = 'doing'")
    for _ in range(workers):
        run("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())")
        run("UPDATE procrastinate_jobs SET worker_id = (SELECT max(id) FROM procrastinate_workers)")
    with as_role("worker"):
        take_over()
    assert jobs() == [(status, {"repository": 1})]
    assert ProcrastinateWorker.objects.count() == (0 if status == "todo" else workers), "the dead are not counted again"


def test_what_failed_is_seen_and_tried_again_by_an_administrator() -> None:
    soon("look", repository=1)
    run("UPDATE procrastinate_jobs SET status = 'failed'")
    ada = browser(person("ada", Role.ADMIN))
    assert "failed" in ada.get("/work").content.decode()
    number = ProcrastinateJob.objects.get().pk
    assert "tried again" in post(ada, f"/work/{number}/again")
    assert [status for status, _ in jobs()] == ["failed", "todo"]
    sam = browser(person("sam", Role.SECURITY))
    assert sam.post(f"/work/{number}/again").status_code == 403
