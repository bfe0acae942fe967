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
from tests.support.forge_setup import ForgeSetup, start_setup
from tests.support.forges.faulty import Fault
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="setup", params=[Vendor.GITEA, Vendor.GITHUB, Vendor.GITLAB])
def _setup(
    request: pytest.FixtureRequest, service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ForgeSetup]:
    with start_setup(tmp_path, monkeypatch, request.param) as found:
        found.connect()
        yield found


def open_approved_change(setup: ForgeSetup) -> int:
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.fake.written()
    setup.evaluate(number)
    return number


def read_status(setup: ForgeSetup, number: int) -> str:
    return setup.get_status(setup.load_change(number).head)


def probe_and_reconcile(setup: ForgeSetup) -> None:
    """Probe and reconcile the repository without an event, and run the tasks that follow."""
    with as_role("owner"):
        Connection.objects.update(probed_at=None)
    with as_role("worker"):
        tasks.probe_connection(connection=setup.connection.pk)
        row = RepositoryLink.objects.select_related("connection", "repository__product").get()
        reconciliation.reconcile_repository(row, open_connected_forge(row.connection))
    setup.run_queue(put_off=False)


@pytest.mark.parametrize(("level", "members"), [("write", ()), ("read", ("bob",))], ids=["left", "reads"])
def test_team_member_counts_as_approver_until_the_team_loses_write_access(
    setup: ForgeSetup, level: str, members: tuple[str, ...]
) -> None:
    setup.set_level("bob", "none")
    setup.set_team("backend", "write", "bob")
    number = open_approved_change(setup)
    assert read_status(setup, number) == "success"
    probe_and_reconcile(setup)
    assert read_status(setup, number) == "success"
    setup.set_team("backend", level, *members)
    setup.fake.written()
    probe_and_reconcile(setup)
    assert read_status(setup, number) == "failure"


def test_member_of_a_read_only_team_does_not_count_as_approver(setup: ForgeSetup) -> None:
    setup.set_level("bob", "none")
    setup.set_team("readers", "read", "bob")
    assert read_status(setup, open_approved_change(setup)) == "failure"


def list_read_calls(setup: ForgeSetup, number: int) -> list[str]:
    """Names of the calls that read a change."""
    return sorted(set(list_all_calls(setup, number)) - list_write_calls(setup) - {"token", "git"})


def list_write_calls(setup: ForgeSetup) -> set[str]:
    """Names of the calls that write at the forge."""
    return {route.name for route in setup.fake.routes if route.method != "GET"} - set(setup.fake.reads)


def list_all_calls(setup: ForgeSetup, number: int) -> list[str]:
    """Names of the calls of one evaluation."""
    before = len(setup.fake.calls)
    setup.evaluate(number)
    return setup.fake.calls[before:]


def test_stale_answer_keeps_no_change_green_after_a_lost_approval(setup: ForgeSetup) -> None:
    number = open_approved_change(setup)
    for name in (*list_read_calls(setup, number), None):
        setup.acting.dismiss("muniment", number, "bob")
        setup.fake.written()
        setup.fake.fail(name, Fault.STALE)
        try:
            setup.evaluate(number)
        except MunimentError:  # what does not fit together is read again
            assert read_status(setup, number) != "success", name
        setup.fake.mend()
        probe_and_reconcile(setup)
        assert read_status(setup, number) == "failure", name
        setup.acting.approve("bob", number)
        setup.fake.written()
        setup.evaluate(number)
        probe_and_reconcile(setup)
        assert read_status(setup, number) == "success", name


def test_rate_limit_at_any_call_keeps_no_change_green_after_a_lost_approval(setup: ForgeSetup) -> None:
    number = open_approved_change(setup)
    setup.acting.dismiss("muniment", number, "bob")
    lost = list_all_calls(setup, number)
    setup.acting.approve("bob", number)
    setup.fake.written()
    calls = sorted({*lost, *list_all_calls(setup, number)} - {"token", "git"})
    for name in calls:
        assert read_status(setup, number) == "success", name
        setup.acting.dismiss("muniment", number, "bob")
        setup.fake.written()
        setup.fake.fail(name, Fault.LIMITED_FOR_A_WHILE)
        try:
            setup.evaluate(number)
        except MunimentError:
            assert name in list_write_calls(setup) or read_status(setup, number) != "success", name
        else:
            assert read_status(setup, number) == "failure", name
        setup.fake.mend()
        end_rate_limit(setup)
        setup.evaluate(number)
        assert read_status(setup, number) == "failure", name
        setup.acting.approve("bob", number)
        setup.fake.written()
        setup.evaluate(number)


def end_rate_limit(setup: ForgeSetup) -> None:
    """End the pause of the rate limit, so that the forge may be asked again."""
    with as_role("owner"):
        ConnectionRateLimit.objects.all().delete()
        Connection.objects.update(credential_set_at=timezone.now())  # what this process read is forgotten too
