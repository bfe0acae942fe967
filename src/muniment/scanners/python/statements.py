"""Execution of statements over states."""

import ast
import re
from collections.abc import Sequence

from muniment.scanners.python.definitions import DefinitionExecutor
from muniment.scanners.python.elements import MOST_UNROLLED
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.operations import PathEndError
from muniment.scanners.python.state import State, join_states
from muniment.scanners.python.texts import equals
from muniment.scanners.python.values import (
    NONE,
    AbstractValue,
    Class,
    FunctionValue,
    HeapObject,
    Symbol,
    ValueReference,
    build_constant,
    build_symbol,
    find_constant,
)

_DECIDING = re.compile(
    r"^_?(can_|may_|check|verify|valid|auth|allow|permit|require|ensure|has_(perm|access|role|right)"
    r"|is_(allow|valid|auth|permit|admin|owner|member|safe|trusted|verified|enabled))"
)
_BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})


class Interpreter(DefinitionExecutor):
    """Executes statements; loads modules when they are first needed."""

    def load_module(self, path: str) -> int | None:
        """Execute the top of a module once, and return the location of its frame; None if it cannot be parsed."""
        known = self.program.frames.get(path)
        if known is not None:
            return known
        tree = self.program.read_tree(path)
        if tree is None:
            return None
        location = self.program.next_location()
        self.program.frames[path] = location
        state = State(self.program.static)
        state.add_object(location, HeapObject("frame", {"__name__": build_symbol("module.__name__")}, type=()))
        self.entries.setdefault(path, [])
        frame = Frame(path, location)
        running, self.running = self.running, []
        try:
            end = self.execute_block(tree.body, state, frame, keep=True)
        finally:
            self.running = running
        if end is not None:
            self.program.static.update(end.heap)
        else:
            self.program.static.update(state.heap)
        return location

    def run_body(self, function: FunctionValue, state: State, frame: Frame) -> State | None:
        """Execute the body of a function."""
        node = function.node
        if isinstance(node, ast.Lambda):
            frame.returns.append((self.evaluate(node.body, state, frame), state))
            return None
        return self.execute_block(node.body, state, frame)

    def execute_block(
        self, statements: Sequence[ast.stmt], state: State | None, frame: Frame, *, keep: bool = False
    ) -> State | None:
        """Execute statements in order; None if the end is not reached. With `keep` an end is passed over."""
        for statement in statements:
            if state is None:
                return None
            self.spend_step()
            method = getattr(self, f"_execute_{type(statement).__name__}", None)
            if method is None:
                continue
            before = state.copy() if keep else None
            try:
                after: State | None = method(statement, state, frame)
            except PathEndError:
                after = None
            state = after if after is not None or not keep else before
        return state

    def _execute_Expr(self, node: ast.Expr, state: State, frame: Frame) -> State | None:
        self.evaluate(node.value, state, frame)
        return state

    def _execute_If(self, node: ast.If, state: State, frame: Frame) -> State | None:
        positive, negative = self.evaluate_condition(node.test, state, frame)
        after = self.execute_block(node.body, positive, frame)
        other = self.execute_block(node.orelse, negative, frame)
        return join_states(after, other)

    def _execute_Match(self, node: ast.Match, state: State, frame: Frame) -> State | None:
        subject = self.evaluate(node.subject, state, frame)
        result: State | None = None
        going: State | None = state
        for case in node.cases:
            if going is None:
                break
            entering, going = self._match_pattern(case.pattern, subject, going, frame)
            if entering is not None and case.guard is not None:
                entering, refused = self.evaluate_condition(case.guard, entering, frame)
                going = join_states(going, refused)
            result = join_states(result, self.execute_block(case.body, entering, frame))
        return join_states(result, going)

    def _match_pattern(
        self, pattern: ast.pattern, subject: AbstractValue, state: State, frame: Frame
    ) -> tuple[State | None, State | None]:
        match pattern:
            case ast.MatchAs(inner, name):
                entering, going = (state, None) if inner is None else self._match_pattern(inner, subject, state, frame)
                if name is not None and entering is not None:
                    self.write_name(name, subject, entering, frame)
                return entering, going
            case ast.MatchValue(value):
                wanted = self.evaluate(value, state, frame)
                equal = self.apply_pure(equals, [subject, wanted], state, "match", taints=False)
                return self.split_state(equal, state)
            case ast.MatchSingleton(value):
                equal = self.apply_pure(equals, [subject, build_constant(value)], state, "match", taints=False)
                return self.split_state(equal, state)
            case ast.MatchOr(patterns):
                joined: State | None = None
                left: State | None = state
                for one in patterns:
                    if left is None:
                        break
                    hit, left = self._match_pattern(one, subject, left, frame)
                    joined = join_states(joined, hit)
                return joined, left
            case _:
                pass
        other = state.copy()
        for inner_node in ast.walk(pattern):
            name = getattr(inner_node, "name", None) or getattr(inner_node, "rest", None)
            if isinstance(name, str):
                self.write_name(name, self.join_elements(subject, state), state, frame)
        return state, other

    def _execute_For(self, node: ast.For | ast.AsyncFor, state: State, frame: Frame) -> State | None:
        iterated = self.as_data(self.evaluate(node.iter, state, frame), node.iter, frame)
        exact = self.list_elements(iterated, state)
        frame.breaks.append([])
        frame.continues.append([])
        current: State | None = state
        if exact is not None and len(exact) <= MOST_UNROLLED:
            for element in exact:
                if current is None:
                    break
                self.assign_target(node.target, element, current, frame)
                current = self._run_iteration(node.body, current, frame)
        else:
            for _ in range(2):
                if current is None:
                    break
                skipped = current.copy()
                self.assign_target(node.target, self.join_elements(iterated, current), current, frame)
                current = join_states(skipped, self._run_iteration(node.body, current, frame))
        frame.continues.pop()
        if node.orelse:
            current = self.execute_block(node.orelse, current, frame)
        for stopped in frame.breaks.pop():
            current = join_states(current, stopped)
        return current

    _execute_AsyncFor = _execute_For

    def _run_iteration(self, body: Sequence[ast.stmt], state: State, frame: Frame) -> State | None:
        after = self.execute_block(body, state, frame)
        for skipped in frame.continues[-1]:
            after = join_states(after, skipped)
        frame.continues[-1].clear()
        return after

    def _execute_While(self, node: ast.While, state: State, frame: Frame) -> State | None:
        frame.breaks.append([])
        frame.continues.append([])
        current: State | None = state
        left: State | None = None
        for _ in range(2):
            if current is None:
                break
            entering, leaving = self.evaluate_condition(node.test, current, frame)
            left = join_states(left, leaving)
            current = self._run_iteration(node.body, entering, frame) if entering is not None else None
        if current is not None:
            _, leaving = self.evaluate_condition(node.test, current, frame)
            left = join_states(left, leaving)
        frame.continues.pop()
        if node.orelse:
            left = self.execute_block(node.orelse, left, frame)
        for stopped in frame.breaks.pop():
            left = join_states(left, stopped)
        return left

    def _execute_Break(self, node: ast.Break, state: State, frame: Frame) -> State | None:
        if frame.breaks:
            frame.breaks[-1].append(state)
        return None

    def _execute_Continue(self, node: ast.Continue, state: State, frame: Frame) -> State | None:
        if frame.continues:
            frame.continues[-1].append(state)
        return None

    def _execute_Return(self, node: ast.Return, state: State, frame: Frame) -> State | None:
        value = self.evaluate(node.value, state, frame) if node.value is not None else NONE
        if frame.entry == "response":
            self._check_response(value, node, state, frame)
        if frame.handling and _is_true(value) and _DECIDING.match(frame.symbol.rpartition(".")[2]):
            for rule in self.find_special("fail-open"):
                self.add_report(rule, node, frame)
        frame.returns.append((value, state))
        return None

    def _check_response(self, value: AbstractValue, node: ast.Return, state: State, frame: Frame) -> None:
        """Look at a page that a route returns as text."""
        elements = self.list_elements(value, state)
        if elements and len(elements) > 1 and isinstance(value.base[0], ValueReference):
            value = elements[0]
            if any(_sets_other_type(one, state) for one in elements[1:]):
                return
        for one in value.base:
            if isinstance(one, ValueReference):
                return  # lists and dicts become JSON
        for rule in self.find_special("response"):
            self.check_value(rule, "html", value, node, state, frame)

    def _execute_Raise(self, node: ast.Raise, state: State, frame: Frame) -> State | None:
        if node.exc is not None:
            self.evaluate(node.exc, state, frame)
        if frame.raises:
            frame.raises[-1].append(state)
        return None

    def _execute_Assert(self, node: ast.Assert, state: State, frame: Frame) -> State | None:
        positive, _ = self.evaluate_condition(node.test, state, frame)
        return positive

    def _execute_Try(self, node: ast.Try, state: State, frame: Frame) -> State | None:
        start = state.copy()
        frame.raises.append([])
        middle: State | None = None
        current: State | None = state
        for statement in node.body:
            if current is None:
                break
            middle = join_states(middle, current.copy())
            current = self.execute_block([statement], current, frame)
        raised = frame.raises.pop()
        end = self.execute_block(node.orelse, current.copy() if current is not None else None, frame)
        handled = join_states(start, middle)
        handled = join_states(handled, current)
        for one in raised:
            handled = join_states(handled, one)
        for handler in node.handlers:
            assert handled is not None
            self._check_handler(handler, handled, frame)
            entered = handled.copy()
            if handler.name is not None:
                self.write_name(handler.name, build_symbol("exception"), entered, frame)
            was, frame.handling = frame.handling, True
            end = join_states(end, self.execute_block(handler.body, entered, frame))
            frame.handling = was
        if node.finalbody:
            if end is None:
                self.execute_block(node.finalbody, start, frame)
                return None
            end = self.execute_block(node.finalbody, end, frame)
        return end

    _execute_TryStar = _execute_Try

    def _check_handler(self, handler: ast.ExceptHandler, state: State, frame: Frame) -> None:
        """Look at a handler that passes over every error."""
        if not all(isinstance(one, ast.Pass) for one in handler.body):
            return
        if handler.type is not None:
            kind = self.evaluate(handler.type, state.copy(), frame)
            if not any(isinstance(one, Symbol) and one.path in _BROAD for one in kind.base):
                return
        for rule in self.find_special("swallowed-exception"):
            self.add_report(rule, handler, frame)

    def _execute_With(self, node: ast.With | ast.AsyncWith, state: State, frame: Frame) -> State | None:
        for item in node.items:
            value = self.evaluate(item.context_expr, state, frame)
            one = value.base[0]
            if isinstance(one, ValueReference) and state.has_object(one.location):
                content = state.read_object(one.location)
                if content.kind == "list":
                    value = self.join_elements(value, state)
                elif content.kind == "instance" and isinstance(content.type, Class):
                    entered = self.find_class_attribute(content.type, "__enter__", state)
                    if entered is not None and isinstance(entered.base[0], FunctionValue):
                        value = self.call_function(entered.base[0], [], {}, value, node, state, frame)
            if item.optional_vars is not None:
                self.assign_target(item.optional_vars, value, state, frame)
        return self.execute_block(node.body, state, frame)

    _execute_AsyncWith = _execute_With


def _is_true(value: AbstractValue) -> bool:
    return all(one is True for one in value.base)


def _sets_other_type(value: AbstractValue, state: State) -> bool:
    """Tell whether headers of a response name a type other than HTML."""
    for one in value.base:
        if isinstance(one, ValueReference) and state.has_object(one.location):
            for key, item in state.read_object(one.location).items.items():
                constant = find_constant(item)
                if str(key).lower() == "content-type" and constant is not None and "html" not in str(constant[0]):
                    return True
    return False
