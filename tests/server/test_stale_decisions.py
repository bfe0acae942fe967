"""No decision outlives an input of it: what changes at the forge is read again, by its event or without one."""

import json
from typing import Any

import pytest
from django.utils import timezone
from msgspec import structs
from procrastinate.contrib.django.models import ProcrastinateJob

from muniment.access.roles import Role
from muniment.controls import reviewed_by_others
from muniment.decision import policies
from muniment.decision.catalogue import CONTROLS
from muniment.errors import ForgeError, StoreError
from muniment.forges.events import Event, Happened
from muniment.http.rate_limits import RateLimit
from muniment.policy.pack import pack_text
from muniment.server.changes.tasks import reevaluate_by_other_controls
from muniment.server.connections import hearing, probing, reconciling, tasks
from muniment.server.connections.models import Connection, ForgeChange, RepositoryLink
from muniment.server.connections.reaching import forge_of
from muniment.server.records.installation import store
from muniment.server.records.reading import beside
from muniment.server.records.store import POLICY
from muniment.server.work import first
from tests.support.connected import Town
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, token_of

pytestmark = pytest.mark.usefixtures("service")


def hear(town: Town, happened: Happened, **about: object) -> list[str]:
    """What a delivery leads to, done; the names of what was done."""
    with as_role("web"):
        hearing.enqueue(town.connection, Event("d", happened, repository=town.acting.path, **about))  # type: ignore[arg-type]
    return town.run(put_off=False)


# checks


def needs_tests(town: Town) -> None:
    """Have the policy ask for a check named tests, by carol's account, before anything is merged."""
    runner = f"login:forge/{town.acting.login('carol')}"
    with_check = f'pipelines = ["tests"], runners = ["{runner}"], without_counts = ["tests"]'
    wanted = f'enforce = ["merge"]\nwith = {{ {with_check} }}'
    before = 'enforce = []\nwith = { pipelines = ["tests"], runners = ["machine:ci"] }'
    text = pack_text("sec@example.test", "shop")
    assert before in text
    with as_role("owner"):
        store().write(POLICY, text.replace(before, wanted).encode())


def check(town: Town, head: str, state: str, name: str = "tests") -> list[str]:
    """CI says something of a head; what its delivery leads to."""
    body = {"context": name, "state": state, "description": "", "target_url": ""}
    town.acting._at("POST", f"statuses/{head}", town.acting.token("carol"), body)
    return hear(town, Happened.STATUS, head=head, context=name)


def approved(town: Town, branch: str = "topic") -> int:
    number = town.open({f"{branch}.py": "x = 1\n"}, branch)
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.look(number)
    return number


def test_green_does_not_stay_once_a_check_fails_nor_red_once_it_succeeds(town: Town) -> None:
    needs_tests(town)
    head = town.change(approved(town)).head
    assert town.shown(head) == "failure", "no check ran yet"
    check(town, head, "success")
    assert town.shown(head) == "success"
    check(town, head, "failure")
    assert town.shown(head) == "failure"
    check(town, head, "success")
    assert town.shown(head) == "success"


def test_a_check_that_begins_again_ends_what_its_success_allowed(town: Town) -> None:
    needs_tests(town)
    head = town.change(approved(town)).head
    check(town, head, "success")
    check(town, head, "pending")
    assert town.shown(head) == "failure"


def test_what_is_said_anew_without_another_end_is_not_evaluated_again(town: Town) -> None:
    needs_tests(town)
    head = town.change(approved(town)).head
    check(town, head, "pending")
    assert "read-change" not in check(town, head, "pending"), "it runs as it did"
    assert "read-change" not in hear(town, Happened.STATUS, head=head, context="muniment/main"), "we said that"
    assert "read-change" in check(town, head, "success")


def test_a_check_that_no_clause_asks_for_costs_no_evaluation(town: Town) -> None:
    head = town.change(approved(town)).head
    assert town.shown(head) == "success"
    assert "read-change" not in check(town, head, "failure")
    assert town.shown(head) == "success"


def test_a_check_that_is_told_of_while_its_change_is_read_is_not_missed(town: Town) -> None:
    head = town.change(approved(town)).head
    with as_role("owner"):  # and the policy may ask for checks by now
        ForgeChange.objects.update(read_due_at="2026-01-01T00:00:00Z")
    assert "read-change" in check(town, head, "failure")


def test_a_copy_of_the_forge_that_is_behind_is_asked_again(town: Town) -> None:
    needs_tests(town)
    head = town.change(approved(town)).head
    with as_role("web"):
        event = Event("d", Happened.STATUS, repository=town.acting.path, head=head, context="tests")
        hearing.enqueue(town.connection, event)
    jobs = ProcrastinateJob.objects.filter(task_name="verify-statuses", status="todo")
    assert sorted(job.scheduled_at is not None for job in jobs) == [False, True]


