"""Authorization table: important rows one by one, and general rules over the whole table."""

from itertools import product as every

import pytest

from muniment.access.actions import COUNTED_AS_SECOND_PERSON, Action, Reach
from muniment.access.authorization import (
    ANYBODY,
    ORGANISATION,
    AccessResult,
    Actor,
    Resource,
    authorize,
    authorize_anywhere,
    authorize_second_person,
    list_permitted_products,
)
from muniment.access.roles import EVERYWHERE, Grant, Role
from muniment.policy.people_document import ROLE_VALUES

SHOP = Resource(product="shop")


def create_actor(*roles: Role, product: str = EVERYWHERE, **more: object) -> Actor:
    fields: dict[str, object] = {"person": "ada", "active": True, "second_factor": True}
    return Actor(grants=tuple(Grant(role, product) for role in roles), **(fields | more))  # type: ignore[arg-type]


def test_roles_equal_those_of_people_toml() -> None:
    assert {role.value for role in Role} == set(ROLE_VALUES)
    assert len({role.label for role in Role}) == len(Role)


@pytest.mark.parametrize("action", Action)
def test_anonymous_or_inactive_person_may_do_nothing(action: Action) -> None:
    mine = Resource("shop", owner="ada")
    assert authorize(ANYBODY, action, mine) is AccessResult.NOBODY
    assert authorize(create_actor(*Role, active=False), action, mine) is AccessResult.INACTIVE
    assert authorize(create_actor(*Role, scopes=frozenset()), action, mine) is AccessResult.SCOPE
    assert authorize_second_person(ANYBODY, action, mine) is AccessResult.NOBODY
    assert authorize_second_person(create_actor(*Role, active=False), action, mine) is AccessResult.INACTIVE
    assert authorize_second_person(create_actor(*Role, scopes=frozenset(Action)), action, mine) is AccessResult.SCOPE


@pytest.mark.parametrize(("action", "role"), list(every(Action, Role)))
def test_role_permits_exactly_the_actions_of_its_row(action: Action, role: Role) -> None:
    if action.rule.reach is Reach.OWN:
        assert authorize(create_actor(role), action, Resource(owner="ada")) is AccessResult.YES
        assert authorize(create_actor(role), action, Resource(owner="bob")) is AccessResult.NOT_THEIRS
        return
    expected = AccessResult.YES if role in action.rule.roles else AccessResult.NO_ROLE
    assert authorize(create_actor(role), action, ORGANISATION) is expected
    assert authorize(create_actor(role), action, SHOP) is expected
    for_product = expected if action.rule.reach is not Reach.ORGANISATION else AccessResult.NO_ROLE
    elsewhere = expected if action.rule.reach is Reach.ANYWHERE else AccessResult.NO_ROLE
    assert authorize(create_actor(role, product="shop"), action, SHOP) is for_product
    assert authorize_anywhere(create_actor(role, product="shop"), action) is for_product
    assert authorize(create_actor(role, product="shop"), action, Resource("else")) is elsewhere
    assert authorize(create_actor(role, product="shop"), action, ORGANISATION) is elsewhere


@pytest.mark.parametrize("action", [action for action in Action if action.rule.changes])
def test_changing_actions_require_a_second_factor(action: Action) -> None:
    asked = authorize(create_actor(*Role, second_factor=False), action, Resource(owner="ada"))
    assert asked is AccessResult.NO_SECOND_FACTOR
    if action.rule.second:
        whose = Resource(asker="bob")
        assert (
            authorize_second_person(create_actor(*Role, second_factor=False), action, whose)
            is AccessResult.NO_SECOND_FACTOR
        )


@pytest.mark.parametrize("action", [action for action in Action if action.rule.second])
def test_second_person_differs_from_the_requester(action: Action) -> None:
    assert authorize_second_person(create_actor(*Role), action, Resource(asker="bob")) is AccessResult.YES
    assert authorize_second_person(create_actor(*Role), action, Resource(asker="ada")) is AccessResult.SAME_PERSON
    assert authorize_second_person(create_actor(*Role), action, Resource()) is AccessResult.SAME_PERSON
    others = set(Role) - action.rule.second
    assert authorize_second_person(create_actor(*others), action, Resource(asker="bob")) is AccessResult.NO_ROLE


@pytest.mark.parametrize("action", [one for one in Action if one.rule.second])
def test_second_person_needs_the_role_for_this_product(action: Action) -> None:
    role = next(iter(action.rule.second))
    about = Resource("shop", asker="bob")
    here = authorize_second_person(create_actor(role, product="shop"), action, about)
    everywhere = action.rule.reach in (Reach.ORGANISATION, Reach.OWN)
    assert here is (AccessResult.NO_ROLE if everywhere else AccessResult.YES)
    elsewhere = authorize_second_person(create_actor(role, product="else"), action, about)
    assert elsewhere is (AccessResult.YES if action.rule.reach is Reach.ANYWHERE else AccessResult.NO_ROLE)


