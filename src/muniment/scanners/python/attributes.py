"""Names and attributes: of frames, modules, classes and instances."""

import ast
import builtins

from muniment.scanners.python.elements import ElementAccess
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.operations import bind_value
from muniment.scanners.python.paths import SplitAddress
from muniment.scanners.python.pure_functions import PURE_FUNCTIONS
from muniment.scanners.python.state import State
from muniment.scanners.python.texts import RejectedError
from muniment.scanners.python.values import (
    AbstractValue,
    Class,
    Derived,
    FunctionValue,
    HeapObject,
    Method,
    Module,
    Symbol,
    UndecidedError,
    ValueReference,
    build_symbol,
)

_HANDLERS = {"tornado.web.RequestHandler": "tornado.handler", "tornado.websocket.WebSocketHandler": "tornado.handler"}
_BUILTINS = frozenset(dir(builtins))


class AttributeReader(ElementAccess):
    """Reads names and attributes."""

    def read_name(self, name: str, node: ast.AST, state: State, frame: Frame) -> AbstractValue:
        """Look a name up in the frames around, then among the built-in ones."""
        location: int | None = frame.location
        stars: tuple[str, ...] = ()
        first = True
        while location is not None and state.has_object(location):
            content = state.read_object(location)
            visible = (first or content.kind != "class") and not (first and name in frame.outer_names)
            if visible and name in content.items:
                found = content.items[name]
                only = found.base[0] if len(found.base) == 1 and not found.worlds else None
                return self.read_symbol(only.path, node, frame) if isinstance(only, Symbol) else found
            first = False
            outer = content.type
            if isinstance(outer, tuple):
                stars = outer
                break
            location = outer if isinstance(outer, int) else None
        if name in _BUILTINS:
            return self.read_symbol(f"builtins.{name}", node, frame)
        for star in stars:
            return self.read_symbol(f"{star}.{name}", node, frame)
        return build_symbol(f"?{frame.module}:{name}")

    def read_attribute(
        self, receiver: AbstractValue, name: str, node: ast.AST, state: State, frame: Frame
    ) -> AbstractValue:
        """Read an attribute of a value."""
        if receiver.worlds:
            symbolic = all(isinstance(one, Symbol) for one in receiver.base)
            base = (
                build_symbol(f"{receiver.base[0].path}.{name}")
                if symbolic and isinstance(receiver.base[0], Symbol)
                else None
            )
            if base is not None:
                worlds = {
                    world: tuple(self._read_part(one, name) for one in group)
                    for world, group in receiver.worlds.items()
                }
                return AbstractValue(base.base, worlds)
        return bind_value(receiver, lambda one: self._read_attribute_of(one, name, receiver, node, state, frame))

    def _read_part(self, one: object, name: str) -> object:
        if isinstance(one, SplitAddress):
            try:
                return one.read_part(name)
            except (UndecidedError, RejectedError):
                return Symbol(f"part.{name}")
        if isinstance(one, Derived):
            return one
        if isinstance(one, str) and name in ("name", "stem", "parent", "suffix"):
            function = "os.path.dirname" if name == "parent" else "os.path.basename"
            return PURE_FUNCTIONS[function](one)
        if isinstance(one, str):
            return Derived(one) if name not in ("__class__",) else Symbol("class")
        return Symbol(f"part.{name}")

    def _read_attribute_of(
        self, one: object, name: str, receiver: AbstractValue, node: ast.AST, state: State, frame: Frame
    ) -> AbstractValue:
        match one:
            case Symbol(path):
                return self.read_symbol(f"{path}.{name}", node, frame)
            case Module(path):
                return self.read_module_attribute(path, name, node, state, frame)
            case Class():
                found = self.find_class_attribute(one, name, state)
                if found is None:
                    return self._read_class_property(one, name)
                return self._bind_method(found, AbstractValue((one,)), one, node, state, frame, through_class=True)
            case ValueReference(location) if state.has_object(location):
                content = state.read_object(location)
                if content.kind == "instance":
                    return self._read_instance_attribute(content, one, name, node, state, frame)
                if content.kind == "library" and isinstance(content.type, Symbol):
                    if name in content.items:
                        return content.items[name]
                    if content.rest is not None:
                        return content.rest
                    return self.read_symbol(f"{content.type.path}.{name}", node, frame)
                return AbstractValue((Method(AbstractValue((one,)), name),))
            case SplitAddress() | Derived():
                return AbstractValue((self._read_part(one, name),))
            case str() if name in ("name", "stem", "parent", "suffix"):
                return AbstractValue((self._read_part(one, name),))
            case str() | bytes():
                return AbstractValue((Method(AbstractValue((one,)), name),))
            case _:
                return build_symbol(f"attribute.{name}")

    def _read_class_property(self, one: Class, name: str) -> AbstractValue:
        pending: list[Class | Symbol] = list(one.bases)
        for _ in range(30):
            if not pending:
                break
            base = pending.pop(0)
            if isinstance(base, Symbol):
                return build_symbol(f"{_HANDLERS.get(base.path, base.path)}.{name}")
            pending += base.bases
        return build_symbol(f"?{one.name}.{name}")

    def read_module_attribute(self, path: str, name: str, node: ast.AST, state: State, frame: Frame) -> AbstractValue:
        """Read a global name of a module of the repository, or one of its submodules."""
        location = self.load_module(path) if not path.endswith("/") else None
        if location is not None and state.has_object(location):
            content = state.read_object(location)
            if name in content.items:
                found = content.items[name]
                only = found.base[0] if len(found.base) == 1 and not found.worlds else None
                return self.read_symbol(only.path, node, frame) if isinstance(only, Symbol) else found
            if isinstance(content.type, tuple):
                for star in content.type:
                    return build_symbol(f"{star}.{name}")
        submodule = self.program.find_submodule(path, name)
        if submodule is not None:
            return AbstractValue((Module(submodule),))
        return build_symbol(f"?{path}:{name}")

    def _read_instance_attribute(
        self, content: HeapObject, one: ValueReference, name: str, node: ast.AST, state: State, frame: Frame
    ) -> AbstractValue:
        if name in content.items:
            found = content.items[name]
            only = found.base[0] if len(found.base) == 1 and not found.worlds else None
            return self.read_symbol(only.path, node, frame) if isinstance(only, Symbol) else found
        if name == "__class__" and isinstance(content.type, Class):
            return AbstractValue((content.type,))
        if isinstance(content.type, Class):
            found_in_class = self.find_class_attribute(content.type, name, state)
            if found_in_class is not None:
                return self._bind_method(found_in_class, AbstractValue((one,)), content.type, node, state, frame)
            if name == "__dict__":
                return self.allocate_object(HeapObject("dict", dict(content.items), exact=False), state)
            return self._read_class_property(content.type, name)
        return build_symbol(f"instance.{name}")

    def _bind_method(
        self,
        found: AbstractValue,
        receiver: AbstractValue,
        owner: Class,
        node: ast.AST,
        state: State,
        frame: Frame,
        *,
        through_class: bool = False,
    ) -> AbstractValue:
        one = found.base[0]
        if not isinstance(one, FunctionValue):
            return self.read_symbol(one.path, node, frame) if isinstance(one, Symbol) and not found.worlds else found
        if one.kind == "property" and not through_class:
            return self.call_value(AbstractValue((Method(receiver, one.name, one),)), [], {}, node, state, frame)
        if one.kind == "staticmethod" or (through_class and one.kind != "classmethod"):
            return found
        bound = AbstractValue((owner,)) if one.kind == "classmethod" else receiver
        return AbstractValue((Method(bound, one.name, one),))

    def find_class_attribute(self, owner: Class, name: str, state: State) -> AbstractValue | None:
        """Find an attribute of a class or of its bases in the repository."""
        pending: list[Class | Symbol] = [owner]
        for _ in range(30):
            if not pending:
                return None
            current = pending.pop(0)
            if isinstance(current, Class):
                if state.has_object(current.location):
                    content = state.read_object(current.location)
                    if name in content.items:
                        return content.items[name]
                pending += current.bases
        return None
