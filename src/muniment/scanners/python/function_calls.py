"""Calls of functions and classes of the analysed repository."""

import ast
import re
from collections.abc import Iterable

from muniment.scanners.python.frames import Frame
from muniment.scanners.python.library_calls import LibraryCaller
from muniment.scanners.python.operations import PathEndError, carry_taint, collect_worlds
from muniment.scanners.python.state import State, join_states
from muniment.scanners.python.values import (
    NONE,
    AbstractValue,
    Class,
    FunctionValue,
    HeapObject,
    Method,
    Symbol,
    ValueReference,
    build_symbol,
    join_plainly,
    join_values,
)

MOST_DEPTH = 6
MOST_UNTAINTED_DEPTH = 1
_SOURCE_WORDS = re.compile(rb"request|argv|input|recv|stdin|FieldStorage|get_argument|parse_args|event")


class FunctionCaller(LibraryCaller):
    """Enters functions, and builds instances."""

    def run_body(self, function: FunctionValue, state: State, frame: Frame) -> State | None:
        """Execute the body of a function; its returns are collected in the frame."""
        raise NotImplementedError

    def instantiate(
        self,
        one: Class,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        names = list_base_names(one)
        if any(name.rpartition(".")[2] in ("Enum", "IntEnum", "StrEnum", "Flag") for name in names):
            for world in collect_worlds(arguments, state):
                state.dead.add(world)  # no attack string is a member
            return build_symbol(f"?{one.name}()")
        made = self.allocate_object(HeapObject("instance", {}, type=one), state)
        initial = self.find_class_attribute(one, "__init__", state)
        if initial is not None and isinstance(initial.base[0], FunctionValue):
            self.call_function(initial.base[0], arguments, named, made, node, state, frame)
            return made
        reference = made.base[0]
        assert isinstance(reference, ValueReference)
        fields = self._list_fields(one, state)
        content = state.write_object(reference.location)
        content.items.update(zip(fields, arguments, strict=False))
        content.items.update({key: value for key, value in named.items() if key != "**"})
        for base in names:  # a class of a library keeps what it is given
            if collect_worlds(arguments, state) and not fields:
                content.items["args"] = arguments[0]
            self.check_sinks(base, arguments, named, None, node, state, frame)
        return made

    def _list_fields(self, one: Class, state: State) -> list[str]:
        content = state.read_object(one.location) if state.has_object(one.location) else None
        fields = content.items.get("__fields__") if content is not None else None
        inherited = [name for base in one.bases if isinstance(base, Class) for name in self._list_fields(base, state)]
        return inherited + [str(name) for name in (fields.base if fields is not None else ())]

    def call_function(
        self,
        function: FunctionValue,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        receiver: AbstractValue | None,
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Enter a function of the repository; what it does to the heap and to worlds stays in the state."""
        self.spend_step()
        if receiver is not None:
            arguments = [receiver, *arguments]
        if frame.depth >= MOST_DEPTH or function in self.running:
            return carry_taint([*arguments, *named.values()], state, f"{function.name}()")
        if frame.depth >= MOST_UNTAINTED_DEPTH and self._holds_no_input(function, [*arguments, *named.values()], state):
            return build_symbol(f"{function.name}()")
        key = self._build_memo_key(function, arguments, named, state)
        if key is not None and key in self.memo:
            value, dead = self.memo[key]
            state.dead |= dead
            return value
        inner = Frame(
            function.module,
            self.program.next_location(),
            _join_symbol(function, state),
            function,
            frame.depth + 1,
            (*frame.call_sites, (frame.module, node, function.name)),
        )
        before = dict(state.heap)
        dead_before = set(state.dead)
        state.add_object(inner.location, HeapObject("frame", {}, type=function.frame))
        self.bind_parameters(function, arguments, named, state, inner)
        self.running.append(function)
        try:
            value = self.finish_function(function, state, inner)
        finally:
            self.running.pop()
        if any(isinstance(one, FunctionValue | ValueReference | Class | Method) for one in value.base):
            return value
        state.heap.pop(inner.location, None)
        if key is not None and all(state.heap.get(location) is content for location, content in before.items()):
            self.memo[key] = (value, frozenset(state.dead - dead_before))
        return value

    def finish_function(self, function: FunctionValue, state: State, inner: Frame) -> AbstractValue:
        """Execute a body, and join what it returns. Raises PathEndError if it never returns."""
        end = self.run_body(function, state, inner)
        if end is not None:
            inner.returns.append((NONE, end))
        if not inner.returns:
            raise PathEndError
        value, joined = inner.returns[0]
        for other, other_state in inner.returns[1:]:
            value = join_values(value, joined.dead, other, other_state.dead)
            together = join_states(joined, other_state)
            assert together is not None
            joined = together
        state.take_over(joined)
        if inner.yields:
            rest = inner.yields[0]
            for one in inner.yields[1:]:
                rest = join_plainly(rest, one)
            return self.allocate_object(HeapObject("list", {}, rest, exact=False), state)
        return value

    def _holds_no_input(self, function: FunctionValue, arguments: list[AbstractValue], state: State) -> bool:
        """Tell whether a call has no input to follow: its own patterns are looked at where it is an entry point."""
        outer = state.read_object(function.frame) if state.has_object(function.frame) else None
        if outer is None or not (isinstance(outer.type, tuple) or outer.kind == "class"):
            return False  # a closure may hold input
        if function.module not in self._with_sources:
            content = self.program.files[function.module]
            self._with_sources[function.module] = _SOURCE_WORDS.search(content) is not None
        return not self._with_sources[function.module] and not collect_worlds(arguments, state)

    def _build_memo_key(
        self, function: FunctionValue, arguments: list[AbstractValue], named: dict[str, AbstractValue], state: State
    ) -> tuple[object, ...] | None:
        parts: list[object] = [function]
        for name, value in [*((str(i), v) for i, v in enumerate(arguments)), *sorted(named.items())]:
            one = _freeze_value(value)
            if one is None:
                return None
            parts += [name, one]
        dead = frozenset(
            world for value in [*arguments, *named.values()] for world in value.worlds if world in state.dead
        )
        return (*parts, dead)

    def bind_parameters(
        self,
        function: FunctionValue,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        state: State,
        inner: Frame,
    ) -> None:
        """Bind arguments to parameters; a missing one has its default, else is unknown."""
        parameters = function.node.args
        names = [one.arg for one in (*parameters.posonlyargs, *parameters.args)]
        values: dict[str, AbstractValue] = dict(zip(names, arguments, strict=False))
        spare = dict(named)
        for one in (*names, *(keyword.arg for keyword in parameters.kwonlyargs)):
            if one in spare:
                values[one] = spare.pop(one)
        defaults: Iterable[tuple[str, ast.expr | None]] = [
            *zip(names[len(names) - len(parameters.defaults) :], parameters.defaults, strict=True),
            *zip((keyword.arg for keyword in parameters.kwonlyargs), parameters.kw_defaults, strict=True),
        ]
        outer = Frame(function.module, function.frame, depth=inner.depth)
        for one, default in defaults:
            if one not in values and default is not None and state.has_object(function.frame):
                values[one] = self.evaluate(default, state, outer)
        for one in (*names, *(keyword.arg for keyword in parameters.kwonlyargs)):
            if one not in values:
                unknown = spare.get("**")
                values[one] = unknown if unknown is not None else build_symbol(f"?{function.name}:{one}")
        if parameters.vararg is not None:
            values[parameters.vararg.arg] = self.build_sequence("tuple", arguments[len(names) :], state)
        if parameters.kwarg is not None:
            rest = spare.pop("**", None)
            items: dict[object, AbstractValue] = {}
            items.update(spare)
            values[parameters.kwarg.arg] = self.allocate_object(
                HeapObject("dict", items, rest, exact=rest is None), state
            )
        state.write_object(inner.location).items.update(values)


def list_base_names(one: Class) -> list[str]:
    """List the names of the library classes that a class derives from."""
    names: list[str] = []
    pending: list[Class | Symbol] = list(one.bases)
    while pending and len(names) < 20:
        base = pending.pop(0)
        if isinstance(base, Symbol):
            names.append(base.path)
        else:
            pending += base.bases
    return names


def _freeze_value(value: AbstractValue) -> object | None:
    """Return a key for a value whose content does not depend on the heap, None if it does."""
    if any(isinstance(one, ValueReference | Method) for one in value.base):
        return None
    worlds = []
    for world, group in value.worlds.items():
        if any(isinstance(one, ValueReference | Method) for one in group):
            return None
        worlds.append((world, tuple((type(one).__name__, one) for one in group)))
    return (tuple((type(one).__name__, one) for one in value.base), tuple(worlds))


def _join_symbol(function: FunctionValue, state: State) -> str:
    if function.owner and state.has_object(function.owner):
        owner = state.read_object(function.owner).items.get("__name__")
        if owner is not None:
            return f"{owner.base[0]}.{function.name}"
    return function.name