def test_a_lost_event_of_a_check_is_made_up_for_by_the_next_pass(town: Town) -> None:
    needs_tests(town)
    head = town.change(approved(town)).head
    check(town, head, "success")
    body = {"context": "tests", "state": "failure", "description": "", "target_url": ""}
    town.acting._at("POST", f"statuses/{head}", town.acting.token("carol"), body)
    with as_role("worker"):
        row = RepositoryLink.objects.select_related("connection", "repository__product").get()
        reconciling.reconcile(row, forge_of(row.connection))
    town.run()
    assert town.shown(head) == "failure"


# what no event tells of


def probed(town: Town) -> list[str]:
    """One probe, and what comes of it; the names of what was done."""
    with as_role("owner"):
        Connection.objects.update(probed_at=None)
    with as_role("worker"):
        tasks.probe_connection(connection=town.connection.pk)
    return town.run(put_off=False)


def test_an_approver_who_lost_write_access_turns_green_red_without_an_event(town: Town) -> None:
    head = town.change(approved(town)).head
    assert probed(town) == [], "nothing changed, and so nothing is posted"
    town.fake.repos[town.acting.path]["people"][town.acting.login("carol")] = "read"
    assert probed(town) == ["read-change"]
    assert town.shown(head) == "failure"


def test_an_approver_who_left_the_repository_turns_green_red_without_an_event(town: Town) -> None:
    head = town.change(approved(town)).head
    del town.fake.repos[town.acting.path]["people"][town.acting.login("bob")]
    probed(town)
    assert town.shown(head) == "failure"


def test_an_approval_that_was_dismissed_turns_green_red_without_an_event(town: Town) -> None:
    number = approved(town)
    town.acting.dismiss("muniment", number, "bob")
    assert probed(town) == ["read-change"]
    assert town.shown(town.change(number).head) == "failure"


def test_an_approval_that_was_deleted_turns_green_red_without_an_event(town: Town) -> None:
    number = approved(town)
    town.fake.pulls[town.acting.path, number]["reviews"].pop()
    assert probed(town) == ["read-change"]
    assert town.shown(town.change(number).head) == "failure"


def test_a_check_that_failed_turns_green_red_without_an_event(town: Town) -> None:
    needs_tests(town)
    head = town.change(approved(town)).head
    check(town, head, "success")
    body = {"context": "tests", "state": "failure", "description": "", "target_url": ""}
    town.acting._at("POST", f"statuses/{head}", town.acting.token("carol"), body)
    probed(town)
    assert town.shown(head) == "failure"


def test_what_a_probe_cannot_read_is_read_again_and_not_taken_to_be_well(town: Town) -> None:
    number = approved(town)
    town.fake.fail("reviews", Fault.FORBIDDEN)
    town.fake.pulls[town.acting.path, number]["reviews"].pop()
    assert "read-change" in probed(town)
    assert town.shown(town.change(number).head) != "success"


def test_a_forge_that_cannot_be_reached_ends_the_probe_and_leaves_what_stands(town: Town) -> None:
    head = town.change(approved(town)).head
    town.fake.fail("permission", Fault.LIMITED)
    with pytest.raises(ForgeError):
        probed(town)
    assert town.shown(head) == "success"
    assert Connection.objects.get().problem


def test_what_is_red_costs_a_probe_nothing(town: Town) -> None:
    town.look(town.open({"app.py": "x = 1\n"}))
    before = len(town.fake.calls)
    assert probed(town) == []
    assert town.fake.calls[before:] == []


def test_who_approved_several_changes_of_a_repository_is_asked_for_once(town: Town) -> None:
    for branch in ("one", "two", "three"):
        approved(town, branch)
    before = len(town.fake.calls)
    assert probed(town) == []
    calls = town.fake.calls[before:]
    assert (calls.count("permission"), calls.count("reviews"), calls.count("publish")) == (2, 3, 0)
    assert len(calls) == 5, "and nothing else"
    assert Connection.objects.get().probe_requests == 5


def test_of_many_changes_the_touched_are_probed_at_once_and_the_others_in_turn(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_IN_TURN", 1)
    numbers = [approved(town, branch) for branch in ("one", "two", "three")]
    before = len(town.fake.calls)
    assert probed(town) == []
    assert town.fake.calls[before:].count("reviews") == 1
    town.acting.dismiss("muniment", numbers[2], "bob")
    assert probed(town) == ["read-change"]
    assert town.shown(town.change(numbers[2]).head) == "failure"
    town.fake.pulls[town.acting.path, numbers[0]]["reviews"].pop()  # which touches nothing
    assert "read-change" in [name for _ in numbers for name in probed(town)]
    assert town.shown(town.change(numbers[0]).head) == "failure"


def test_however_many_ask_for_it_a_probe_is_done_once_until_it_is_due_again(town: Town) -> None:
    approved(town)
    probed(town)
    before = len(town.fake.calls)
    with as_role("worker"):
        tasks.probe_connection(connection=town.connection.pk)
        stale = Connection.objects.get()
        stale.probed_at = None  # as another process read it before
        assert not probing.probe(stale)
        tasks.probe_connections()
    assert town.fake.calls[before:] == []
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
def test_probes_take_no_more_than_a_fifth_of_the_rate_limit(
    spent: dict[str, int], limit: int, window: int, seconds: int
) -> None:
    limits = {name: RateLimit(limit) for name in spent}
    found = probing.seconds_between(spent, limits, window)
    assert found == seconds
    if limit > 0:
        assert all(count * window / found <= limit / 5 for count in spent.values())


def test_after_a_start_what_is_open_is_gone_through_at_once_and_what_is_green_first(town: Town) -> None:
    number = approved(town)
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=timezone.now())
        Connection.objects.update(probed_at=timezone.now(), checked_at=timezone.now())
    town.acting.dismiss("muniment", number, "bob")
    with as_role("worker"):
        reconciling.forget_passes()
        tasks.probe_connections()
        tasks.go_rounds()
    assert {"probe-connection", "poll-connection", "read-change"} <= set(town.run(put_off=False))
    assert town.shown(town.change(number).head) == "failure"


