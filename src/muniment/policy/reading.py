"""Reads a TOML document strictly: every key is known, has its type, and every error names file, line, key and what was
expected."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from muniment.errors import ConfigurationError
from muniment.policy.toml_lines import line_of

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


class Document:
    """A TOML document with its name, for errors of one kind."""

    def __init__(self, text: str, where: str, error: type[ConfigurationError]) -> None:
        self.text = text
        self.where = where
        self.error = error
        try:
            self.top = Table(self, tomllib.loads(text), "", 0, "")
        except tomllib.TOMLDecodeError as problem:
            line = _AT_LINE.search(str(problem))
            raise error(
                f"{where}:{line[1]}" if line else where,
                "",
                f"this is not TOML: {_AT_LINE.sub('', str(problem))}",
                "Mend the line; strings take quotes, lists take brackets.",
            ) from problem


class Table:
    """One table of a document, read key by key; `done` refuses what was not asked for."""

    def __init__(self, document: Document, values: Mapping[str, Any], table: str, index: int, label: str) -> None:
        self._document = document
        self._values = values
        self._table = table
        self._index = index
        self._label = label
        self._asked: set[str] = set()

    def wrong(self, key: str, expected: str, found: str = "") -> ConfigurationError:
        """The error for `key`."""
        line = line_of(self._document.text, self._table, self._index, key)
        problem = f"expected {expected}" + (f", found {found}" if found else "")
        return self._document.error(
            f"{self._document.where}:{line}" if line else self._document.where,
            f"{self._label} {key}".strip(),
            problem,
            f"Write {key} as {expected}." if key else f"Write {expected}.",
        )

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        self._asked.add(key)
        return key in self._values

    def raw(self, key: str) -> Any:
        """The value of a key that is there, of whatever type."""
        return self._values[key]

    def value(self, key: str, kind: type, expected: str) -> Any:
        """The value of a key that has to be there, of exactly that type."""
        if not self.has(key):
            raise self.wrong(key, expected, "nothing")
        value = self._values[key]
        if type(value) is not kind:
            raise self.wrong(key, expected, repr(value))
        return value

    def text(self, key: str, expected: str, pattern: str = r"(?s).*\S.*") -> str:
        """A text that has to be there and match."""
        value: str = self.value(key, str, expected)
        if not re.fullmatch(pattern, value):
            raise self.wrong(key, expected, repr(value))
        return value

    def texts(self, key: str, expected: str, pattern: str = r"(?s).*\S.*") -> tuple[str, ...]:
        """A list of different texts that has to be there; it may be empty."""
        values = self.value(key, list, expected)
        for value in values:
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                raise self.wrong(key, expected, repr(value))
        if len(set(values)) != len(values):
            raise self.wrong(key, expected, "one entry twice")
        return tuple(values)

    def tables(self, key: str) -> list["Table"]:
        """The tables of `[[key]]`, none if there is none."""
        if not self.has(key):
            return []
        values = self.value(key, list, f"tables, each under [[{key}]]")
        if not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, f"tables, each under [[{key}]]", "something else")
        return [self._child(key, value, index) for index, value in enumerate(values)]

    def _child(self, key: str, value: Mapping[str, Any], index: int) -> "Table":
        name = value.get("id")
        label = f'{key} "{name}"' if isinstance(name, str) else f"{key} number {index + 1}"
        return Table(self._document, value, f"{self._table}.{key}".strip("."), index, label)

    def table(self, key: str) -> "Table":
        """The table of `[key]`, empty if there is none."""
        values = self.value(key, dict, f"a table under [{key}]") if self.has(key) else {}
        return Table(
            self._document,
            values,
            f"{self._table}.{key}".strip("."),
            self._index,
            f"{self._label} [{key}]".strip(),
        )

    def items(self) -> list[tuple[str, Any]]:
        """All keys and values, all of them asked for."""
        self._asked.update(self._values)
        return list(self._values.items())

    def done(self) -> None:
        """Refuses any key that nobody asked for: a misspelt one must not be a silent nothing."""
        for key in self._values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.wrong(key, f"one of the known keys ({known})", repr(key))
