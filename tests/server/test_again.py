"""What is green is read again before all else, whatever asks for it: a delivery, a person, a freeze of everything."""

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.forges.events import Event, Happened
from muniment.server.changes.again import judge_again
from muniment.server.changes.tasks import rejudge_all
from muniment.server.connections import hearing
from muniment.server.work import raise_oldest
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


def test_a_new_change_and_what_somebody_waits_for_go_before_what_is_evaluated_anew_in_bulk(town: Town) -> None:
    first, second, green = (town.open({f"{name}.py": "x = 1\n"}, name) for name in ("one", "two", "three"))
    for name in ("bob", "carol"):
        town.acting.approve(name, green)
    for number in (first, second, green):
        town.look(number)
    with as_role("worker"):
        rejudge_all()
    assert (waiting()[0], sorted(waiting())) == (green, sorted((first, second, green)))
    new = town.open({"four.py": "x = 1\n"}, "four")
    with as_role("web"):
        for number in (second, new):
            hearing.enqueue(town.connection, Event("d", Happened.CHANGE, repository=town.acting.path, number=number))
    assert waiting() == [new, green, second, first]


def test_what_waits_longest_does_not_starve_behind_what_is_more_urgent(town: Town) -> None:
    old, green = (town.open({f"{name}.py": "x = 1\n"}, name) for name in ("one", "two"))
    for name in ("bob", "carol"):
        town.acting.approve(name, green)
    for number in (old, green):
        town.look(number)
    with as_role("worker"):
        rejudge_all()
        raise_oldest()
        assert waiting() == [green, old], "it does not wait for long"
    with as_role("owner"), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '1 minute'")
    with as_role("worker"):
        raise_oldest()
        raise_oldest()
    assert sorted(waiting()) == [old, green]
    with as_role("web"):
        new = town.open({"three.py": "x = 1\n"}, "three")
        hearing.enqueue(town.connection, Event("d", Happened.CHANGE, repository=town.acting.path, number=new))
    assert waiting()[-1] == new, "both of before go first"
