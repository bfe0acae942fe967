"""Acts on changes and bypasses from our pages: bound to one head, stored as they were recorded, or without effect."""

import re
from typing import Any

import pytest
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.decision.report import DecisionReport
from muniment.errors import ActInputError
from muniment.ledger import record_objects
from muniment.server.acts.parser import parse_act
from muniment.server.changes.models import Change
from muniment.server.connections.change_acts import ApproveChange
from muniment.server.connections.forge_change_evaluator import _is_recorded
from muniment.server.connections.models import BranchUpdate, ReviewStatement
from muniment.server.people.models import Person, RoleGrant
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
from muniment.server.records.record_writing import record_act
from tests.server.test_acts import actor
from tests.support.forge_setup import ForgeSetup
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def signed_in(name: str) -> Any:
    return browser(Person.objects.get(slug=name))


def open_change(setup: ForgeSetup, files: dict[str, str] | None = None) -> Change:
    """A change by ada that was read from the forge."""
    number = setup.open_change(files or {"app.py": "x = 1\n"})
    setup.evaluate(number)
    return setup.load_change(number)


def approve(name: str, change: Change, **fields: str) -> str:
    return post(signed_in(name), f"/changes/{change.pk}/review", act="approve-change", head=change.head, **fields)


def test_approval_with_unanswered_questions_names_them(setup: ForgeSetup) -> None:
    change = open_change(setup, {"Dockerfile": "FROM scratch\n"})
    result = approve("dave", change, **{"answers-pipeline-reach": "None."})
    assert "these questions have no answer: pipeline-pinned." in result
    result = approve("dave", change, **{"answers-pipeline-reach": "None.", "answers-pipeline-pinned": "Nothing."})
    assert "Recorded." in result
    assert "no answer" not in result


def test_an_approval_and_its_withdrawal_are_recorded_with_the_digests_of_their_acts(setup: ForgeSetup) -> None:
    change = open_change(setup)
    approve("bob", change)
    approve("carol", change)
    post(signed_in("bob"), f"/changes/{change.pk}/review", act="withdraw-approval", head=change.head)
    setup.run_queue()
    assert setup.get_status(change.head) == "failure"
    rows = ReviewStatement.objects.order_by("pk")
    assert [(row.person_id, row.kind) for row in rows] == [
        ("bob", "approve"),
        ("carol", "approve"),
        ("bob", "withdraw"),
    ]
    details = read_details(rows[0].act_digest, record_objects.PersonAction)
    assert isinstance(details, record_objects.PersonAction)
    act = ApproveChange(change=change.pk, head=change.head, repository="shop", target=change.target)
    assert (details.resource, details.details["act_digest"]) == (f"change:{change.pk}", act.digest_act())


FORGED: list[dict[str, Any]] = [
    {"answers": {"pipeline-reach": "Another answer."}},
    {"head": "0" * 40},
    {"target": "refs/heads/other"},
    {"person": "bob"},
    {"kind": "attest", "answers": {"account:x": "ada"}},
    {"kind": "attest", "answers": {}},
    {"kind": "request-changes"},
]


def test_statement_that_differs_from_its_record_does_not_count(setup: ForgeSetup) -> None:
    approve("carol", open_change(setup))
    assert _is_recorded(ReviewStatement.objects.get())
    for changed in FORGED:
        row = ReviewStatement.objects.get()
        for name, value in changed.items():
            setattr(row, name, Person.objects.get(slug=value) if name == "person" else value)
        assert not _is_recorded(row), changed


def test_record_of_another_step_does_not_prove_statement(setup: ForgeSetup) -> None:
    change = open_change(setup)
    approve("carol", change)
    row = ReviewStatement.objects.get()
    result = read_details(row.act_digest, record_objects.PersonAction)
    assert isinstance(result, record_objects.PersonAction)
    with as_role("owner"):
        details = {**result.details, "step": "rejected"}
        row.act_digest = record_act(actor("carol"), Action.REVIEW_CHANGE, result.resource, details)
    assert not _is_recorded(row)


def test_unknown_contributor_is_attested_on_page(setup: ForgeSetup) -> None:
    person("sara", Role.SECURITY, product=setup.product)
    with as_role("owner"):
        Person.objects.get(slug="bob").accounts.all().delete()
    made = setup.work.commit("bob", {"app.py": "x = 1\n"}, setup.work.tip("main"))
    setup.work.push("ada", made, "topic")
    number = setup.acting.open("ada", "topic", "main", "By somebody")
    setup.evaluate(number)
    change = setup.load_change(number)
    client, field = signed_in("sara"), re.compile('name="contributor" value="([^"]+)"')
    (subject,) = field.findall(client.get(f"/changes/{change.pk}").content.decode())
    attested = {"act": "attest-contributor", "head": change.head, "contributor": subject}
    address = f"/changes/{change.pk}/attest"
    assert "There is nobody of that handle." in post(client, address, **attested, person="nobody")
    assert "Choose a contributor" in post(client, address, **{**attested, "contributor": "x"}, person="bob")
    assert not ReviewStatement.objects.exists()
    assert "Recorded." in post(client, address, **attested, person="bob")
    assert ReviewStatement.objects.get().answers == {subject: "bob"}
    setup.run_queue()
    assert not field.search(client.get(f"/changes/{change.pk}").content.decode())


