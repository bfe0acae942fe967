"""Parameters of a control: each is declared with its unit and with the direction that is stricter."""

from enum import StrEnum
from functools import lru_cache
from typing import Any, get_args, get_type_hints

from msgspec import Struct


class Stricter(StrEnum):
    """Direction in which values of a parameter are stricter."""

    HIGHER = "higher"
    LOWER = "lower"
    MORE = "more"  # a list with every entry of the other
    FEWER = "fewer"  # a list with no entry that the other lacks


class Unit(Struct, frozen=True):
    """Unit of a parameter, for people."""

    name: str


class ParameterDeclaration(Struct, frozen=True):
    """Parameter as its control declares it."""

    name: str
    unit: str
    stricter: Stricter
    default: Any


@lru_cache(maxsize=128)  # of controls
def list_declarations(shape: type[Struct]) -> tuple[ParameterDeclaration, ...]:
    """List the parameters of a control's `Parameters` struct, every one `Annotated[..., Unit, Stricter]`.

    Raises TypeError for one that lacks either: a parameter without a direction could be weakened unseen.
    """
    hints = get_type_hints(shape, include_extras=True)
    return tuple(_read_declaration(shape(), name, hint) for name, hint in hints.items())


def compare_values(stricter: Stricter, old: Any, new: Any) -> int | None:
    """Compare two values: 1 if `new` is stricter than `old`, -1 if weaker, 0 if equal, None if they cannot be
    compared.
    """
    if old == new:
        return 0
    if stricter is Stricter.HIGHER:
        return 1 if new > old else -1
    if stricter is Stricter.LOWER:
        return 1 if new < old else -1
    return _compare_sets(set(old), set(new)) if stricter is Stricter.MORE else _compare_sets(set(new), set(old))


def choose_strictest(stricter: Stricter, one: Any, other: Any) -> Any:
    """Choose or combine a value that is at least as strict as both."""
    if stricter is Stricter.HIGHER:
        return max(one, other)
    if stricter is Stricter.LOWER:
        return min(one, other)
    if stricter is Stricter.MORE:
        return (*one, *(entry for entry in other if entry not in one))
    return tuple(entry for entry in one if entry in other)


def _compare_sets(small: set[Any], large: set[Any]) -> int | None:
    if small == large:
        return 0
    if small < large:
        return 1
    return -1 if large < small else None


def _read_declaration(defaults: Struct, name: str, hint: Any) -> ParameterDeclaration:
    notes: tuple[Any, ...] = get_args(hint)[1:]
    unit = next((note for note in notes if isinstance(note, Unit)), None)
    stricter = next((note for note in notes if isinstance(note, Stricter)), None)
    if unit is None or stricter is None:
        raise TypeError(f"parameter {name} needs a Unit and a Stricter")
    return ParameterDeclaration(name, unit.name, stricter, getattr(defaults, name))
