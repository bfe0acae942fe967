"""Order of reading: allowed changes are read again before all others, on a delivery, a request or a freeze."""

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.forges.events import ForgeEvent, ForgeEventKind
from muniment.server.changes.reevaluation_requests import request_reevaluation
from muniment.server.changes.tasks import reevaluate_all
from muniment.server.connections import webhook_deliveries
from muniment.server.job_queue import raise_oldest
from tests.support.forge_setup import ForgeSetup
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def find_waiting_changes() -> list[int]:
    """Numbers of the changes that wait to be read, in their order."""
    jobs = ProcrastinateJob.objects.filter(task_name="read-change", status="todo").order_by("-priority", "id")
    return [job.args["number"] for job in jobs]


def test_allowed_change_is_read_again_first(setup: ForgeSetup) -> None:
    red, green, redder = (setup.open_change({f"{name}.py": "x = 1\n"}, name) for name in ("one", "two", "three"))
    for name in ("bob", "carol"):
        setup.acting.approve(name, green)
    for number in (red, green, redder):
        setup.evaluate(number)
    assert setup.get_status(setup.work.tip("two")) == "success"
    with as_role("web"):
        for number in (red, green):
            webhook_deliveries.enqueue_event_jobs(
                setup.connection, ForgeEvent("d", ForgeEventKind.CHANGE, repository=setup.acting.path, number=number)
            )
    assert find_waiting_changes() == [green, red]
    with as_role("web"):
        request_reevaluation(setup.load_change(redder))
    assert find_waiting_changes() == [green, red, redder]
    with as_role("worker"):
        reevaluate_all()
    assert find_waiting_changes() == [green, red, redder]


def test_new_and_requested_changes_are_read_before_bulk_reevaluation(setup: ForgeSetup) -> None:
    first, second, green = (setup.open_change({f"{name}.py": "x = 1\n"}, name) for name in ("one", "two", "three"))
    for name in ("bob", "carol"):
        setup.acting.approve(name, green)
    for number in (first, second, green):
        setup.evaluate(number)
    with as_role("worker"):
        reevaluate_all()
    assert (find_waiting_changes()[0], sorted(find_waiting_changes())) == (green, sorted((first, second, green)))
    new = setup.open_change({"four.py": "x = 1\n"}, "four")
    with as_role("web"):
        for number in (second, new):
            webhook_deliveries.enqueue_event_jobs(
                setup.connection, ForgeEvent("d", ForgeEventKind.CHANGE, repository=setup.acting.path, number=number)
            )
    assert find_waiting_changes() == [new, green, second, first]


def test_longest_waiting_change_is_not_starved_by_urgent_changes(setup: ForgeSetup) -> None:
    old, green = (setup.open_change({f"{name}.py": "x = 1\n"}, name) for name in ("one", "two"))
    for name in ("bob", "carol"):
        setup.acting.approve(name, green)
    for number in (old, green):
        setup.evaluate(number)
    with as_role("worker"):
        reevaluate_all()
        raise_oldest()
        assert find_waiting_changes() == [green, old], "it does not wait for long"
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '1 minute'")
    with as_role("worker"):
        raise_oldest()
        raise_oldest()
    assert sorted(find_waiting_changes()) == [old, green]
    with as_role("web"):
        new = setup.open_change({"three.py": "x = 1\n"}, "three")
        webhook_deliveries.enqueue_event_jobs(
            setup.connection, ForgeEvent("d", ForgeEventKind.CHANGE, repository=setup.acting.path, number=new)
        )
    assert find_waiting_changes()[-1] == new, "both of before go first"
