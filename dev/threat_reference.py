"""Text of docs/reference/threat-model.md, from dev/threat_model.toml: attackers, what holds, which tests show it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

SOURCE = Path(__file__).parent / "threat_model.toml"
_HEAD = """# Threat model

Made from `dev/threat_model.toml` by `python -m dev.generate`; a test keeps it true.

Who could attack Muniment, what holds against each, which tests show it, and what is left. A test checks that each test
named here exists. [Who may do what](access.md) is about people, [the tables that the worker reads](tables.md) about
rows.

| attacker | what holds | tests |
| --- | --- | --- |
"""


class Protection(Struct, frozen=True, forbid_unknown_fields=True):
    """What holds against an attacker, and the tests that show it, as `path::function`."""

    holds: str
    tests: tuple[str, ...]


class Attacker(Struct, frozen=True, forbid_unknown_fields=True):
    """Attacker, what holds against them, and what is left."""

    name: str
    left: str
    protection: tuple[Protection, ...]
    introduction: str = ""


class _ThreatModel(Struct, frozen=True, forbid_unknown_fields=True):
    attacker: tuple[Attacker, ...]


def load_attackers() -> tuple[Attacker, ...]:
    """Attackers in the order of the page. Raises msgspec.ValidationError for a file that is not complete."""
    return msgspec.toml.decode(SOURCE.read_bytes(), type=_ThreatModel).attacker


def describe_threats() -> str:
    """Build the text of the page."""
    attackers = load_attackers()
    return _HEAD + "".join(map(_format_summary, attackers)) + "".join(map("".join, map(_format_section, attackers)))


def _format_summary(attacker: Attacker) -> str:
    anchor = "".join(letter for letter in attacker.name.lower().replace(" ", "-") if letter.isalnum() or letter == "-")
    tests = {test for one in attacker.protection for test in one.tests}
    return f"| [{attacker.name}](#{anchor}) | {len(attacker.protection)} | {len(tests)} |\n"


def _format_section(attacker: Attacker) -> Iterator[str]:
    yield f"\n## {attacker.name}\n\n"
    if attacker.introduction:
        yield f"{attacker.introduction.strip()}\n\n"
    yield "| what holds | shown by |\n| --- | --- |\n"
    for one in attacker.protection:
        yield f"| {one.holds} | {', '.join(f'`{test}`' for test in one.tests)} |\n"
    yield f"\n**Left:** {attacker.left.strip()}\n"
