"""Built-in functions that are about objects."""

import ast

from muniment.scanners.python.containers import call_container_method
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.operations import bind_value, carry_taint
from muniment.scanners.python.paths import SplitAddress, list_address_parts
from muniment.scanners.python.sink_checks import SinkChecker, name_call
from muniment.scanners.python.state import State
from muniment.scanners.python.values import (
    NONE,
    AbstractValue,
    HeapObject,
    Symbol,
    ValueReference,
    build_constant,
    build_symbol,
    find_constant,
    join_plainly,
)

_ANSWERS = frozenset(["isinstance", "issubclass", "hasattr", "callable"])


class BuiltinCaller(SinkChecker):
    """Executes calls of built-in functions."""

    def call_builtin(
        self,
        name: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue | None:
        """Execute a built-in function that is about objects, None if it is about data."""
        place = name_call(node)
        if name == "isinstance" and len(arguments) == 2:
            return self._check_instance(arguments[0], arguments[1], state, place)
        if name in _ANSWERS:
            return build_symbol(place)
        if name in ("getattr", "setattr") and len(arguments) > 1:
            return self._reach_attribute(name, arguments, node, state, frame)
        if name in ("list", "tuple", "set", "frozenset", "iter", "reversed", "sorted"):
            return self._build_container(name, arguments, place, state)
        if name == "dict":
            made = self.allocate_object(HeapObject("dict", {}), state)
            reference = made.base[0]
            assert isinstance(reference, ValueReference)
            call_container_method(self, reference, "update", arguments, named, state)
            return made
        if name in ("enumerate", "zip"):
            return self._pair_elements(name, arguments, place, state)
        if name in ("map", "filter") and len(arguments) > 1:
            return self._map_elements(name, arguments, node, state, frame)
        if name == "next" and arguments:
            return self.join_elements(arguments[0], state, arguments[1] if len(arguments) > 1 else None)
        if name in ("min", "max") and arguments:
            if len(arguments) == 1:
                return self.join_elements(arguments[0], state)
            joined = arguments[0]
            for one in arguments[1:]:
                joined = join_plainly(joined, one)
            return joined
        if name == "range":
            return self._build_range(arguments, place, state)
        if name in ("locals", "globals", "vars"):
            return build_symbol(place)
        return None

    def _reach_attribute(
        self, name: str, arguments: list[AbstractValue], node: ast.AST, state: State, frame: Frame
    ) -> AbstractValue:
        attribute = find_constant(arguments[1])
        if attribute is not None and isinstance(attribute[0], str):
            if name == "getattr":
                return self.read_attribute(arguments[0], attribute[0], node, state, frame)
            for one in arguments[0].base:
                self.write_member(one, attribute[0], arguments[2], state, weak=True)
            return NONE
        return carry_taint(arguments[:1], state, name_call(node))

    def _build_container(self, name: str, arguments: list[AbstractValue], place: str, state: State) -> AbstractValue:
        kind = {"frozenset": "set", "iter": "list", "reversed": "list", "sorted": "list"}.get(name, name)
        if not arguments:
            return self.build_sequence(kind, [], state)
        if any(isinstance(one, SplitAddress) for group in arguments[0].worlds.values() for one in group):
            return self.apply_pure(list_address_parts, arguments[:1], state, place)
        elements = self.list_elements(arguments[0], state)
        if elements is None:
            rest = self.join_elements(arguments[0], state)
            return self.allocate_object(HeapObject(kind, {}, rest, exact=False), state)
        if name == "sorted" and len(elements) > 1:
            rest = elements[0]
            for element in elements[1:]:
                rest = join_plainly(rest, element)
            return self.allocate_object(HeapObject(kind, {}, rest, exact=False), state)
        return self.build_sequence(kind, elements[::-1] if name == "reversed" else elements, state)

    def _pair_elements(self, name: str, arguments: list[AbstractValue], place: str, state: State) -> AbstractValue:
        columns = [self.list_elements(one, state) for one in arguments]
        if name == "enumerate" and columns and columns[0] is not None:
            pairs = [self.build_sequence("tuple", [build_constant(i), v], state) for i, v in enumerate(columns[0])]
            return self.build_sequence("list", pairs, state)
        if name == "zip" and all(column is not None for column in columns):
            rows = zip(*(column for column in columns if column is not None), strict=False)
            return self.build_sequence("list", [self.build_sequence("tuple", list(row), state) for row in rows], state)
        parts = [self.join_elements(one, state) for one in arguments]
        parts = [build_symbol(place), *parts[:1]] if name == "enumerate" else parts
        pair = self.build_sequence("tuple", parts, state)
        return self.allocate_object(HeapObject("list", {}, pair, exact=False), state)

    def _map_elements(
        self, name: str, arguments: list[AbstractValue], node: ast.AST, state: State, frame: Frame
    ) -> AbstractValue:
        elements = self.list_elements(arguments[1], state)
        exact = elements is not None and name == "map"
        results = []
        for element in elements if elements is not None else [self.join_elements(arguments[1], state)]:
            result = self.call_value(arguments[0], [element], {}, node, state, frame)
            results.append(result if name == "map" else element)
        listed = HeapObject("list", dict(enumerate(results)), exact=True)
        if not exact:
            rest = results[0] if results else build_symbol(name_call(node))
            for result in results[1:]:
                rest = join_plainly(rest, result)
            listed = HeapObject("list", {}, rest, exact=False)
        return self.allocate_object(listed, state)

    def _build_range(self, arguments: list[AbstractValue], place: str, state: State) -> AbstractValue:
        bounds = [find_constant(one) for one in arguments]
        numbers = [bound[0] for bound in bounds if bound is not None and isinstance(bound[0], int)]
        if len(numbers) == len(arguments) and numbers and len(range(*numbers[:3])) <= 16:
            return self.build_sequence("list", [build_constant(i) for i in range(*numbers[:3])], state)
        return build_symbol(place)

    def _check_instance(self, value: AbstractValue, kinds: AbstractValue, state: State, place: str) -> AbstractValue:
        names = {"builtins.str": str, "builtins.int": int, "builtins.bytes": bytes, "builtins.float": float}
        wanted = [names[one.path] for one in kinds.base if isinstance(one, Symbol) and one.path in names]
        if len(wanted) != len(kinds.base):
            return build_symbol(place)

        def check(one: object) -> AbstractValue:
            if isinstance(one, str | bytes | int | float | bool | type(None)):
                return build_constant(any(isinstance(one, kind) for kind in wanted))
            return build_symbol(place)

        return bind_value(value, check)
