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
from tests.support.forge_setup import ForgeSetup
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def open_approved_change(setup: ForgeSetup) -> tuple[int, str]:
    """Number and head of an allowed change by ada."""
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    head = setup.load_change(number).head
    assert setup.get_status(head) == "success"
    return number, head


def deactivate_person(name: str) -> None:
    """Deactivate a person on the page of people."""
    amy = browser(Person.objects.filter(slug="amy").first() or person("amy", Role.ADMIN))
    post(amy, f"/people/{name}/change", act="deactivate-person")
    assert not Person.objects.get(slug=name).active


def reactivate_person(name: str) -> None:
    """Reactivate a person by an act: rows that tests write themselves are in no record."""
    post(browser(Person.objects.get(slug="amy")), f"/people/{name}/change", act="reactivate-person")
    assert Person.objects.get(slug=name).active


def merge(setup: ForgeSetup, number: int, method: str = "squash") -> BranchUpdate:
    """Merge a change whose events have not been received since it was allowed."""
    setup.acting.merge("bob", number, method)
    setup.read_updates()
    return BranchUpdate.objects.latest("pk")


@pytest.mark.parametrize("method", ["squash", "merge"])
def test_merge_that_is_still_allowed_is_no_bypass(any_setup: ForgeSetup, method: str) -> None:
    number, head = open_approved_change(any_setup)
    row = merge(any_setup, number, method)
    any_setup.evaluate(number)
    any_setup.run_queue()
    assert (row.outcome, row.bypass_reason) == ("allowed", "")
    assert any_setup.get_status(head) == "success"
    assert not Incident.objects.exists()


def test_a_merge_after_an_approval_was_dismissed_is_a_bypass(any_setup: ForgeSetup) -> None:
    number, head = open_approved_change(any_setup)
    any_setup.acting.dismiss("muniment", number, "carol")
    row = merge(any_setup, number)
    assert (row.outcome, row.bypass_reason) == ("bypass", "denied-at-merge")
    assert "would have been denied" in Incident.objects.get().summary
    any_setup.evaluate(number)
    any_setup.run_queue()
    assert any_setup.get_status(head) == "failure"


def test_a_merge_after_an_approver_lost_write_access_is_a_bypass(any_setup: ForgeSetup) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.set_level("carol", "read")
    row = merge(any_setup, number)
    assert (row.outcome, row.bypass_reason) == ("bypass", "unconfirmed"), "no forge tells when access was lost"
    assert "could not be confirmed" in Incident.objects.get().summary
    assert row.decision is not None
    assert not row.decision.allowed


def test_merge_whose_approver_was_deleted_at_the_forge_is_an_unconfirmed_bypass(
    any_setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.merge("bob", number, "squash")
    any_setup.delete_account("carol")
    monkeypatch.setattr(branch_updates, "LONGEST_EVALUATION_WAIT", timedelta(0))  # of a forge whose reading is partial
    any_setup.read_updates()
    row = BranchUpdate.objects.latest("pk")
    assert (row.outcome, row.bypass_reason) == ("bypass", "unconfirmed")


def test_merge_whose_approver_has_another_login_at_the_forge_is_no_bypass(any_setup: ForgeSetup) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.merge("bob", number, "squash")
    any_setup.rename_account("carol", "carol-anew")
    any_setup.read_updates()
    row = BranchUpdate.objects.latest("pk")
    assert (row.outcome, row.bypass_reason) == ("allowed", "")


def test_merge_after_a_dismissal_is_denied_although_another_approver_lost_access(any_setup: ForgeSetup) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.dismiss("muniment", number, "carol")
    any_setup.set_level("bob", "read")
    any_setup.acting.merge("ada", number, "squash")
    any_setup.read_updates()
    assert BranchUpdate.objects.latest("pk").bypass_reason == "denied-at-merge"


@pytest.mark.parametrize(("co_author", "outcome"), [("carol", "bypass"), ("ada", "allowed"), ("", "allowed")])
def test_squash_that_names_an_approver_as_co_author_is_a_bypass(
    setup: ForgeSetup, co_author: str, outcome: str
) -> None:
    number, _ = open_approved_change(setup)
    who = setup.work.who(co_author) if co_author else "Somebody <somebody@elsewhere.test>"
    setup.acting.squash_naming("bob", number, who)
    setup.read_updates()
    assert BranchUpdate.objects.latest("pk").outcome == outcome


def test_dismissal_after_merge_is_no_bypass(any_setup: ForgeSetup) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.merge("bob", number, "squash")
    any_setup.acting.dismiss("muniment", number, "carol")
    any_setup.read_updates()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"


def test_deactivation_after_merge_is_no_bypass(any_setup: ForgeSetup) -> None:
    deactivate_person("carol")
    reactivate_person("carol")
    number, _ = open_approved_change(any_setup)
    any_setup.acting.merge("bob", number, "squash")
    deactivate_person("carol")
    any_setup.read_updates()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"


def test_people_at_past_time_have_their_status_and_roles_of_that_time(setup: ForgeSetup) -> None:
    deactivate_person("carol")
    reactivate_person("carol")
    before = timezone.now()
    deactivate_person("carol")
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug="bob").update(ended_at=timezone.now())
    then, now = build_people(setup.product, before).by_id, build_people(setup.product).by_id
    assert (then["carol"].active, now["carol"].active) == (True, False)
    assert (then["bob"].roles, now["bob"].roles) == (("developer",), ())
    assert build_people(setup.product, before - timedelta(days=1)).by_id["bob"].accounts == ()


