"""Writing to the terminal: colours only there, JSON for programs."""

from typing import Any

import click
import msgspec

SIGNS = {"satisfied": "✓", "violated": "✗", "unknown": "?", "not_applicable": "·"}
COLOURS = {"satisfied": "green", "violated": "red", "unknown": "yellow", "not_applicable": None}


def sign(status: str) -> str:
    """The coloured sign of a status."""
    return click.style(SIGNS[status], fg=COLOURS[status], bold=True)


def json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(value, order="sorted")).decode())


def plain(text: str) -> str:
    """Text from the outside, with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def dim(text: str) -> str:
    """Text of less weight."""
    return click.style(text, dim=True)
