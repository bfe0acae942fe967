"""Approvals at a forge that reports their loss late or never: team members, and answers from before a write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from muniment.errors import MunimentError
from muniment.forges.shapes import Vendor
from muniment.server.connections import reconciliation, tasks
from muniment.server.connections.forge_access import open_connected_forge
from muniment.server.connections.models import Connection, ConnectionRateLimit, RepositoryLink
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


def open_approved_change(town: Town) -> int:
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.fake.written()
    town.look(number)
    return number


def shown(town: Town, number: int) -> str:
    return town.shown(town.change(number).head)


def probe_and_reconcile(town: Town) -> None:
    """Probe and reconcile the repository without an event, and run the tasks that follow."""
    with as_role("owner"):
        Connection.objects.update(probed_at=None)
    with as_role("worker"):
        tasks.probe_connection(connection=town.connection.pk)
        row = RepositoryLink.objects.select_related("connection", "repository__product").get()
        reconciliation.reconcile_repository(row, open_connected_forge(row.connection))
    town.run(put_off=False)


@pytest.mark.parametrize(("level", "members"), [("write", ()), ("read", ("bob",))], ids=["left", "reads"])
def test_team_member_counts_as_approver_until_the_team_loses_write_access(
    town: Town, level: str, members: tuple[str, ...]
) -> None:
    town.set_level("bob", "none")
    town.set_team("backend", "write", "bob")
    number = open_approved_change(town)
    assert shown(town, number) == "success"
    probe_and_reconcile(town)
    assert shown(town, number) == "success"
    town.set_team("backend", level, *members)
    town.fake.written()
    probe_and_reconcile(town)
    assert shown(town, number) == "failure"


def test_member_of_a_read_only_team_does_not_count_as_approver(town: Town) -> None:
    town.set_level("bob", "none")
    town.set_team("readers", "read", "bob")
    assert shown(town, open_approved_change(town)) == "failure"


def list_read_calls(town: Town, number: int) -> list[str]:
    """Names of the calls that read a change."""
    return sorted(set(list_all_calls(town, number)) - list_write_calls(town) - {"token", "git"})


def list_write_calls(town: Town) -> set[str]:
    """Names of the calls that write at the forge."""
    return {route.name for route in town.fake.routes if route.method != "GET"} - set(town.fake.reads)


def list_all_calls(town: Town, number: int) -> list[str]:
    """Names of the calls of one evaluation."""
    before = len(town.fake.calls)
    town.look(number)
    return town.fake.calls[before:]


def test_stale_answer_keeps_no_change_green_after_a_lost_approval(town: Town) -> None:
    number = open_approved_change(town)
    for name in (*list_read_calls(town, number), None):
        town.acting.dismiss("muniment", number, "bob")
        town.fake.written()
        town.fake.fail(name, Fault.STALE)
        try:
            town.look(number)
        except MunimentError:  # what does not fit together is read again
            assert shown(town, number) != "success", name
        town.fake.mend()
        probe_and_reconcile(town)
        assert shown(town, number) == "failure", name
        town.acting.approve("bob", number)
        town.fake.written()
        town.look(number)
        probe_and_reconcile(town)
        assert shown(town, number) == "success", name


def test_rate_limit_at_any_call_keeps_no_change_green_after_a_lost_approval(town: Town) -> None:
    number = open_approved_change(town)
    town.acting.dismiss("muniment", number, "bob")
    lost = list_all_calls(town, number)
    town.acting.approve("bob", number)
    town.fake.written()
    calls = sorted({*lost, *list_all_calls(town, number)} - {"token", "git"})
    for name in calls:
        assert shown(town, number) == "success", name
        town.acting.dismiss("muniment", number, "bob")
        town.fake.written()
        town.fake.fail(name, Fault.LIMITED_FOR_A_WHILE)
        try:
            town.look(number)
        except MunimentError:
            assert name in list_write_calls(town) or shown(town, number) != "success", name
        else:
            assert shown(town, number) == "failure", name
        town.fake.mend()
        end_rate_limit(town)
        town.look(number)
        assert shown(town, number) == "failure", name
        town.acting.approve("bob", number)
        town.fake.written()
        town.look(number)


def end_rate_limit(town: Town) -> None:
    """End the pause of the rate limit, so that the forge may be asked again."""
    with as_role("owner"):
        ConnectionRateLimit.objects.all().delete()
        Connection.objects.update(credential_set_at=timezone.now())  # what this process was told is forgotten too
