"""Proposed updates at each forge: opened, renewed, left to people, closed; and machinery that does not work."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from muniment.controls.control import Case, ResultStatus
from muniment.controls.updates_automated import CONTROL
from muniment.facts.maybe import Known
from muniment.forges.shapes import ChangeState
from muniment.server import moments
from muniment.server.connections.forge_access import open_connected_forge, require_linked_repository
from muniment.server.connections.models import RepositoryLink
from muniment.server.records.models import Record
from muniment.server.updates import lock_reading, proposals, tasks, update_runs
from muniment.server.updates.automation_facts import AutomationSupplier, describe_automation_state, read_automation
from muniment.server.updates.models import ProposalState, ProposedUpdate, UpdateRun
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.lock_updates import LockUpdate, PackageMove, UpdateRefusal
from tests.support.advisory_exports import fixed_in, read_advisory
from tests.support.forge_setup import ForgeSetup
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, product
from tests.workflows.test_change_dependencies import make_lock

INDEX = AdvisoryIndex([read_advisory("PYSEC-1", events=fixed_in("4.2"))])


class Machinery:
    """Package managers whose answers a test sets, and the repository at its forge."""

    def __init__(self, setup: ForgeSetup) -> None:
        self.setup = setup
        self.version = "4.2"
        self.refusal: UpdateRefusal | None = None
        self.push(django="4.1")
        with as_role("worker"):
            lock_reading.read_repository(setup.repository)

    def push(self, **versions: str) -> None:
        """Push a lock to the main branch."""
        work = self.setup.work
        work.push("muniment", work.commit("ada", {"uv.lock": make_lock(**versions)}, work.tip("main")), "main")

    def update(self, lock: Any, _content: bytes, _files: Any, _settings: Any) -> LockUpdate | UpdateRefusal:
        """Answer as a package manager does that moves django."""
        if self.refusal is not None:
            return self.refusal
        move = PackageMove("django", ("4.1",), (self.version,), ("PYSEC-1",))
        content = make_lock(django=self.version, mail="1").encode()
        return LockUpdate(lock.path, (move,), (), content, 1, True, (), "uv")

    def run(self) -> UpdateRun:
        """Run the machinery once, as the worker does."""
        with as_role("worker"):
            tasks.propose_updates_task(self.setup.repository.pk)
        return UpdateRun.objects.get()

    def read_change(self, number: int) -> Any:
        connected = RepositoryLink.objects.select_related("connection").get()
        with as_role("worker"):
            forge = open_connected_forge(connected.connection)
            return forge.reader.read_change(require_linked_repository(connected), number)

    def list_reasons(self) -> list[tuple[str, str]]:
        facts = {"update_automation": Known(read_automation("shop"))}
        case = Case(facts, CONTROL.parameters(), moments.current_moment(), {})
        return [(reason.status, reason.code) for reason in CONTROL.evaluate(case)]


def build_machinery(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> Machinery:
    made = Machinery(setup)
    monkeypatch.setattr(proposals, "update_lock", made.update)
    monkeypatch.setattr(update_runs, "prove_updates", lambda *_: made.refusal)
    monkeypatch.setattr(update_runs, "load_index", lambda: INDEX)
    return made


@pytest.fixture
def machinery(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> Machinery:
    return build_machinery(setup, monkeypatch)


@pytest.fixture
def any_machinery(any_setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> Machinery:
    return build_machinery(any_setup, monkeypatch)


def test_an_update_is_recorded_and_opened_by_our_account_and_closed_once_it_is_not_needed(
    any_machinery: Machinery,
) -> None:
    run = any_machinery.run()
    assert (run.problem, run.proven_at is not None) == ("", True)
    row = ProposedUpdate.objects.get()
    change = any_machinery.read_change(row.number)
    assert (change.state, change.title, change.target) == (ChangeState.OPEN, "Update django to 4.2", "refs/heads/main")
    assert (change.source, change.head, change.labels) == (row.branch, row.commit, ("dependencies",))
    for text in (
        "PYSEC-1",
        "4.1 to 4.2",
        "unchanged byte for byte",
        "Highest severity: high",
        "its own approval never",
    ):
        assert text in change.text, text
    assert Record.objects.filter(kind__contains="act").exists()
    any_machinery.run()
    assert any_machinery.read_change(row.number).head == row.commit, "it was renewed for nothing"
    any_machinery.push(django="4.2")
    any_machinery.run()
    assert any_machinery.read_change(row.number).state is ChangeState.CLOSED
    assert ProposedUpdate.objects.get().state == ProposalState.CLOSED
    assert any_machinery.list_reasons() == [(ResultStatus.MET, "automated")]


def test_a_newer_update_or_lock_renews_the_same_change(machinery: Machinery) -> None:
    machinery.run()
    first = ProposedUpdate.objects.get()
    machinery.version = "4.2.1"
    machinery.run()
    second = ProposedUpdate.objects.get()
    assert (second.number, second.commit != first.commit) == (first.number, True)
    assert machinery.read_change(first.number).title == "Update django to 4.2.1"
    machinery.push(django="4.1", flask="3")
    machinery.run()
    third = ProposedUpdate.objects.get()
    assert (third.number, third.commit != second.commit) == (first.number, True)


def test_a_branch_that_somebody_pushed_to_is_left_alone(machinery: Machinery) -> None:
    machinery.run()
    row = ProposedUpdate.objects.get()
    work, branch = machinery.setup.work, row.branch.removeprefix("refs/heads/")
    theirs = work.commit("ada", {"app.py": "x = 1\n"}, work.tip(branch))
    work.push("ada", theirs, branch)
    machinery.version = "4.2.1"
    machinery.run()
    assert machinery.read_change(row.number).head == theirs


def test_a_change_closed_by_hand_asks_why_and_comes_again_on_its_day(machinery: Machinery) -> None:
    machinery.run()
    row = ProposedUpdate.objects.get()
    pulls = machinery.setup.fake.pulls[machinery.setup.acting.path, row.number]
    pulls["state"] = "closed"
    machinery.run()
    row.refresh_from_db()
    assert (row.state, row.paused_until is not None) == (ProposalState.DISMISSED, True)
    assert "Write the reason in a comment" in pulls["comments"][0]["body"]
    with as_role("worker"):
        ProposedUpdate.objects.update(paused_until=timezone.now() - timedelta(minutes=1))
    machinery.run()
    again = ProposedUpdate.objects.get()
    assert (again.state, again.number != row.number) == (ProposalState.OPEN, True)


def test_the_limit_of_open_changes_never_delays_one_that_is_due(
    machinery: Machinery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "MOST_PROPOSED", 0)
    machinery.run()
    assert not ProposedUpdate.objects.exists()
    monkeypatch.setattr(proposals, "_is_due_soon", lambda _: True)
    machinery.run()
    assert ProposedUpdate.objects.get().state == ProposalState.OPEN


@pytest.mark.parametrize("cause", ["token", "registry", "tool"])
def test_machinery_that_does_not_work_is_violated_within_its_period(machinery: Machinery, cause: str) -> None:
    assert machinery.run().proven_at is not None
    if cause == "token":
        machinery.setup.fake.fail("branch", Fault.UNAUTHORIZED)
        machinery.setup.fake.fail("repository", Fault.UNAUTHORIZED)
    else:
        machinery.refusal = UpdateRefusal("uv.lock", f"the {cause} does not answer", "Start it.")
    run = machinery.run()
    assert run.problem
    assert machinery.list_reasons() == [(ResultStatus.MET, "automated")], "the period has not ended"
    with as_role("worker"):
        UpdateRun.objects.update(proven_at=timezone.now() - timedelta(days=8))
    assert machinery.list_reasons() == [(ResultStatus.VIOLATED, "not-proven")]


def test_a_worker_that_stopped_is_violated_and_one_that_never_ran_is_awaited(machinery: Machinery) -> None:
    assert machinery.list_reasons() == [(ResultStatus.UNKNOWN, "awaited")]
    assert update_runs.list_due_runs() == [machinery.setup.repository.pk]
    machinery.run()
    assert update_runs.list_due_runs() == []
    with as_role("worker"):
        UpdateRun.objects.update(started_at=timezone.now() - timedelta(days=2))
    assert update_runs.list_due_runs() == [machinery.setup.repository.pk]
    now = moments.current_moment()
    (fact,) = AutomationSupplier().supply_facts("shop", ["update_automation"], now).values()
    assert fact.value == Known(read_automation("shop"))
    assert "datetime" in describe_automation_state()


def test_a_lock_that_only_a_seen_bot_updates_is_named_once_the_bot_is_gone(machinery: Machinery) -> None:
    setup = machinery.setup
    machinery.refusal = UpdateRefusal("uv.lock", "nothing moves", "Wait.")
    work = setup.work
    work.push("muniment", work.commit("ada", {"go.mod": "module x\n\ngo 1.22\n"}, work.tip("main")), "main")
    setup.open_change({"go.mod": "module x\n\ngo 1.23\n"}, "renovate/go")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(update_runs, "_BOTS", frozenset({setup.acting.login("ada").lower()}))
        with as_role("worker"):
            lock_reading.read_repository(setup.repository)
        run = machinery.run()
    assert [(path, login) for path, login, _ in run.bots] == [("go.mod", setup.acting.login("ada"))]
    lost = (ResultStatus.VIOLATED, "not-updated")
    with as_role("worker"):
        UpdateRun.objects.update(bots=[(*run.bots[0][:2], moments.current_moment())])
        assert lost not in machinery.list_reasons()
        UpdateRun.objects.update(bots=[(*run.bots[0][:2], "2026-01-01T00:00:00.000000Z")])
        assert lost in machinery.list_reasons()


@pytest.mark.usefixtures("service")
def test_a_repository_at_no_forge_is_not_updated_by_us() -> None:
    found = product("plain", "/srv/git/plain.git")
    with as_role("worker"):
        tasks.propose_updates_task(found.repositories.get().pk)
    assert "at no forge" in UpdateRun.objects.get().problem
