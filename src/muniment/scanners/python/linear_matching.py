"""Regular expressions of the analysed repository, matched without backtracking.

A pattern is parsed by the standard library and walked over sets of positions: the time is bounded by the length of
the text squared times the size of the pattern. Groups that are referred to, and looking around, are undecided.
"""

import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any

from muniment.scanners.python.values import UndecidedError

# The parser of the standard library has no public name; `sre_parse`, its old one, warns.
codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")
Tree = Iterable[tuple[object, Any]]

MOST_PATTERN, MOST_TEXT, MOST_STEPS = 500, 2000, 50_000


class LinearPattern:
    """Parsed regular expression. Raises UndecidedError for patterns that it cannot match exactly."""

    def __init__(self, pattern: str, flags: int) -> None:
        if len(pattern) > MOST_PATTERN:
            raise UndecidedError
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._tree = parser.parse(pattern, flags)
        except (re.error, RecursionError, OverflowError, ValueError):
            raise UndecidedError from None
        self._flags = flags | int(self._tree.state.flags)
        self._steps = 0

    def find_ends(self, text: str, start: int) -> set[int]:
        """Find the positions at which a match from `start` can end."""
        if len(text) > MOST_TEXT:
            raise UndecidedError
        self._steps = 0
        try:
            return self._walk(self._tree, text, {start}, self._flags)
        except RecursionError:
            raise UndecidedError from None

    def find_span(self, text: str, start: int = 0) -> tuple[int, int] | None:
        """Find the leftmost match from `start`, taken as long as possible."""
        for position in range(start, len(text) + 1):
            ends = self.find_ends(text, position)
            if ends:
                return position, max(ends)
        return None

    def _walk(self, tree: Tree, text: str, starts: set[int], flags: int) -> set[int]:
        ends = starts
        for code, argument in tree:
            if not ends:
                return ends
            ends = self._step(code, argument, text, ends, flags)
        return ends

    def _step(self, code: object, argument: Any, text: str, starts: set[int], flags: int) -> set[int]:
        self._steps += len(starts)
        if self._steps > MOST_STEPS:
            raise UndecidedError
        if code in (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN):
            return {p + 1 for p in starts if p < len(text) and _accepts(code, argument, text[p], flags)}
        match code, argument:
            case codes.BRANCH, (_, branches):
                return set().union(*(self._walk(branch, text, starts, flags) for branch in branches))
            case codes.SUBPATTERN, (_, add, remove, inner):
                return self._walk(inner, text, starts, (flags | add) & ~remove)
            case ((codes.MAX_REPEAT | codes.MIN_REPEAT), (int() as least, most, inner)):
                return self._repeat(least, int(most), inner, text, starts, flags)
            case codes.AT, place:
                return {p for p in starts if _is_at(place, text, p, flags)}
            case _:
                raise UndecidedError

    def _repeat(self, least: int, most: int, inner: Tree, text: str, starts: set[int], flags: int) -> set[int]:
        current, reached = starts, set(starts) if least == 0 else set()
        for count in range(1, min(most, len(text) + least + 1) + 1):
            current = self._walk(inner, text, current, flags)
            if not current or (count > least and current <= reached):
                break
            if count >= least:
                reached |= current
            if count > MOST_TEXT:
                raise UndecidedError
        return reached


def _accepts(code: object, argument: Any, character: str, flags: int) -> bool:
    if code is codes.ANY:
        return character != "\n" or bool(flags & re.DOTALL)
    forms = {character.lower(), character.upper()} if flags & re.IGNORECASE else {character}
    if code is codes.LITERAL:
        return any(ord(form) == argument for form in forms if len(form) == 1)
    if code is codes.NOT_LITERAL:
        return not any(ord(form) == argument for form in forms if len(form) == 1)
    return any(_is_in_set(argument, form, flags) for form in forms if len(form) == 1)


def _is_in_set(members: list[tuple[object, Any]], character: str, flags: int) -> bool:
    negated = found = False
    for code, argument in members:
        match code, argument:
            case codes.NEGATE, _:
                negated = True
            case codes.LITERAL, _:
                found = found or ord(character) == argument
            case codes.RANGE, (int() as low, int() as high):
                found = found or low <= ord(character) <= high
            case codes.CATEGORY, category:
                found = found or _is_in_category(category, character, flags)
            case _:
                raise UndecidedError
    return found != negated


def _is_in_category(category: object, character: str, flags: int) -> bool:
    plain = bool(flags & re.ASCII) and not character.isascii()
    name = str(category).lower()
    if name.endswith("digit"):
        inside = character.isdigit() and not plain
    elif name.endswith("word"):
        inside = (character.isalnum() or character == "_") and not plain
    elif name.endswith("space"):
        inside = character.isspace() and not plain
    else:
        raise UndecidedError
    return inside != ("_not_" in name)


def _is_at(place: object, text: str, position: int, flags: int) -> bool:
    multiline = bool(flags & re.MULTILINE)
    if place in (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING):
        return position == 0 or (multiline and place is codes.AT_BEGINNING and text[position - 1] == "\n")
    if place is codes.AT_END_STRING:
        return position == len(text)
    if place is codes.AT_END:
        return position == len(text) or text[position:] == "\n" or (multiline and text[position] == "\n")
    if place in (codes.AT_BOUNDARY, codes.AT_NON_BOUNDARY):
        before = position > 0 and (text[position - 1].isalnum() or text[position - 1] == "_")
        after = position < len(text) and (text[position].isalnum() or text[position] == "_")
        return (before != after) == (place is codes.AT_BOUNDARY)
    raise UndecidedError


@lru_cache(maxsize=2000)
def compile_linear(pattern: str, flags: int = 0) -> LinearPattern:
    """Parse a pattern once. Raises UndecidedError."""
    return LinearPattern(pattern, flags)
