"""Reads a `.env` file: names and values, each line or none. No error contains a value.

Form, as Docker Compose and python-dotenv read it: `NAME=VALUE`, `export` before it, `#` for comments. Between single
quotes everything stands for itself, between double quotes a backslash escapes; both may have several lines. Unlike
them, `$NAME` stays as it is: its value would differ from machine to machine.
"""

import re

from muniment.errors import ParseError
from muniment.vault.layout import NAME_PATTERN

_LINE = re.compile(
    rf"""[ \t]*(?:export[ \t]+)?(?P<name>{NAME_PATTERN})[ \t]*=[ \t]*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>[^'"\n][^\n]*|))[ \t]*(?:[#][^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_dotenv(text: str) -> dict[str, str]:
    """Parse the values by name. Raises ParseError, with the number of the line, for an unknown form or a name that
    stands twice.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if nothing := _NOTHING.match(text, at):
            at = nothing.end()
            continue
        line = text.count("\n", 0, at) + 1
        match = _LINE.match(text, at)
        if match is None:
            raise ParseError(
                "dotenv-line",
                f"line {line} is not understood",
                "Write NAME=VALUE; a value with spaces, quotes or several lines between quotes.",
            )
        name = match["name"]
        if name in found:
            raise ParseError("dotenv-twice", f"line {line}: {name} is there twice", "Leave one of them.")
        found[name] = _unquote_value(match)
        at = match.end()
    return found


def _unquote_value(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match["double"], flags=re.DOTALL)
    return _COMMENT.sub("", match["plain"]).rstrip()
