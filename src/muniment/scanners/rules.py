"""Rules as data: one TOML file for each, with its sinks or patterns and its good and bad examples."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from muniment.scanners.findings import Severity
from muniment.scanners.rule_texts import RuleText

RULES_FOLDER = Path(__file__).parent / "rules"


class Sink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls in which an argument must not leave its context.

    A name `*.execute` is any method of that name, restricted to receivers whose name `receiver` matches. Arguments are
    named by position (-1: the receiver, -2: all) and by keyword. `when` lists constants that keywords must have.
    """

    call: tuple[str, ...]
    context: str
    argument: tuple[int | str, ...] = (0,)
    receiver: str = ""
    when: dict[str, bool | int | str] = {}
    unless: dict[str, bool | int | str] = {}


class ArgumentTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Test of one argument of a call that a pattern looks at.

    True if its constant is one of `values`, its name ends in one of `names`, it matches `matching`, or is below
    `below`, or its text in the code matches `written`; `absent` is the answer for a call without the argument. `negate`
    turns the answer of a known argument.
    """

    position: int = -1
    keyword: str = ""
    values: tuple[bool | int | str | None, ...] = ()
    names: tuple[str, ...] = ()
    matching: str = ""
    written: str = ""
    below: int = 0
    absent: bool = False
    unknown: bool = False
    negate: bool = False


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls or assignments that a rule reports without data flow, if every test of their arguments is true."""

    call: tuple[str, ...] = ()
    assign: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()  # a name that is used at all
    receiver: str = ""
    all: tuple[ArgumentTest, ...] = ()
    symbol: str = ""  # the enclosing function or the assigned name matches this
    severity: Severity | None = None


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Code that the rule reports (bad) or does not report (good)."""

    code: str
    why: str = ""


class ScanRule(RuleText, frozen=True, forbid_unknown_fields=True):
    """Requirement on source code, with the calls and assignments that violate it."""

    sink: tuple[Sink, ...] = ()
    pattern: tuple[Pattern, ...] = ()
    special: tuple[Literal["response", "fail-open", "swallowed-exception", "trust-boundary", "upload"], ...] = ()
    bad: tuple[Example, ...] = ()
    good: tuple[Example, ...] = ()
    is_hard: bool = False  # no comment ignores it
    id: str = ""


@cache
def load_scan_rules() -> dict[str, ScanRule]:
    """Load the rules by id."""
    rules = {}
    for path in sorted(RULES_FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        rules[path.stem] = msgspec.convert({**data, "id": path.stem}, ScanRule)
    return rules
