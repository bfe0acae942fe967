"""Structs of acts: one parser for each entry point, one digest from request to approval, ids and no handles."""

import importlib
import pkgutil
import re
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction

import muniment.server
from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.errors import ActInputError, RefusedError
from muniment.ledger import record_objects
from muniment.server.acts.act import Act
from muniment.server.acts.forms import ActForm
from muniment.server.acts.inputs import Flag
from muniment.server.acts.parser import find_inputs, make_defaults, parse_act
from muniment.server.people.models import Person, RoleGrant
from muniment.server.people.person_acts import AddPerson
from muniment.server.people.role_acts import GrantRole
from muniment.server.records.models import Record
from muniment.server.records.record_details import read_details
from muniment.server.requests.execution import approve_request
from muniment.server.requests.models import Request
from muniment.server.requests.registry import ACTS_BY_TAG, ACTS_OF_PERSONS, ALL_ACTS, decode_stored_act
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, product, token_of

pytestmark = pytest.mark.usefixtures("service")

SECURITY = {"act": "grant-role", "role": "security", "product": ""}


def find_person(slug: str) -> Person:
    return Person.objects.get(slug=slug)


def actor(slug: str) -> Actor:
    found = find_person(slug)
    return Actor(found.pk, active=True, grants=found.load_roles(), second_factor=True)


def find_concrete_acts(cls: type[Act]) -> set[type[Act]]:
    below = {one for each in cls.__subclasses__() for one in find_concrete_acts(each)}
    ours = cls.__module__.startswith("muniment.")  # tests of the recipe define acts too
    return below | ({cls} if ours and hasattr(cls, "title") else set())


def test_each_act_is_registered_once_and_each_field_declares_its_parser() -> None:
    for module in pkgutil.walk_packages(muniment.server.__path__, "muniment.server."):
        if module.name.endswith("acts") or ".acts." in module.name:
            importlib.import_module(module.name)
    assert find_concrete_acts(Act) == set(ALL_ACTS)
    assert len(ACTS_BY_TAG) == len(ACTS_OF_PERSONS)
    assert len({act.act_tag() for act in ALL_ACTS}) == len(ALL_ACTS)
    for act in ALL_ACTS:
        assert act.actions
        assert set(find_inputs(act)) == set(act.__struct_fields__)
        for method in ("find_resource", "format_subject", "describe_act", "carry_out"):
            assert getattr(act, method) is not getattr(Act, method), f"{act.act_tag()} has no {method}()"
        seconds = any(action.rule.second for action in act.actions)
        assert not (act.carries_secret and seconds), f"{act.act_tag()}: a secret cannot wait"


VALUES: list[tuple[str, Any, bool]] = [
    ("role", "auditor", True),
    ("role", " auditor\n", True),
    ("role", "Auditor", False),
    ("role", "audit\u200bor", False),
    ("role", "\u202erotidua", False),
    ("role", "auditor\x00", False),
    ("role", "\uff41uditor", False),
    ("role", "a" * 10_000, False),
    ("role", "", False),
    ("product", "shop", True),
    ("product", "Shop", False),
    ("product", "other", False),
    ("product", "sho\u0440", False),
    ("until", "2099-12-31", True),
    ("until", " 2099-12-31 ", True),
    ("until", "", True),
    ("until", "2099-02-30", False),
    ("until", "31.12.2099", False),
    ("until", "20991231", False),
    ("until", "2099-W01-1", False),
    ("until", "\u0662\u0660\u0669\u0669-12-31", False),
    ("until", "2099-12-31T00:00:00", False),
    ("do", "give", False),
]


@pytest.mark.parametrize(("field", "value", "accepted"), VALUES, ids=lambda one: ascii(one)[:30])
def test_the_page_the_api_and_a_document_take_exactly_the_same_values(field: str, value: Any, accepted: bool) -> None:
    product("shop")
    amy = person("amy", Role.ADMIN, id="k3f7")
    for name in ("ann", "ben", "cid"):
        person(name, id=f"id-of-{name}")
    fields = {"role": "auditor", **({field: value} if field else {})}
    page = browser(amy).post("/people/ann/role", {"act": "grant-role", **fields})
    headers = {"Authorization": f"Bearer {token_of(amy)}"}
    answer = browser().post("/api/people/ben/roles", fields, "application/json", headers=headers)
    assert (page.status_code, answer.status_code) == ((302, 200) if accepted else (422, 422)), answer.content
    if not accepted:
        with pytest.raises(ActInputError) as caught:
            parse_act(GrantRole, {**fields, "person": "cid"}, actor("amy"))
        assert [problem.field for problem in caught.value.problems] == [field]
        assert all(problem.remedy for problem in caught.value.problems)
        return
    act = parse_act(GrantRole, {**fields, "person": "cid"}, actor("amy"))
    stored = RoleGrant.objects.exclude(person=amy).values_list("role", "product__slug", "last_day")
    assert set(stored) == {(act.role.value, act.product or None, act.until)}
    assert len(stored) == 2


def test_toml_date_is_parsed_like_text_date() -> None:
    person("ann")
    amy = Actor("amy", active=True)
    for value in (date(2099, 12, 31), "2099-12-31"):
        act = parse_act(GrantRole, {"person": "ann", "role": "auditor", "until": value}, amy)
        assert act.until == date(2099, 12, 31)


def test_two_persons_who_are_added_never_have_the_same_id() -> None:
    amy = Actor("amy", active=True)
    one, two = (parse_act(AddPerson, {"handle": handle, "name": "N"}, amy) for handle in ("ann", "ben"))
    assert one.person != two.person


