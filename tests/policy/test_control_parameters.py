from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from muniment.policy.parameters import Stricter, Unit, choose_strictest, compare_values, list_declarations


class DeclaredParameters(Struct, frozen=True):
    """Two parameters with unit and direction."""

    people: Annotated[int, Unit("people"), Stricter.HIGHER] = 2
    skip: Annotated[tuple[str, ...], Unit("paths"), Stricter.FEWER] = ()


class NoUnit(Struct, frozen=True):
    """A parameter without a unit."""

    people: Annotated[int, Stricter.HIGHER] = 2


class NoDirection(Struct, frozen=True):
    """A parameter without a direction."""

    people: Annotated[int, Unit("people")] = 2


class BareParameter(Struct, frozen=True):
    """A parameter without unit and direction."""

    people: int = 2


def test_parameters_are_declared_with_unit_direction_and_default() -> None:
    people, skip = list_declarations(DeclaredParameters)
    assert (people.name, people.unit, people.stricter, people.default) == ("people", "people", Stricter.HIGHER, 2)
    assert (skip.name, skip.unit, skip.stricter, skip.default) == ("skip", "paths", Stricter.FEWER, ())


@pytest.mark.parametrize("shape", [NoUnit, NoDirection, BareParameter])
def test_refuses_parameter_without_unit_or_direction(shape: type[Struct]) -> None:
    with pytest.raises(TypeError, match="people"):
        list_declarations(shape)


@pytest.mark.parametrize(
    ("stricter", "old", "new", "text"),
    [
        (Stricter.HIGHER, 1, 2, 1),
        (Stricter.HIGHER, 2, 1, -1),
        (Stricter.HIGHER, 2, 2, 0),
        (Stricter.LOWER, 1, 2, -1),
        (Stricter.LOWER, 2, 1, 1),
        (Stricter.MORE, ("a",), ("a", "b"), 1),
        (Stricter.MORE, ("a", "b"), ("a",), -1),
        (Stricter.MORE, ("a", "b"), ("b", "a"), 0),
        (Stricter.MORE, ("a",), ("b",), None),
        (Stricter.MORE, (), ("b",), 1),
        (Stricter.FEWER, ("a",), ("a", "b"), -1),
        (Stricter.FEWER, ("a", "b"), ("a",), 1),
        (Stricter.FEWER, ("a",), ("b",), None),
        (Stricter.FEWER, ("a",), ("a", "a"), 0),
    ],
)
def test_values_compare_by_stricter_direction(stricter: Stricter, old: Any, new: Any, text: int | None) -> None:
    assert compare_values(stricter, old, new) == text


numbers = st.integers(0, 9)
lists = st.lists(st.sampled_from("abcd"), unique=True).map(tuple)
pairs = st.one_of(
    st.tuples(st.sampled_from([Stricter.HIGHER, Stricter.LOWER]), numbers, numbers),
    st.tuples(st.sampled_from([Stricter.MORE, Stricter.FEWER]), lists, lists),
)


@given(pairs)
def test_strictest_value_is_at_least_as_strict_as_both(pair: tuple[Stricter, Any, Any]) -> None:
    stricter, one, other = pair
    best = choose_strictest(stricter, one, other)
    assert compare_values(stricter, one, best) in (0, 1)
    assert compare_values(stricter, other, best) in (0, 1)


@given(pairs)
def test_comparison_is_antisymmetric(pair: tuple[Stricter, Any, Any]) -> None:
    stricter, one, other = pair
    there, back = compare_values(stricter, one, other), compare_values(stricter, other, one)
    assert back == (None if there is None else -there)
