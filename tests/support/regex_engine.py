"""Counts the steps that Python's engine takes to match a regular expression, so that tests can tell how they grow.

The engine is rebuilt over the same parse tree: it tries the same alternatives in the same order and goes back in the
same way, without its shortcuts. One step is one look at one character or one attempt at one part of the expression.
"""

import re
from collections.abc import Callable
from re import _constants as sre
from re import _parser as parser
from typing import Any

Rest = Callable[[int], bool]
Matcher = Callable[[int, Rest], bool]
Test = Callable[[str], bool]

_CATEGORIES: dict[Any, Test] = {
    sre.CATEGORY_DIGIT: str.isdecimal,
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
}
_OPPOSITE = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
}
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
ONE_CHARACTER = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)


class TooMuchWork(Exception):
    """More steps were taken than were granted."""


class Engine:
    """One regular expression, and the steps that its last `run` took."""

    def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
        text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
        self.tree = parser.parse(text, flags & ~re.UNICODE)
        self.flags = self.tree.state.flags
        self.steps = 0
        self._granted = 0
        self._subject = ""
        self._groups: dict[int, tuple[int, int]] = {}
        self._match = self._sequence(self.tree, self.flags)

    def run(self, subject: str, method: str, granted: int = 10**7) -> list[tuple[int, int]]:
        """Where it matches, as `method` ("fullmatch", "match", or "finditer" for all others) finds it."""
        self._subject, self.steps, self._granted = subject, 0, granted
        found: list[tuple[int, int]] = []
        start, behind = 0, -1  # an empty match is none right behind another
        while start <= len(subject):
            end = self._attempt(start, method == "fullmatch", behind)
            if end is not None:
                found.append((start, end))
            if method != "finditer":
                break
            start, behind = (start + 1, behind) if end is None or end == start else (end, end)
        return found

    def _attempt(self, start: int, whole: bool, behind: int) -> int | None:
        ends: list[int] = []

        def accept(end: int) -> bool:
            if (whole and end != len(self._subject)) or end == start == behind:
                return False
            ends.append(end)
            return True

        self._groups = {}
        return ends[0] if self._match(start, accept) else None

    def _step(self) -> None:
        self.steps += 1
        if self.steps > self._granted:
            raise TooMuchWork

    def _sequence(self, items: Any, flags: int) -> Matcher:
        matchers = [self._node(op, value, flags) for op, value in items]

        def run(at: int, index: int, rest: Rest) -> bool:
            if index == len(matchers):
                return rest(at)
            return matchers[index](at, lambda end: run(end, index + 1, rest))

        return lambda at, rest: run(at, 0, rest)

    def _node(self, op: Any, value: Any, flags: int) -> Matcher:
        if op in ONE_CHARACTER:
            return self._one(self.test(op, value, flags))
        if op in REPEATS:
            return self._repeat(op, value, flags)
        if op is sre.BRANCH:
            alternatives = [self._sequence(one, flags) for one in value[1]]
            return lambda at, rest: any(self._tried(one, at, rest) for one in alternatives)
        if op is sre.SUBPATTERN:
            number, added, removed, inside = value
            return self._group(number, self._sequence(inside, (flags | added) & ~removed))
        if op is sre.ATOMIC_GROUP:
            return self._atomic(self._sequence(value, flags))
        if op is sre.AT:
            return lambda at, rest: self._stands(value, at, flags) and rest(at)
        if op in (sre.ASSERT, sre.ASSERT_NOT):
            return self._look(value[0], value[1], op is sre.ASSERT, flags)
        if op is sre.GROUPREF:
            return self._again(value)
        raise NotImplementedError(str(op))

    def _tried(self, one: Matcher, at: int, rest: Rest) -> bool:
        self._step()
        return one(at, rest)

    def _one(self, test: Test) -> Matcher:
        def run(at: int, rest: Rest) -> bool:
            self._step()
            return at < len(self._subject) and test(self._subject[at]) and rest(at + 1)

        return run

    def _repeat(self, op: Any, value: tuple[int, Any, Any], flags: int) -> Matcher:
        least, most, inside = value
        if len(inside) == 1 and inside[0][0] in ONE_CHARACTER:
            return self._repeat_one(op, least, most, self.test(inside[0][0], inside[0][1], flags))
        body = self._sequence(inside, flags)
        if op is sre.POSSESSIVE_REPEAT:
            return self._atomic(lambda at, rest: self._repeat_many(body, least, most, True, at, 0, rest))
        greedy = op is sre.MAX_REPEAT
        return lambda at, rest: self._repeat_many(body, least, most, greedy, at, 0, rest)

    def _repeat_many(self, body: Matcher, least: int, most: Any, greedy: bool, at: int, count: int, rest: Rest) -> bool:
        self._step()

        def more() -> bool:
            def behind(end: int) -> bool:
                if end == at and count >= least:
                    return False
                return self._repeat_many(body, least, most, greedy, end, count + 1, rest)

            return (most is sre.MAXREPEAT or count < most) and body(at, behind)

        if count < least:
            return more()
        return (more() or rest(at)) if greedy else (rest(at) or more())

    def _repeat_one(self, op: Any, least: int, most: Any, test: Test) -> Matcher:
        def fits(at: int, count: int) -> bool:
            self._step()
            more = most is sre.MAXREPEAT or count < most
            return more and at + count < len(self._subject) and test(self._subject[at + count])

        def run(at: int, rest: Rest) -> bool:
            count = 0
            if op is sre.MIN_REPEAT:
                while count < least or not rest(at + count):
                    if not fits(at, count):
                        return False
                    count += 1
                return True
            while fits(at, count):
                count += 1
            while count >= least:
                self._step()
                if rest(at + count):
                    return True
                if op is sre.POSSESSIVE_REPEAT:
                    return False
                count -= 1
            return False

        return run

    def _group(self, number: int | None, inside: Matcher) -> Matcher:
        if number is None:
            return inside

        def run(at: int, rest: Rest) -> bool:
            before = self._groups.get(number)

            def behind(end: int) -> bool:
                self._groups[number] = (at, end)
                return rest(end)

            if inside(at, behind):
                return True
            if before is None:
                self._groups.pop(number, None)
            else:
                self._groups[number] = before
            return False

        return run

    def _again(self, number: int) -> Matcher:
        def run(at: int, rest: Rest) -> bool:
            if number not in self._groups:
                return False
            start, end = self._groups[number]
            self.steps += end - start
            self._step()
            same = self._subject.startswith(self._subject[start:end], at)
            return same and rest(at + end - start)

        return run

    def _atomic(self, inside: Matcher) -> Matcher:
        def run(at: int, rest: Rest) -> bool:
            ends: list[int] = []

            def keep(end: int) -> bool:
                ends.append(end)
                return True

            return inside(at, keep) and rest(ends[0])

        return run

    def _look(self, direction: int, inside: Any, wanted: bool, flags: int) -> Matcher:
        body, width = self._sequence(inside, flags), inside.getwidth()[0]

        def run(at: int, rest: Rest) -> bool:
            start = at if direction > 0 else at - width
            return (start >= 0 and body(start, lambda _: True)) is wanted and rest(at)

        return run

    def _stands(self, where: Any, at: int, flags: int) -> bool:
        self._step()
        subject, lines = self._subject, bool(flags & re.MULTILINE)
        if where in (sre.AT_BOUNDARY, sre.AT_NON_BOUNDARY):
            word = _CATEGORIES[sre.CATEGORY_WORD]
            here = at < len(subject) and word(subject[at])
            return (here != (at > 0 and word(subject[at - 1]))) is (where is sre.AT_BOUNDARY)
        if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            return at == 0 or (lines and where is sre.AT_BEGINNING and subject[at - 1] == "\n")
        if where is sre.AT_END_STRING:
            return at == len(subject)
        return at == len(subject) or (subject[at] == "\n" and (lines or at == len(subject) - 1))

    def test(self, op: Any, value: Any, flags: int) -> Test:
        """Whether one character fits a part that takes one."""
        if op is sre.ANY:
            return lambda char: bool(flags & re.DOTALL) or char != "\n"
        tests = [_single(*one) for one in (value if op is sre.IN else [(op, value)]) if one[0] is not sre.NEGATE]
        wanted = not (op is sre.IN and value[0][0] is sre.NEGATE)
        if flags & re.IGNORECASE:
            return lambda char: any(t(c) for t in tests for c in {char, char.lower(), char.upper()}) is wanted
        return lambda char: any(t(char) for t in tests) is wanted


def _single(op: Any, value: Any) -> Test:
    if op is sre.LITERAL:
        return lambda char: ord(char) == value
    if op is sre.NOT_LITERAL:
        return lambda char: ord(char) != value
    if op is sre.RANGE:
        return lambda char: bool(value[0] <= ord(char) <= value[1])
    if value in _OPPOSITE:
        opposite = _CATEGORIES[_OPPOSITE[value]]
        return lambda char: not opposite(char)
    return _CATEGORIES[value]
