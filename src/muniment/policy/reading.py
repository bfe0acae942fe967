"""Reads a TOML document strictly: every key is known and has its type; an error says where, what, and what next."""

import datetime
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from muniment.errors import ConfigurationError
from muniment.policy import patterns
from muniment.policy.toml_lines import Path, placed

LARGEST = 1_048_576  # characters of one document
SOMETHING = r"(?s).*\S.*"

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_LONGEST_SHOWN = 60  # characters of a value that an error quotes


class Document:
    """A TOML document with its name, for errors of one kind."""

    def __init__(self, text: str, where: str, error: type[ConfigurationError]) -> None:
        self.text = text
        self.where = where
        self.error = error
        self.top = Table(self, self._parsed(), (), "")

    def _parsed(self) -> dict[str, Any]:
        if len(self.text) > LARGEST:
            problem = f"it has more than {LARGEST} characters"
            raise self.error(self.where, "", problem, "Make it smaller; it is a list for people to read.")
        try:
            return tomllib.loads(self.text)
        except ValueError as problem:  # TOML's own error is one, and so is a number with thousands of digits
            raise self._not_toml(str(problem)) from problem
        except RecursionError:
            raise self._not_toml("lists and tables lie too deep in each other") from None

    def _not_toml(self, problem: str) -> ConfigurationError:
        position = _POSITION.search(problem)
        last = self.text.count("\n") + 1
        where = f"{self.where}:{position[1] or last}" if position else self.where
        return self.error(
            where,
            "",
            f"expected TOML, found something else: {_POSITION.sub('', problem)}",
            'Correct the line: key = "text", key = ["a", "b"], key = 1, key = true; each key once.',
        )


class Table:
    """Table of a document, read key by key. `done` refuses keys that were not read.

    `label` is what a person calls the entry it belongs to (`clause "review.two-reviewers"`), "" outside any.
    """

    def __init__(self, document: Document, values: Mapping[str, Any], path: Path, label: str, prefix: str = "") -> None:
        self._document = document
        self._values = values
        self._path = path
        self._label = label
        self._prefix = prefix
        self._asked: set[str] = set()

    def wrong(self, key: str, expected: str, found: str = "nothing", remedy: str = "") -> ConfigurationError:
        """The error for `key`: what was expected there and what was found."""
        return self._document.error(
            placed(self._document.where, self._document.text, (*self._path, key)),
            f"{self._label} {self._prefix}{key}".strip(),
            f"expected {expected}, found {found}",
            remedy or f"Write {key} as {expected}.",
        )

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        self._asked.add(key)
        return key in self._values

    def value(self, key: str, kind: type, expected: str) -> Any:
        """The value of a key that has to be there, of exactly that type."""
        if not self.has(key):
            raise self.wrong(key, expected)
        value = self._values[key]
        if type(value) is not kind:
            raise self.wrong(key, expected, shown(value))
        return value

    def text(self, key: str, expected: str, pattern: str = SOMETHING) -> str:
        """A text that has to be there and match."""
        value: str = self.value(key, str, expected)
        if not re.fullmatch(pattern, value):
            raise self.wrong(key, expected, shown(value))
        return value

    def texts(self, key: str, expected: str, pattern: str = SOMETHING) -> tuple[str, ...]:
        """A list of different texts that has to be there; it may be empty."""
        values = self.value(key, list, expected)
        seen: set[str] = set()
        for value in values:
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                raise self.wrong(key, expected, shown(value))
            if value in seen:
                raise self.wrong(key, expected, f"{shown(value)} twice", "Remove one of the two.")
            seen.add(value)
        return tuple(values)

    def patterns(self, key: str, expected: str) -> tuple[str, ...]:
        """A list of patterns that has to be there; it may be empty."""
        found = self.texts(key, expected)
        if len(found) > patterns.MOST_PATTERNS:
            raise self.wrong(key, f"at most {patterns.MOST_PATTERNS} patterns", f"{len(found)}")
        if problem := find_pattern_problem(found):
            raise self.wrong(key, expected, problem, patterns.HELP)
        return found

    def tables(self, key: str) -> list["Table"]:
        """The tables of `[[key]]`, none if there is none."""
        if not self.has(key):
            return []
        expected = f"tables, each under [[{key}]]"
        values = self.value(key, list, expected)
        for value in values:
            if not isinstance(value, dict):
                raise self.wrong(key, expected, shown(value))
        return [self._child(key, value, index) for index, value in enumerate(values)]

    def _child(self, key: str, value: Mapping[str, Any], index: int) -> "Table":
        name = value.get("id")
        label = f'{key} "{name}"' if isinstance(name, str) and name else f"{key} {index + 1}"
        return Table(self._document, value, (*self._path, key, index), label)

    def table(self, key: str) -> "Table":
        """The table of `[key]`, empty if there is none."""
        values = self.value(key, dict, f"a table under [{key}]") if self.has(key) else {}
        return Table(self._document, values, (*self._path, key), self._label, f"{self._prefix}{key}.")

    def items(self) -> list[tuple[str, Any]]:
        """All keys and values; marks each as read."""
        self._asked.update(self._values)
        return list(self._values.items())

    def done(self) -> None:
        """Refuses any key that nobody asked for: a misspelt one must not be a silent nothing."""
        for key in self._values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.wrong(key, f"one of the keys {known}", f'"{key}"', "Correct its spelling, or remove it.")


def find_pattern_problem(found: Iterable[str]) -> str:
    """The first pattern that has a problem, and the problem; "" if none has."""
    for pattern in found:
        if problem := patterns.find_problem(pattern):
            return f"{shown(pattern)}: {problem}"
    return ""


def shown(value: Any) -> str:
    """A value as an error quotes it: close to TOML, in one line, not too long."""
    text = _spelled(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _spelled(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case dict():
            return "a table"
        case list():
            return f"[{', '.join(map(_spelled, value))}]"
        case _:
            return repr(value)
