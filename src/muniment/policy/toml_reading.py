"""Reads a TOML document strictly: every key is known and has its type; an error names the line, the problem and the
next step.
"""

import datetime
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from muniment.errors import ConfigurationError
from muniment.policy import patterns
from muniment.policy.toml_lines import EntryPath, locate_entry

LARGEST_TOML = 1_048_576  # characters of one document
NOT_BLANK = r"(?s).*\S.*"

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_LONGEST_SHOWN = 60  # characters of a value that an error quotes


class TomlDocument:
    """TOML document with its name, for errors of one kind."""

    def __init__(self, text: str, where: str, error: type[ConfigurationError]) -> None:
        self.text = text
        self.where = where
        self.error = error
        self.top = TomlTable(self, self._parse_text(), (), "")

    def _parse_text(self) -> dict[str, object]:
        if len(self.text) > LARGEST_TOML:
            problem = f"it has more than {LARGEST_TOML} characters"
            raise self.error(self.where, "", problem, "Make it smaller; it is a list for people to read.")
        try:
            return tomllib.loads(self.text)
        except ValueError as problem:  # TOML's own error is one, and so is a number with thousands of digits
            raise self._create_syntax_error(str(problem)) from problem
        except RecursionError:
            raise self._create_syntax_error("lists and tables lie too deep in each other") from None

    def _create_syntax_error(self, problem: str) -> ConfigurationError:
        position = _POSITION.search(problem)
        last = self.text.count("\n") + 1
        where = f"{self.where}:{position[1] or last}" if position else self.where
        return self.error(
            where,
            "",
            f"expected TOML, found something else: {_POSITION.sub('', problem)}",
            'Correct the line: key = "text", key = ["a", "b"], key = 1, key = true; each key once.',
        )


class TomlTable:
    """Table of a document, read key by key. `refuse_unread` refuses keys that were not read.

    `label` is what a person calls the entry it belongs to (`clause "review.two-reviewers"`), "" outside any.
    """

    def __init__(
        self, document: TomlDocument, values: Mapping[str, object], path: EntryPath, label: str, prefix: str = ""
    ) -> None:
        self._document = document
        self._values = values
        self._path = path
        self._label = label
        self._prefix = prefix
        self._asked: set[str] = set()

    def create_error(self, key: str, expected: str, found: str = "nothing", remedy: str = "") -> ConfigurationError:
        """Create the error for `key`: what was expected there and what was found."""
        return self._document.error(
            locate_entry(self._document.where, self._document.text, (*self._path, key)),
            f"{self._label} {self._prefix}{key}".strip(),
            f"expected {expected}, found {found}",
            remedy or f"Write {key} as {expected}.",
        )

    def has_key(self, key: str) -> bool:
        """Whether the key is there."""
        self._asked.add(key)
        return key in self._values

    def get_value(self, key: str, kind: type, expected: str) -> Any:
        """Value of a key that has to be there, of exactly that type."""
        if not self.has_key(key):
            raise self.create_error(key, expected)
        value = self._values[key]
        if type(value) is not kind:
            raise self.create_error(key, expected, quote_value(value))
        return value

    def get_text(self, key: str, expected: str, pattern: str = NOT_BLANK) -> str:
        """Text that has to be there and match."""
        value: str = self.get_value(key, str, expected)
        if not re.fullmatch(pattern, value):
            raise self.create_error(key, expected, quote_value(value))
        return value

    def get_texts(self, key: str, expected: str, pattern: str = NOT_BLANK) -> tuple[str, ...]:
        """List of different texts that has to be there; it may be empty."""
        values = self.get_value(key, list, expected)
        seen: set[str] = set()
        for value in values:
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                raise self.create_error(key, expected, quote_value(value))
            if value in seen:
                raise self.create_error(key, expected, f"{quote_value(value)} twice", "Remove one of the two.")
            seen.add(value)
        return tuple(values)

    def get_patterns(self, key: str, expected: str) -> tuple[str, ...]:
        """List of patterns that has to be there; it may be empty."""
        found = self.get_texts(key, expected)
        if len(found) > patterns.MOST_PATTERNS:
            raise self.create_error(key, f"at most {patterns.MOST_PATTERNS} patterns", f"{len(found)}")
        if problem := find_pattern_problem(found):
            raise self.create_error(key, expected, problem, patterns.PATTERN_HELP)
        return found

    def get_tables(self, key: str) -> list["TomlTable"]:
        """Tables of `[[key]]`, none if there is none."""
        if not self.has_key(key):
            return []
        expected = f"tables, each under [[{key}]]"
        values = self.get_value(key, list, expected)
        for value in values:
            if not isinstance(value, dict):
                raise self.create_error(key, expected, quote_value(value))
        return [self._create_child(key, value, index) for index, value in enumerate(values)]

    def _create_child(self, key: str, value: Mapping[str, object], index: int) -> "TomlTable":
        name = value.get("id")
        label = f'{key} "{name}"' if isinstance(name, str) and name else f"{key} {index + 1}"
        return TomlTable(self._document, value, (*self._path, key, index), label)

    def get_table(self, key: str) -> "TomlTable":
        """Table of `[key]`, empty if there is none."""
        values = self.get_value(key, dict, f"a table under [{key}]") if self.has_key(key) else {}
        return TomlTable(self._document, values, (*self._path, key), self._label, f"{self._prefix}{key}.")

    def read_all(self) -> list[tuple[str, Any]]:
        """Read all keys and values, and mark each as read."""
        self._asked.update(self._values)
        return list(self._values.items())

    def refuse_unread(self) -> None:
        """Refuse any key that was not read: a misspelt one must not be ignored silently."""
        for key in self._values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.create_error(
                    key, f"one of the keys {known}", f'"{key}"', "Correct its spelling, or remove it."
                )


def find_pattern_problem(found: Iterable[str]) -> str:
    """Find the first pattern that has a problem, and describe it; "" if none has."""
    for pattern in found:
        if problem := patterns.find_syntax_problem(pattern):
            return f"{quote_value(pattern)}: {problem}"
    return ""


def quote_value(value: Any) -> str:
    """Quote a value in an error: close to TOML, in one line, not too long."""
    text = _spell_value(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _spell_value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case dict():
            return "a table"
        case list():
            return f"[{', '.join(map(_spell_value, value))}]"
        case _:
            return repr(value)
