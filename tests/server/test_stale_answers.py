"""Approvals at a forge that tells of a loss late or not at all: members of teams, and answers from before a write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import MunimentError
from muniment.server.connections import reconciling, tasks
from muniment.server.connections.models import Connection, RepositoryLink
from muniment.server.connections.reaching import forge_of
from tests.support.connected import Town, town
from tests.support.forges.faulty import Fault
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="town")
def _town(service: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    with town(tmp_path, monkeypatch) as found:
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
    before = len(town.fake.calls)
    town.look(number)
    writes = {"publish", "make run", "change run", "comment", "edit comment", "token", "git"}
    return sorted(set(town.fake.calls[before:]) - writes)


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
