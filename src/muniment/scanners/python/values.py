"""Abstract values: the alternatives of an unattacked run, and those of each run with one attack string.

A *world* is a run of the program in which one source delivers one attack string, and every other input is unknown. A
value lists its alternatives in the unattacked world, and in each world where they differ.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

World = tuple[str, int]  # key of the source, number of the attack string
BASE: World = ("", -1)  # the unattacked world

MOST_ALTERNATIVES = 4
OPENING, CLOSING = "\ue000", "\ue001"  # around the name of an unknown part of a text


@dataclass(frozen=True, slots=True)
class Symbol:
    """Unknown value or library object, named by where it comes from: equal names are the same value."""

    path: str


@dataclass(frozen=True, slots=True)
class Derived:
    """Unknown object that was made from an attack string: each part of it may be that string.

    `raw` marks texts in which the attack string is embedded, such as a query string.
    """

    content: str
    raw: bool = False


@dataclass(frozen=True, slots=True)
class ValueReference:
    """Address of an object on the heap."""

    location: int


@dataclass(frozen=True, slots=True)
class FunctionValue:
    """Function of the analysed code, with the frame that it was defined in."""

    module: str
    name: str
    line: int
    frame: int
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda = field(compare=False, repr=False)
    kind: str = ""  # "property", "classmethod", "staticmethod"
    owner: int = 0  # location of its class


@dataclass(frozen=True, slots=True)
class Class:
    """Class of the analysed code; its attributes are on the heap."""

    module: str
    name: str
    location: int
    bases: tuple["Class | Symbol", ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Module:
    """Module of the analysed repository."""

    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """Function or method of a built-in type, bound to its receiver."""

    receiver: "AbstractValue"
    name: str
    function: FunctionValue | None = None

    def __hash__(self) -> int:
        return hash((self.name, self.function))


@dataclass(frozen=True, slots=True)
class AbstractValue:
    """Alternatives in the unattacked world, and in each world where they differ."""

    base: tuple[object, ...]
    worlds: Mapping[World, tuple[object, ...]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.base, len(self.worlds)))

    def find_alternatives(self, world: World) -> tuple[object, ...]:
        """Return the alternatives in a world."""
        return self.worlds.get(world, self.base)


@dataclass(slots=True)
class HeapObject:
    """Object on the heap: elements by key or attribute, and the join of all elements whose key is unknown.

    `kind` is "list", "tuple", "set", "dict", "instance", "class" or "frame". A sequence is `exact` while its keys are
    the positions 0 to n - 1 and nothing else is in it.
    """

    kind: str
    items: dict[object, AbstractValue]
    rest: AbstractValue | None = None
    exact: bool = True
    type: object = None

    def copy(self) -> "HeapObject":
        """Return a copy whose items can be changed without effect on this object."""
        return HeapObject(self.kind, dict(self.items), self.rest, self.exact, self.type)


class UndecidedError(Exception):
    """A concrete result cannot be computed: an operand is unknown, or the result would be too large."""


def build_constant(content: object) -> AbstractValue:
    """Build the value that is this constant in all worlds."""
    return AbstractValue((content,))


def build_symbol(path: str) -> AbstractValue:
    """Build an unknown value."""
    return AbstractValue((Symbol(path),))


NONE = build_constant(None)


def same_concrete(left: object, right: object) -> bool:
    """Compare concrete values without taking True for 1."""
    return left is right or (type(left) is type(right) and bool(left == right))


def merge_alternatives(groups: Iterable[tuple[object, ...]]) -> tuple[object, ...]:
    """Merge alternatives without repetition; too many become one unknown value."""
    merged: list[object] = []
    for group in groups:
        for one in group:
            if not any(same_concrete(one, other) for other in merged):
                merged.append(one)
    if len(merged) > MOST_ALTERNATIVES:
        dangerous = [one for one in merged if isinstance(one, Derived) or (isinstance(one, str) and "mZ9q" in one)]
        objects = [one for one in merged if isinstance(one, ValueReference | FunctionValue | Class)]
        merged = [*[*dangerous, *objects][: MOST_ALTERNATIVES - 1], Symbol("joined")]
    return tuple(merged)


def same_alternatives(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    """Compare alternatives in order."""
    return left is right or (
        len(left) == len(right) and all(same_concrete(a, b) for a, b in zip(left, right, strict=True))
    )


def join_values(
    left: AbstractValue, left_dead: set[World], right: AbstractValue, right_dead: set[World]
) -> AbstractValue:
    """Join the values of two paths; a path gives nothing to the worlds that cannot take it."""
    if left is right:
        return left
    base_dead_left, base_dead_right = BASE in left_dead, BASE in right_dead
    groups = [value.base for value, dead in ((left, base_dead_left), (right, base_dead_right)) if not dead]
    base = merge_alternatives(groups or [left.base, right.base])
    worlds: dict[World, tuple[object, ...]] = {}
    different = not same_alternatives(left.base, right.base)
    candidates = dict.fromkeys((*left.worlds, *right.worlds))
    if different:
        candidates.update(dict.fromkeys(sorted(left_dead ^ right_dead)))
    candidates.pop(BASE, None)
    for world in candidates:
        sides = []
        if world not in left_dead:
            sides.append(left.find_alternatives(world))
        if world not in right_dead:
            sides.append(right.find_alternatives(world))
        if sides:
            joined = sides[0] if len(sides) == 1 else merge_alternatives(sides)
            if not same_alternatives(joined, base):
                worlds[world] = joined
    return AbstractValue(base, worlds)


def name_placeholder(symbol: Symbol) -> str:
    """Return the text that stands for an unknown value inside a known text."""
    return f"{OPENING}{symbol.path}{CLOSING}"


def has_placeholder(text: object) -> bool:
    """Tell whether a part of a text is unknown."""
    return isinstance(text, str) and OPENING in text


def settle_text(text: object) -> object:
    """Turn a text that is nothing but one unknown value into that value."""
    if isinstance(text, str) and text.startswith(OPENING) and text.find(CLOSING) == len(text) - 1:
        return Symbol(text[1:-1])
    return text


def join_plainly(left: AbstractValue, right: AbstractValue) -> AbstractValue:
    """Join values of the same path: in each world, either may be it."""
    base = merge_alternatives((left.base, right.base))
    worlds = {}
    for world in [*left.worlds, *(world for world in right.worlds if world not in left.worlds)]:
        worlds[world] = merge_alternatives((left.find_alternatives(world), right.find_alternatives(world)))
    return AbstractValue(base, worlds)


def find_constant(value: AbstractValue) -> tuple[object] | None:
    """Return the constant that a value is in all worlds, in a tuple; None if there is none."""
    if len(value.base) == 1 and not value.worlds:
        one = value.base[0]
        if isinstance(one, str | bytes | int | float | bool | type(None)) and not has_placeholder(one):
            return (one,)
    return None