def test_reading_actions_require_no_second_factor() -> None:
    reading = [one for one in Action if not one.rule.changes and one.rule.roles]
    assert reading
    for action in reading:
        role = next(iter(action.rule.roles))
        assert authorize(create_actor(role, second_factor=False), action, Resource(owner="ada")) is AccessResult.YES


def test_actions_without_approval_have_no_second_person() -> None:
    assert (
        authorize_second_person(create_actor(*Role), Action.ADD_PRODUCT, Resource(asker="bob")) is AccessResult.NO_ROLE
    )


def test_token_is_limited_by_its_scopes_and_its_person() -> None:
    token = frozenset({Action.SEE_CHANGE, Action.ADD_PRODUCT})
    assert authorize(create_actor(Role.DEVELOPER, scopes=token), Action.SEE_CHANGE, SHOP) is AccessResult.YES
    assert (
        authorize(create_actor(Role.DEVELOPER, scopes=token), Action.ADD_PRODUCT, ORGANISATION) is AccessResult.NO_ROLE
    )
    assert authorize(create_actor(Role.DEVELOPER, scopes=token), Action.SEE_PRODUCT, SHOP) is AccessResult.SCOPE


def test_incompatible_duties_are_separated() -> None:
    changing = [action for action in Action if action.rule.changes and action.rule.reach is not Reach.OWN]
    assert not any(Role.AUDITOR in action.rule.roles | action.rule.second for action in changing)
    for action in (Action.DRAFT_POLICY, Action.APPLY_POLICY, Action.WEAKEN_POLICY, Action.REQUEST_EXCEPTION):
        assert Role.ADMIN not in action.rule.roles | action.rule.second
    for action in (Action.CHANGE_PERSON, Action.GRANT_ROLE, Action.CHANGE_SETTINGS):
        assert action.rule.roles == {Role.ADMIN}


def test_lists_are_filtered_by_the_same_rule() -> None:
    assert list_permitted_products(create_actor(Role.DEVELOPER), Action.SEE_PRODUCT) is None
    assert list_permitted_products(create_actor(Role.DEVELOPER, product="shop"), Action.SEE_PRODUCT) == frozenset(
        ("shop",)
    )
    assert list_permitted_products(create_actor(Role.DEVELOPER, product="shop"), Action.SEE_LEDGER) == frozenset()
    assert list_permitted_products(ANYBODY, Action.SEE_PRODUCT) == frozenset()


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_description(action: Action) -> None:
    assert action.rule.text
    assert action.rule.roles or action.rule.reach is Reach.PIPELINE
    assert len({one.rule.text for one in Action}) == len(Action)


def test_pipeline_does_only_pipeline_actions_where_it_is_trusted() -> None:
    pipeline = Actor(pipeline="shop/production")
    there = Resource("shop", environment="shop/production")
    assert authorize(pipeline, Action.DEPLOY, there) is AccessResult.YES
    assert authorize(pipeline, Action.DEPLOY, Resource("shop", environment="shop/staging")) is AccessResult.NOT_THEIRS
    assert authorize(pipeline, Action.DEPLOY, ORGANISATION) is AccessResult.NOT_THEIRS
    assert authorize(Actor(), Action.DEPLOY, there) is AccessResult.NOBODY
    assert authorize(create_actor(*Role), Action.DEPLOY, there) is AccessResult.NO_ROLE
    others = [action for action in Action if action.rule.reach is not Reach.PIPELINE]
    assert {authorize(pipeline, action, there) for action in others} == {AccessResult.NOBODY}
    assert {authorize_second_person(pipeline, action, Resource(asker="bob")) for action in others} == {
        AccessResult.NOBODY
    }


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.name)
def test_recovered_account_does_not_count_for_two_person_acts(action: Action) -> None:
    """A recovered account neither requests nor approves acts for two people, nor counts as the second person."""
    suspended = create_actor(*Role, suspended=True)
    before, after = (authorize(one, action, Resource(owner="ada")) for one in (create_actor(*Role), suspended))
    counts = bool(action.rule.second) or action in COUNTED_AS_SECOND_PERSON
    assert after is (AccessResult.SUSPENDED if counts and before is AccessResult.YES else before)
    if action.rule.second:
        assert authorize_second_person(suspended, action, Resource(asker="bob")) is AccessResult.SUSPENDED
