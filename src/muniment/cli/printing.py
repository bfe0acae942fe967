"""Writing to the terminal: colours only there, JSON for programs.

The hooks of a server write without click, whose import takes as long as all else that they import.
"""

import os
import re
from typing import Any

import msgspec

SIGNS = {"met": "✓", "violated": "✗", "unknown": "?", "not_applicable": "·"}
COLOURS = {"met": "green", "violated": "red", "unknown": "yellow", "not_applicable": None}
_CODES = {"red": 31, "green": 32, "yellow": 33}
_STYLE = re.compile(r"\033\[[0-9;]*m")


def sign(status: str) -> str:
    """The coloured sign of a status."""
    return style(SIGNS[status], colour=COLOURS[status], bold=True)


def is_coloured() -> bool:
    """Whether whoever runs a command takes colours in a terminal: not with NO_COLOR, nor in a dumb terminal."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style(text: str, *, colour: str | None = None, bold: bool = False, dim: bool = False) -> str:
    """Text in a colour (ECMA-48), which `click.echo` strips in files. Plain with NO_COLOR, or in a dumb terminal."""
    if not is_coloured():
        return text
    codes = [_CODES[colour]] if colour else []
    codes += [1] if bold else []
    codes += [2] if dim else []
    return "".join(f"\033[{code}m" for code in codes) + text + ("\033[0m" if codes else "")


def unstyle(text: str) -> str:
    """The text without what `style` adds."""
    return _STYLE.sub("", text)


def json(value: Any) -> None:
    """One JSON document on standard output."""
    import click

    click.echo(msgspec.json.format(msgspec.json.encode(value, order="sorted")).decode())


def plain(text: str) -> str:
    """Text from the outside, with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def dim(text: str) -> str:
    """Text of less weight."""
    return style(text, dim=True)
