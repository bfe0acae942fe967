"""Operations on abstract values: pure functions lifted to worlds, and conversions between values and Python data."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from muniment.scanners.python.paths import SplitAddress
from muniment.scanners.python.patterns import CallMatch
from muniment.scanners.python.state import State
from muniment.scanners.python.texts import RejectedError
from muniment.scanners.python.values import (
    BASE,
    AbstractValue,
    Derived,
    HeapObject,
    Symbol,
    UndecidedError,
    ValueReference,
    World,
    build_symbol,
    merge_alternatives,
    name_placeholder,
    same_alternatives,
    settle_text,
)
from muniment.scanners.python.witnesses import WITNESS_MARKER

PLAIN = (str, bytes, int, float, bool, type(None), complex, CallMatch, SplitAddress)

_MOST_COMBINATIONS = 8
_MOST_DEPTH = 3
_FAILURES = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, ZeroDivisionError, RecursionError,
    UnicodeError, ArithmeticError, LookupError, MemoryError, AssertionError,
)  # fmt: skip


class PathEndError(Exception):
    """No world goes on along this path."""


def iterate_worlds(value: AbstractValue, state: State, depth: int = _MOST_DEPTH) -> Iterator[World]:
    """Yield the worlds that differ anywhere in a value, those of elements included."""
    yield from value.worlds
    if depth == 0:
        return
    for one in value.base:
        if isinstance(one, ValueReference) and state.has_object(one.location):
            content = state.read_object(one.location)
            if content.kind in ("list", "tuple", "set", "dict", "library", "instance"):
                for item in content.items.values():
                    yield from iterate_worlds(item, state, depth - 1)
                if content.rest is not None:
                    yield from iterate_worlds(content.rest, state, depth - 1)


def collect_worlds(values: Iterable[AbstractValue], state: State) -> list[World]:
    """Collect the worlds in which any of the values differs and which are on this path, in a fixed order."""
    found: dict[World, None] = {}
    for value in values:
        for world in iterate_worlds(value, state):
            if world not in state.dead:
                found[world] = None
    return list(found)


def concretise(one: object, world: World, state: State, depth: int = _MOST_DEPTH) -> object:
    """Convert an alternative to Python data. Unknown parts become placeholders; objects stay as they are."""
    if isinstance(one, Symbol):
        return name_placeholder(one)
    if not isinstance(one, ValueReference) or not state.has_object(one.location):
        return one
    content = state.read_object(one.location)
    if content.kind == "library" and content.rest is not None:
        options = content.rest.find_alternatives(world)
        return concretise(options[0], world, state, 0) if options else one
    if depth == 0 or content.kind not in ("list", "tuple", "set", "dict"):
        return one
    plain = {key: concretise(_pick(item, world), world, state, depth - 1) for key, item in content.items.items()}
    if content.rest is not None:
        rest = concretise(_pick(content.rest, world), world, state, depth - 1)
        if content.kind == "dict":
            return {**plain, "\ue000rest\ue001": rest}
        return [*plain.values(), rest]
    if content.kind == "dict":
        return plain
    return tuple(plain.values()) if content.kind == "tuple" else list(plain.values())


def _pick(value: AbstractValue, world: World) -> object:
    options = value.find_alternatives(world)
    for one in options:
        if isinstance(one, Derived) or (isinstance(one, str) and WITNESS_MARKER in one):
            return one
    return options[0] if options else None


def list_arguments(values: Sequence[AbstractValue], world: World, state: State) -> list[tuple[object, ...]]:
    """List the combinations of alternatives of several values in a world, a few at most."""
    options = [value.find_alternatives(world) or (Symbol("nothing"),) for value in values]
    combinations = itertools.islice(itertools.product(*options), _MOST_COMBINATIONS)
    return [tuple(concretise(one, world, state) for one in combination) for combination in combinations]


def find_dangerous(arguments: Iterable[object]) -> str | None:
    """Find the text of an attack in concrete arguments."""
    for one in arguments:
        if isinstance(one, Derived):
            return one.content
        if isinstance(one, bytes):
            one = one.decode("utf-8", "replace")
        if isinstance(one, str) and WITNESS_MARKER in one:
            return one
        if isinstance(one, SplitAddress | CallMatch) and WITNESS_MARKER in one.text:
            return one.text
        if isinstance(one, dict):
            one = [*one.keys(), *one.values()]
        if isinstance(one, list | tuple):
            found = find_dangerous(one)
            if found is not None:
                return found
    return None


Lifted = Callable[..., object]


def lift_function(
    function: Lifted,
    values: Sequence[AbstractValue],
    state: State,
    unknown: str,
    allocate: Callable[[HeapObject, State], AbstractValue],
    *,
    taints: bool = True,
    rejects: bool = False,
) -> AbstractValue:
    """Apply a pure function in the unattacked world and in each world where an argument differs.

    `unknown` names the result that cannot be computed. Where a parser `rejects` an attack, its world ends here. A
    result that cannot be computed from an attack string carries it on if the function `taints`.
    """
    base = _apply(function, list_arguments(values, BASE, state), unknown, carry=False, rejects=False)
    worlds: dict[World, tuple[object, ...]] = {}
    for world in collect_worlds(values, state):
        outcome = _apply(function, list_arguments(values, world, state), unknown, carry=taints, rejects=True)
        if not outcome and rejects:
            state.dead.add(world)
        elif not same_alternatives(outcome, base):
            worlds[world] = outcome or (Symbol(unknown),)
    if any(isinstance(one, list | tuple | dict) for group in (base, *worlds.values()) for one in group):
        return _allocate_results(base or (Symbol(unknown),), worlds, state, allocate)
    return AbstractValue(base or (Symbol(unknown),), worlds)


def _apply(
    function: Lifted, combinations: list[tuple[object, ...]], unknown: str, *, carry: bool, rejects: bool
) -> tuple[object, ...]:
    results: list[tuple[object, ...]] = []
    for arguments in combinations:
        try:
            result = function(*arguments)
        except RejectedError:
            if rejects:
                continue
            result = Symbol(unknown)
        except (UndecidedError, *_FAILURES):
            dangerous = find_dangerous(arguments) if carry else None
            result = Symbol(unknown) if dangerous is None else Derived(dangerous)
        else:
            origin = next((one for one in arguments if isinstance(one, Derived)), None)
            if origin is not None and origin.raw and carry and isinstance(result, str) and WITNESS_MARKER in result:
                result = Derived(result, raw=True)  # the attack string is still embedded in it
        results.append((settle_text(result),))
    return merge_alternatives(results)


def _allocate_results(
    base: tuple[object, ...],
    worlds: dict[World, tuple[object, ...]],
    state: State,
    allocate: Callable[[HeapObject, State], AbstractValue],
) -> AbstractValue:
    """Put results that are lists on the heap: one object if all worlds have the same length."""
    shapes = [group[0] for group in (base, *worlds.values())]
    lists = [list(one) if isinstance(one, list | tuple) else None for one in shapes]
    lengths = {len(one) for one in lists if one is not None}
    if len(lengths) == 1 and not any(isinstance(one, dict) for one in shapes):
        size = lengths.pop()
        columns = []
        for index in range(size):
            column_base = lists[0][index] if lists[0] is not None else Symbol("part")
            column = {
                world: (_plain_or_unknown(one[index]),) if one is not None else group
                for (world, group), one in zip(worlds.items(), lists[1:], strict=True)
            }
            columns.append(AbstractValue((_plain_or_unknown(column_base),), column))
        location = allocate(HeapObject("tuple" if isinstance(shapes[-1], tuple) else "list", {}), state)
        one = location.base[0]
        assert isinstance(one, ValueReference)
        state.write_object(one.location).items.update(enumerate(columns))
        return location
    rest = AbstractValue(
        (Symbol("element"),),
        {world: (Derived(text),) for world, group in worlds.items() if (text := find_dangerous(group)) is not None},
    )
    # Worlds in which the attack is one of several elements: any element may be the dangerous one.
    elements: dict[World, tuple[object, ...]] = {}
    for world, group in worlds.items():
        parts = [part for one in group if isinstance(one, list | tuple) for part in one if isinstance(part, str)]
        hit = [part for part in parts if WITNESS_MARKER in part]
        if hit:
            elements[world] = (hit[0],)
        elif world in rest.worlds:
            elements[world] = rest.worlds[world]
    return allocate(HeapObject("list", {}, AbstractValue((Symbol("element"),), elements), exact=False), state)


def _plain_or_unknown(one: object) -> object:
    return settle_text(one) if isinstance(one, (*PLAIN, Derived, Symbol)) else Symbol("part")


def bind_value(value: AbstractValue, function: Callable[[object], AbstractValue]) -> AbstractValue:
    """Apply a function to each alternative, and join what it gives in each world."""
    cache: dict[tuple[type, object], AbstractValue] = {}

    def apply(one: object) -> AbstractValue:
        key = (type(one), one)
        try:
            if key not in cache:
                cache[key] = function(one)
            return cache[key]
        except TypeError:
            return function(one)

    if len(value.base) == 1 and not value.worlds:
        return apply(value.base[0])
    base_results = [apply(one) for one in value.base]
    results = {world: [apply(one) for one in group] for world, group in value.worlds.items()}
    base = merge_alternatives(result.base for result in base_results)
    worlds: dict[World, tuple[object, ...]] = {}
    candidates: dict[World, None] = dict.fromkeys(value.worlds)
    for result in base_results:
        candidates.update(dict.fromkeys(result.worlds))
    for world in candidates:
        group = merge_alternatives(result.find_alternatives(world) for result in results.get(world, base_results))
        if not same_alternatives(group, base):
            worlds[world] = group
    return AbstractValue(base or (Symbol("nothing"),), worlds)


def carry_taint(values: Iterable[AbstractValue], state: State, unknown: str) -> AbstractValue:
    """Build the result of a call without a model: unknown, and made from what is dangerous in its arguments."""
    arguments = list(values)
    worlds: dict[World, tuple[object, ...]] = {}
    for world in collect_worlds(arguments, state):
        for combination in list_arguments(arguments, world, state)[:4]:
            dangerous = find_dangerous(combination)
            if dangerous is not None:
                worlds[world] = (Derived(dangerous),)
                break
    return AbstractValue((Symbol(unknown),), worlds) if worlds else build_symbol(unknown)


def find_truths(options: tuple[object, ...], state: State) -> set[bool]:
    """Find the truth values that alternatives can have."""
    truths: set[bool] = set()
    for one in options:
        if (isinstance(one, str) and "\ue000" in one and len(one) > one.find("\ue001") + 1) or isinstance(
            one, CallMatch
        ):
            truths.add(True)
        elif isinstance(one, PLAIN) and not isinstance(one, SplitAddress):
            truths.add(bool(one))
        elif isinstance(one, ValueReference) and state.has_object(one.location):
            content = state.read_object(one.location)
            if content.kind in ("list", "tuple", "dict", "set") and content.exact and content.rest is None:
                truths.add(bool(content.items))
            elif content.kind == "instance":
                truths.add(True)
            else:
                truths |= {True, False}
        elif isinstance(one, Symbol | Derived | ValueReference | SplitAddress):
            truths |= {True, False}
        else:
            truths.add(True)
    return truths
