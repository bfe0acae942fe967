"""Conditions: which worlds take which branch."""

import ast

from muniment.scanners.python.attributes import AttributeReader
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.operations import PathEndError, find_truths
from muniment.scanners.python.state import State, join_states
from muniment.scanners.python.values import BASE, AbstractValue, World
from muniment.scanners.python.witnesses import WITNESSES


class ConditionEvaluator(AttributeReader):
    """Evaluates conditions to the states of their two branches."""

    def evaluate_condition(self, node: ast.expr, state: State, frame: Frame) -> tuple[State | None, State | None]:
        """Evaluate a condition: the state of the worlds in which it is true, and of those in which it is false."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            positive, negative = self.evaluate_condition(node.operand, state, frame)
            return negative, positive
        if isinstance(node, ast.BoolOp):
            conjunction = isinstance(node.op, ast.And)
            going: State | None = state
            ended: State | None = None
            for operand in node.values:
                if going is None:
                    break
                positive, negative = self.evaluate_condition(operand, going, frame)
                going, stopped = (positive, negative) if conjunction else (negative, positive)
                ended = join_states(ended, stopped)
            return (going, ended) if conjunction else (ended, going)
        name = self._find_joined_name(node, state, frame)
        before = state.copy() if name is not None else None
        try:
            value = self.evaluate(node, state, frame)
        except PathEndError:
            return None, None
        sides = self.split_state(value, state)
        if name is not None and before is not None:
            self._narrow_name(name, node, before, frame, sides)
        return sides

    def _find_joined_name(self, node: ast.expr, state: State, frame: Frame) -> str | None:
        """Find a name in a condition that has several alternatives in a world."""
        items = state.read_object(frame.location).items
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and one.id in items:
                value = items[one.id]
                if any(len(group) > 1 for group in value.worlds.values()):
                    return one.id
        return None

    def _narrow_name(
        self, name: str, node: ast.expr, before: State, frame: Frame, sides: tuple[State | None, State | None]
    ) -> None:
        """Drop the alternatives of a name for which a condition has the other answer."""
        variable = before.read_object(frame.location).items[name]
        joined = {world: group for world, group in variable.worlds.items() if len(group) > 1}
        chosen: dict[bool, dict[World, list[object]]] = {True: {}, False: {}}
        for number in range(max(len(group) for group in joined.values())):
            trial = before.copy()
            single = {world: (group[min(number, len(group) - 1)],) for world, group in variable.worlds.items()}
            trial.write_object(frame.location).items[name] = AbstractValue(variable.base, single)
            try:
                answer = self.evaluate(node, trial, frame)
            except PathEndError:
                return
            for world, group in joined.items():
                if number < len(group) and world not in trial.dead:
                    for truth in find_truths(answer.find_alternatives(world), trial):
                        chosen[truth].setdefault(world, []).append(group[number])
        for truth, side in zip((True, False), sides, strict=True):
            if side is not None and side.read_object(frame.location).items.get(name) is variable:
                worlds = dict(variable.worlds)
                worlds.update({world: tuple(group) for world, group in chosen[truth].items()})
                side.write_object(frame.location).items[name] = AbstractValue(variable.base, worlds)

    def split_state(self, value: AbstractValue, state: State) -> tuple[State | None, State | None]:
        """Split a state by the truth of a value: a world is dead where it cannot be."""
        base = find_truths(value.base, state) if BASE not in state.dead else set()
        sides: list[State | None] = []
        for wanted in (True, False):
            possible = {
                world
                for world, group in value.worlds.items()
                if world not in state.dead and wanted in find_truths(group, state)
            }
            if wanted not in base and not possible:
                sides.append(None)
                continue
            side = state.copy()
            side.dead |= value.worlds.keys() - possible
            if wanted not in base:
                side.dead.add(BASE)
                side.dead |= {world for world in self.iterate_known_worlds() if world not in possible}
            sides.append(side)
        if sides[0] is None and sides[1] is None:
            return state, state.copy()
        return sides[0], sides[1]

    def iterate_known_worlds(self) -> list[World]:
        """List every world of the sources that were read so far."""
        return [(name, number) for name in self.sources for number in range(len(WITNESSES))]
