"""Evaluation of expressions to abstract values."""

import ast

from muniment.scanners.python.conditions import ConditionEvaluator
from muniment.scanners.python.elements import MOST_UNROLLED
from muniment.scanners.python.frames import Frame, name_place
from muniment.scanners.python.operations import PathEndError, find_truths
from muniment.scanners.python.operators import (
    OPERATIONS,
    UNARY,
    compare_operands,
    join_parts,
    require_answer,
    require_plain,
)
from muniment.scanners.python.state import State, join_states
from muniment.scanners.python.texts import format_field
from muniment.scanners.python.values import (
    NONE,
    AbstractValue,
    FunctionValue,
    HeapObject,
    Symbol,
    ValueReference,
    build_constant,
    build_symbol,
    find_constant,
    join_values,
)


class Evaluator(ConditionEvaluator):
    """Evaluates expressions; calls are left to a subclass."""

    def evaluate(self, node: ast.expr, state: State, frame: Frame) -> AbstractValue:
        """Evaluate an expression in a state, which it may change."""
        self.spend_step()
        method = getattr(self, f"_evaluate_{type(node).__name__}", None)
        if method is None:
            return build_symbol("expression")
        result: AbstractValue = method(node, state, frame)
        return result

    def _evaluate_Constant(self, node: ast.Constant, state: State, frame: Frame) -> AbstractValue:
        return build_constant(node.value if node.value is not ... else None)

    def _evaluate_Name(self, node: ast.Name, state: State, frame: Frame) -> AbstractValue:
        return self.read_name(node.id, node, state, frame)

    def _evaluate_JoinedStr(self, node: ast.JoinedStr, state: State, frame: Frame) -> AbstractValue:
        parts = [self.evaluate(part, state, frame) for part in node.values]
        if not parts:
            return build_constant("")
        return self.apply_pure(join_parts, parts, state, f"text@{node.lineno}:{node.col_offset}")

    def _evaluate_FormattedValue(self, node: ast.FormattedValue, state: State, frame: Frame) -> AbstractValue:
        content = self.as_data(self.evaluate(node.value, state, frame), node, frame)
        if node.format_spec is None:
            return self.apply_pure(
                lambda one: format_field(require_plain(one), node.conversion, ""), [content], state, name_place(node)
            )
        specification = self.evaluate(node.format_spec, state, frame)
        return self.apply_pure(
            lambda one, spec: format_field(require_plain(one), node.conversion, str(spec)),
            [content, specification],
            state,
            name_place(node),
        )

    def _evaluate_BinOp(self, node: ast.BinOp, state: State, frame: Frame) -> AbstractValue:
        operands: list[ast.expr] = []
        current: ast.expr = node
        operators: list[type] = []
        while isinstance(current, ast.BinOp):  # a chain may be thousands long
            operands.append(current.right)
            operators.append(type(current.op))
            current = current.left
        result = self.evaluate(current, state, frame)
        for operand, operator in zip(reversed(operands), reversed(operators), strict=True):
            right = self.evaluate(operand, state, frame)
            function = OPERATIONS.get(operator)
            if function is None:
                result = build_symbol(name_place(node))
                continue
            if operator is ast.Add and (joined := self._concatenate(result, right, state)) is not None:
                result = joined
                continue
            result = self.apply_pure(function, [result, right], state, name_place(operand))
        return result

    def _concatenate(self, left: AbstractValue, right: AbstractValue, state: State) -> AbstractValue | None:
        """Concatenate sequences on the heap, None if they are something else."""
        if len(left.base) != 1 or len(right.base) != 1 or left.worlds or right.worlds:
            return None
        one, other = left.base[0], right.base[0]
        if not isinstance(one, ValueReference) or not isinstance(other, ValueReference):
            return None
        first, second = state.read_object(one.location), state.read_object(other.location)
        if first.kind not in ("list", "tuple") or second.kind not in ("list", "tuple"):
            return None
        if first.rest is None and second.rest is None and first.exact and second.exact:
            return self.build_sequence(first.kind, [*first.items.values(), *second.items.values()], state)
        return self.allocate_object(
            HeapObject(first.kind, {}, self.join_elements(left, state, self.join_elements(right, state)), False), state
        )

    def _evaluate_UnaryOp(self, node: ast.UnaryOp, state: State, frame: Frame) -> AbstractValue:
        if isinstance(node.op, ast.Not):
            value = self.evaluate(node.operand, state, frame)

            def negate(options: tuple[object, ...]) -> tuple[object, ...]:
                truths = find_truths(options, state)
                return (not truths.pop(),) if len(truths) == 1 else (Symbol(name_place(node)),)

            return AbstractValue(negate(value.base), {world: negate(group) for world, group in value.worlds.items()})
        value = self.evaluate(node.operand, state, frame)
        return self.apply_pure(UNARY[type(node.op)], [value], state, name_place(node))

    def _evaluate_BoolOp(self, node: ast.BoolOp, state: State, frame: Frame) -> AbstractValue:
        result: AbstractValue | None = None
        current: State | None = state.copy()
        ended: State | None = None
        for index, operand in enumerate(node.values):
            if current is None:
                break
            value = self.evaluate(operand, current, frame)
            if index == len(node.values) - 1:
                result = (
                    value if result is None or ended is None else join_values(result, ended.dead, value, current.dead)
                )
                ended = join_states(ended, current)
                break
            positive, negative = self.split_state(value, current)
            stopped, going = (positive, negative) if isinstance(node.op, ast.Or) else (negative, positive)
            if stopped is not None:
                result = (
                    value if result is None or ended is None else join_values(result, ended.dead, value, stopped.dead)
                )
                ended = join_states(ended, stopped)
            current = going
        if ended is None:
            raise PathEndError
        state.take_over(ended)
        return result if result is not None else NONE

    def _evaluate_Compare(self, node: ast.Compare, state: State, frame: Frame) -> AbstractValue:
        left = self.evaluate(node.left, state, frame)
        result: AbstractValue | None = None
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(comparator, state, frame)
            one = self.apply_pure(
                lambda a, b, operator=operator: compare_operands(operator, a, b),
                [left, right],
                state,
                name_place(comparator),
                taints=False,
            )
            result = (
                one
                if result is None
                else self.apply_pure(
                    lambda a, b: require_answer(a) and require_answer(b), [result, one], state, "", taints=False
                )
            )
            left = right
        assert result is not None
        return result

    def _evaluate_IfExp(self, node: ast.IfExp, state: State, frame: Frame) -> AbstractValue:
        positive, negative = self.evaluate_condition(node.test, state, frame)
        sides = []
        for side, expression in ((positive, node.body), (negative, node.orelse)):
            if side is not None:
                try:
                    sides.append((self.evaluate(expression, side, frame), side))
                except PathEndError:
                    continue
        return self._join_sides(sides, state)

    def _join_sides(self, sides: list[tuple[AbstractValue, State]], state: State) -> AbstractValue:
        if not sides:
            raise PathEndError
        value, joined = sides[0]
        for other, other_state in sides[1:]:
            value = join_values(value, joined.dead, other, other_state.dead)
            together = join_states(joined, other_state)
            assert together is not None
            joined = together
        state.take_over(joined)
        return value

    def _evaluate_NamedExpr(self, node: ast.NamedExpr, state: State, frame: Frame) -> AbstractValue:
        value = self.evaluate(node.value, state, frame)
        self.assign_target(node.target, value, state, frame)
        return value

    def _evaluate_Await(self, node: ast.Await, state: State, frame: Frame) -> AbstractValue:
        return self.evaluate(node.value, state, frame)

    def _evaluate_Yield(self, node: ast.Yield, state: State, frame: Frame) -> AbstractValue:
        frame.yields.append(self.evaluate(node.value, state, frame) if node.value else NONE)
        return build_symbol("sent")

    def _evaluate_YieldFrom(self, node: ast.YieldFrom, state: State, frame: Frame) -> AbstractValue:
        frame.yields.append(self.join_elements(self.evaluate(node.value, state, frame), state))
        return build_symbol("sent")

    def _evaluate_Lambda(self, node: ast.Lambda, state: State, frame: Frame) -> AbstractValue:
        return AbstractValue(
            (FunctionValue(frame.module, "<lambda>", node.lineno * 1000 + node.col_offset, frame.location, node),)
        )

    def _evaluate_List(self, node: ast.List, state: State, frame: Frame) -> AbstractValue:
        return self._evaluate_display("list", node.elts, state, frame)

    def _evaluate_Tuple(self, node: ast.Tuple, state: State, frame: Frame) -> AbstractValue:
        return self._evaluate_display("tuple", node.elts, state, frame)

    def _evaluate_Set(self, node: ast.Set, state: State, frame: Frame) -> AbstractValue:
        return self._evaluate_display("set", node.elts, state, frame)

    def _evaluate_display(self, kind: str, nodes: list[ast.expr], state: State, frame: Frame) -> AbstractValue:
        elements: list[AbstractValue] = []
        rest: AbstractValue | None = None
        for one in nodes:
            if isinstance(one, ast.Starred):
                value = self.evaluate(one.value, state, frame)
                exact = self.list_elements(value, state)
                if exact is None:
                    rest = self.join_elements(value, state, rest)
                else:
                    elements += exact
            else:
                elements.append(self.evaluate(one, state, frame))
        made = HeapObject(kind, dict(enumerate(elements)), rest, exact=rest is None)
        return self.allocate_object(made, state)

    def _evaluate_Dict(self, node: ast.Dict, state: State, frame: Frame) -> AbstractValue:
        made = HeapObject("dict", {})
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.evaluate(value_node, state, frame)
            if key_node is None:
                for one in value.base:
                    # A comprehension has a state of its own: what it made may not be there any more.
                    location = one.location if isinstance(one, ValueReference) else 0
                    if state.has_object(location) and (other := state.read_object(location)).kind == "dict":
                        made.items.update(other.items)
                        made.exact = made.exact and other.exact
                        if other.rest is not None:
                            made.rest = other.rest
                    else:
                        made.exact = False
                        made.rest = self.join_elements(value, state, made.rest)
                continue
            key = find_constant(self.evaluate(key_node, state, frame))
            if key is None:
                made.exact = False
                made.rest = value if made.rest is None else join_values(made.rest, set(), value, set())
            else:
                made.items[key[0]] = value
        return self.allocate_object(made, state)

    def _evaluate_ListComp(self, node: ast.ListComp, state: State, frame: Frame) -> AbstractValue:
        return self._evaluate_comprehension("list", node.generators, node.elt, None, state, frame)

    def _evaluate_SetComp(self, node: ast.SetComp, state: State, frame: Frame) -> AbstractValue:
        return self._evaluate_comprehension("set", node.generators, node.elt, None, state, frame)

    def _evaluate_GeneratorExp(self, node: ast.GeneratorExp, state: State, frame: Frame) -> AbstractValue:
        return self._evaluate_comprehension("list", node.generators, node.elt, None, state, frame)

    def _evaluate_DictComp(self, node: ast.DictComp, state: State, frame: Frame) -> AbstractValue:
        return self._evaluate_comprehension("dict", node.generators, node.value, node.key, state, frame)

    def _evaluate_comprehension(
        self,
        kind: str,
        generators: list[ast.comprehension],
        element: ast.expr,
        key: ast.expr | None,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        made = HeapObject(kind, {})

        def run(index: int, current: State, certain: bool) -> None:
            if index == len(generators):
                value = self.evaluate(element, current, frame)
                constant = find_constant(self.evaluate(key, current, frame)) if key is not None else None
                if constant is not None:
                    made.items[constant[0]] = value
                elif kind != "dict" and certain and made.exact:
                    made.items[len(made.items)] = value
                else:
                    made.exact = False
                    value = AbstractValue(value.base, {w: g for w, g in value.worlds.items() if w not in current.dead})
                    made.rest = value if made.rest is None else join_values(made.rest, set(), value, set())
                return
            generator = generators[index]
            iterated = self.as_data(self.evaluate(generator.iter, current, frame), generator.iter, frame)
            exact = self.list_elements(iterated, current)
            certain = certain and exact is not None and len(exact) <= MOST_UNROLLED
            joined = exact if exact is not None and certain else [self.join_elements(iterated, current)]
            for one in joined:
                inner: State | None = current.copy()
                assert inner is not None
                self.assign_target(generator.target, one, inner, frame)
                doubtful = False
                for condition in generator.ifs:
                    if inner is None:
                        break
                    inner, negative = self.evaluate_condition(condition, inner, frame)
                    doubtful = doubtful or negative is not None
                if inner is not None:
                    try:
                        run(index + 1, inner, certain and not doubtful)
                    except PathEndError:
                        made.exact = False

        run(0, state.copy(), certain=True)
        if not made.exact and kind != "dict":
            _join_items(made)
        return self.allocate_object(made, state)

    def _evaluate_Attribute(self, node: ast.Attribute, state: State, frame: Frame) -> AbstractValue:
        receiver = self.evaluate(node.value, state, frame)
        return self.read_attribute(receiver, node.attr, node, state, frame)

    def _evaluate_Subscript(self, node: ast.Subscript, state: State, frame: Frame) -> AbstractValue:
        receiver = self.evaluate(node.value, state, frame)
        if isinstance(node.slice, ast.Slice):
            bounds = [
                self.evaluate(bound, state, frame) if bound is not None else NONE
                for bound in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            return self.read_slice(receiver, bounds, node, state)
        index = self.evaluate(node.slice, state, frame)
        return self.read_item(receiver, index, node, state, frame)


def _join_items(container: HeapObject) -> None:
    """Join the items of a container whose content is not exact: any element may be any of them."""
    for value in container.items.values():
        container.rest = value if container.rest is None else join_values(container.rest, set(), value, set())
    container.items = {}
