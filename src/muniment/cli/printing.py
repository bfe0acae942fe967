"""Writing to the terminal: colours only there, JSON for programs.

The server hooks write without click, whose import takes as long as all their other imports.
"""

import os
import re
from typing import Any

import msgspec

SIGNS = {"met": "✓", "violated": "✗", "unknown": "?", "not_applicable": "·"}
COLOURS = {"met": "green", "violated": "red", "unknown": "yellow", "not_applicable": None}
_CODES = {"red": 31, "green": 32, "yellow": 33}
_STYLE = re.compile(r"\033\[[0-9;]*m")


def status_sign(status: str) -> str:
    """Coloured sign of a status."""
    return style_text(SIGNS[status], colour=COLOURS[status], bold=True)


def is_coloured() -> bool:
    """Whether the terminal takes colours: not with NO_COLOR, nor if it is a dumb terminal."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def style_text(text: str, *, colour: str | None = None, bold: bool = False, dim: bool = False) -> str:
    """Put text in a colour (ECMA-48), which `click.echo` strips in files. Plain with NO_COLOR, or in a dumb
    terminal.
    """
    if not is_coloured():
        return text
    codes = [_CODES[colour]] if colour else []
    codes += [1] if bold else []
    codes += [2] if dim else []
    return "".join(f"\033[{code}m" for code in codes) + text + ("\033[0m" if codes else "")


def strip_style(text: str) -> str:
    """Remove what `style_text` adds."""
    return _STYLE.sub("", text)


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    import click

    click.echo(msgspec.json.format(msgspec.json.encode(value, order="sorted")).decode())


def make_printable(text: str) -> str:
    """Replace each character of foreign text that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def dim_text(text: str) -> str:
    """Put text in a weaker style."""
    return style_text(text, dim=True)
