"""Decisions are re-evaluated when an input at the forge changes, with or without an event."""

import json
from typing import Any

import pytest
from django.utils import timezone
from msgspec import structs
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.controls import independent_review
from muniment.decision import bound_policies
from muniment.decision.catalogue import CONTROLS
from muniment.errors import ForgeError, StoreError
from muniment.forges.events import ForgeEvent, ForgeEventKind
from muniment.http.rate_limits import RateLimit
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.server.changes.tasks import reevaluate_outdated
from muniment.server.connections import input_probes, reconciliation, tasks, webhook_deliveries
from muniment.server.connections.forge_access import open_connected_forge
from muniment.server.connections.models import Connection, ForgeChange, RepositoryLink
from muniment.server.job_queue import enqueue_first
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY
from muniment.server.records.record_details import read_details
from tests.support.forge_setup import ForgeSetup
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, token_of

pytestmark = pytest.mark.usefixtures("service")


def deliver_webhook(setup: ForgeSetup, happened: ForgeEventKind, **about: object) -> list[str]:
    """Receive a delivery and run the tasks that it leads to; their names."""
    with as_role("web"):
        webhook_deliveries.enqueue_event_jobs(
            setup.connection,
            ForgeEvent("d", happened, repository=setup.acting.path, **about),  # type: ignore[arg-type]
        )
    return setup.run_queue(put_off=False)


# checks


def require_tests(setup: ForgeSetup) -> None:
    """Require a check named tests, by carol's account, before a merge."""
    runner = f"login:forge/{setup.acting.login('carol')}"
    with_check = f'pipelines = ["tests"], runners = ["{runner}"], without_counts = ["tests"]'
    wanted = f'enforce = ["merge"]\nwith = {{ {with_check} }}'
    before = 'enforce = []\nwith = { pipelines = ["tests"], runners = ["machine:ci"] }'
    text = format_built_in_policy("sec@example.test", "shop")
    assert before in text
    with as_role("owner"):
        open_store().write_document(POLICY, text.replace(before, wanted).encode())


def check(setup: ForgeSetup, head: str, state: str, name: str = "tests") -> list[str]:
    """Report a check of a head and receive its delivery."""
    body = {"context": name, "state": state, "description": "", "target_url": ""}
    setup.acting._at("POST", f"statuses/{head}", setup.acting.token("carol"), body)
    return deliver_webhook(setup, ForgeEventKind.STATUS, head=head, context=name)


def approve_change(setup: ForgeSetup, branch: str = "topic") -> int:
    number = setup.open_change({f"{branch}.py": "x = 1\n"}, branch)
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    return number


def test_status_turns_red_when_a_check_fails_and_green_when_it_succeeds(setup: ForgeSetup) -> None:
    require_tests(setup)
    head = setup.load_change(approve_change(setup)).head
    assert setup.get_status(head) == "failure", "no check ran yet"
    check(setup, head, "success")
    assert setup.get_status(head) == "success"
    check(setup, head, "failure")
    assert setup.get_status(head) == "failure"
    check(setup, head, "success")
    assert setup.get_status(head) == "success"


def test_restarted_check_withdraws_the_allow_decision(setup: ForgeSetup) -> None:
    require_tests(setup)
    head = setup.load_change(approve_change(setup)).head
    check(setup, head, "success")
    check(setup, head, "pending")
    assert setup.get_status(head) == "failure"


def test_repeated_check_result_causes_no_evaluation(setup: ForgeSetup) -> None:
    require_tests(setup)
    head = setup.load_change(approve_change(setup)).head
    check(setup, head, "pending")
    assert "read-change" not in check(setup, head, "pending"), "it runs as it did"
    assert "read-change" not in deliver_webhook(setup, ForgeEventKind.STATUS, head=head, context="muniment/main"), (
        "we said that"
    )
    assert "read-change" in check(setup, head, "success")


def test_check_that_no_clause_requires_causes_no_evaluation(setup: ForgeSetup) -> None:
    head = setup.load_change(approve_change(setup)).head
    assert setup.get_status(head) == "success"
    assert "read-change" not in check(setup, head, "failure")
    assert setup.get_status(head) == "success"


