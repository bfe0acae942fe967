"""Finds the line of an entry in a TOML document, for error messages. Where it cannot, it names the nearest header."""

import re

_HEADER = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_.\- ]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*[.=]""")


def line_of(text: str, table: str, index: int, key: str) -> int:
    """The line, from 1, of `key` in the table `table` ("" for the top), its `index`-th (from 0) if there are several.

    `key` "" is the table itself. 0 if not even the table is found.
    """
    at, seen, found = table == "", -1, 0
    for number, line in _plain_lines(text):
        header = _HEADER.match(line)
        if header:
            seen += header[2] == table
            at = header[2] == table and seen == index
            found = number if at else found
            if at and not key:
                return number
        elif at and (match := _KEY.match(line)) and match[1].strip("\"'") == key:
            return number
    return found


def _plain_lines(text: str) -> list[tuple[int, str]]:
    """Lines that are not inside a multi-line string, with their numbers."""
    plain: list[tuple[int, str]] = []
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = "" if closing in line else closing
            continue
        plain.append((number, line))
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                closing = quotes
    return plain
