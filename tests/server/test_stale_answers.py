"""Approvals at a forge that tells of a loss late or not at all: members of teams, and answers from before a write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from muniment.errors import MunimentError
from muniment.forges.shapes import Vendor
from muniment.server.connections import reconciling, tasks
from muniment.server.connections.models import Connection, ConnectionRateLimit, RepositoryLink
from muniment.server.connections.reaching import forge_of
from tests.support.connected import Town, town
from tests.support.forges.faulty import Fault
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="town", params=[Vendor.GITEA, Vendor.GITHUB, Vendor.GITLAB])
def _town(
    request: pytest.FixtureRequest, service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Town]:
    with town(tmp_path, monkeypatch, request.param) as found:
        found.connect()
        yield found


def approved(town: Town) -> int:
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.fake.written()
    town.look(number)
    return number


def shown(town: Town, number: int) -> str:
    return town.shown(town.change(number).head)


def pass_by(town: Town) -> None:
    """A probe and a pass over the repository, and what comes of them: no event came."""
    with as_role("owner"):
        Connection.objects.update(probed_at=None)
    with as_role("worker"):
        tasks.probe_connection(connection=town.connection.pk)
        row = RepositoryLink.objects.select_related("connection", "repository__product").get()
        reconciling.reconcile(row, forge_of(row.connection))
    town.run(put_off=False)


@pytest.mark.parametrize(("level", "members"), [("write", ()), ("read", ("bob",))], ids=["left", "reads"])
def test_whoever_writes_through_a_team_approves_until_the_team_writes_no_more(
    town: Town, level: str, members: tuple[str, ...]
) -> None:
    town.set_level("bob", "none")
    town.set_team("backend", "write", "bob")
    number = approved(town)
    assert shown(town, number) == "success"
    pass_by(town)
    assert shown(town, number) == "success"
    town.set_team("backend", level, *members)
    town.fake.written()
    pass_by(town)
    assert shown(town, number) == "failure"


def test_whoever_is_in_a_team_that_only_reads_approves_nothing(town: Town) -> None:
    town.set_level("bob", "none")
    town.set_team("readers", "read", "bob")
    assert shown(town, approved(town)) == "failure"


def calls_of(town: Town, number: int) -> list[str]:
    """The calls that read a change."""
    return sorted(set(all_calls(town, number)) - writes(town) - {"token", "git"})


def writes(town: Town) -> set[str]:
    """The calls that write at the forge."""
    return {route.name for route in town.fake.routes if route.method != "GET"} - set(town.fake.reads)


def all_calls(town: Town, number: int) -> list[str]:
    """The calls of an evaluation."""
    before = len(town.fake.calls)
    town.look(number)
    return town.fake.calls[before:]


def test_no_answer_from_before_a_lost_approval_keeps_a_change_green(town: Town) -> None:
    number = approved(town)
    for name in (*calls_of(town, number), None):
        town.acting.dismiss("muniment", number, "bob")
        town.fake.written()
        town.fake.fail(name, Fault.STALE)
        try:
            town.look(number)
        except MunimentError:  # what does not fit together is read again
            assert shown(town, number) != "success", name
        town.fake.mend()
        pass_by(town)
        assert shown(town, number) == "failure", name
        town.acting.approve("bob", number)
        town.fake.written()
        town.look(number)
        pass_by(town)
        assert shown(town, number) == "success", name


def test_a_rate_limit_at_any_call_keeps_no_lost_approval_green(town: Town) -> None:
    number = approved(town)
    town.acting.dismiss("muniment", number, "bob")
    lost = all_calls(town, number)
    town.acting.approve("bob", number)
    town.fake.written()
    calls = sorted({*lost, *all_calls(town, number)} - {"token", "git"})
    for name in calls:
        assert shown(town, number) == "success", name
        town.acting.dismiss("muniment", number, "bob")
        town.fake.written()
        town.fake.fail(name, Fault.LIMITED_FOR_A_WHILE)
        try:
            town.look(number)
        except MunimentError:
            assert name in writes(town) or shown(town, number) != "success", name
        else:
            assert shown(town, number) == "failure", name
        town.fake.mend()
        waited_for(town)
        town.look(number)
        assert shown(town, number) == "failure", name
        town.acting.approve("bob", number)
        town.fake.written()
        town.look(number)


def waited_for(town: Town) -> None:
    """The moment has come before which nothing was to be asked."""
    with as_role("owner"):
        ConnectionRateLimit.objects.all().delete()
        Connection.objects.update(credential_set_at=timezone.now())  # what this process was told is forgotten too
