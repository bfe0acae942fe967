"""Sinks and patterns: what is reported of a call."""

import ast
import re

from muniment.scanners.findings import Severity
from muniment.scanners.python.contexts import leaves_context
from muniment.scanners.python.evaluator import Evaluator
from muniment.scanners.python.frames import Frame
from muniment.scanners.python.models import LibraryModels
from muniment.scanners.python.operations import collect_worlds, find_dangerous, list_arguments
from muniment.scanners.python.program import AnalysedProgram
from muniment.scanners.python.reports import Report, Reports, matches_constant, matches_scope
from muniment.scanners.python.state import State
from muniment.scanners.python.values import AbstractValue, Derived, FunctionValue, World, find_constant
from muniment.scanners.rules import ScanRule, Sink

_SHELLS = frozenset(["sh", "bash", "dash", "zsh", "ksh", "cmd", "cmd.exe", "powershell"])


Memo = dict[tuple[object, ...], tuple[AbstractValue, frozenset[World]]]


class SinkChecker(Evaluator):
    """Reports attack strings that leave their context, and calls that a pattern looks for."""

    def __init__(self, program: AnalysedProgram, models: LibraryModels) -> None:
        super().__init__(program, models)
        self.reports = Reports()
        self.memo: Memo = {}
        self.running: list[FunctionValue] = []
        self._with_sources: dict[str, bool] = {}  # modules by path: may they read an input?

    def call_method(
        self,
        receiver: AbstractValue,
        name: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> AbstractValue:
        """Call a method of each object that a value may be."""
        raise NotImplementedError

    def check_patterns(
        self, path: str, arguments: list[AbstractValue], named: dict[str, AbstractValue], node: ast.AST, frame: Frame
    ) -> None:
        """Report a call that a rule without data flow looks for."""
        for rule, pattern in self.models.find_call_patterns(path):
            if matches_scope(pattern, arguments, named, node, frame):
                self.add_report(rule, node, frame, severity=pattern.severity)

    def check_sinks(
        self,
        path: str,
        arguments: list[AbstractValue],
        named: dict[str, AbstractValue],
        receiver: AbstractValue | None,
        node: ast.AST,
        state: State,
        frame: Frame,
    ) -> None:
        """Report an attack string that leaves its context in an argument of a sink."""
        for rule, sink in self.models.find_sinks(path):
            if "response" in rule.special and _is_no_page(path, arguments, named):
                continue
            if not all(matches_constant(wanted, named.get(name)) for name, wanted in sink.when.items()):
                continue
            if sink.unless and any(matches_constant(wanted, named.get(name)) for name, wanted in sink.unless.items()):
                continue
            chosen: list[AbstractValue] = []
            for which in sink.argument:
                if which == -1 and receiver is not None:
                    chosen.append(receiver)
                elif which == -2:
                    chosen += [*arguments, *named.values()]
                elif isinstance(which, int) and 0 <= which < len(arguments):
                    chosen.append(arguments[which])
                elif isinstance(which, str) and which in named:
                    chosen.append(named[which])
            for value in chosen:
                self.check_value(rule, sink.context, value, node, state, frame, sink)

    def check_value(
        self,
        rule: ScanRule,
        context: str,
        value: AbstractValue,
        node: ast.AST,
        state: State,
        frame: Frame,
        sink: Sink | None = None,
    ) -> bool:
        """Report a value in which an attack string leaves its context."""
        for world in collect_worlds([value], state):
            for (one,) in list_arguments([value], world, state):
                arriving = find_arriving(context, one)
                if arriving is not None:
                    source = self.sources[world[0]][0]
                    if source.local and rule.severity is not Severity.CRITICAL:
                        return False  # who runs a program may name its files and hosts
                    severity = Severity.LOW if source.local else rule.severity
                    self.add_report(rule, node, frame, world, arriving, severity)
                    return True
        return False

    def add_report(
        self,
        rule: ScanRule,
        node: ast.AST,
        frame: Frame,
        world: World | None = None,
        arriving: str = "",
        severity: Severity | None = None,
    ) -> None:
        """Add a report of this place."""
        name, number = world if world is not None else ("", -1)
        self.reports.add_report(
            Report(
                rule,
                frame.module,
                node,
                frame.symbol,
                severity or rule.severity,
                name,
                number,
                arriving,
                frame.call_sites,
            )
        )


def find_arriving(context: str, one: object) -> str | None:
    """Find the text that leaves its context in an argument, None if none does."""
    if isinstance(one, list | tuple):
        if context == "shell":
            return _find_in_arguments(list(one))
        if context == "program":
            return _find_in_arguments(list(one)) or (find_arriving("program", one[0]) if one else None)
        if context in ("any", "html", "format", "object", "header"):
            return next((found for part in one if (found := find_arriving(context, part)) is not None), None)
        return find_arriving(context, one[0]) if one else None
    if isinstance(one, dict):
        if context in ("object", "any"):
            return next((found for part in one.values() if (found := find_arriving(context, part)) is not None), None)
        return None
    if context == "object":  # only a part of any type can be an operator
        return one.content if isinstance(one, Derived) else None
    text = find_dangerous([one])
    return text if text is not None and leaves_context(context, text) else None


def _is_no_page(path: str, arguments: list[AbstractValue], named: dict[str, AbstractValue]) -> bool:
    """Tell whether a response is of a type that browsers do not show as a page."""
    positional = arguments[1:2] if path.startswith("django.http.") else []
    given = [named[name] for name in ("content_type", "mimetype", "media_type") if name in named]
    types = [find_constant(value) for value in (*given, *positional)]
    return any(one is not None and not re.search("html|svg|xml", str(one[0])) for one in types)


def _find_in_arguments(arguments: list[object]) -> str | None:
    """Find a command line in the arguments of a shell."""
    if len(arguments) > 2 and isinstance(arguments[0], str) and arguments[0].rpartition("/")[2] in _SHELLS:
        text = find_dangerous(arguments[2:])
        return text if text is not None and leaves_context("shell", text) else None
    return None


def name_call(node: ast.AST) -> str:
    """Name the unknown result of a call by its place."""
    return f"call@{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}"
