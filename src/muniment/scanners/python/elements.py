"""Elements of containers: reading, joining and writing them by key."""

import ast
from typing import Any

from muniment.scanners.python.frames import Frame, name_place
from muniment.scanners.python.input_reading import InputReader
from muniment.scanners.python.operations import bind_value
from muniment.scanners.python.patterns import CallMatch
from muniment.scanners.python.state import State
from muniment.scanners.python.values import (
    AbstractValue,
    Class,
    Derived,
    HeapObject,
    Module,
    Symbol,
    ValueReference,
    build_constant,
    build_symbol,
    find_constant,
    has_placeholder,
    join_plainly,
)

MOST_UNROLLED = 16


class ElementAccess(InputReader):
    """Reads and writes elements and names."""

    def read_slice(
        self, receiver: AbstractValue, bounds: list[AbstractValue], node: ast.AST, state: State
    ) -> AbstractValue:
        constants: list[tuple[Any] | None] = [find_constant(bound) for bound in bounds]

        def cut(one: object) -> AbstractValue:
            if isinstance(one, ValueReference) and state.has_object(one.location):
                content = state.read_object(one.location)
                if content.exact and content.rest is None and all(constants) and content.kind in ("list", "tuple"):
                    try:
                        chosen = list(content.items.values())[slice(*(c[0] for c in constants if c))]
                    except (TypeError, ValueError):
                        chosen = list(content.items.values())
                    return self.build_sequence(content.kind, chosen, state)
                rest = self.join_elements(AbstractValue((one,)), state)
                return self.allocate_object(HeapObject(content.kind, {}, rest, exact=False), state)
            if isinstance(one, Derived):
                return build_constant(one.content if one.raw else one)
            if isinstance(one, str | bytes) and all(constants):
                try:
                    return build_constant(one[slice(*(c[0] for c in constants if c))])
                except (TypeError, ValueError):
                    return build_constant(one)
            if isinstance(one, str | bytes):
                return build_constant(one)
            return build_symbol(f"slice:{one.path}" if isinstance(one, Symbol) else "slice")

        return bind_value(receiver, cut)

    def read_item(
        self, receiver: AbstractValue, index: AbstractValue, node: ast.AST, state: State, frame: Frame
    ) -> AbstractValue:
        """Read an element of a value by its key or position."""
        key = find_constant(index)

        def read(one: object) -> AbstractValue:
            if isinstance(one, Symbol):
                source = self.models.sources.get(one.path)
                if source is not None and source.kind == "mapping":
                    if one.path == "sys.argv" and key is not None and key[0] == 0:
                        return build_symbol("program.name")
                    return self.read_source(one.path, str(key[0]) if key else name_place(node), source, node, frame)
                return self.read_symbol(f"{one.path}[]", node, frame)
            if isinstance(one, ValueReference) and state.has_object(one.location):
                return self.read_element(one, index, key, state)
            if isinstance(one, Derived):
                return build_constant(one.content if one.raw else one)
            if isinstance(one, str | bytes) and key is not None and isinstance(key[0], int):
                try:
                    return build_constant(one[key[0]])
                except IndexError:
                    return build_symbol("missing")
            if isinstance(one, CallMatch):
                return build_constant(one.text)
            if isinstance(one, str):
                return build_constant(Derived(one))
            return build_symbol("element")

        return bind_value(receiver, read)

    def read_element(
        self, one: ValueReference, index: AbstractValue, key: tuple[object] | None, state: State
    ) -> AbstractValue:
        """Read an element of an object on the heap."""
        content = state.read_object(one.location)
        if key is not None:
            position = key[0]
            if isinstance(position, int) and position < 0 and content.kind in ("list", "tuple") and content.exact:
                position += len(content.items)
            if position in content.items and (content.kind in ("dict", "library", "instance") or content.exact):
                return content.items[position]
            if content.exact and content.rest is None:
                return build_symbol("missing")
            if content.rest is not None and content.kind in ("dict", "library"):
                return content.rest
            return self.join_elements(AbstractValue((one,)), state)
        if index.worlds and content.exact and content.rest is None and content.kind == "dict":
            for world in list(index.worlds):  # an attack string that is no key ends this path
                if not any(
                    isinstance(option, Derived | Symbol) or option in content.items for option in index.worlds[world]
                ):
                    state.dead.add(world)
        return self.join_elements(AbstractValue((one,)), state)

    def list_elements(self, value: AbstractValue, state: State) -> list[AbstractValue] | None:
        """List the elements of an exact container in order, None if they are not known."""
        if len(value.base) != 1 or value.worlds:
            return None
        one = value.base[0]
        if isinstance(one, str) and len(one) <= MOST_UNROLLED and not has_placeholder(one):
            return [build_constant(character) for character in one]
        if not isinstance(one, ValueReference) or not state.has_object(one.location):
            return None
        content = state.read_object(one.location)
        if content.kind == "dict" and content.exact and content.rest is None:
            return [build_constant(key) for key in content.items]
        if content.kind not in ("list", "tuple", "set") or not content.exact or content.rest is not None:
            return None
        return list(content.items.values())

    def join_elements(self, value: AbstractValue, state: State, other: AbstractValue | None = None) -> AbstractValue:
        """Join all elements of a container (the keys of a dict too)."""
        found: list[AbstractValue] = [other] if other is not None else []

        def collect(one: object) -> AbstractValue:
            if isinstance(one, ValueReference) and state.has_object(one.location):
                content = state.read_object(one.location)
                parts = list(content.items.values()) if content.kind not in ("instance", "frame", "class") else []
                parts += [content.rest] if content.rest is not None else []
                joined = parts[0] if parts else build_symbol("element")
                for part in parts[1:]:
                    joined = join_plainly(joined, part)
                return joined
            if isinstance(one, Symbol):
                return build_symbol(f"{one.path}[]")
            if isinstance(one, Derived | str | bytes):
                return build_constant(one)
            return build_symbol("element")

        found.append(bind_value(value, collect))
        joined = found[0]
        for one in found[1:]:
            joined = join_plainly(joined, one)
        return joined

    def assign_target(self, target: ast.expr, value: AbstractValue, state: State, frame: Frame) -> None:
        """Assign a value to a name, attribute, element or several of them."""
        match target:
            case ast.Name(name):
                self._note_assignment(target, value, frame)
                self.write_name(name, value, state, frame)
            case ast.Tuple(parts) | ast.List(parts):
                elements = self.list_elements(value, state)
                if elements is None or len(elements) != len(parts) or any(isinstance(p, ast.Starred) for p in parts):
                    joined = self.join_elements(value, state)
                    elements = [joined for _ in parts]
                for part, element in zip(parts, elements, strict=True):
                    if isinstance(part, ast.Starred):
                        element = self.allocate_object(HeapObject("list", {}, element, exact=False), state)
                        part = part.value
                    self.assign_target(part, element, state, frame)
            case ast.Attribute():
                receiver = self.evaluate(target.value, state, frame)
                self._note_assignment(target, value, frame)
                for one in receiver.base:
                    self.write_member(one, target.attr, value, state, weak=len(receiver.base) > 1)
                    if isinstance(one, Module) and not one.name.endswith("/"):
                        location = self.load_module(one.name)
                        if location is not None and state.has_object(location):
                            state.write_object(location).items[target.attr] = value
                self.note_attribute_assignment(receiver, target, value, state, frame)
            case ast.Subscript():
                receiver = self.evaluate(target.value, state, frame)
                index = (
                    self.evaluate(target.slice, state, frame)
                    if not isinstance(target.slice, ast.Slice)
                    else build_symbol("slice")
                )
                self.note_item_assignment(receiver, index, target, value, state, frame)
                for one in receiver.base:
                    self.write_element(one, index, value, state, weak=len(receiver.base) > 1)
            case ast.Starred():
                self.assign_target(target.value, value, state, frame)
            case _:
                pass

    def _note_assignment(self, target: ast.expr, value: AbstractValue, frame: Frame) -> None:
        for name, number in value.worlds:
            place = (frame.module, target.lineno, target.col_offset)
            self.assigned.setdefault(name, {}).setdefault(place, (target, set()))[1].add(number)

    def write_name(self, name: str, value: AbstractValue, state: State, frame: Frame) -> None:
        """Write a name in the frame that it belongs to."""
        location = frame.location
        if name in frame.outer_names:
            current: object = state.read_object(location).type
            while isinstance(current, int) and state.has_object(current):
                content = state.read_object(current)
                if name in content.items or not isinstance(content.type, int):
                    location = current
                    break
                current = content.type
        state.write_object(location).items[name] = value

    def write_member(self, one: object, name: str, value: AbstractValue, state: State, *, weak: bool) -> None:
        if isinstance(one, Class):
            one = ValueReference(one.location)
        if isinstance(one, ValueReference) and state.has_object(one.location):
            content = state.write_object(one.location)
            if content.kind in ("instance", "library", "class"):
                old = content.items.get(name)
                content.items[name] = join_plainly(old, value) if weak and old is not None else value

    def write_element(
        self, one: object, index: AbstractValue, value: AbstractValue, state: State, *, weak: bool = False
    ) -> None:
        """Write an element of an object on the heap."""
        if not isinstance(one, ValueReference) or not state.has_object(one.location):
            return
        content = state.write_object(one.location)
        key = find_constant(index)
        position = key[0] if key is not None else None
        if isinstance(position, int) and position < 0 and content.kind == "list" and content.exact:
            position += len(content.items)
        if key is not None and (content.kind in ("dict", "library", "instance") or position in content.items):
            old = content.items.get(position)
            content.items[position] = join_plainly(old, value) if weak and old is not None else value
            return
        content.exact = False
        content.rest = value if content.rest is None else join_plainly(content.rest, value)
