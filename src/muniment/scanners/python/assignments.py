"""Assignments, and what rules look at in them: settings, sessions, types of responses."""

import ast
import re

from muniment.scanners.python.calls import CallEvaluator
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.reports import matches_scope
from muniment.scanners.python.state import State
from muniment.scanners.python.values import NONE, AbstractValue, Symbol, ValueReference, find_constant
from muniment.scanners.rules import ScanRule

_SETTINGS = re.compile(r"^(?!.*(?:dev|local|test|debug)).*setting")  # of what users reach


class AssignmentExecutor(CallEvaluator):
    """Executes assignments to names, attributes and items."""

    def _execute_Assign(self, node: ast.Assign, state: State, frame: Frame) -> State | None:
        value = self.evaluate(node.value, state, frame)
        for target in node.targets:
            self._check_setting(target, value, frame)
            self.assign_target(target, value, state, frame)
        return state

    def _check_setting(self, target: ast.expr, value: AbstractValue, frame: Frame) -> None:
        """Look at the assignment of a setting at the top of a module."""
        if isinstance(target, ast.Name) and not frame.symbol and _SETTINGS.search(frame.module):
            self._check_assignment(f"settings:{target.id}", target, value, frame)

    def _check_assignment(self, path: str, target: ast.AST, value: AbstractValue, frame: Frame) -> None:
        last = path.rpartition(".")[2]
        for rule, pattern in [
            *self.models.assign_patterns.get(path, ()),
            *(self.models.assign_patterns.get(f"*.{last}", ()) if "." in path else ()),
        ]:
            if pattern.receiver and not re.search(pattern.receiver, path):
                continue
            if matches_scope(pattern, [value], {}, target, frame):
                self.add_report(rule, target, frame, severity=pattern.severity)

    def note_attribute_assignment(
        self, receiver: AbstractValue, target: ast.Attribute, value: AbstractValue, state: State, frame: Frame
    ) -> None:
        """Look at the assignment of an attribute of a library object."""
        for one in receiver.base:
            path = name_object(one, state)
            if target.attr in ("content_type", "mimetype"):
                self._retract_page(receiver, value, state)
            if path is not None:
                self._check_assignment(f"{path}.{target.attr}", target, value, frame)

    def note_item_assignment(
        self,
        receiver: AbstractValue,
        index: AbstractValue,
        target: ast.Subscript,
        value: AbstractValue,
        state: State,
        frame: Frame,
    ) -> None:
        """Look at the assignment of an element of a session, of settings or of response headers."""
        constant = find_constant(index)
        if constant is not None and str(constant[0]).lower() == "content-type":
            owner = target.value.value if isinstance(target.value, ast.Attribute) else target.value
            self._retract_page(self.evaluate(owner, state, frame), value, state)
        for one in receiver.base:
            path = name_object(one, state)
            if path is None:
                continue
            if constant is not None and path.endswith((".config", ".settings")):
                self._check_assignment(f"config:{constant[0]}", target, value, frame)
            if constant is None:
                self.check_sinks(f"{path}[]", [index, value], {}, None, target, state, frame)
            else:
                self.check_sinks(f"{path}[]", [NONE, value], {}, None, target, state, frame)

    def _retract_page(self, response: AbstractValue, content_type: AbstractValue, state: State) -> None:
        """Retract what was reported of a response whose type turns out to be none that browsers show as a page."""
        constant = find_constant(content_type)
        if constant is None or re.search("html|svg|xml", str(constant[0])):
            return
        for one in response.base:
            if isinstance(one, ValueReference) and state.has_object(one.location):
                made = state.read_object(one.location).items.get("__page__")
                for rule in self.find_special("response") if made is not None else ():
                    assert made is not None
                    place = made.base[0]
                    assert isinstance(place, tuple)
                    self.reports.by_place.pop((rule.id, *place), None)

    def find_special(self, name: str) -> list[ScanRule]:
        return [rule for rule in self.models.rules.values() if name in rule.special]

    def note_reference(self, path: str, node: ast.AST, frame: Frame) -> None:
        """Report the use of a name that a rule forbids."""
        for rule, pattern in self.models.reference_patterns.get(path, ()):
            self.add_report(rule, node, frame, severity=pattern.severity)

    def _execute_AnnAssign(self, node: ast.AnnAssign, state: State, frame: Frame) -> State | None:
        content = state.read_object(frame.location)
        if content.kind == "class" and isinstance(node.target, ast.Name):
            fields = content.items.get("__fields__")
            names = (*(fields.base if fields is not None else ()), node.target.id)
            state.write_object(frame.location).items["__fields__"] = AbstractValue(names)
        if node.value is not None:
            value = self.evaluate(node.value, state, frame)
            self._check_setting(node.target, value, frame)
            self.assign_target(node.target, value, state, frame)
        return state

    def _execute_AugAssign(self, node: ast.AugAssign, state: State, frame: Frame) -> State | None:
        read = ast.copy_location(ast.BinOp(_as_loaded(node.target), node.op, node.value), node)
        if isinstance(node.op, ast.BitOr) or (
            isinstance(node.op, ast.Add) and self._extend_in_place(node, state, frame)
        ):
            return state
        self.assign_target(node.target, self.evaluate(read, state, frame), state, frame)
        return state

    def _extend_in_place(self, node: ast.AugAssign, state: State, frame: Frame) -> bool:
        target = self.evaluate(_as_loaded(node.target), state, frame)
        one = target.base[0] if len(target.base) == 1 else None
        if (
            isinstance(one, ValueReference)
            and state.has_object(one.location)
            and state.read_object(one.location).kind == "list"
        ):
            self.call_method(target, "extend", [self.evaluate(node.value, state, frame)], {}, node, state, frame)
            return True
        return False

    def _execute_Delete(self, node: ast.Delete, state: State, frame: Frame) -> State | None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                receiver = self.evaluate(target.value, state, frame)
                if not isinstance(target.slice, ast.Slice):
                    index = self.evaluate(target.slice, state, frame)
                    if all(isinstance(one, ValueReference) for one in receiver.base):
                        self.call_method(receiver, "pop", [index], {}, node, state, frame)
        return state


def name_object(one: object, state: State) -> str | None:
    """Name the library object that an alternative is, None if it is none."""
    if isinstance(one, Symbol):
        return one.path
    if isinstance(one, ValueReference) and state.has_object(one.location):
        content = state.read_object(one.location)
        if content.kind == "library" and isinstance(content.type, Symbol):
            return content.type.path
    return None


def _as_loaded(target: ast.expr) -> ast.expr:
    """Return the expression that reads what a target writes."""
    match target:
        case ast.Name(name):
            return ast.copy_location(ast.Name(name, ast.Load()), target)
        case ast.Attribute(value, attribute):
            return ast.copy_location(ast.Attribute(value, attribute, ast.Load()), target)
        case ast.Subscript(value, index):
            return ast.copy_location(ast.Subscript(value, index, ast.Load()), target)
        case _:
            return target
