"""Definitions of functions and classes, and imports."""

import ast
from collections.abc import Sequence

from muniment.scanners.python.assignments import AssignmentExecutor
from muniment.scanners.python.entry_points import EntryPoint, describe_decorators
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.state import State
from muniment.scanners.python.values import (
    AbstractValue,
    Class,
    FunctionValue,
    HeapObject,
    Module,
    Symbol,
    build_constant,
    build_symbol,
)


class DefinitionExecutor(AssignmentExecutor):
    """Executes definitions and imports."""

    entries: dict[str, list[EntryPoint]]

    def execute_block(
        self, statements: Sequence[ast.stmt], state: State | None, frame: Frame, *, keep: bool = False
    ) -> State | None:
        """Execute statements in order."""
        raise NotImplementedError

    def _execute_FunctionDef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, state: State, frame: Frame
    ) -> State | None:
        decorators = []
        for decorator in node.decorator_list:
            value = self.evaluate(decorator, state, frame)
            decorators.append((decorator, value))
        kind, routes = describe_decorators(decorators)
        content = state.read_object(frame.location)
        owner = frame.location if content.kind == "class" else 0
        function = FunctionValue(frame.module, node.name, node.lineno, frame.location, node, kind, owner)
        if kind != "setter":
            self.write_name(node.name, AbstractValue((function,)), state, frame)
        entry = EntryPoint(function, frame.symbol, routes, state.copy() if frame.function is not None else None)
        self.entries.setdefault(frame.module, []).append(entry)
        return state

    _execute_AsyncFunctionDef = _execute_FunctionDef

    def _execute_ClassDef(self, node: ast.ClassDef, state: State, frame: Frame) -> State | None:
        bases: list[Class | Symbol] = []
        for base in node.bases:
            value = self.evaluate(base, state, frame)
            bases += [one for one in value.base if isinstance(one, Class | Symbol)]
        location = self.program.next_location()
        made = HeapObject("class", {"__name__": build_constant(node.name)}, type=frame.location)
        if bases:
            made.items["__bases__"] = AbstractValue((bases[0],))
        state.add_object(location, made)
        one = Class(frame.module, node.name, location, tuple(bases), node.lineno)
        symbol = f"{frame.symbol}.{node.name}" if frame.symbol else node.name
        inner = Frame(frame.module, location, symbol, frame.function, frame.depth)
        after = self.execute_block(node.body, state, inner, keep=True)
        self.write_name(node.name, AbstractValue((one,)), state if after is None else after, frame)
        return state if after is None else after

    def _execute_Import(self, node: ast.Import, state: State, frame: Frame) -> State | None:
        for alias in node.names:
            path = self.program.find_module(alias.name, frame.module)
            if alias.asname is not None:
                value = AbstractValue((Module(path),)) if path is not None else build_symbol(_canonical(alias.name))
                self.write_name(alias.asname, value, state, frame)
            else:
                first = alias.name.partition(".")[0]
                top = self.program.find_module(first, frame.module)
                if top is None and path is not None:
                    top = self.program.find_folder(first, frame.module)
                self.write_name(
                    first, AbstractValue((Module(top),)) if top is not None else build_symbol(first), state, frame
                )
            self._note_import(alias.name, node, frame)
        return state

    def _note_import(self, name: str, node: ast.AST, frame: Frame) -> None:
        if name in self.models.reference_patterns:
            self.note_reference(name, node, frame)

    def _execute_ImportFrom(self, node: ast.ImportFrom, state: State, frame: Frame) -> State | None:
        name = node.module or ""
        path = self.program.find_module(name, frame.module, node.level)
        for alias in node.names:
            bound = alias.asname or alias.name
            if alias.name == "*":
                self._import_all(path, name, state, frame)
                continue
            if path is not None:
                submodule = self.program.find_submodule(path, alias.name)
                value = self.read_module_attribute(path, alias.name, node, state, frame)
                if submodule is not None and isinstance(value.base[0], Symbol):
                    value = AbstractValue((Module(submodule),))
            elif node.level:
                found = self.program.find_module(f"{name}.{alias.name}".strip("."), frame.module, node.level)
                value = AbstractValue((Module(found),)) if found is not None else build_symbol(f"?{name}.{alias.name}")
            else:
                found = self.program.find_module(f"{name}.{alias.name}", frame.module)
                full = _canonical(f"{name}.{alias.name}")
                value = AbstractValue((Module(found),)) if found is not None else build_symbol(full)
            self.write_name(bound, value, state, frame)
        return state

    def _import_all(self, path: str | None, name: str, state: State, frame: Frame) -> None:
        content = state.write_object(frame.location)
        if path is None:
            if isinstance(content.type, tuple):
                content.type = (*content.type, name)
            return
        location = self.load_module(path)
        if location is not None and state.has_object(location):
            for key, value in state.read_object(location).items.items():
                if isinstance(key, str) and not key.startswith("_"):
                    content.items[key] = value

    def _execute_Global(self, node: ast.Global | ast.Nonlocal, state: State, frame: Frame) -> State | None:
        frame.outer_names.update(node.names)
        return state

    _execute_Nonlocal = _execute_Global


_CANONICAL = {
    "urllib2.urlopen": "urllib.request.urlopen",
    "six.moves.urllib": "urllib",
    "cPickle": "pickle",
    "markupsafe.Markup": "markupsafe.Markup",
    "jinja2.Markup": "markupsafe.Markup",
    "flask.Markup": "markupsafe.Markup",
    "flask.globals.request": "flask.request",
    "django.shortcuts.HttpResponse": "django.http.HttpResponse",
    "django.http.response.HttpResponse": "django.http.HttpResponse",
    "django.utils.safestring.SafeString": "django.utils.safestring.mark_safe",
    "posixpath": "os.path",
    "Crypto": "Cryptodome",
    "bottle.request": "bottle.request",
}


def _canonical(name: str) -> str:
    """Return the one name under which a library object is known."""
    for short, full in _CANONICAL.items():
        if name == short or name.startswith(short + "."):
            return full + name[len(short) :]
    return name
