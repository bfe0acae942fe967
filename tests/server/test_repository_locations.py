"""Repositories by path belong to the worker that has the path; another worker never reports them as empty."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.errors import MunimentError, UsageError
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.repository_locations import claim_repositories, open_repository
from muniment.server.job_queue import TASKS, _move_job, enqueue, name_worker_queue
from muniment.server.people.models import Account
from muniment.server.products.models import ClauseState, Repository
from muniment.server.records.models import Record
from tests.support.repos import Repo
from tests.support.service import as_role, person, product

pytestmark = pytest.mark.usefixtures("service")

HERE, THERE = "one:/home", "two:/home"
TOPIC = "refs/heads/topic"


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    """Repository with main by ada and topic by bob, at a path that only worker `HERE` has."""
    repo = Repo(tmp_path / "shop")
    base = repo.commit({"app.py": "x = 1\n"})
    repo.commit({"app.py": "x = 2\n"}, on="topic", parents=[base], author="Bob <bob@example.test>")
    product("shop", str(repo.path / ".git"))
    for name in ("ada", "bob"):
        with as_role("owner"):
            found = person(name, Role.DEVELOPER)
            Account.objects.create(person=found, kind="email", value=f"{name}@example.test", verification="email-code")
    return Repository.objects.get()


def work(worker: str, name: str, **about: object) -> None:
    """Run a task as one of the workers; only `HERE` has the path."""
    with as_role("worker"), override_settings(WORKER_NAME=worker), pytest.MonkeyPatch.context() as patch:
        if worker == THERE:
            patch.setattr("muniment.server.changes.repository_locations._is_repository_here", lambda repository: False)
        TASKS[name].func(**about)


def find_waiting_tasks(worker: str) -> list[str]:
    """Names of the tasks in the queue of a worker."""
    rows = ProcrastinateJob.objects.filter(queue_name=name_worker_queue(worker), status="todo").order_by("pk")
    return list(rows.values_list("task_name", flat=True))


def test_worker_without_path_changes_no_decision_and_adds_no_record(shop: Repository) -> None:
    work(HERE, "evaluate-change", repository=shop.pk, ref=TOPIC)
    work(HERE, "evaluate-history", repository=shop.pk)
    change, records, states = Change.objects.get(name=TOPIC), Record.objects.count(), [*ClauseState.objects.values()]
    assert change.decision is not None
    for _ in range(3):
        for name in ("scan-repository", "evaluate-history"):
            work(THERE, name, repository=shop.pk)
        work(THERE, "evaluate-change", repository=shop.pk, ref=TOPIC)
        work(HERE, "evaluate-change", repository=shop.pk, ref=TOPIC)
    change.refresh_from_db()
    assert (change.decision is not None, change.state) == (True, Change.State.OPEN)
    assert Record.objects.count() == records
    assert Decision.objects.filter(change=change).count() == 1
    assert [*ClauseState.objects.values()] == states
    assert set(find_waiting_tasks(HERE)) == {"scan-repository", "evaluate-history", "evaluate-change"}
    assert find_waiting_tasks(THERE) == []


def test_path_without_worker_is_error_not_empty_repository(shop: Repository, tmp_path: Path) -> None:
    with as_role("worker"), override_settings(WORKER_NAME=THERE), pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.server.changes.repository_locations._is_repository_here", lambda repository: False)
        Path(shop.path).rename(tmp_path / "away")
        with pytest.raises(MunimentError, match="is not a folder"):
            open_repository(shop)
    shop.refresh_from_db()
    assert shop.worker == ""


def test_repository_of_live_worker_is_not_claimed_by_another(shop: Repository) -> None:
    with as_role("worker"):
        for worker in (HERE, THERE):
            with override_settings(WORKER_NAME=worker):
                claim_repositories()
    shop.refresh_from_db()
    assert shop.worker == HERE


def test_repository_and_tasks_of_dead_worker_move_to_worker_with_path(shop: Repository) -> None:
    with as_role("worker"), override_settings(WORKER_NAME=THERE):
        claim_repositories()
    work(HERE, "evaluate-history", repository=shop.pk)
    assert find_waiting_tasks(THERE) == ["evaluate-history"]
    with as_role("owner"):
        Repository.objects.update(worker_seen_at=timezone.now() - timedelta(minutes=6))
    with as_role("worker"), override_settings(WORKER_NAME=HERE):
        claim_repositories()
    shop.refresh_from_db()
    assert (shop.worker, find_waiting_tasks(THERE)) == (HERE, [])
    assert "evaluate-history" in find_waiting_tasks(HERE)


def test_other_tasks_of_dead_worker_move_to_any_worker(shop: Repository) -> None:
    for worker in ("gone:/home", THERE):
        with as_role("worker"):
            _move_job("read-policy-source", {}, [HERE], worker)
    with as_role("worker"):
        _move_job("check-deployment", {"deployment": 1}, [HERE], THERE)
    with as_role("owner"):
        Repository.objects.update(worker=THERE, worker_seen_at=timezone.now())
    with as_role("worker"), override_settings(WORKER_NAME=HERE):
        claim_repositories()
    assert (find_waiting_tasks("gone:/home"), find_waiting_tasks(THERE)) == ([], ["check-deployment"])
    released = ProcrastinateJob.objects.get(task_name="read-policy-source", status="todo")
    assert (released.queue_name, released.args) == ("jobs", {})


def test_moved_repository_is_claimed_by_worker_with_new_path(shop: Repository) -> None:
    with as_role("worker"), override_settings(WORKER_NAME=THERE):
        claim_repositories()
    work(THERE, "scan-repository", repository=shop.pk)
    shop.refresh_from_db()
    assert shop.worker == "", "its worker has it no more"
    with as_role("worker"), override_settings(WORKER_NAME=HERE):
        claim_repositories()
    shop.refresh_from_db()
    assert shop.worker == HERE


def test_task_that_needs_several_workers_is_refused(shop: Repository) -> None:
    with as_role("owner"):
        Repository.objects.update(worker=HERE, worker_seen_at=timezone.now())
    with as_role("worker"), override_settings(WORKER_NAME=THERE), pytest.raises(UsageError, match="several workers"):
        TASKS["evaluate-change"].func(repository=shop.pk, ref=TOPIC, moved=[HERE])


def test_same_task_is_enqueued_once(shop: Repository) -> None:
    work(HERE, "evaluate-history", repository=shop.pk)
    for _ in range(2):
        work(THERE, "evaluate-history", repository=shop.pk)
    with as_role("worker"):
        enqueue("evaluate-history", repository=shop.pk)
    assert find_waiting_tasks(HERE) == ["evaluate-history"]
