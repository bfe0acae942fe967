"""Reading of inputs, and the heap of abstract objects."""

import ast
from collections.abc import Callable

from muniment.scanners.python.frames import BudgetError, Frame
from muniment.scanners.python.models import InputSource, LibraryModels
from muniment.scanners.python.operations import lift_function
from muniment.scanners.python.program import AnalysedProgram
from muniment.scanners.python.state import State
from muniment.scanners.python.values import (
    AbstractValue,
    Derived,
    HeapObject,
    Symbol,
    ValueReference,
    World,
    build_symbol,
)
from muniment.scanners.python.witnesses import WITNESSES


class InputReader:
    """Reads inputs, and puts objects on the heap. Subclasses evaluate expressions and calls."""

    def __init__(self, program: AnalysedProgram, models: LibraryModels) -> None:
        self.program = program
        self.models = models
        self.budget = 0
        self.sources: dict[str, tuple[InputSource, str, ast.AST]] = {}  # by key: what, module, place
        self.assigned: dict[str, dict[tuple[str, int, int], tuple[ast.AST, set[int]]]] = {}

    def evaluate(self, node: ast.expr, state: State, frame: Frame) -> AbstractValue:
        """Evaluate an expression abstractly."""
        raise NotImplementedError

    def call_value(
        self,
        function: AbstractValue,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Call a value with evaluated arguments."""
        raise NotImplementedError

    def load_module(self, path: str) -> int | None:
        """Load a module of the repository; return the location of its frame."""
        raise NotImplementedError

    def note_reference(self, path: str, node: ast.AST, frame: Frame) -> None:
        """Note the use of a library name."""

    def note_attribute_assignment(
        self, receiver: AbstractValue, target: ast.Attribute, value: AbstractValue, state: State, frame: Frame
    ) -> None:
        """Look at the assignment of an attribute."""

    def note_item_assignment(
        self,
        receiver: AbstractValue,
        index: AbstractValue,
        target: ast.Subscript,
        value: AbstractValue,
        state: State,
        frame: Frame,
    ) -> None:
        """Look at the assignment of an element."""

    def spend_step(self) -> None:
        """Count one step. Raises BudgetError when too many were made."""
        self.budget -= 1
        if self.budget < 0:
            raise BudgetError

    def allocate_object(self, content: HeapObject, state: State) -> AbstractValue:
        """Put a new object on the heap and return its reference."""
        location = self.program.next_location()
        state.add_object(location, content)
        return AbstractValue((ValueReference(location),))

    def build_sequence(self, kind: str, elements: list[AbstractValue], state: State) -> AbstractValue:
        """Build a list, tuple or set of elements."""
        return self.allocate_object(HeapObject(kind, dict(enumerate(elements))), state)

    def read_source(self, path: str, key: str, source: InputSource, node: ast.AST, frame: Frame) -> AbstractValue:
        """Build the value of an input: each world delivers one attack string."""
        name = (
            f"{path}[{key}]"
            if key
            else f"{path}@{frame.module}:{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}"
        )
        self.sources.setdefault(name, (source, frame.module, node))
        if source.item == "upload" and key:
            return build_symbol("upload")
        worlds: dict[World, tuple[object, ...]] = {}
        for number, witness in enumerate(WITNESSES):
            if any(character in witness.text for character in source.without):
                continue
            text = source.prefix + witness.text
            worlds[(name, number)] = (
                text if source.kind in ("text", "mapping") else Derived(text, raw=source.kind == "raw"),
            )
        return AbstractValue((Symbol(f"input:{name}"),), worlds)

    def read_symbol(self, path: str, node: ast.AST, frame: Frame) -> AbstractValue:
        """Return the value of a library name: an input, or unknown."""
        source = self.models.sources.get(path)
        if source is not None and source.kind != "mapping":
            return self.read_source(path, "", source, node, frame)
        if path in self.models.reference_patterns:
            self.note_reference(path, node, frame)
        return build_symbol(path)

    def as_data(self, value: AbstractValue, node: ast.AST, frame: Frame) -> AbstractValue:
        """Turn a whole mapping of inputs into data made from input."""
        for one in value.base:
            if isinstance(one, Symbol) and (source := self.models.sources.get(one.path)) is not None:
                worlds: dict[World, tuple[object, ...]] = {}
                name = f"{one.path}[*]"
                if source.item == "upload":
                    continue
                self.sources.setdefault(name, (source, frame.module, node))
                for number, witness in enumerate(WITNESSES):
                    if not any(character in witness.text for character in source.without):
                        worlds[(name, number)] = (Derived(witness.text),)
                return AbstractValue(value.base, worlds)
        return value

    def apply_pure(
        self,
        function: Callable[..., object],
        values: list[AbstractValue],
        state: State,
        unknown: str,
        *,
        taints: bool = True,
        rejects: bool = False,
    ) -> AbstractValue:
        """Apply a pure function to values. Raises PathEndError if no world is left."""
        return lift_function(function, values, state, unknown, self.allocate_object, taints=taints, rejects=rejects)
