"""Looks for texts on which a regular expression works harder than the text is long, by counting the engine's steps."""

import string
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from re import _constants as sre
from typing import Any

from tests.support.regex_engine import ONE_CHARACTER, REPEATS, Engine, Test, TooMuchWork

Family = Callable[[int], str]  # texts by the number of their repetitions

_NARROW = 3  # what is repeated at most so often never adds up
_CHARACTERS = [*"a0 ", *string.printable, "\0", "\x1b", "é", "\u2003", "\u2028", "ſ"]
_FINALISTS = 4


def find_superlinear(pattern: str | bytes, flags: int, method: str) -> str:
    """A text, quoted, of a family on which the work grows faster than the text; "" if none is found.

    `method` is how the expression is used: "fullmatch", "match", or "finditer" for all that search.
    """
    with _raised_recursion_limit():
        return _find_superlinear(Engine(pattern, flags), method)


@contextmanager
def _raised_recursion_limit() -> Iterator[None]:
    """Raise the limit for this module's engine alone: with it, text that nests too deeply ends the whole process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 100_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _find_superlinear(engine: Engine, method: str) -> str:
    tried: list[tuple[float, Family]] = []
    for family in hostile_families(engine):
        text = family(20)
        try:
            engine.run(text, method, granted=100_000)
        except TooMuchWork:
            return repr(family(2))
        tried.append((engine.steps / len(text), family))
    tried.sort(key=lambda one: -one[0])
    suspects = [family for _, family in tried[:_FINALISTS] if _grows(engine, family, method, 32)]
    return next((repr(family(3)) for family in suspects if _grows(engine, family, method, 256)), "")


def _grows(engine: Engine, family: Family, method: str, times: int) -> bool:
    """Whether twice the text is clearly more than twice the work."""
    steps = []
    for factor in (1, 2, 4):
        try:
            engine.run(family(times * factor), method, granted=3_000_000)
        except TooMuchWork:
            return True
        steps.append(engine.steps)
    return steps[2] - steps[1] > 2.5 * (steps[1] - steps[0])


def hostile_families(engine: Engine) -> Iterator[Family]:
    """For each part that repeats: what leads there, then many of what it takes, then what it does not take."""
    seen = set()
    sorts = _tell_apart(engine)
    for before, inside, after in _find_repeats(engine, engine.tree, "", ""):
        taken = [char for char in sorts if any(test(char) for test in _find_tests(engine, inside))][:6] or sorts[:6]
        body = _make_sample(engine, inside)
        units = {*taken, *map("".join, product(taken, taken)), body, before, after, before + after, before + body}
        units |= {lead + char for char in taken[:3] for lead in (before, before + after)}
        for parts in product(("", before), units - {""}, ("", "\n", "\0!", after)):
            if parts not in seen:
                seen.add(parts)
                yield lambda times, parts=parts: parts[0] + parts[1] * times + parts[2]  # type: ignore[misc]


def _find_repeats(engine: Engine, items: Any, before: str, after: str) -> Iterator[tuple[str, Any, str]]:
    """(a text that leads there, what is repeated, a text that may follow) of each repetition that is not narrow."""
    items = list(items)
    for index, (op, value) in enumerate(items):
        lead = before + _make_sample(engine, items[:index])
        follow = _make_sample(engine, items[index + 1 :]) + after
        if op in REPEATS and (value[1] is sre.MAXREPEAT or value[1] > _NARROW):
            yield lead, value[2], follow
        for inside in _find_inner(op, value):
            yield from _find_repeats(engine, inside, lead, follow)


def _find_inner(op: Any, value: Any) -> list[Any]:
    """The parts of a part."""
    if op in REPEATS:
        return [value[2]]
    if op is sre.BRANCH:
        return list(value[1])
    if op is sre.SUBPATTERN:
        return [value[3]]
    if op is sre.ATOMIC_GROUP:
        return [value]
    return [value[1]] if op in (sre.ASSERT, sre.ASSERT_NOT) else []


def _find_tests(engine: Engine, items: Any) -> Iterator[Test]:
    for op, value in items:
        if op in ONE_CHARACTER:
            yield engine.test(op, value, engine.flags)
        for inside in _find_inner(op, value):
            yield from _find_tests(engine, inside)


def _tell_apart(engine: Engine) -> list[str]:
    """One character of each sort that the expression tells apart."""
    tests = list(_find_tests(engine, engine.tree))
    return list({tuple(test(char) for test in tests): char for char in reversed(_CHARACTERS)}.values())


def _make_sample(engine: Engine, items: Any) -> str:
    """A short text that the parts take, assertions aside."""
    return "".join(_make_sample_of(engine, op, value) for op, value in items)


def _make_sample_of(engine: Engine, op: Any, value: Any) -> str:
    if op in ONE_CHARACTER:
        test = engine.test(op, value, engine.flags)
        return next((char for char in _CHARACTERS if test(char)), chr(value) if op is sre.LITERAL else "")
    if op in (sre.ASSERT, sre.ASSERT_NOT):
        return ""
    inner = _find_inner(op, value)
    return _make_sample(engine, inner[0]) * (value[0] if op in REPEATS else 1) if inner else ""
