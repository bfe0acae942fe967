"""A repository by path belongs to the worker that has it: one that lacks the path never says that nothing is there."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.errors import MunimentError, UsageError
from muniment.server.changes.locations import claim_repositories, open_repository
from muniment.server.changes.models import Change, Decision
from muniment.server.people.models import Account
from muniment.server.products.models import ClauseState, Repository
from muniment.server.records.models import Record
from muniment.server.work import TASKS, _move, queue_of, soon
from tests.support.repos import Repo
from tests.support.service import as_role, person, product

pytestmark = pytest.mark.usefixtures("service")

HERE, THERE = "one:/home", "two:/home"
TOPIC = "refs/heads/topic"


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    """main by ada, topic by bob, at a path that the worker `HERE` has; what else comes from there is away for THERE."""
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
    """Do a task as one of the workers; the path is there for `HERE` alone."""
    with as_role("worker"), override_settings(WORKER_NAME=worker), pytest.MonkeyPatch.context() as patch:
        if worker == THERE:
            patch.setattr("muniment.server.changes.locations._is_here", lambda repository: False)
        TASKS[name].func(**about)


def waiting(worker: str) -> list[str]:
    """The names of the tasks in the queue of a worker."""
    rows = ProcrastinateJob.objects.filter(queue_name=queue_of(worker), status="todo").order_by("pk")
    return list(rows.values_list("task_name", flat=True))


def test_a_worker_without_the_path_changes_no_decision_and_adds_no_record(shop: Repository) -> None:
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
    assert set(waiting(HERE)) == {"scan-repository", "evaluate-history", "evaluate-change"}
    assert waiting(THERE) == []


def test_a_path_that_no_worker_has_is_an_error_and_no_empty_repository(shop: Repository, tmp_path: Path) -> None:
    with as_role("worker"), override_settings(WORKER_NAME=THERE), pytest.MonkeyPatch.context() as patch:
        patch.setattr("muniment.server.changes.locations._is_here", lambda repository: False)
        Path(shop.path).rename(tmp_path / "away")
        with pytest.raises(MunimentError, match="is not a folder"):
            open_repository(shop)
    shop.refresh_from_db()
    assert shop.worker == ""


def test_a_living_workers_repository_is_claimed_by_no_other(shop: Repository) -> None:
    with as_role("worker"):
        for worker in (HERE, THERE):
            with override_settings(WORKER_NAME=worker):
                claim_repositories()
    shop.refresh_from_db()
    assert shop.worker == HERE


def test_a_dead_workers_repository_goes_to_one_that_has_the_path_with_what_waits(shop: Repository) -> None:
    with as_role("worker"), override_settings(WORKER_NAME=THERE):
        claim_repositories()
    work(HERE, "evaluate-history", repository=shop.pk)
    assert waiting(THERE) == ["evaluate-history"]
    with as_role("owner"):
        Repository.objects.update(worker_seen_at=timezone.now() - timedelta(minutes=6))
    with as_role("worker"), override_settings(WORKER_NAME=HERE):
        claim_repositories()
    shop.refresh_from_db()
    assert (shop.worker, waiting(THERE)) == (HERE, [])
    assert "evaluate-history" in waiting(HERE)


def test_what_waits_for_a_dead_worker_without_a_repository_is_done_by_any(shop: Repository) -> None:
    for worker in ("gone:/home", THERE):
        with as_role("worker"):
            _move("read-policy-source", {}, [HERE], worker)
    with as_role("worker"):
        _move("check-deployment", {"deployment": 1}, [HERE], THERE)
    with as_role("owner"):
        Repository.objects.update(worker=THERE, worker_seen_at=timezone.now())
    with as_role("worker"), override_settings(WORKER_NAME=HERE):
        claim_repositories()
    assert (waiting("gone:/home"), waiting(THERE)) == ([], ["check-deployment"])
    released = ProcrastinateJob.objects.get(task_name="read-policy-source", status="todo")
    assert (released.queue_name, released.args) == ("jobs", {})


def test_a_repository_that_was_moved_away_is_claimed_where_it_is_now(shop: Repository) -> None:
    with as_role("worker"), override_settings(WORKER_NAME=THERE):
        claim_repositories()
    work(THERE, "scan-repository", repository=shop.pk)
    shop.refresh_from_db()
    assert shop.worker == "", "its worker has it no more"
    with as_role("worker"), override_settings(WORKER_NAME=HERE):
        claim_repositories()
    shop.refresh_from_db()
    assert shop.worker == HERE


def test_a_task_that_no_single_worker_can_do_does_not_wander_for_ever(shop: Repository) -> None:
    with as_role("owner"):
        Repository.objects.update(worker=HERE, worker_seen_at=timezone.now())
    with as_role("worker"), override_settings(WORKER_NAME=THERE), pytest.raises(UsageError, match="several workers"):
        TASKS["evaluate-change"].func(repository=shop.pk, ref=TOPIC, moved=[HERE])


def test_what_waits_for_the_same_thing_is_asked_for_once(shop: Repository) -> None:
    work(HERE, "evaluate-history", repository=shop.pk)
    for _ in range(2):
        work(THERE, "evaluate-history", repository=shop.pk)
    with as_role("worker"):
        soon("evaluate-history", repository=shop.pk)
    assert waiting(HERE) == ["evaluate-history"]
