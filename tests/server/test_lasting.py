"""What lets a change pass for a while alone holds no longer: its head is red again by itself."""

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


def test_a_clause_that_reported_only_until_yesterday_turns_what_it_let_pass_red(town: Town) -> None:
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
        tasks.go_rounds()
    assert "read-change" not in town.run()
    with as_role("owner"):
        MonitoringPeriod.objects.update(last_day=today - timedelta(days=1))
        ForgeChange.objects.update(reevaluate_at=timezone.now())
        tasks.go_rounds()
    assert "read-change" in town.run()
    assert town.shown(head) == "failure"
    assert ForgeChange.objects.get().reevaluate_at is None
