"""Finds the line of an entry in a TOML document, for error messages. It reads text that is known to be TOML.

An entry goes by its path: `("clause", 2, "with", "reviewers")`; a number counts the tables of `[[clause]]`, or the
values of a list, from 0. Grammar: TOML 1.0.
"""

import re
import tomllib
from typing import NamedTuple

Path = tuple[str | int, ...]

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


def line_of(text: str, path: Path) -> int:
    """The line, from 1, of the entry at `path`, or of the nearest one around it. 0 only for an empty text."""
    lines = _Scan(text).lines
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1 if text else 0)


def placed(where: str, text: str, path: Path) -> str:
    """`where:line` of the entry at `path`; just `where` for an empty text."""
    line = line_of(text, path)
    return f"{where}:{line}" if line else where


class _Token(NamedTuple):
    text: str
    line: int


class _Scan:
    """Walk through a document that notes the line of each entry."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._newest: dict[Path, int] = {}  # of each [[table]], the number of the newest
        self._tokens = _tokens(text)
        self._at = 0
        table: Path = ()
        while self._token.text:
            if self._skip("\n"):
                continue
            if self._token.text == "[":
                table = self._header()
            else:
                self._entry(table)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _skip(self, text: str) -> bool:
        found = self._token.text == text
        self._at += found
        return found

    def _header(self) -> Path:
        line = self._token.line
        self._skip("[")
        several = self._skip("[")
        *outer, last = self._key()
        path: Path = ()
        for part in outer:
            self.lines.setdefault((*path, part), line)
            path = self._inside((*path, part))
        path = (*path, last)
        if several:
            self.lines.setdefault(path, line)
            self._newest[path] = self._newest.get(path, -1) + 1
        path = self._inside(path)
        self.lines.setdefault(path, line)
        while self._skip("]"):
            pass
        return path

    def _inside(self, path: Path) -> Path:
        return (*path, self._newest[path]) if path in self._newest else path

    def _entry(self, table: Path) -> None:
        line = self._token.line
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._skip("=")
        self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while not parts or self._skip("."):
            text = self._token.text
            self._at += 1
            parts.append(tomllib.loads(f"key = {text}")["key"] if text[0] in "\"'" else text)
        return parts

    def _value(self, path: Path) -> None:
        if self._skip("["):
            self._list(path)
        elif self._skip("{"):
            while not self._skip("}"):
                if not self._skip(",") and not self._skip("\n"):
                    self._entry(path)
        else:
            while self._token.text not in _ENDS:
                self._at += 1

    def _list(self, path: Path) -> None:
        number = 0
        while not self._skip("]"):
            if not self._skip("\n") and not self._skip(","):
                self.lines[(*path, number)] = self._token.line
                self._value((*path, number))
                number += 1


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "nothing":
            tokens.append(_Token(match.group(), line))
        line += match.group().count("\n")
    return [*tokens, _Token("", line)]
