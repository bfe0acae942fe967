"""What is green is read again before all else, whatever asks for it: a delivery, a person, a freeze of everything."""

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.forges.events import Event, Happened
from muniment.server.changes.again import judge_again
from muniment.server.changes.tasks import rejudge_all
from muniment.server.connections import hearing
from tests.support.connected import Town
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def waiting() -> list[int]:
    """The changes that are to be read, in the order in which they will be."""
    jobs = ProcrastinateJob.objects.filter(task_name="read-change", status="todo").order_by("-priority", "id")
    return [job.args["number"] for job in jobs]


def test_what_is_green_is_read_again_first(town: Town) -> None:
    red, green, redder = (town.open({f"{name}.py": "x = 1\n"}, name) for name in ("one", "two", "three"))
    for name in ("bob", "carol"):
        town.acting.approve(name, green)
    for number in (red, green, redder):
        town.look(number)
    assert town.shown(town.work.tip("two")) == "success"
    with as_role("web"):
        for number in (red, green):
            hearing.enqueue(town.connection, Event("d", Happened.CHANGE, repository=town.acting.path, number=number))
    assert waiting() == [green, red]
    with as_role("web"):
        judge_again(town.change(redder))
    assert waiting() == [green, red, redder]
    with as_role("worker"):
        rejudge_all()
    assert waiting() == [green, red, redder]