def test_check_event_during_an_evaluation_is_not_missed(setup: ForgeSetup) -> None:
    head = setup.load_change(approve_change(setup)).head
    with as_role("owner"):  # and the policy may ask for checks by now
        ForgeChange.objects.update(read_due_at="2026-01-01T00:00:00Z")
    assert "read-change" in check(setup, head, "failure")


def test_check_event_is_verified_at_once_and_again_later(setup: ForgeSetup) -> None:
    require_tests(setup)
    head = setup.load_change(approve_change(setup)).head
    with as_role("web"):
        event = ForgeEvent("d", ForgeEventKind.STATUS, repository=setup.acting.path, head=head, context="tests")
        webhook_deliveries.enqueue_event_jobs(setup.connection, event)
    jobs = ProcrastinateJob.objects.filter(task_name="verify-statuses", status="todo")
    assert sorted(job.scheduled_at is not None for job in jobs) == [False, True]


def test_next_reconcile_pass_recovers_a_lost_check_event(setup: ForgeSetup) -> None:
    require_tests(setup)
    head = setup.load_change(approve_change(setup)).head
    check(setup, head, "success")
    body = {"context": "tests", "state": "failure", "description": "", "target_url": ""}
    setup.acting._at("POST", f"statuses/{head}", setup.acting.token("carol"), body)
    with as_role("worker"):
        row = RepositoryLink.objects.select_related("connection", "repository__product").get()
        reconciliation.reconcile_repository(row, open_connected_forge(row.connection))
    setup.run_queue()
    assert setup.get_status(head) == "failure"


# what no event tells of


def probe_inputs_once(setup: ForgeSetup) -> list[str]:
    """Run one probe and the tasks that follow; their names."""
    with as_role("owner"):
        Connection.objects.update(probed_at=None)
    with as_role("worker"):
        tasks.probe_connection(connection=setup.connection.pk)
    return setup.run_queue(put_off=False)


def test_approver_who_lost_write_access_turns_status_red_without_an_event(setup: ForgeSetup) -> None:
    head = setup.load_change(approve_change(setup)).head
    assert probe_inputs_once(setup) == [], "nothing changed, and so nothing is posted"
    setup.fake.repos[setup.acting.path]["people"][setup.acting.login("carol")] = "read"
    assert probe_inputs_once(setup) == ["read-change"]
    assert setup.get_status(head) == "failure"


def test_approver_who_left_the_repository_turns_status_red_without_an_event(setup: ForgeSetup) -> None:
    head = setup.load_change(approve_change(setup)).head
    del setup.fake.repos[setup.acting.path]["people"][setup.acting.login("bob")]
    probe_inputs_once(setup)
    assert setup.get_status(head) == "failure"


def test_dismissed_approval_turns_status_red_without_an_event(setup: ForgeSetup) -> None:
    number = approve_change(setup)
    setup.acting.dismiss("muniment", number, "bob")
    assert probe_inputs_once(setup) == ["read-change"]
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_deleted_approval_turns_status_red_without_an_event(setup: ForgeSetup) -> None:
    number = approve_change(setup)
    setup.fake.pulls[setup.acting.path, number]["reviews"].pop()
    assert probe_inputs_once(setup) == ["read-change"]
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_failed_check_turns_status_red_without_an_event(setup: ForgeSetup) -> None:
    require_tests(setup)
    head = setup.load_change(approve_change(setup)).head
    check(setup, head, "success")
    body = {"context": "tests", "state": "failure", "description": "", "target_url": ""}
    setup.acting._at("POST", f"statuses/{head}", setup.acting.token("carol"), body)
    probe_inputs_once(setup)
    assert setup.get_status(head) == "failure"


def test_probe_with_unreadable_input_causes_a_new_evaluation(setup: ForgeSetup) -> None:
    number = approve_change(setup)
    setup.fake.fail("reviews", Fault.FORBIDDEN)
    setup.fake.pulls[setup.acting.path, number]["reviews"].pop()
    assert "read-change" in probe_inputs_once(setup)
    assert setup.get_status(setup.load_change(number).head) != "success"


