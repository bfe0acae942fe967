"""The table of who may do what, row by row where it matters, and whole where a rule holds for all of it."""

from itertools import product as every

import pytest

from muniment.access.actions import COUNTED_AS_ANOTHER, Action, Reach
from muniment.access.authorize import (
    ANYBODY,
    ORGANISATION,
    Actor,
    Resource,
    Why,
    authorize,
    products,
    second,
    somewhere,
)
from muniment.access.roles import EVERYWHERE, Grant, Role
from muniment.policy.people import ROLES

SHOP = Resource(product="shop")


def actor(*roles: Role, product: str = EVERYWHERE, **more: object) -> Actor:
    fields: dict[str, object] = {"person": "ada", "active": True, "second_factor": True}
    return Actor(grants=tuple(Grant(role, product) for role in roles), **(fields | more))  # type: ignore[arg-type]


def test_roles_are_those_that_people_toml_knows() -> None:
    assert {role.value for role in Role} == set(ROLES)
    assert len({role.label for role in Role}) == len(Role)


@pytest.mark.parametrize("action", Action)
def test_nobody_may_do_anything(action: Action) -> None:
    mine = Resource("shop", owner="ada")
    assert authorize(ANYBODY, action, mine) is Why.NOBODY
    assert authorize(actor(*Role, active=False), action, mine) is Why.INACTIVE
    assert authorize(actor(*Role, scopes=frozenset()), action, mine) is Why.SCOPE
    assert second(ANYBODY, action, mine) is Why.NOBODY
    assert second(actor(*Role, active=False), action, mine) is Why.INACTIVE
    assert second(actor(*Role, scopes=frozenset(Action)), action, mine) is Why.SCOPE


@pytest.mark.parametrize(("action", "role"), list(every(Action, Role)))
def test_a_role_gives_what_its_row_says_and_no_more(action: Action, role: Role) -> None:
    if action.rule.reach is Reach.OWN:
        assert authorize(actor(role), action, Resource(owner="ada")) is Why.YES
        assert authorize(actor(role), action, Resource(owner="bob")) is Why.NOT_THEIRS
        return
    expected = Why.YES if role in action.rule.roles else Why.NO_ROLE
    assert authorize(actor(role), action, ORGANISATION) is expected
    assert authorize(actor(role), action, SHOP) is expected
    for_product = expected if action.rule.reach is not Reach.ORGANISATION else Why.NO_ROLE
    elsewhere = expected if action.rule.reach is Reach.ANYWHERE else Why.NO_ROLE
    assert authorize(actor(role, product="shop"), action, SHOP) is for_product
    assert somewhere(actor(role, product="shop"), action) is for_product
    assert authorize(actor(role, product="shop"), action, Resource("else")) is elsewhere
    assert authorize(actor(role, product="shop"), action, ORGANISATION) is elsewhere


@pytest.mark.parametrize("action", [action for action in Action if action.rule.changes])
def test_what_changes_something_takes_a_second_factor(action: Action) -> None:
    asked = authorize(actor(*Role, second_factor=False), action, Resource(owner="ada"))
    assert asked is Why.NO_SECOND_FACTOR
    if action.rule.second:
        whose = Resource(asker="bob")
        assert second(actor(*Role, second_factor=False), action, whose) is Why.NO_SECOND_FACTOR


@pytest.mark.parametrize("action", [action for action in Action if action.rule.second])
def test_the_second_person_is_another_one(action: Action) -> None:
    assert second(actor(*Role), action, Resource(asker="bob")) is Why.YES
    assert second(actor(*Role), action, Resource(asker="ada")) is Why.SAME_PERSON
    assert second(actor(*Role), action, Resource()) is Why.SAME_PERSON
    others = set(Role) - action.rule.second
    assert second(actor(*others), action, Resource(asker="bob")) is Why.NO_ROLE


@pytest.mark.parametrize("action", [one for one in Action if one.rule.second])
def test_the_second_person_has_the_role_for_this_product(action: Action) -> None:
    role = next(iter(action.rule.second))
    about = Resource("shop", asker="bob")
    here = second(actor(role, product="shop"), action, about)
    everywhere = action.rule.reach in (Reach.ORGANISATION, Reach.OWN)
    assert here is (Why.NO_ROLE if everywhere else Why.YES)
    elsewhere = second(actor(role, product="else"), action, about)
    assert elsewhere is (Why.YES if action.rule.reach is Reach.ANYWHERE else Why.NO_ROLE)


