"""Expiry of monitoring: a change that was allowed only by it is denied again automatically."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from muniment.server.connections import tasks
from muniment.server.connections.models import ForgeChange
from muniment.server.people.models import Person
from muniment.server.policies.models import MonitoringPeriod
from tests.support.connected import Town
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def test_end_of_monitoring_denies_change_it_had_allowed(town: Town) -> None:
    ada, today = Person.objects.get(slug="ada"), timezone.now().date()
    with as_role("owner"):
        MonitoringPeriod.objects.create(
            slug="g",
            product=town.product,
            clause="review.two-reviewers",
            last_day=today,
            reason="We begin.",
            requester=ada,
            approver=Person.objects.get(slug="dave"),
        )
    number = town.open({"app.py": "x = 1\n"})
    town.look(number)
    head = town.change(number).head
    assert town.shown(head) == "success"
    assert ForgeChange.objects.get().reevaluate_at == datetime.combine(today + timedelta(days=1), time(), UTC)
    with as_role("owner"):
        tasks.poll_connections()
    assert "read-change" not in town.run()
    with as_role("owner"):
        MonitoringPeriod.objects.update(last_day=today - timedelta(days=1))
        ForgeChange.objects.update(reevaluate_at=timezone.now())
        tasks.poll_connections()
    assert "read-change" in town.run()
    assert town.shown(head) == "failure"
    assert ForgeChange.objects.get().reevaluate_at is None