def test_refuses_form_field_that_url_already_sets() -> None:
    amy = person("amy", Role.ADMIN)
    person("ann")
    person("ben")
    page = browser(amy).post("/people/ann/role", {"act": "grant-role", "role": "auditor", "person": "ben"})
    assert page.status_code == 422
    assert not RoleGrant.objects.exclude(person=amy).exists()


@pytest.mark.parametrize("body", ["[null, null]", "[]", '"role"', "7", "null"])
def test_json_body_other_than_object_is_refused_as_malformed(body: str) -> None:
    headers = {"Authorization": f"Bearer {token_of(person('amy', Role.ADMIN))}"}
    assert browser().post("/api/people/amy/roles", body, "application/json", headers=headers).status_code == 422


def test_refused_form_shows_typed_values_with_problem_at_its_field() -> None:
    amy = person("amy", Role.ADMIN)
    person("ann")
    page = browser(amy).post("/people/ann/role", {"act": "grant-role", "role": "auditor", "until": "soon"})
    text = page.content.decode()
    assert 'value="soon"' in text
    assert "It is not a date. Write a date such as" in text


def test_role_goes_to_requested_person_after_handle_moved_to_another() -> None:
    enough()
    bob = person("bob", id="the-first-bob")
    post(browser(find_person("amy")), "/people/bob/role", **SECURITY)
    waiting = Request.objects.get(state="waiting")
    with as_role("owner"):
        Person.objects.filter(pk=bob.pk).update(slug="robert", email="robert@example.test")
    mallory = person("bob", id="mallory")
    assert "Approved." in post(browser(find_person("sam")), f"/requests/{waiting.pk}", answer="agree")
    assert RoleGrant.objects.filter(person="the-first-bob", role="security").exists()
    assert not mallory.role_grants.exists()


def test_refuses_second_identical_waiting_request() -> None:
    enough()
    person("bob")
    amy = browser(find_person("amy"))
    post(amy, "/people/bob/role", **SECURITY)
    assert "requested that already" in post(amy, "/people/bob/role", **SECURITY)
    row = Request.objects.get(state="waiting")
    with as_role("owner"), pytest.raises(IntegrityError, match="request_waits_once"), transaction.atomic():
        Request.objects.create(action=row.action, act=row.act, digest=row.digest, requester=row.requester)
    post(amy, f"/requests/{row.pk}", answer="refuse")
    assert "waits for a second person" in post(amy, "/people/bob/role", **SECURITY)


def test_exactly_the_requested_act_is_approved_and_the_record_holds_its_digest() -> None:
    enough()
    person("bob", id="k3f7")
    post(browser(find_person("amy")), "/people/bob/role", **SECURITY)
    row = Request.objects.get(state="waiting")
    act = decode_stored_act(row.act, row.digest)
    assert act == GrantRole(person="k3f7", role=Role.SECURITY)
    assert act.digest_act() == row.digest
    for altered in (
        row.act.replace("security", "admin"),
        row.act.replace(",", ", "),
        row.act.replace("{", '{"person":"bob",', 1),
        row.act.replace('"act":"grant-role"', '"act":"revoke-role"'),
        "{}",
    ):
        with as_role("owner"):
            Request.objects.filter(pk=row.pk).update(act=altered)
        with pytest.raises(RefusedError, match="not the one that was requested"), transaction.atomic():
            approve_request(actor("sam"), row)
    with as_role("owner"):
        Request.objects.filter(pk=row.pk).update(act=row.act)
    with transaction.atomic():
        approve_request(actor("sam"), row)
    records = Record.objects.filter(kind="person-action").order_by("pk")
    found: list[Any] = [read_details(one.details_digest, record_objects.PersonAction) for one in records]
    steps = [one.details.get("step") for one in found if one.details.get("act_digest") == row.digest]
    assert steps == ["requested", "approved"]
    row.refresh_from_db()
    assert (row.state, row.act, row.digest) == ("approved", "", act.digest_act())


def test_refuses_approval_after_requester_lost_role() -> None:
    enough()
    person("bob")
    post(browser(find_person("abe")), "/people/bob/role", **SECURITY)
    row = Request.objects.get(state="waiting")
    with as_role("owner"):
        RoleGrant.objects.filter(person__slug="abe").update(ended_at=row.requested_at)
    page = post(browser(find_person("sam")), f"/requests/{row.pk}", answer="agree")
    assert "may no longer request this" in page
    assert not RoleGrant.objects.filter(person__slug="bob").exists()


BOXES = [
    (act, name)
    for act in ACTS_OF_PERSONS
    for name, field in find_inputs(act).items()
    if isinstance(field, Flag) and not field.ask
]


@pytest.mark.parametrize(("act", "name"), BOXES, ids=[f"{act.act_tag()}-{name}" for act, name in BOXES])
def test_ticked_box_is_true_and_unticked_box_is_default(act: type[Act], name: str) -> None:
    person("ada")
    form = ActForm(act, actor("ada"))
    html = str(form[name])
    sent = re.search(r'value="([^"]*)"', html)
    assert (
        find_inputs(act)[name].read_value(sent[1] if sent else "on", actor("ada")) is True
    )  # what a browser sends of it
    assert ("checked" in html) is bool(make_defaults(act)[name])


def test_act_that_another_request_did_meanwhile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    amy = browser(person("amy", Role.ADMIN))
    person("bob")
    monkeypatch.setattr(AddPerson, "check_preconditions", lambda *_arguments: None)  # as they were a moment before
    before = Record.objects.count()
    answer = post(amy, "/people/add", handle="bob", name="Another Bob", email="")
    assert "done at this moment by another request" in answer
    assert (Person.objects.get(slug="bob").name, Record.objects.count()) == ("Bob", before)
