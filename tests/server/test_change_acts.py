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
from tests.support.connected import Town
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def signed_in(name: str) -> Any:
    return browser(Person.objects.get(slug=name))


def open_change(town: Town, files: dict[str, str] | None = None) -> Change:
    """A change by ada that was read from the forge."""
    number = town.open(files or {"app.py": "x = 1\n"})
    town.look(number)
    return town.change(number)


def approve(name: str, change: Change, **fields: str) -> str:
    return post(signed_in(name), f"/changes/{change.pk}/review", act="approve-change", head=change.head, **fields)


def test_approval_with_unanswered_questions_names_them(town: Town) -> None:
    change = open_change(town, {"Dockerfile": "FROM scratch\n"})
    told = approve("dave", change, **{"answers-pipeline-reach": "None."})
    assert "these questions have no answer: pipeline-pinned." in told
    told = approve("dave", change, **{"answers-pipeline-reach": "None.", "answers-pipeline-pinned": "Nothing."})
    assert "Recorded." in told
    assert "no answer" not in told


def test_an_approval_and_its_withdrawal_are_recorded_with_the_digests_of_their_acts(town: Town) -> None:
    change = open_change(town)
    approve("bob", change)
    approve("carol", change)
    post(signed_in("bob"), f"/changes/{change.pk}/review", act="withdraw-approval", head=change.head)
    town.run()
    assert town.shown(change.head) == "failure"
    rows = ReviewStatement.objects.order_by("pk")
    assert [(row.person_id, row.kind) for row in rows] == [
        ("bob", "approve"),
        ("carol", "approve"),
        ("bob", "withdraw"),
    ]
    said = read_details(rows[0].act_digest, record_objects.PersonAction)
    assert isinstance(said, record_objects.PersonAction)
    act = ApproveChange(change=change.pk, head=change.head, repository="shop", target=change.target)
    assert (said.resource, said.details["act_digest"]) == (f"change:{change.pk}", act.digest_act())


FORGED: list[dict[str, Any]] = [
    {"answers": {"pipeline-reach": "Another answer."}},
    {"head": "0" * 40},
    {"target": "refs/heads/other"},
    {"person": "bob"},
    {"kind": "attest", "answers": {"account:x": "ada"}},
    {"kind": "attest", "answers": {}},
    {"kind": "request-changes"},
]


def test_statement_that_differs_from_its_record_does_not_count(town: Town) -> None:
    approve("carol", open_change(town))
    assert _is_recorded(ReviewStatement.objects.get())
    for changed in FORGED:
        row = ReviewStatement.objects.get()
        for name, value in changed.items():
            setattr(row, name, Person.objects.get(slug=value) if name == "person" else value)
        assert not _is_recorded(row), changed


def test_record_of_another_step_does_not_prove_statement(town: Town) -> None:
    change = open_change(town)
    approve("carol", change)
    row = ReviewStatement.objects.get()
    said = read_details(row.act_digest, record_objects.PersonAction)
    assert isinstance(said, record_objects.PersonAction)
    with as_role("owner"):
        details = {**said.details, "step": "rejected"}
        row.act_digest = record_act(actor("carol"), Action.REVIEW_CHANGE, said.resource, details)
    assert not _is_recorded(row)


def test_unknown_contributor_is_attested_on_page(town: Town) -> None:
    person("sara", Role.SECURITY, product=town.product)
    with as_role("owner"):
        Person.objects.get(slug="bob").accounts.all().delete()
    made = town.work.commit("bob", {"app.py": "x = 1\n"}, town.work.tip("main"))
    town.work.push("ada", made, "topic")
    number = town.acting.open("ada", "topic", "main", "By somebody")
    town.look(number)
    change = town.change(number)
    client, field = signed_in("sara"), re.compile('name="contributor" value="([^"]+)"')
    (subject,) = field.findall(client.get(f"/changes/{change.pk}").content.decode())
    attested = {"act": "attest-contributor", "head": change.head, "contributor": subject}
    address = f"/changes/{change.pk}/attest"
    assert "There is nobody of that handle." in post(client, address, **attested, person="nobody")
    assert "Choose a contributor" in post(client, address, **{**attested, "contributor": "x"}, person="bob")
    assert not ReviewStatement.objects.exists()
    assert "Recorded." in post(client, address, **attested, person="bob")
    assert ReviewStatement.objects.get().answers == {subject: "bob"}
    town.run()
    assert not field.search(client.get(f"/changes/{change.pk}").content.decode())