def test_rate_limited_probe_ends_with_a_problem_and_changes_no_status(setup: ForgeSetup) -> None:
    head = setup.load_change(approve_change(setup)).head
    setup.fake.fail("permission", Fault.LIMITED)
    with pytest.raises(ForgeError):
        probe_inputs_once(setup)
    assert setup.get_status(head) == "success"
    assert Connection.objects.get().problem


def test_probe_makes_no_requests_for_red_changes(setup: ForgeSetup) -> None:
    setup.evaluate(setup.open_change({"app.py": "x = 1\n"}))
    before = len(setup.fake.calls)
    assert probe_inputs_once(setup) == []
    assert setup.fake.calls[before:] == []


def test_probe_requests_access_of_an_approver_once_per_repository(setup: ForgeSetup) -> None:
    for branch in ("one", "two", "three"):
        approve_change(setup, branch)
    before = len(setup.fake.calls)
    assert probe_inputs_once(setup) == []
    calls = setup.fake.calls[before:]
    assert (calls.count("permission"), calls.count("reviews"), calls.count("publish")) == (2, 3, 0)
    assert len(calls) == 5, "and nothing else"
    assert Connection.objects.get().probe_requests == 5


def test_probe_reads_recently_updated_changes_at_once_and_others_in_turn(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_probes, "_IN_TURN", 1)
    numbers = [approve_change(setup, branch) for branch in ("one", "two", "three")]
    before = len(setup.fake.calls)
    assert probe_inputs_once(setup) == []
    assert setup.fake.calls[before:].count("reviews") == 1
    setup.acting.dismiss("muniment", numbers[2], "bob")
    assert probe_inputs_once(setup) == ["read-change"]
    assert setup.get_status(setup.load_change(numbers[2]).head) == "failure"
    setup.fake.pulls[setup.acting.path, numbers[0]]["reviews"].pop()  # which touches nothing
    assert "read-change" in [name for _ in numbers for name in probe_inputs_once(setup)]
    assert setup.get_status(setup.load_change(numbers[0]).head) == "failure"


def test_probe_is_run_once_per_period_however_often_it_is_requested(setup: ForgeSetup) -> None:
    approve_change(setup)
    probe_inputs_once(setup)
    before = len(setup.fake.calls)
    with as_role("worker"):
        tasks.probe_connection(connection=setup.connection.pk)
        stale = Connection.objects.get()
        stale.probed_at = None  # as another process read it before
        assert not input_probes.run_probe(stale)
        tasks.probe_connections()
    assert setup.fake.calls[before:] == []
    assert not ProcrastinateJob.objects.filter(task_name="probe-connection", status="todo").exists()


@pytest.mark.parametrize(
    ("spent", "limit", "window", "seconds"),
    [
        ({"rest": 0}, 5000, 3600, 10),
        ({"rest": 100}, 5000, 3600, 360),  # 1,000 an hour are ours: ten probes of a hundred
        ({"rest": 100}, -1, 3600, 50),
        ({"rest": 100}, 2000, 60, 15),
        ({"rest": 1, "graphql": 50}, 5000, 3600, 180),
    ],
)
def test_probes_use_at_most_a_fifth_of_the_rate_limit(
    spent: dict[str, int], limit: int, window: int, seconds: int
) -> None:
    limits = {name: RateLimit(limit) for name in spent}
    found = input_probes.compute_pause(spent, limits, window)
    assert found == seconds
    if limit > 0:
        assert all(count * window / found <= limit / 5 for count in spent.values())


def test_open_changes_are_evaluated_at_start_with_green_ones_first(setup: ForgeSetup) -> None:
    number = approve_change(setup)
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=timezone.now())
        Connection.objects.update(probed_at=timezone.now(), checked_at=timezone.now())
    setup.acting.dismiss("muniment", number, "bob")
    with as_role("worker"):
        reconciliation.reset_passes()
        tasks.probe_connections()
        tasks.poll_connections()
    assert {"probe-connection", "poll-connection", "read-change"} <= set(setup.run_queue(put_off=False))
    assert setup.get_status(setup.load_change(number).head) == "failure"