def test_refuses_acceptance_and_revert_of_closed_bypass(setup: ForgeSetup) -> None:
    made = setup.work.commit("ada", {"app.py": "x = 666\n"}, setup.work.tip("main"))
    setup.work.push("ada", made, "main")
    setup.read_updates()
    row = BranchUpdate.objects.get(outcome="bypass")
    diff = f"/compare/{row.previous_tip}...{row.commit}"
    assert (
        f'href="{setup.fake.url}/{setup.acting.path}{diff}"'
        in signed_in("bob").get(f"/branch-updates/{row.pk}").content.decode()
    )
    assert "It is missing. Fill it in." in post(
        signed_in("bob"), f"/branch-updates/{row.pk}/review", act="review-bypass", reason=" "
    )
    for name in ("bob", "carol"):
        post(signed_in(name), f"/branch-updates/{row.pk}/review", reason="I read it.")
    setup.run_queue()
    dave = signed_in("dave")
    assert "It is not open any more." in post(dave, f"/branch-updates/{row.pk}/review", reason="Late.")
    assert "It is not open any more." in post(dave, f"/branch-updates/{row.pk}/revert")
    other = BranchUpdate.objects.exclude(pk=row.pk).first()
    assert other is not None
    assert dave.post(f"/branch-updates/{other.pk}/review", {"reason": "No bypass."}).status_code == 404
    record = Record.objects.filter(kind="person-action").latest("pk")
    details = read_details(record.details_digest, record_objects.PersonAction)
    assert isinstance(details, record_objects.PersonAction)
    assert (details.resource, details.details["act"]) == (f"bypass:{row.pk}", "review-bypass")


HEAD = "0" * 40
VALUES: list[tuple[dict[str, Any], str]] = [
    ({"head": HEAD.replace("0", "A")}, "head"),
    ({"head": HEAD[:39]}, "head"),
    ({"head": f"{HEAD}\u202e"}, "head"),
    ({"head": "\uff10" * 40}, "head"),
    ({}, "head"),
    ({"head": HEAD, "change": "0"}, "change"),
    ({"head": HEAD, "change": "1 or 1=1"}, "change"),
    ({"head": HEAD, "change": "\u0661"}, "change"),
    ({"head": HEAD, "change": "9" * 40}, "change"),
    ({"head": HEAD, "answers": "pipeline-reach"}, "answers"),
    ({"head": HEAD, "answers": {"another": "x"}}, "answers"),
    ({"head": HEAD, "answers": {"pipeline-reach": "x" * 5001}}, "answers"),
    ({"head": HEAD, "answers": {"pipeline-reach": 7}}, "answers"),
    ({"head": HEAD, "repository": "shop"}, "repository"),
]


def test_invalid_approval_value_is_refused_at_its_field() -> None:
    product("shop")
    person("dev", Role.DEVELOPER)
    dev = actor("dev")
    for values, field in VALUES:
        with pytest.raises(ActInputError) as caught:
            parse_act(ApproveChange, {"change": "7", **values}, dev)
        problems = {problem.field: problem for problem in caught.value.problems}
        assert field in problems, values
        assert problems[field].remedy


def test_reviewer_with_forge_write_access_needs_no_role(setup: ForgeSetup) -> None:
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug__in=("bob", "carol")).update(ended_at=timezone.now())
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    assert setup.get_status(setup.load_change(number).head) == "success"


def find_possible_reviewers(setup: ForgeSetup, number: int) -> set[str]:
    """The people whom the page of a change names as possible reviewers."""
    decision = setup.load_change(number).decision
    assert decision is not None
    details = read_details(decision.explanation_digest, DecisionReport)
    assert isinstance(details, DecisionReport)
    return set(details.eligible_reviewers)


def test_person_without_forge_write_access_is_not_named_as_reviewer(setup: ForgeSetup) -> None:
    setup.set_level("carol", "read")
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    assert find_possible_reviewers(setup, number) == {"bob", "dave"}
    assert "Carol" not in setup.fake.pulls[setup.acting.path, number]["comments"][-1]["body"]


def test_person_with_forge_write_access_is_named_without_role(setup: ForgeSetup) -> None:
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug__in=("bob", "carol")).update(ended_at=timezone.now())
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    assert find_possible_reviewers(setup, number) == {"bob", "carol", "dave"}


def test_unknown_write_access_names_no_reviewer(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.fake.fail("permission", Fault.FAILED)
    setup.evaluate(number)
    assert find_possible_reviewers(setup, number) == set()
    setup.fake.mend()
    setup.evaluate(number)
    assert find_possible_reviewers(setup, number) == {"bob", "carol", "dave"}


def test_write_access_is_requested_once_per_repository(setup: ForgeSetup) -> None:
    numbers = [setup.open_change({"app.py": f"x = {n}\n"}, branch=f"topic-{n}") for n in range(2)]
    setup.evaluate(numbers[0])
    asked = setup.fake.calls.count("permission")
    setup.evaluate(numbers[1])
    assert setup.fake.calls.count("permission") == asked


def test_requested_changes_of_reviewer_without_role_block(setup: ForgeSetup) -> None:
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug="dave").update(ended_at=timezone.now())
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.acting.reject("dave", number)
    setup.evaluate(number)
    head = setup.load_change(number).head
    assert setup.get_status(head) == "failure"
    assert setup.fake.marks[setup.acting.path, head][-1]["description"].startswith("Dave requested changes.")
