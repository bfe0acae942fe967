"""Methods of lists, dicts and sets on the heap, executed by key where the content is exact."""

from collections.abc import Callable

from muniment.scanners.python.evaluator import Evaluator
from muniment.scanners.python.operations import carry_taint
from muniment.scanners.python.state import State
from muniment.scanners.python.values import (
    NONE,
    AbstractValue,
    HeapObject,
    ValueReference,
    build_symbol,
    find_constant,
    join_plainly,
)

_READING = frozenset(["get", "pop", "setdefault", "copy", "items", "keys", "values", "index", "count", "popitem"])


def call_container_method(
    evaluator: Evaluator,
    one: ValueReference,
    name: str,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    """Execute a method of a container. An unknown method puts its arguments in and gives any element."""
    content = state.read_object(one.location)
    kind = "sequence" if content.kind in ("list", "tuple", "set") else "mapping"
    method = _METHODS.get((kind, name))
    if method is not None:
        return method(evaluator, one, arguments, named, state)
    if name in ("sort", "reverse"):
        if name == "reverse" and content.exact:
            writable = state.write_object(one.location)
            writable.items = dict(enumerate(reversed(list(writable.items.values()))))
        return NONE
    if name == "join" or name in ("index", "count"):
        return build_symbol(name)
    return carry_taint([AbstractValue((one,)), *arguments, *named.values()], state, f"container.{name}")


def _append(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.write_object(one.location)
    for value in arguments[:1]:
        if content.exact and len(content.items) < 64:
            content.items[len(content.items)] = value
        else:
            content.exact = False
            content.rest = value if content.rest is None else join_plainly(content.rest, value)
    return NONE


def _extend(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    for value in arguments:
        elements = evaluator.list_elements(value, state)
        if elements is not None:
            for element in elements:
                _append(evaluator, one, [element], {}, state)
            continue
        content = state.write_object(one.location)
        content.exact = False
        content.rest = evaluator.join_elements(value, state, content.rest)
    return NONE


def _insert(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    if len(arguments) < 2:
        return NONE
    content = state.write_object(one.location)
    position = find_constant(arguments[0])
    if content.exact and position is not None and isinstance(position[0], int):
        elements = list(content.items.values())
        elements.insert(position[0], arguments[1])
        content.items = dict(enumerate(elements))
        return NONE
    content.exact = False
    content.rest = arguments[1] if content.rest is None else join_plainly(content.rest, arguments[1])
    return NONE


def _pop(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.write_object(one.location)
    position = find_constant(arguments[0]) if arguments else (-1,)
    if content.exact and content.items and position is not None and isinstance(position[0], int):
        elements = list(content.items.values())
        try:
            popped = elements.pop(position[0])
        except IndexError:
            return build_symbol("missing")
        content.items = dict(enumerate(elements))
        return popped
    content.exact = False
    return evaluator.join_elements(AbstractValue((one,)), state)


def _remove(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.write_object(one.location)
    wanted = find_constant(arguments[0]) if arguments else None
    if content.exact and wanted is not None:
        elements = list(content.items.values())
        for index, element in enumerate(elements):
            if find_constant(element) == wanted:
                del elements[index]
                content.items = dict(enumerate(elements))
                return NONE
    content.exact = False
    return NONE


def _clear(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.write_object(one.location)
    content.items, content.rest, content.exact = {}, None, True
    return NONE


def _copy(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    return evaluator.allocate_object(state.read_object(one.location).copy(), state)


def _get(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    if not arguments:
        return NONE
    default = arguments[1] if len(arguments) > 1 else named.get("default", NONE)
    content = state.read_object(one.location)
    key = find_constant(arguments[0])
    if key is not None:
        if key[0] in content.items:
            return content.items[key[0]]
        if content.exact and content.rest is None:
            return default
        return join_plainly(default, content.rest) if content.rest is not None else default
    return (
        join_plainly(default, evaluator.join_elements(AbstractValue((one,)), state))
        if content.items or content.rest
        else default
    )


def _pop_key(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    found = _get(evaluator, one, arguments, named, state)
    key = find_constant(arguments[0]) if arguments else None
    if key is not None:
        state.write_object(one.location).items.pop(key[0], None)
    return found


def _set_default(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    found = _get(evaluator, one, arguments, named, state)
    if arguments:
        evaluator.write_element(one, arguments[0], found, state)
    return found


def _update(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.write_object(one.location)
    for value in arguments:
        for source in value.base:
            if isinstance(source, ValueReference) and (other := state.read_object(source.location)).kind == "dict":
                content.items.update(other.items)
                content.exact = content.exact and other.exact
                if other.rest is not None:
                    content.rest = other.rest if content.rest is None else join_plainly(content.rest, other.rest)
            else:
                content.exact = False
                content.rest = evaluator.join_elements(value, state, content.rest)
    content.items.update(named)
    return NONE


def _list_items(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.read_object(one.location)
    pairs = [
        evaluator.build_sequence("tuple", [AbstractValue((key,)), value], state) for key, value in content.items.items()
    ]
    rest = None
    if content.rest is not None:
        rest = evaluator.build_sequence("tuple", [content.rest, content.rest], state)
    return evaluator.allocate_object(
        HeapObject("list", dict(enumerate(pairs)), rest, content.exact and rest is None), state
    )


def _list_keys(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.read_object(one.location)
    keys = [AbstractValue((key,)) for key in content.items]
    return evaluator.allocate_object(HeapObject("list", dict(enumerate(keys)), content.rest, content.exact), state)


def _list_values(
    evaluator: Evaluator,
    one: ValueReference,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    state: State,
) -> AbstractValue:
    content = state.read_object(one.location)
    return evaluator.allocate_object(
        HeapObject("list", dict(enumerate(content.items.values())), content.rest, content.exact), state
    )


_METHODS: dict[
    tuple[str, str],
    Callable[[Evaluator, ValueReference, list[AbstractValue], dict[str, AbstractValue], State], AbstractValue],
] = {
    ("sequence", "append"): _append,
    ("sequence", "add"): _append,
    ("sequence", "appendleft"): lambda e, one, arguments, named, state: _insert(
        e, one, [AbstractValue((0,)), *arguments], named, state
    ),
    ("sequence", "extend"): _extend,
    ("sequence", "update"): _extend,
    ("sequence", "insert"): _insert,
    ("sequence", "pop"): _pop,
    ("sequence", "popleft"): lambda e, one, arguments, named, state: _pop(e, one, [AbstractValue((0,))], named, state),
    ("sequence", "remove"): _remove,
    ("sequence", "discard"): _remove,
    ("sequence", "clear"): _clear,
    ("sequence", "copy"): _copy,
    ("mapping", "get"): _get,
    ("mapping", "pop"): _pop_key,
    ("mapping", "setdefault"): _set_default,
    ("mapping", "update"): _update,
    ("mapping", "items"): _list_items,
    ("mapping", "keys"): _list_keys,
    ("mapping", "values"): _list_values,
    ("mapping", "clear"): _clear,
    ("mapping", "copy"): _copy,
}
