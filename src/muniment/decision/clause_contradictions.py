"""Finds clauses whose sentence names another number than the parameter of their control, as "two people" and 1.

A sentence speaks of a parameter if it counts things of the parameter's unit. A parameter contradicts the sentence if
it is none of the numbers that the sentence gives for that unit.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from muniment.controls.control import Control
from muniment.decision.binding import BoundClause
from muniment.policy.parameters import list_declarations

_WORD = re.compile(r"[A-Za-z]+|[0-9]{1,9}|%")
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
        1,
    )
}
_EVERY = frozenset({"every", "each", "per"})
_LOOK_AHEAD = 3  # words from a number to the thing that it counts: "two other qualified people"
_PEOPLE = "people person persons reviewer reviewers approver approvers approval approvals colleague colleagues others"
_ONCE = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year"}


class _Measure(NamedTuple):
    """Thing that a sentence counts: the unit of a parameter, and how much of it one is, at least and at most."""

    unit: str
    least: int = 1
    most: int = 1


_MEASURES: dict[str, _Measure] = {
    **dict.fromkeys(_PEOPLE.split(), _Measure("people")),
    **dict.fromkeys(("line", "lines"), _Measure("changed lines")),
    **dict.fromkeys(("file", "files"), _Measure("changed files")),
    **dict.fromkeys(("minute", "minutes"), _Measure("minutes")),
    **dict.fromkeys(("hour", "hours"), _Measure("minutes", 60, 60)),
    **dict.fromkeys(("day", "days"), _Measure("days")),
    **dict.fromkeys(("week", "weeks"), _Measure("days", 7, 7)),
    **dict.fromkeys(("month", "months"), _Measure("days", 28, 31)),
    **dict.fromkeys(("quarter", "quarters"), _Measure("days", 89, 92)),
    **dict.fromkeys(("year", "years"), _Measure("days", 365, 366)),
    **dict.fromkeys(("%", "percent"), _Measure("percent")),
}


class Contradiction(Struct, frozen=True):
    """Parameter that the sentence of its clause contradicts. `words` are those of the sentence: "two people"."""

    clause: str
    words: str
    parameter: str
    value: int


class _Quantity(NamedTuple):
    """Number of things that a sentence gives, as the range that it means in the unit of a parameter."""

    words: str
    unit: str
    least: int
    most: int


def find_contradictions(bound: BoundClause) -> tuple[Contradiction, ...]:
    """Find the parameters of a clause that its sentence contradicts; none for a clause without a known control."""
    if bound.control is None:
        return ()
    quantities = list(_find_quantities(bound.clause.text))
    return tuple(_compare_parameters(bound, bound.control, quantities))


def _compare_parameters(bound: BoundClause, control: Control, quantities: list[_Quantity]) -> Iterator[Contradiction]:
    for parameter in list_declarations(control.parameters):
        value = getattr(bound.parameters, parameter.name)
        named = [one for one in quantities if one.unit == parameter.unit]
        if named and not any(one.least <= value <= one.most for one in named):
            yield Contradiction(bound.clause.id, named[0].words, parameter.name, value)


def _find_quantities(text: str) -> Iterator[_Quantity]:
    words = _WORD.findall(text)
    for at, word in enumerate(words):
        if word.casefold() in _ONCE:
            yield _make_quantity(word, 1, _MEASURES[_ONCE[word.casefold()]])
            continue
        number = _read_number(words[at : at + 2])
        if number is None:
            continue
        for counted in words[at + 1 : at + 1 + _LOOK_AHEAD]:
            if _read_number([counted, ""]) is not None:
                break  # the second number counts the thing: "one of two reviewers"
            measure = _MEASURES.get(counted.casefold())
            if measure is not None:
                yield _make_quantity(f"{word} {counted}", number, measure)
                break


def _make_quantity(words: str, number: int, measure: _Measure) -> _Quantity:
    return _Quantity(words, measure.unit, number * measure.least, number * measure.most)


def _read_number(words: list[str]) -> int | None:
    """Number that the first word says. "Every year" is one year, and "every 3 months" none: the next word is."""
    word, following = words[0].casefold(), words[1].casefold() if len(words) > 1 else ""
    if word.isdigit():
        return int(word)
    if word in _EVERY:
        return 1 if following in _MEASURES and _MEASURES[following].unit == "days" else None
    return _NUMBERS.get(word)
