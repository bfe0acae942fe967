"""Periodic tasks run once per period, however many workers there are."""

from datetime import timedelta

import pytest
from django.utils import timezone

from muniment.server.records.models import RoundStart
from muniment.server.running import rounds
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def began(name: str, seconds_ago: float) -> None:
    with as_role("owner"):
        RoundStart.objects.filter(pk=name).update(started_at=timezone.now() - timedelta(seconds=seconds_ago))


def test_periodic_task_runs_on_one_worker_until_it_is_due_again() -> None:
    with as_role("worker"):
        assert [rounds._claim_round("send_now", 300) for _ in range(3)] == [True, False, False]
    began("send_now", 299)
    with as_role("worker"):
        assert not rounds._claim_round("send_now", 300)
        assert rounds._claim_round("keep_to_rules", 3600), "another is claimed by itself"
    began("send_now", 301)
    with as_role("worker"):
        assert [rounds._claim_round("send_now", 300) for _ in range(2)] == [True, False]


def test_clock_that_was_set_back_stops_no_periodic_task() -> None:
    with as_role("worker"):
        assert rounds._claim_round("send_now", 300)
    began("send_now", -10_000)
    with as_role("worker"):
        assert rounds._claim_round("send_now", 300)


def test_periodic_tasks_of_each_worker_are_registered() -> None:
    assert set(rounds._OF_EACH_WORKER) <= rounds._ROUNDS.keys()