def test_refuses_acceptance_and_revert_of_closed_bypass(town: Town) -> None:
    made = town.work.commit("ada", {"app.py": "x = 666\n"}, town.work.tip("main"))
    town.work.push("ada", made, "main")
    town.watch()
    row = BranchUpdate.objects.get(outcome="bypass")
    diff = f"/compare/{row.previous_tip}...{row.commit}"
    assert (
        f'href="{town.fake.url}/{town.acting.path}{diff}"'
        in signed_in("bob").get(f"/branch-updates/{row.pk}").content.decode()
    )
    assert "It is missing. Fill it in." in post(
        signed_in("bob"), f"/branch-updates/{row.pk}/review", act="review-bypass", reason=" "
    )
    for name in ("bob", "carol"):
        post(signed_in(name), f"/branch-updates/{row.pk}/review", reason="I read it.")
    town.run()
    dave = signed_in("dave")
    assert "It is not open any more." in post(dave, f"/branch-updates/{row.pk}/review", reason="Late.")
    assert "It is not open any more." in post(dave, f"/branch-updates/{row.pk}/revert")
    other = BranchUpdate.objects.exclude(pk=row.pk).first()
    assert other is not None
    assert dave.post(f"/branch-updates/{other.pk}/review", {"reason": "No bypass."}).status_code == 404
    record = Record.objects.filter(kind="person-action").latest("pk")
    said = read_details(record.details_digest, record_objects.PersonAction)
    assert isinstance(said, record_objects.PersonAction)
    assert (said.resource, said.details["act"]) == (f"bypass:{row.pk}", "review-bypass")


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


def test_reviewer_with_forge_write_access_needs_no_role(town: Town) -> None:
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug__in=("bob", "carol")).update(ended_at=timezone.now())
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.look(number)
    assert town.shown(town.change(number).head) == "success"


def find_possible_reviewers(town: Town, number: int) -> set[str]:
    """The people whom the page of a change names as possible reviewers."""
    decision = town.change(number).decision
    assert decision is not None
    told = read_details(decision.explanation_digest, DecisionReport)
    assert isinstance(told, DecisionReport)
    return set(told.eligible_reviewers)


def test_person_without_forge_write_access_is_not_named_as_reviewer(town: Town) -> None:
    town.set_level("carol", "read")
    number = town.open({"app.py": "x = 1\n"})
    town.look(number)
    assert find_possible_reviewers(town, number) == {"bob", "dave"}
    assert "Carol" not in town.fake.pulls[town.acting.path, number]["comments"][-1]["body"]


def test_person_with_forge_write_access_is_named_without_role(town: Town) -> None:
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug__in=("bob", "carol")).update(ended_at=timezone.now())
    number = town.open({"app.py": "x = 1\n"})
    town.look(number)
    assert find_possible_reviewers(town, number) == {"bob", "carol", "dave"}


def test_unknown_write_access_names_no_reviewer(town: Town) -> None:
    number = town.open({"app.py": "x = 1\n"})
    town.fake.fail("permission", Fault.FAILED)
    town.look(number)
    assert find_possible_reviewers(town, number) == set()
    town.fake.mend()
    town.look(number)
    assert find_possible_reviewers(town, number) == {"bob", "carol", "dave"}


def test_write_access_is_requested_once_per_repository(town: Town) -> None:
    numbers = [town.open({"app.py": f"x = {n}\n"}, branch=f"topic-{n}") for n in range(2)]
    town.look(numbers[0])
    asked = town.fake.calls.count("permission")
    town.look(numbers[1])
    assert town.fake.calls.count("permission") == asked


def test_requested_changes_of_reviewer_without_role_block(town: Town) -> None:
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug="dave").update(ended_at=timezone.now())
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.acting.reject("dave", number)
    town.look(number)
    head = town.change(number).head
    assert town.shown(head) == "failure"
    assert town.fake.marks[town.acting.path, head][-1]["description"].startswith("Dave requested changes.")