def test_policy_applied_after_merge_does_not_apply_to_it(setup: ForgeSetup) -> None:
    before, text = timezone.now(), open_store()._read_text(POLICY) or ""
    with as_role("owner"):
        for applied_at, one in ((before, text), (before + timedelta(hours=1), text.replace("main", "other"))):
            PolicyVersion.objects.create(text=one, digest="sha256:" + "0" * 64, applied_at=applied_at)
    then = ProductRules(setup.product, before + timedelta(minutes=1)).load_policy()
    later = ProductRules(setup.product, before + timedelta(hours=2)).load_policy()
    assert then is not None
    assert later is not None
    assert ("main" in then.policy.protected_branches, "other" in later.policy.protected_branches) == (True, True)


def test_signed_approval_first_seen_after_merge_does_not_count(setup: ForgeSetup) -> None:
    number, head = open_approved_change(setup)
    approval = Approval(
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
    objection = structs.replace(approval, action=ReviewAction.REQUEST_CHANGES)
    assert not was_stated(setup.repository, now, approval), "whoever signs it writes its time"
    assert was_stated(setup.repository, now, objection)
    assert not was_stated(setup.repository, "1999-01-01T00:00:00.000000Z", objection)
    decision = setup.load_change(number).decision
    assert decision is not None
    assert decision.record is not None
    with as_role("worker"):
        RecordedStatement.objects.create(
            change=setup.load_change(number), statement=_digest_statement(approval), head=head, record=decision.record
        )
    assert was_stated(setup.repository, now, approval)


def test_approval_after_merge_does_not_count(any_setup: ForgeSetup) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.dismiss("muniment", number, "carol")
    any_setup.acting.merge("bob", number, "squash")
    any_setup.acting.approve("carol", number)
    any_setup.read_updates()
    assert BranchUpdate.objects.latest("pk").bypass_reason == "denied-at-merge"


def test_bypass_record_names_denying_decision(setup: ForgeSetup) -> None:
    number, _ = open_approved_change(setup)
    before = setup.load_change(number).decision
    setup.acting.dismiss("muniment", number, "carol")
    row = merge(setup, number)
    entry = record_kinds.decode_record(bytes(row.record.data), 0)
    assert isinstance(entry, record_kinds.BranchUpdateRecord)
    assert row.decision is not None
    assert row.decision.record is not None
    assert before is not None
    assert (entry.status, entry.bypass_reason) == ("bypass", "denied-at-merge")
    assert entry.decision == row.decision.record.details_digest
    assert (row.decision.allowed, before.allowed, setup.load_change(number).decision) == (False, True, row.decision)


def test_merge_as_decided_adds_no_decision(setup: ForgeSetup) -> None:
    number, _ = open_approved_change(setup)
    row = merge(setup, number)
    assert row.decision == setup.load_change(number).decision
    assert Decision.objects.count() == 1


def test_unreadable_merge_is_retried_and_then_bypass(any_setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.merge("bob", number, "squash")
    for name in ("graphql", "timeline", "approvals"):
        any_setup.fake.fail(name, Fault.FAILED)
    with pytest.raises(ForgeError):
        any_setup.read_updates()
    assert not BranchUpdate.objects.exclude(outcome="baseline").exists()
    monkeypatch.setattr(branch_updates, "LONGEST_EVALUATION_WAIT", timedelta(0))
    any_setup.read_updates()
    row = BranchUpdate.objects.latest("pk")
    assert (row.outcome, row.bypass_reason) == ("bypass", "unconfirmed")
    assert "could not be confirmed" in Incident.objects.get().summary


def test_merge_readable_at_second_attempt_is_no_bypass(any_setup: ForgeSetup) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.merge("bob", number, "squash")
    for name in ("graphql", "timeline", "approvals"):
        any_setup.fake.fail(name, Fault.FAILED)
    with pytest.raises(ForgeError):
        any_setup.read_updates()
    any_setup.fake.mend()
    any_setup.read_updates()
    assert BranchUpdate.objects.latest("pk").outcome == "allowed"


def test_each_merge_in_pass_is_evaluated_on_branch_before_it(any_setup: ForgeSetup) -> None:
    numbers = []
    for name in ("one", "two"):
        numbers.append(any_setup.open_change({f"{name}.py": "x = 1\n"}, name))
        for who in ("bob", "carol"):
            any_setup.acting.approve(who, numbers[-1])
        any_setup.evaluate(numbers[-1])
    any_setup.acting.dismiss("muniment", numbers[1], "carol")
    for number in numbers:
        any_setup.acting.merge("bob", number, "merge")
    any_setup.read_updates()
    rows = BranchUpdate.objects.exclude(outcome="baseline").order_by("pk")
    assert [row.bypass_reason for row in rows] == ["", "denied-at-merge"]


def test_bypass_page_shows_its_reason(setup: ForgeSetup) -> None:
    number, _ = open_approved_change(setup)
    setup.acting.dismiss("muniment", number, "carol")
    row = merge(setup, number)
    visible: Any = browser(Person.objects.get(slug="bob")).get(f"/branch-updates/{row.pk}")
    assert "would have been denied at the merge" in visible.content.decode()


def test_rebase_merge_after_main_moved_is_no_bypass(setup: ForgeSetup) -> None:
    number, head = open_approved_change(setup)
    other = setup.open_change({"other.py": "y = 1\n"}, "other")
    for name in ("bob", "carol"):
        setup.acting.approve(name, other)
    setup.evaluate(other)
    merge(setup, other)
    row = merge(setup, number, "rebase-merge")
    assert row.outcome == "allowed"
    assert row.decision is not None
    assert row.decision.head == head


def test_a_release_branch_cut_right_after_an_allowed_merge_is_no_bypass(any_setup: ForgeSetup) -> None:
    number, _ = open_approved_change(any_setup)
    any_setup.acting.merge("bob", number, "merge")
    any_setup.work.push("ada", any_setup.work.tip("main"), "release/1")
    any_setup.read_updates()
    rows = BranchUpdate.objects.filter(ref="refs/heads/release/1")
    assert [row.outcome for row in rows] == ["baseline"]
    assert not Incident.objects.exists()


def test_a_release_branch_with_a_commit_of_its_own_is_a_bypass(setup: ForgeSetup) -> None:
    number, _ = open_approved_change(setup)
    setup.acting.merge("bob", number, "merge")
    made = setup.work.commit("ada", {"back.door": "open\n"}, setup.work.tip("main"))
    setup.work.push("ada", made, "release/1")
    setup.read_updates()
    row = BranchUpdate.objects.get(ref="refs/heads/release/1")
    assert (row.outcome, row.bypass_reason, row.commit) == ("bypass", "no-decision", made)


def test_merge_by_decision_without_ledger_position_is_bypass(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _ = open_approved_change(setup)
    monkeypatch.setattr(ForgeSetup, "place_records", lambda self: None)
    setup.acting.merge("muniment", number, "squash")
    with pytest.raises(LedgerError, match="no position"):
        setup.read_updates()
    assert not BranchUpdate.objects.exclude(outcome="baseline").exists()
    monkeypatch.setattr(branch_updates, "LONGEST_EVALUATION_WAIT", timedelta(0))
    setup.read_updates()
    assert BranchUpdate.objects.latest("pk").bypass_reason == "no-decision"


def test_service_refuses_merge_by_decision_without_ledger_position(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, head = open_approved_change(setup)
    monkeypatch.setattr(forge_requests, "_POSITION_SECONDS", 0.0)
    monkeypatch.setattr(tasks, "require_act", lambda *given: None)
    with as_role("worker"):
        tasks.merge_change(
            change=setup.load_change(number).pk, head=head, person=Person.objects.get(slug="ada").pk, record=""
        )
        assert not setup.fake.pulls[setup.acting.path, number]["merged"]
    assert "no position in the ledger" in Message.objects.get(person__slug="ada").text
    setup.place_records()
    with as_role("worker"):
        tasks.merge_change(
            change=setup.load_change(number).pk, head=head, person=Person.objects.get(slug="ada").pk, record=""
        )
    assert setup.fake.pulls[setup.acting.path, number]["merged"]
