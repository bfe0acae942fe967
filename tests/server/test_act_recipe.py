"""The recipe of docs/guides/add-an-act.md: an act that follows it is complete, and each forgotten step is found."""

from types import new_class
from typing import Annotated, Any, ClassVar

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from dev.act_reference import DOCUMENT, describe_acts
from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION
from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Label, Text
from muniment.server.api import api
from muniment.server.requests.registry import ACTS_OF_PERSONS, ACTS_OF_SYSTEM, ALL_ACTS, require_guarded_state
from tests.support.act_recipe import find_doors, find_forgotten_steps

Name = Annotated[str, Text(label="Name", most=20)]
STEPS: dict[str, Any] = {
    "actions": (Action.CHANGE_SETTINGS,),
    "title": "Set motto",
    "name": Name,
    "find_resource": lambda self: ORGANISATION,
    "format_subject": lambda self: "settings:motto",
    "describe_act": lambda self: f"set the motto {self.name}",
    "carry_out": lambda self, context: None,
}


def build_act(forgotten: str = "") -> type[Act]:
    """An act by the recipe, without one of its steps."""
    parts = {name: part for name, part in STEPS.items() if name not in (forgotten, "name")}
    hints: dict[str, Any] = {"actions": ClassVar[tuple[Action, ...]], "title": ClassVar[Label]}
    hints = {name: hint for name, hint in hints.items() if name in parts}
    hints["name"] = str if forgotten == "name" else Name
    namespace = {"__module__": __name__, "__annotations__": hints, **parts}
    made: type[Act] = new_class(
        "SetMotto", (Act,), {"frozen": True, "kw_only": True}, lambda body: body.update(namespace)
    )
    return made


def test_act_that_follows_recipe_is_complete() -> None:
    act = build_act()
    assert find_forgotten_steps(act, (*ACTS_OF_PERSONS, act), describe_acts((act,)), {"page"}) == []


@pytest.mark.parametrize("step", [*STEPS, "list", "texts", "doors"])
def test_each_forgotten_recipe_step_is_found(step: str) -> None:
    act = build_act(step)
    listed = ACTS_OF_PERSONS if step == "list" else (*ACTS_OF_PERSONS, act)
    described = "" if step in ("texts", *STEPS) else describe_acts((act,))
    doors = find_doors(act) if step == "doors" else {"page"}
    assert any(step in problem for problem in find_forgotten_steps(act, listed, described, doors))


@pytest.mark.parametrize("act", ALL_ACTS, ids=lambda act: act.act_tag())
def test_every_act_follows_the_recipe(act: type[Act]) -> None:
    performed = {actor.value for actor, acts in ACTS_OF_SYSTEM.items() if act in acts}
    described = describe_acts(ACTS_OF_PERSONS, ACTS_OF_SYSTEM)
    assert find_forgotten_steps(act, ALL_ACTS, described, find_doors(act) | performed) == []
    assert find_doors(act) or act not in ACTS_OF_PERSONS


def test_refuses_two_person_act_without_guarded_state() -> None:
    act = build_act()
    require_guarded_state((act, *ALL_ACTS))
    act.actions = (Action.CHANGE_SETTINGS, Action.LIFT_FREEZE)
    with pytest.raises(TypeError, match="guarded_state"):
        require_guarded_state((act,))


def test_reference_of_acts_is_current() -> None:
    result = "run: python -m dev.act_reference"
    assert DOCUMENT.read_text(encoding="utf-8") == describe_acts(ACTS_OF_PERSONS, ACTS_OF_SYSTEM), result


def test_table_without_declared_action_refuses_write() -> None:
    """Step 4: tests/server/test_mediation.py shows that a table is written only under an action in its `written_by`."""
    from muniment.server.products.models import Product

    assert Action.ADD_PRODUCT in Product.written_by
    assert Action.SEE_PRODUCT not in Product.written_by


def find_actions(patterns: list[Any]) -> set[Action]:
    """The actions that views name, below these addresses."""
    found: set[Action] = set()
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            found |= find_actions(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and isinstance(
            action := getattr(pattern.callback, "action", None), Action
        ):
            found.add(action)
    return found


def test_every_action_has_an_act_or_a_view() -> None:
    by_view = find_actions(get_resolver().url_patterns)
    for _prefix, router in api._routers:
        for path in router.path_operations.values():
            by_view |= {one.view_func.action for one in path.operations if hasattr(one.view_func, "action")}
    by_act = {action for act in ACTS_OF_PERSONS for action in act.actions}
    assert set(Action) == by_view | by_act
    changing = {action for action in Action if action.rule.changes}
    assert changing - by_act == set(), "what changes something is an act"
