"""Reports of one analysis: each place once for each rule, with the way that the attack string took."""

import ast
import re
from dataclasses import dataclass, field

from muniment.scanners.findings import Severity
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.values import AbstractValue, Derived, Symbol, find_constant
from muniment.scanners.rules import ArgumentTest, Pattern, ScanRule


@dataclass(slots=True)
class Report:
    """Place that a rule reports, before it becomes a finding."""

    rule: ScanRule
    module: str
    node: ast.AST
    symbol: str
    severity: Severity
    source: str = ""  # key of the source, "" for a pattern
    witness: int = -1
    arriving: str = ""
    call_sites: tuple[tuple[str, ast.AST, str], ...] = ()


@dataclass(slots=True)
class Reports:
    """Reports by rule and place."""

    by_place: dict[tuple[str, str, int, int], Report] = field(default_factory=dict)

    def add_report(self, report: Report) -> None:
        """Add a report; one of a request replaces one of a local input at the same place."""
        place = (
            report.rule.id,
            report.module,
            getattr(report.node, "lineno", 0),
            getattr(report.node, "col_offset", 0),
        )
        known = self.by_place.get(place)
        if known is None or (known.severity is Severity.LOW and report.severity is not Severity.LOW):
            self.by_place[place] = report


def find_argument(
    test: ArgumentTest, arguments: list[AbstractValue], named: dict[str, AbstractValue]
) -> AbstractValue | None:
    """Find the argument that a test looks at, None if the call has none."""
    if test.keyword and test.keyword in named:
        return named[test.keyword]
    if 0 <= test.position < len(arguments):
        return arguments[test.position]
    return None


def passes_test(test: ArgumentTest, value: AbstractValue | None) -> bool:
    """Tell whether an argument has what a pattern looks for."""
    if value is None:
        return test.absent
    answers = [_passes_one(test, one) for one in value.base]
    return any(answers)


def _passes_one(test: ArgumentTest, one: object) -> bool:
    if isinstance(one, Symbol):
        if test.names:
            found = any(one.path == name or one.path.endswith(f".{name}") for name in test.names)
            return found != test.negate if found or test.negate else test.unknown
        return test.unknown
    if isinstance(one, Derived) or not isinstance(one, str | bytes | int | float | bool | type(None)):
        return test.unknown
    text = one.decode("latin-1") if isinstance(one, bytes) else one
    found = any(type(text) is type(wanted) and text == wanted for wanted in test.values)
    if test.matching and isinstance(text, str):
        found = found or re.search(test.matching, text) is not None
    if test.below and isinstance(text, int) and not isinstance(text, bool):
        found = found or text < test.below
    return found != test.negate


def matches_scope(
    pattern: Pattern,
    arguments: list[AbstractValue],
    named: dict[str, AbstractValue],
    node: ast.AST,
    frame: Frame,
) -> bool:
    """Tell whether a call is one that a pattern reports."""
    if pattern.symbol and not re.search(pattern.symbol, frame.symbol, re.IGNORECASE):
        return False
    if "**" in named and any(test.keyword for test in pattern.all):
        return False  # the keywords are not known
    return all(
        _is_written(test, node) if test.written else passes_test(test, find_argument(test, arguments, named))
        for test in pattern.all
    )


def _is_written(test: ArgumentTest, node: ast.AST) -> bool:
    """Tell whether the text of an argument of a call matches, as for lists and dictionaries of constants."""
    if not isinstance(node, ast.Call):
        return False
    chosen = [one.value for one in node.keywords if one.arg == test.keyword]
    chosen += node.args[test.position : test.position + 1] if test.position >= 0 else []
    return any(re.search(test.written, ast.unparse(one)) for one in chosen)


def matches_constant(wanted: bool | int | str, value: AbstractValue | None) -> bool:
    """Tell whether an argument is a constant."""
    constant = find_constant(value) if value is not None else None
    return constant is not None and type(constant[0]) is type(wanted) and constant[0] == wanted