def test_what_changes_nothing_takes_no_second_factor() -> None:
    reading = [one for one in Action if not one.rule.changes and one.rule.roles]
    assert reading
    for action in reading:
        role = next(iter(action.rule.roles))
        assert authorize(actor(role, second_factor=False), action, Resource(owner="ada")) is Why.YES


def test_what_waits_for_nobody_has_no_second_person() -> None:
    assert second(actor(*Role), Action.ADD_PRODUCT, Resource(asker="bob")) is Why.NO_ROLE


def test_a_token_does_what_it_is_for_and_its_person_may() -> None:
    token = frozenset({Action.SEE_CHANGE, Action.ADD_PRODUCT})
    assert authorize(actor(Role.DEVELOPER, scopes=token), Action.SEE_CHANGE, SHOP) is Why.YES
    assert authorize(actor(Role.DEVELOPER, scopes=token), Action.ADD_PRODUCT, ORGANISATION) is Why.NO_ROLE
    assert authorize(actor(Role.DEVELOPER, scopes=token), Action.SEE_PRODUCT, SHOP) is Why.SCOPE


def test_duties_are_separated() -> None:
    changing = [action for action in Action if action.rule.changes and action.rule.reach is not Reach.OWN]
    assert not any(Role.AUDITOR in action.rule.roles | action.rule.second for action in changing)
    for action in (Action.DRAFT_POLICY, Action.APPLY_POLICY, Action.WEAKEN_POLICY, Action.REQUEST_EXCEPTION):
        assert Role.ADMIN not in action.rule.roles | action.rule.second
    for action in (Action.CHANGE_PERSON, Action.GRANT_ROLE, Action.CHANGE_SETTINGS):
        assert action.rule.roles == {Role.ADMIN}


def test_lists_are_filtered_by_the_same_rule() -> None:
    assert products(actor(Role.DEVELOPER), Action.SEE_PRODUCT) is None
    assert products(actor(Role.DEVELOPER, product="shop"), Action.SEE_PRODUCT) == frozenset(("shop",))
    assert products(actor(Role.DEVELOPER, product="shop"), Action.SEE_LEDGER) == frozenset()
    assert products(ANYBODY, Action.SEE_PRODUCT) == frozenset()


@pytest.mark.parametrize("action", Action)
def test_every_row_says_what_it_is(action: Action) -> None:
    assert action.rule.text
    assert action.rule.roles or action.rule.reach is Reach.PIPELINE
    assert len({one.rule.text for one in Action}) == len(Action)


def test_a_pipeline_does_what_is_for_pipelines_where_it_is_trusted_and_nothing_else() -> None:
    pipeline = Actor(pipeline="shop/production")
    there = Resource("shop", environment="shop/production")
    assert authorize(pipeline, Action.DEPLOY, there) is Why.YES
    assert authorize(pipeline, Action.DEPLOY, Resource("shop", environment="shop/staging")) is Why.NOT_THEIRS
    assert authorize(pipeline, Action.DEPLOY, ORGANISATION) is Why.NOT_THEIRS
    assert authorize(Actor(), Action.DEPLOY, there) is Why.NOBODY
    assert authorize(actor(*Role), Action.DEPLOY, there) is Why.NO_ROLE
    others = [action for action in Action if action.rule.reach is not Reach.PIPELINE]
    assert {authorize(pipeline, action, there) for action in others} == {Why.NOBODY}
    assert {second(pipeline, action, Resource(asker="bob")) for action in others} == {Why.NOBODY}


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.name)
def test_a_recovered_account_counts_as_nobody_else(action: Action) -> None:
    """It neither requests nor approves what takes two people, and does nothing that counts as another's word."""
    suspended = actor(*Role, suspended=True)
    before, after = (authorize(one, action, Resource(owner="ada")) for one in (actor(*Role), suspended))
    counts = bool(action.rule.second) or action in COUNTED_AS_ANOTHER
    assert after is (Why.SUSPENDED if counts and before is Why.YES else before)
    if action.rule.second:
        assert second(suspended, action, Resource(asker="bob")) is Why.SUSPENDED