def test_decision_by_another_control_version_is_re_evaluated_after_a_start(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = approve_change(setup)
    setup.run_queue()
    with as_role("worker"):
        assert reevaluate_outdated() == 0
    control = independent_review.CONTROL
    bound_policies._read_cached.cache_clear()  # of the program before
    monkeypatch.setitem(CONTROLS, control.name, structs.replace(control, version=control.version + 1))
    before = setup.load_change(number).decision
    with as_role("worker"):
        tasks.begin_passes()
        assert reevaluate_outdated() == 1
    assert "read-change" in setup.run_queue(put_off=False)
    after = setup.load_change(number).decision
    assert before is not None
    assert after is not None
    assert (after.pk != before.pk, after.allowed) == (True, True)
    with as_role("worker"):
        assert reevaluate_outdated() == 0, "once is enough"
    bound_policies._read_cached.cache_clear()


def test_unreadable_decision_prevents_no_other_re_evaluation(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt, _ = approve_change(setup), approve_change(setup, "other")
    setup.run_queue()
    digest = setup.load_change(spoilt).decision.explanation_digest  # type: ignore[union-attr]

    def failing(wanted: str, *shape: Any) -> Any:
        if wanted == digest:
            raise StoreError("an object is not what its name says", "Restore it.")
        return read_details(wanted, *shape)

    control = independent_review.CONTROL
    monkeypatch.setattr("muniment.server.changes.tasks.read_details", failing)
    monkeypatch.setitem(CONTROLS, control.name, structs.replace(control, version=control.version + 1))
    with as_role("worker"):
        assert reevaluate_outdated() == 2
    assert setup.run_queue(put_off=False).count("read-change") == 2


def test_start_enqueues_re_evaluations_and_waits_for_none(setup: ForgeSetup) -> None:
    approve_change(setup)
    setup.run_queue()
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=timezone.now())
    with as_role("worker"):
        enqueue_first("begin-passes")
        assert RepositoryLink.objects.exclude(reconciled_at=None).exists()
    done = setup.run_queue(put_off=False)
    assert done[0] == "begin-passes"
    assert {"poll-connection", "probe-connection"} <= set(done)


def test_next_reconcile_pass_finds_a_pushed_signed_approval(setup: ForgeSetup) -> None:
    number = approve_change(
        setup, "signed"
    )  # of its own: copies of repositories outlive a test, and so do statements in them

    def gone_through() -> list[str]:
        with as_role("worker"):
            row = RepositoryLink.objects.select_related("connection", "repository__product").get()
            reconciliation.reconcile_repository(row, open_connected_forge(row.connection))
        return setup.run_queue(put_off=False)

    gone_through()
    assert "read-change" not in gone_through(), "nothing was pushed"
    there = setup.fake.repos[setup.acting.path]["git"]
    there.branch(f"refs/muniment/approvals/{setup.load_change(number).head}/bob", there.tip("main"))
    assert "read-change" in gone_through()


@pytest.mark.parametrize("about", [{}, {"repository": "shop/elsewhere", "repository_id": "4711"}])
def test_access_is_read_at_once_when_a_member_is_removed(setup: ForgeSetup, about: dict[str, str]) -> None:
    head = setup.load_change(approve_change(setup)).head
    setup.fake.repos[setup.acting.path]["people"][setup.acting.login("carol")] = "read"
    with as_role("web"):  # one of an organisation names no repository
        webhook_deliveries.enqueue_event_jobs(setup.connection, ForgeEvent("d", ForgeEventKind.RULES, **about))  # type: ignore[arg-type]
    done = setup.run_queue(put_off=False)
    assert setup.get_status(head) == ("failure" if not about else "success")
    assert "read-branch-rules" not in done, "it concerns no rule of a branch"


def test_page_and_api_report_the_delay_until_a_lost_approval_is_noticed(setup: ForgeSetup) -> None:
    page, api = f"/connections/{setup.connection.slug}", f"/api/connections/{setup.connection.slug}"
    admin = person("root", Role.ADMIN)
    heads: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token_of(admin)}"}
    nothing = {"seconds": None, "requests": None, "begun_at": None}
    assert json.loads(browser().get(api, **heads).content)["probe"] == nothing
    approve_change(setup)
    probe_inputs_once(setup)
    content = json.loads(browser().get(api, **heads).content)["probe"]
    assert (content["seconds"], content["requests"]) == (10, 3)
    assert "noticed within 10 seconds" in browser(admin).get(page).content.decode()