def test_what_another_version_of_a_control_allowed_is_evaluated_again_after_a_start(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = approved(town)
    town.run()
    with as_role("worker"):
        assert reevaluate_by_other_controls() == 0
    control = reviewed_by_others.CONTROL
    policies._read_once.cache_clear()  # of the program before
    monkeypatch.setitem(CONTROLS, control.name, structs.replace(control, version=control.version + 1))
    before = town.change(number).decision
    with as_role("worker"):
        tasks.begin_passes()
        assert reevaluate_by_other_controls() == 1
    assert "read-change" in town.run(put_off=False)
    after = town.change(number).decision
    assert before is not None
    assert after is not None
    assert (after.pk != before.pk, after.allowed) == (True, True)
    with as_role("worker"):
        assert reevaluate_by_other_controls() == 0, "once is enough"
    policies._read_once.cache_clear()


def test_a_decision_that_cannot_be_read_keeps_no_other_from_being_evaluated_anew(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt, _ = approved(town), approved(town, "other")
    town.run()
    digest = town.change(spoilt).decision.explanation_digest  # type: ignore[union-attr]

    def failing(wanted: str, *shape: Any) -> Any:
        if wanted == digest:
            raise StoreError("an object is not what its name says", "Restore it.")
        return beside(wanted, *shape)

    control = reviewed_by_others.CONTROL
    monkeypatch.setattr("muniment.server.changes.tasks.beside", failing)
    monkeypatch.setitem(CONTROLS, control.name, structs.replace(control, version=control.version + 1))
    with as_role("worker"):
        assert reevaluate_by_other_controls() == 2
    assert town.run(put_off=False).count("read-change") == 2


def test_a_start_has_everything_gone_through_by_tasks_and_waits_for_none(town: Town) -> None:
    approved(town)
    town.run()
    with as_role("owner"):
        RepositoryLink.objects.update(reconciled_at=timezone.now())
    with as_role("worker"):
        first("begin-passes")
        assert RepositoryLink.objects.exclude(reconciled_at=None).exists()
    done = town.run(put_off=False)
    assert done[0] == "begin-passes"
    assert {"poll-connection", "probe-connection"} <= set(done)


def test_a_signed_approval_that_is_pushed_is_found_by_the_next_pass(town: Town) -> None:
    number = approved(town, "signed")  # of its own: copies of repositories outlive a test, and so do statements in them

    def gone_through() -> list[str]:
        with as_role("worker"):
            row = RepositoryLink.objects.select_related("connection", "repository__product").get()
            reconciling.reconcile(row, forge_of(row.connection))
        return town.run(put_off=False)

    gone_through()
    assert "read-change" not in gone_through(), "nothing was pushed"
    there = town.fake.repos[town.acting.path]["git"]
    there.branch(f"refs/muniment/approvals/{town.change(number).head}/bob", there.tip("main"))
    assert "read-change" in gone_through()


@pytest.mark.parametrize("about", [{}, {"repository": "shop/elsewhere", "repository_id": "4711"}])
def test_a_member_who_is_removed_has_access_read_at_once(town: Town, about: dict[str, str]) -> None:
    head = town.change(approved(town)).head
    town.fake.repos[town.acting.path]["people"][town.acting.login("carol")] = "read"
    with as_role("web"):  # one of an organisation names no repository
        hearing.enqueue(town.connection, Event("d", Happened.RULES, **about))  # type: ignore[arg-type]
    done = town.run(put_off=False)
    assert town.shown(head) == ("failure" if not about else "success")
    assert "read-branch-rules" not in done, "it concerns no rule of a branch"


def test_the_page_and_the_api_say_how_soon_a_lost_approval_is_noticed(town: Town) -> None:
    page, api = f"/connections/{town.connection.slug}", f"/api/connections/{town.connection.slug}"
    admin = person("root", Role.ADMIN)
    heads: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token_of(admin)}"}
    nothing = {"seconds": None, "requests": None, "begun_at": None}
    assert json.loads(browser().get(api, **heads).content)["probe"] == nothing
    approved(town)
    probed(town)
    told = json.loads(browser().get(api, **heads).content)["probe"]
    assert (told["seconds"], told["requests"]) == (10, 3)
    assert "10 seconds at most where no event reports it" in browser(admin).get(page).content.decode()
