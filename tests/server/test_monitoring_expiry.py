"""Expiry of monitoring: a change that was allowed only by it is denied again automatically."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from muniment.server.connections import tasks
from muniment.server.connections.models import ForgeChange
from muniment.server.people.models import Person
from muniment.server.policies.models import MonitoringPeriod
from tests.support.forge_setup import ForgeSetup
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def test_end_of_monitoring_denies_change_it_had_allowed(setup: ForgeSetup) -> None:
    ada, today = Person.objects.get(slug="ada"), timezone.now().date()
    with as_role("owner"):
        MonitoringPeriod.objects.create(
            slug="g",
            product=setup.product,
            clause="review.two-reviewers",
            last_day=today,
            reason="We begin.",
            requester=ada,
            approver=Person.objects.get(slug="dave"),
        )
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    head = setup.load_change(number).head
    assert setup.get_status(head) == "success"
    assert ForgeChange.objects.get().reevaluate_at == datetime.combine(today + timedelta(days=1), time(), UTC)
    with as_role("owner"):
        tasks.poll_connections()
    assert "read-change" not in setup.run_queue()
    with as_role("owner"):
        MonitoringPeriod.objects.update(last_day=today - timedelta(days=1))
        ForgeChange.objects.update(reevaluate_at=timezone.now())
        tasks.poll_connections()
    assert "read-change" in setup.run_queue()
    assert setup.get_status(head) == "failure"
    assert ForgeChange.objects.get().reevaluate_at is None
