"""Methods of lists, dicts and sets on the heap, executed by key where the content is exact."""

from collections.abc import Callable
from typing import NamedTuple

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


class _MethodCall(NamedTuple):
    evaluator: Evaluator
    container: ValueReference
    arguments: list[AbstractValue]
    named: dict[str, AbstractValue]
    state: State


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
        return method(_MethodCall(evaluator, one, arguments, named, state))
    if name in ("sort", "reverse"):
        if name == "reverse" and content.exact:
            writable = state.write_object(one.location)
            writable.items = dict(enumerate(reversed(list(writable.items.values()))))
        return NONE
    if name == "join" or name in ("index", "count"):
        return build_symbol(name)
    return carry_taint([AbstractValue((one,)), *arguments, *named.values()], state, f"container.{name}")


def _append(call: _MethodCall) -> AbstractValue:
    content = call.state.write_object(call.container.location)
    for value in call.arguments[:1]:
        if content.exact and len(content.items) < 64:
            content.items[len(content.items)] = value
        else:
            content.exact = False
            content.rest = value if content.rest is None else join_plainly(content.rest, value)
    return NONE


def _extend(call: _MethodCall) -> AbstractValue:
    for value in call.arguments:
        elements = call.evaluator.list_elements(value, call.state)
        if elements is not None:
            for element in elements:
                _append(call._replace(arguments=[element], named={}))
            continue
        content = call.state.write_object(call.container.location)
        content.exact = False
        content.rest = call.evaluator.join_elements(value, call.state, content.rest)
    return NONE


def _insert(call: _MethodCall) -> AbstractValue:
    if len(call.arguments) < 2:
        return NONE
    content = call.state.write_object(call.container.location)
    position = find_constant(call.arguments[0])
    if content.exact and position is not None and isinstance(position[0], int):
        elements = list(content.items.values())
        elements.insert(position[0], call.arguments[1])
        content.items = dict(enumerate(elements))
        return NONE
    content.exact = False
    content.rest = call.arguments[1] if content.rest is None else join_plainly(content.rest, call.arguments[1])
    return NONE


def _pop(call: _MethodCall) -> AbstractValue:
    content = call.state.write_object(call.container.location)
    position = find_constant(call.arguments[0]) if call.arguments else (-1,)
    if content.exact and content.items and position is not None and isinstance(position[0], int):
        elements = list(content.items.values())
        try:
            popped = elements.pop(position[0])
        except IndexError:
            return build_symbol("missing")
        content.items = dict(enumerate(elements))
        return popped
    content.exact = False
    return call.evaluator.join_elements(AbstractValue((call.container,)), call.state)


def _remove(call: _MethodCall) -> AbstractValue:
    content = call.state.write_object(call.container.location)
    wanted = find_constant(call.arguments[0]) if call.arguments else None
    if content.exact and wanted is not None:
        elements = list(content.items.values())
        for index, element in enumerate(elements):
            if find_constant(element) == wanted:
                del elements[index]
                content.items = dict(enumerate(elements))
                return NONE
    content.exact = False
    return NONE


def _clear(call: _MethodCall) -> AbstractValue:
    content = call.state.write_object(call.container.location)
    content.items, content.rest, content.exact = {}, None, True
    return NONE


def _copy(call: _MethodCall) -> AbstractValue:
    return call.evaluator.allocate_object(call.state.read_object(call.container.location).copy(), call.state)


def _get(call: _MethodCall) -> AbstractValue:
    if not call.arguments:
        return NONE
    default = call.arguments[1] if len(call.arguments) > 1 else call.named.get("default", NONE)
    content = call.state.read_object(call.container.location)
    key = find_constant(call.arguments[0])
    if key is not None:
        if key[0] in content.items:
            return content.items[key[0]]
        if content.exact and content.rest is None:
            return default
        return join_plainly(default, content.rest) if content.rest is not None else default
    return (
        join_plainly(default, call.evaluator.join_elements(AbstractValue((call.container,)), call.state))
        if content.items or content.rest
        else default
    )


def _pop_key(call: _MethodCall) -> AbstractValue:
    found = _get(call)
    key = find_constant(call.arguments[0]) if call.arguments else None
    if key is not None:
        call.state.write_object(call.container.location).items.pop(key[0], None)
    return found


def _set_default(call: _MethodCall) -> AbstractValue:
    found = _get(call)
    if call.arguments:
        call.evaluator.write_element(call.container, call.arguments[0], found, call.state)
    return found


def _update(call: _MethodCall) -> AbstractValue:
    content = call.state.write_object(call.container.location)
    for value in call.arguments:
        for source in value.base:
            if isinstance(source, ValueReference) and (other := call.state.read_object(source.location)).kind == "dict":
                content.items.update(other.items)
                content.exact = content.exact and other.exact
                if other.rest is not None:
                    content.rest = other.rest if content.rest is None else join_plainly(content.rest, other.rest)
            else:
                content.exact = False
                content.rest = call.evaluator.join_elements(value, call.state, content.rest)
    content.items.update(call.named)
    return NONE


def _list_items(call: _MethodCall) -> AbstractValue:
    content = call.state.read_object(call.container.location)
    pairs = [
        call.evaluator.build_sequence("tuple", [AbstractValue((key,)), value], call.state)
        for key, value in content.items.items()
    ]
    rest = None
    if content.rest is not None:
        rest = call.evaluator.build_sequence("tuple", [content.rest, content.rest], call.state)
    return call.evaluator.allocate_object(
        HeapObject("list", dict(enumerate(pairs)), rest, content.exact and rest is None), call.state
    )


def _list_keys(call: _MethodCall) -> AbstractValue:
    content = call.state.read_object(call.container.location)
    keys = [AbstractValue((key,)) for key in content.items]
    return call.evaluator.allocate_object(
        HeapObject("list", dict(enumerate(keys)), content.rest, content.exact), call.state
    )


def _list_values(call: _MethodCall) -> AbstractValue:
    content = call.state.read_object(call.container.location)
    return call.evaluator.allocate_object(
        HeapObject("list", dict(enumerate(content.items.values())), content.rest, content.exact), call.state
    )


_METHODS: dict[tuple[str, str], Callable[[_MethodCall], AbstractValue]] = {
    ("sequence", "append"): _append,
    ("sequence", "add"): _append,
    ("sequence", "appendleft"): lambda call: _insert(call._replace(arguments=[AbstractValue((0,)), *call.arguments])),
    ("sequence", "extend"): _extend,
    ("sequence", "update"): _extend,
    ("sequence", "insert"): _insert,
    ("sequence", "pop"): _pop,
    ("sequence", "popleft"): lambda call: _pop(call._replace(arguments=[AbstractValue((0,))])),
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
