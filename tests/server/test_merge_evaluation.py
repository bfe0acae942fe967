"""Merges are evaluated again at the time of the merge: a status that was outdated by then allows nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from msgspec import structs

from muniment.access.roles import Role
from muniment.errors import ForgeError, LedgerError
from muniment.facts.statements import Approval, ReviewAction, SignatureResult
from muniment.ledger import record_kinds
from muniment.server import moments
from muniment.server.changes.models import Decision
from muniment.server.changes.product_rules import ProductRules
from muniment.server.connections import branch_updates, forge_requests, tasks
from muniment.server.connections.landed_heads import _digest_statement, was_stated
from muniment.server.connections.models import BranchUpdate, RecordedStatement
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Message, Person, RoleGrant
from muniment.server.people.people_facts import build_people
from muniment.server.policies.models import PolicyVersion
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY
from tests.support.connected import Town
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def open_approved_change(town: Town) -> tuple[int, str]:
    """Number and head of an allowed change by ada."""
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.look(number)
    head = town.change(number).head
    assert town.shown(head) == "success"
    return number, head


def deactivate_person(name: str) -> None:
    """Deactivate a person."""
    amy = browser(Person.objects.filter(slug="amy").first() or person("amy", Role.ADMIN))
    post(amy, f"/people/{name}/change", act="deactivate-person")
    assert not Person.objects.get(slug=name).active


def reactivate_person(name: str) -> None:
    """Reactivate a person by an act: rows that tests write themselves are in no record."""
    post(browser(Person.objects.get(slug="amy")), f"/people/{name}/change", act="reactivate-person")
    assert Person.objects.get(slug=name).active


def merge(town: Town, number: int, method: str = "squash") -> BranchUpdate:
    """Merge a change whose events have not been received since it was allowed."""
    town.acting.merge("bob", number, method)
    town.watch()
    return BranchUpdate.objects.latest("pk")


@pytest.mark.parametrize("method", ["squash", "merge"])
def test_merge_that_is_still_allowed_is_no_bypass(any_town: Town, method: str) -> None:
    number, head = open_approved_change(any_town)
    row = merge(any_town, number, method)
    any_town.look(number)
    any_town.run()
    assert (row.outcome, row.bypass_reason) == ("allowed", "")
    assert any_town.shown(head) == "success"
    assert not Incident.objects.exists()


def test_a_merge_after_an_approval_was_dismissed_is_a_bypass(any_town: Town) -> None:
    number, head = open_approved_change(any_town)
    any_town.acting.dismiss("muniment", number, "carol")
    row = merge(any_town, number)
    assert (row.outcome, row.bypass_reason) == ("bypass", "denied-at-merge")
    assert "would have been denied" in Incident.objects.get().summary
    any_town.look(number)
    any_town.run()
    assert any_town.shown(head) == "failure"


def test_a_merge_after_an_approver_lost_write_access_is_a_bypass(any_town: Town) -> None:
    number, _ = open_approved_change(any_town)
    any_town.set_level("carol", "read")
    assert merge(any_town, number).bypass_reason == "denied-at-merge"


def test_dismissal_after_merge_is_no_bypass(any_town: Town) -> None:
    number, _ = open_approved_change(any_town)
    any_town.acting.merge("bob", number, "squash")
    any_town.acting.dismiss("muniment", number, "carol")
    any_town.watch()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"


def test_deactivation_after_merge_is_no_bypass(any_town: Town) -> None:
    deactivate_person("carol")
    reactivate_person("carol")
    number, _ = open_approved_change(any_town)
    any_town.acting.merge("bob", number, "squash")
    deactivate_person("carol")
    any_town.watch()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"


def test_people_at_past_time_have_their_status_and_roles_of_that_time(town: Town) -> None:
    deactivate_person("carol")
    reactivate_person("carol")
    before = timezone.now()
    deactivate_person("carol")
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug="bob").update(ended_at=timezone.now())
    then, now = build_people(town.product, before).by_id, build_people(town.product).by_id
    assert (then["carol"].active, now["carol"].active) == (True, False)
    assert (then["bob"].roles, now["bob"].roles) == (("developer",), ())
    assert build_people(town.product, before - timedelta(days=1)).by_id["bob"].accounts == ()


def test_policy_applied_after_merge_does_not_apply_to_it(town: Town) -> None:
    before, text = timezone.now(), open_store()._read_text(POLICY) or ""
    with as_role("owner"):
        for applied_at, one in ((before, text), (before + timedelta(hours=1), text.replace("main", "other"))):
            PolicyVersion.objects.create(text=one, digest="sha256:" + "0" * 64, applied_at=applied_at)
    then = ProductRules(town.product, before + timedelta(minutes=1)).load_policy()
    later = ProductRules(town.product, before + timedelta(hours=2)).load_policy()
    assert then is not None
    assert later is not None
    assert ("main" in then.policy.protected_branches, "other" in later.policy.protected_branches) == (True, True)


def test_signed_approval_first_seen_after_merge_does_not_count(town: Town) -> None:
    number, head = open_approved_change(town)
    said = Approval(
        ref_head=head,
        ref_person="bob",
        id="s" * 40,
        order=0,
        signature=SignatureResult.VALID,
        head=head,
        action=ReviewAction.APPROVE,
        time="2000-01-01T00:00:00.000000Z",
    )
    now = moments.current_moment()
    objection = structs.replace(said, action=ReviewAction.REQUEST_CHANGES)
    assert not was_stated(town.repository, now, said), "whoever signs it writes its time"
    assert was_stated(town.repository, now, objection)
    assert not was_stated(town.repository, "1999-01-01T00:00:00.000000Z", objection)
    decision = town.change(number).decision
    assert decision is not None
    assert decision.record is not None
    with as_role("worker"):
        RecordedStatement.objects.create(
            change=town.change(number), statement=_digest_statement(said), head=head, record=decision.record
        )
    assert was_stated(town.repository, now, said)


def test_approval_after_merge_does_not_count(any_town: Town) -> None:
    number, _ = open_approved_change(any_town)
    any_town.acting.dismiss("muniment", number, "carol")
    any_town.acting.merge("bob", number, "squash")
    any_town.acting.approve("carol", number)
    any_town.watch()
    assert BranchUpdate.objects.latest("pk").bypass_reason == "denied-at-merge"


def test_bypass_record_names_denying_decision(town: Town) -> None:
    number, _ = open_approved_change(town)
    before = town.change(number).decision
    town.acting.dismiss("muniment", number, "carol")
    row = merge(town, number)
    entry = record_kinds.decode_record(bytes(row.record.data), 0)
    assert isinstance(entry, record_kinds.BranchUpdateRecord)
    assert row.decision is not None
    assert row.decision.record is not None
    assert before is not None
    assert (entry.status, entry.bypass_reason) == ("bypass", "denied-at-merge")
    assert entry.decision == row.decision.record.details_digest
    assert (row.decision.allowed, before.allowed, town.change(number).decision) == (False, True, row.decision)


def test_merge_as_decided_adds_no_decision(town: Town) -> None:
    number, _ = open_approved_change(town)
    row = merge(town, number)
    assert row.decision == town.change(number).decision
    assert Decision.objects.count() == 1


def test_unreadable_merge_is_retried_and_then_bypass(any_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = open_approved_change(any_town)
    any_town.acting.merge("bob", number, "squash")
    for name in ("graphql", "timeline", "approvals"):
        any_town.fake.fail(name, Fault.FAILED)
    with pytest.raises(ForgeError):
        any_town.watch()
    assert not BranchUpdate.objects.exclude(outcome="baseline").exists()
    monkeypatch.setattr(branch_updates, "LONGEST_EVALUATION_WAIT", timedelta(0))
    any_town.watch()
    row = BranchUpdate.objects.latest("pk")
    assert (row.outcome, row.bypass_reason) == ("bypass", "unconfirmed")
    assert "could not be confirmed" in Incident.objects.get().summary


def test_merge_readable_at_second_attempt_is_no_bypass(any_town: Town) -> None:
    number, _ = open_approved_change(any_town)
    any_town.acting.merge("bob", number, "squash")
    for name in ("graphql", "timeline", "approvals"):
        any_town.fake.fail(name, Fault.FAILED)
    with pytest.raises(ForgeError):
        any_town.watch()
    any_town.fake.mend()
    any_town.watch()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"


def test_each_merge_in_pass_is_evaluated_on_branch_before_it(any_town: Town) -> None:
    numbers = []
    for name in ("one", "two"):
        numbers.append(any_town.open({f"{name}.py": "x = 1\n"}, name))
        for who in ("bob", "carol"):
            any_town.acting.approve(who, numbers[-1])
        any_town.look(numbers[-1])
    any_town.acting.dismiss("muniment", numbers[1], "carol")
    for number in numbers:
        any_town.acting.merge("bob", number, "merge")
    any_town.watch()
    rows = BranchUpdate.objects.exclude(outcome="baseline").order_by("pk")
    assert [row.bypass_reason for row in rows] == ["", "denied-at-merge"]


def test_bypass_page_shows_its_reason(town: Town) -> None:
    number, _ = open_approved_change(town)
    town.acting.dismiss("muniment", number, "carol")
    row = merge(town, number)
    shown: Any = browser(Person.objects.get(slug="bob")).get(f"/branch-updates/{row.pk}")
    assert "would have been denied when it was merged" in shown.content.decode()


def test_rebase_merge_after_main_moved_is_no_bypass(town: Town) -> None:
    number, head = open_approved_change(town)
    other = town.open({"other.py": "y = 1\n"}, "other")
    for name in ("bob", "carol"):
        town.acting.approve(name, other)
    town.look(other)
    merge(town, other)
    row = merge(town, number, "rebase-merge")
    assert row.outcome == "allowed"
    assert row.decision is not None
    assert row.decision.head == head


def test_a_release_branch_cut_right_after_an_allowed_merge_is_no_bypass(any_town: Town) -> None:
    number, _ = open_approved_change(any_town)
    any_town.acting.merge("bob", number, "merge")
    any_town.work.push("ada", any_town.work.tip("main"), "release/1")
    any_town.watch()
    rows = BranchUpdate.objects.filter(ref="refs/heads/release/1")
    assert [row.outcome for row in rows] == ["baseline"]
    assert not Incident.objects.exists()


def test_a_release_branch_with_a_commit_of_its_own_is_a_bypass(town: Town) -> None:
    number, _ = open_approved_change(town)
    town.acting.merge("bob", number, "merge")
    made = town.work.commit("ada", {"back.door": "open\n"}, town.work.tip("main"))
    town.work.push("ada", made, "release/1")
    town.watch()
    row = BranchUpdate.objects.get(ref="refs/heads/release/1")
    assert (row.outcome, row.bypass_reason, row.commit) == ("bypass", "no-decision", made)


def test_merge_by_decision_without_ledger_position_is_bypass(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = open_approved_change(town)
    monkeypatch.setattr(Town, "place_records", lambda self: None)
    town.acting.merge("muniment", number, "squash")
    with pytest.raises(LedgerError, match="no position"):
        town.watch()
    assert not BranchUpdate.objects.exclude(outcome="baseline").exists()
    monkeypatch.setattr(branch_updates, "LONGEST_EVALUATION_WAIT", timedelta(0))
    town.watch()
    assert BranchUpdate.objects.latest("pk").bypass_reason == "no-decision"


def test_service_refuses_merge_by_decision_without_ledger_position(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    number, head = open_approved_change(town)
    monkeypatch.setattr(forge_requests, "_POSITION_SECONDS", 0.0)
    monkeypatch.setattr(tasks, "require_act", lambda *given: None)
    with as_role("worker"):
        tasks.merge_change(
            change=town.change(number).pk, head=head, person=Person.objects.get(slug="ada").pk, record=""
        )
        assert not town.fake.pulls[town.acting.path, number]["merged"]
    assert "no position in the ledger" in Message.objects.get(person__slug="ada").text
    town.place_records()
    with as_role("worker"):
        tasks.merge_change(
            change=town.change(number).pk, head=head, person=Person.objects.get(slug="ada").pk, record=""
        )
    assert town.fake.pulls[town.acting.path, number]["merged"]
