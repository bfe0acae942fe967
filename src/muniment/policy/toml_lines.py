"""Finds the line of an entry in a TOML document, for error messages. It reads text that is known to be TOML.

An entry goes by its path: `("clause", 2, "with", "reviewers")`; a number counts the tables of `[[clause]]`, or the
values of a list, from 0. Grammar: TOML 1.0.
"""

import re
import tomllib
from typing import NamedTuple

EntryPath = tuple[str | int, ...]

_TOKEN = re.compile(
    # A string that nothing ends goes to the end, lest what stands in it begins others: TOML has none.
    r'(?P<string>"""(?:[^\\]|\\.)*?(?:"""(?:"{0,2})|\\?\Z)|'
    r"'''.*?(?:'''(?:'{0,2})|\Z)|"
    r'"(?:[^"\\\n]|\\.)*"?|'
    r"'[^'\n]*'?)|"
    r"(?P<nothing>[ \t\r]+|\#[^\n]*)|"
    r"(?P<plain>[A-Za-z0-9_+:-]+|.)",
    re.DOTALL,
)
_ENDS = ("\n", ",", "]", "}", "")


def find_entry_line(text: str, path: EntryPath) -> int:
    """Find the line, from 1, of the entry at `path`, or of the nearest one around it. 0 only for an empty text."""
    lines = _LineScanner(text).lines
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1 if text else 0)


def locate_entry(where: str, text: str, path: EntryPath) -> str:
    """Format `where:line` of the entry at `path`; just `where` for an empty text."""
    line = find_entry_line(text, path)
    return f"{where}:{line}" if line else where


def find_table_lines(text: str, path: EntryPath) -> tuple[int, int] | None:
    """Find the first and the last line, from 1, of the table at `path` with the tables below it; None for no such."""
    found = _LineScanner(text)
    return (found.lines[path], found.ends[path]) if path in found.ends else None


def list_comments(text: str) -> tuple[tuple[int, str], ...]:
    """List each comment with the line, from 1, that it stands on."""
    found: list[tuple[int, str]] = []
    line = 1
    for match in _TOKEN.finditer(text):
        if match.group().startswith("#") and match.lastgroup == "nothing":
            found.append((line, match.group().rstrip()))
        line += match.group().count("\n")
    return tuple(found)


class _Token(NamedTuple):
    text: str
    line: int


class _LineScanner:
    """Scanner of a document that notes the line of each entry, and the last line of each table."""

    def __init__(self, text: str) -> None:
        self.lines: dict[EntryPath, int] = {}
        self.ends: dict[EntryPath, int] = {}
        self._newest: dict[EntryPath, int] = {}  # of each [[table]], the number of the newest
        self._tokens = _split_tokens(text)
        self._at = 0
        table: EntryPath = ()
        while self._current_token.text:
            if self._skip_token("\n"):
                continue
            if self._current_token.text == "[":
                table = self._scan_header()
            else:
                self._scan_entry(table)
            self._note_end(table)

    def _note_end(self, table: EntryPath) -> None:
        last = self._tokens[self._at - 1]
        for length in range(1, len(table) + 1):
            self.ends[table[:length]] = last.line + last.text.count("\n")

    @property
    def _current_token(self) -> _Token:
        return self._tokens[self._at]

    def _skip_token(self, text: str) -> bool:
        found = self._current_token.text == text
        self._at += found
        return found

    def _scan_header(self) -> EntryPath:
        line = self._current_token.line
        self._skip_token("[")
        several = self._skip_token("[")
        *outer, last = self._scan_key()
        path: EntryPath = ()
        for part in outer:
            self.lines.setdefault((*path, part), line)
            path = self._enter_newest((*path, part))
        path = (*path, last)
        if several:
            self.lines.setdefault(path, line)
            self._newest[path] = self._newest.get(path, -1) + 1
        path = self._enter_newest(path)
        self.lines.setdefault(path, line)
        while self._skip_token("]"):
            pass
        return path

    def _enter_newest(self, path: EntryPath) -> EntryPath:
        return (*path, self._newest[path]) if path in self._newest else path

    def _scan_entry(self, table: EntryPath) -> None:
        line = self._current_token.line
        path = table
        for part in self._scan_key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._skip_token("=")
        self._scan_value(path)

    def _scan_key(self) -> list[str]:
        parts: list[str] = []
        while not parts or self._skip_token("."):
            text = self._current_token.text
            self._at += 1
            parts.append(tomllib.loads(f"key = {text}")["key"] if text[0] in "\"'" else text)
        return parts

    def _scan_value(self, path: EntryPath) -> None:
        if self._skip_token("["):
            self._scan_list(path)
        elif self._skip_token("{"):
            while not self._skip_token("}"):
                if not self._skip_token(",") and not self._skip_token("\n"):
                    self._scan_entry(path)
        else:
            while self._current_token.text not in _ENDS:
                self._at += 1

    def _scan_list(self, path: EntryPath) -> None:
        number = 0
        while not self._skip_token("]"):
            if not self._skip_token("\n") and not self._skip_token(","):
                self.lines[(*path, number)] = self._current_token.line
                self._scan_value((*path, number))
                number += 1


def _split_tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "nothing":
            tokens.append(_Token(match.group(), line))
        line += match.group().count("\n")
    return [*tokens, _Token("", line)]
