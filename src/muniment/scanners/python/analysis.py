"""Analysis of the Python files of one repository: entry points, budgets, findings and coverage."""

import ast
import re
from collections.abc import Iterable

from muniment.scanners.findings import (
    Confidence,
    CoverageState,
    FileCoverage,
    Finding,
    Location,
    ScanResult,
    Severity,
    SourceFile,
    Step,
)
from muniment.scanners.fingerprints import MOST_SNIPPET, compute_fingerprint, cut_snippet
from muniment.scanners.python.entry_points import EntryPoint, describe_parameters
from muniment.scanners.python.frames import BudgetError, Frame
from muniment.scanners.python.function_calls import list_base_names
from muniment.scanners.python.models import LibraryModels, load_models
from muniment.scanners.python.operations import PathEndError
from muniment.scanners.python.program import AnalysedProgram
from muniment.scanners.python.reports import Report
from muniment.scanners.python.state import State
from muniment.scanners.python.statements import Interpreter
from muniment.scanners.python.values import AbstractValue, Class, HeapObject, ValueReference, build_symbol
from muniment.scanners.python.witnesses import WITNESSES
from muniment.scanners.rule_texts import FindingPlace

PYTHON_ENGINE = "muniment-python"
MOST_SOURCE_BYTES = 2_000_000
ENTRY_BUDGET = 20_000
MOST_PENDING = 2_000
MODULE_BUDGET = 100_000
_MOST_STEPS = 12
_MOST_NAMED = 5


def scan_python(files: Iterable[SourceFile], targets: frozenset[str] | None = None) -> ScanResult:
    """Scan Python files. `files` are all that imports may lead to; `targets` the paths to report on (None: all)."""
    given = sorted(files, key=lambda file: file.path)
    coverage: dict[str, FileCoverage] = {}
    contents: dict[str, bytes] = {}
    for file in given:
        if not file.path.endswith(".py"):
            coverage[file.path] = FileCoverage(file.path, CoverageState.SKIPPED, "it is no Python file")
        elif len(file.content) > MOST_SOURCE_BYTES:
            because = f"it is larger than {MOST_SOURCE_BYTES} bytes"
            coverage[file.path] = FileCoverage(file.path, CoverageState.FAILED, because)
        elif b"\0" in file.content:
            coverage[file.path] = FileCoverage(file.path, CoverageState.FAILED, "it is not text")
        else:
            contents[file.path] = file.content
    analysis = PythonAnalysis(contents, load_models())
    chosen = [path for path in contents if targets is None or path in targets]
    for path in chosen:
        coverage[path] = analysis.scan_file(path)
    findings = analysis.build_findings()  # those of other files, too, that the entry points of a target reach
    listed = [coverage[path] for path in sorted(coverage) if targets is None or path in targets]
    return ScanResult(PYTHON_ENGINE, tuple(findings), tuple(listed))


class PythonAnalysis:
    """Analysis of one repository. Files are scanned one by one; what they import is loaded when it is needed."""

    def __init__(self, contents: dict[str, bytes], models: LibraryModels) -> None:
        self._contents = contents
        self._program = AnalysedProgram(contents)
        self._interpreter = Interpreter(self._program, models)
        self._interpreter.entries = {}
        self._views = _find_views(contents)
        self._interesting = _compile_prefilter(models)

    def scan_file(self, path: str) -> FileCoverage:
        """Scan one file, and tell how much of it was scanned."""
        if not self._interesting.search(self._contents[path]):
            if self._program.read_tree(path) is None:
                return FileCoverage(path, CoverageState.FAILED, self._program.unreadable[path])
            return FileCoverage(path, CoverageState.SCANNED)
        unfinished: list[str] = []
        interpreter = self._interpreter
        interpreter.budget = MODULE_BUDGET
        try:
            location = interpreter.load_module(path)
        except (BudgetError, RecursionError):
            location = None
            unfinished.append("the top of the module")
        if path in self._program.unreadable:
            return FileCoverage(path, CoverageState.FAILED, self._program.unreadable[path])
        imports = _list_imports(self._program.trees[path])
        pending = list(interpreter.entries.get(path, ()))
        while pending and location is not None:
            entry = pending.pop(0)
            known = len(interpreter.entries.get(path, ()))
            if not self._run_entry(entry, path, imports):
                name = f"{entry.outer}.{entry.function.name}" if entry.outer else entry.function.name
                unfinished.append(f"`{name}`")
            nested = interpreter.entries.get(path, [])[known:]
            del interpreter.entries[path][known:]
            seen = {entry.function.line, *(one.function.line for one in pending)}
            for one in nested:  # functions that this one defines: handlers in a factory
                if one.state is None or one.function.line in seen or len(pending) >= MOST_PENDING:
                    continue
                if _is_within(one.function.node, entry.function.node):
                    seen.add(one.function.line)
                    pending.append(one)
        if unfinished:
            named = ", ".join(dict.fromkeys(unfinished[:_MOST_NAMED]))
            more = f" and {len(unfinished) - _MOST_NAMED} more" if len(unfinished) > _MOST_NAMED else ""
            return FileCoverage(path, CoverageState.PARTIAL, f"the analysis of {named}{more} did not end")
        return FileCoverage(path, CoverageState.SCANNED)

    def _run_entry(self, entry: EntryPoint, path: str, imports: frozenset[str]) -> bool:
        """Run one function as a framework would call it. False if the analysis did not end."""
        interpreter = self._interpreter
        function = entry.function
        state = entry.state.copy() if entry.state is not None else State(self._program.static)
        interpreter.budget = ENTRY_BUDGET
        interpreter.running = []
        if not state.has_object(function.frame):
            return True
        owner, bases = self._find_owner(entry, state)
        parameters = describe_parameters(entry, owner, bases, imports, self._views)
        symbol = f"{owner.name}.{function.name}" if owner is not None else function.name
        symbol = symbol if owner is not None or not entry.outer else f"{entry.outer}.{function.name}"
        frame = Frame(path, self._program.next_location(), symbol, function)
        frame.entry = "response" if parameters.response else ""
        state.add_object(frame.location, HeapObject("frame", {}, type=function.frame))
        named: dict[str, AbstractValue] = {}
        for name, symbol_path in parameters.symbols.items():
            named[name] = build_symbol(symbol_path)
        for name, source in parameters.sources.items():
            named[name] = interpreter.read_source(f"{path}:{symbol}", name, source, function.node, frame)
        receiver: list[AbstractValue] = []
        try:
            if owner is not None and function.kind != "staticmethod":
                if function.kind == "classmethod":
                    receiver = [AbstractValue((owner,))]
                else:
                    receiver = [self._build_receiver(owner, named, function.node, state, frame)]
            interpreter.bind_parameters(function, receiver, named, state, frame)
            interpreter.running.append(function)
            interpreter.finish_function(function, state, frame)
        except PathEndError:
            return True
        except (BudgetError, RecursionError):
            return False
        except Exception:  # noqa: BLE001 -- a defect of the analysis: the file becomes `partial`, never clean
            return False
        return True

    def _find_owner(self, entry: EntryPoint, state: State) -> tuple[Class | None, list[str]]:
        location = entry.function.owner
        if not location or not state.has_object(location):
            return None, []
        outer = state.read_object(location).type
        name = state.read_object(location).items["__name__"].base[0]
        if isinstance(outer, int) and state.has_object(outer):
            found = state.read_object(outer).items.get(name)
            for one in found.base if found is not None else ():
                if isinstance(one, Class) and one.location == location:
                    return one, list_base_names(one)
        return Class(entry.function.module, str(name), location, ()), []

    def _build_receiver(
        self, owner: Class, named: dict[str, AbstractValue], node: ast.AST, state: State, frame: Frame
    ) -> AbstractValue:
        """Build an instance as its own constructor does, with unknown arguments."""
        interpreter = self._interpreter
        try:
            made = interpreter.call_value(
                AbstractValue((owner,)), [], {}, node, state, Frame(frame.module, frame.location, depth=3)
            )
        except PathEndError:
            made = interpreter.allocate_object(HeapObject("instance", {}, type=owner), state)
        one = made.base[0]
        if "self.request" in named and isinstance(one, ValueReference):
            state.write_object(one.location).items["request"] = named.pop("self.request")
        return made

    # --- findings ----------------------------------------------------------------------------------------------

    def build_findings(self) -> list[Finding]:
        """Build the findings of all reports in the order of their places."""
        reports = self._interpreter.reports.by_place
        counts: dict[tuple[str, str, str, str], int] = {}
        findings = []
        lines: dict[str, list[str]] = {}
        for key in sorted(reports, key=lambda one: (one[1], one[2], one[3], one[0])):
            report = reports[key]
            path = report.module
            if path not in lines:
                lines[path] = self._contents[path].decode("utf-8", "replace").splitlines()
            location = _shorten_location(_locate(path, report.node), report.node, lines[path])
            snippet = cut_snippet(
                lines[path], location.line, location.column - 1, location.end_line, location.end_column - 1
            )
            same = (path, report.rule.id, report.symbol, snippet)
            counts[same] = counts.get(same, -1) + 1
            findings.append(self._build_finding(report, location, snippet, counts[same]))
        return findings

    def _build_finding(self, report: Report, location: Location, snippet: str, occurrence: int) -> Finding:
        rule = report.rule
        steps = self._list_steps(report, location) if report.source else ()
        message = rule.message
        if steps:
            lines = " → ".join(f"{step.location.path}:{step.location.line}" for step in steps)
            way = WITNESSES[report.witness].way
            message += f" The input is a {steps[0].text}; {way} arrives unchanged. Path: {lines}."
        place = FindingPlace(
            location=location,
            confidence=_rate_confidence(report),
            symbol=report.symbol,
            snippet=snippet[:MOST_SNIPPET],
            fingerprint=compute_fingerprint(rule.id, snippet, report.symbol, occurrence),
            steps=steps,
        )
        return rule.make_finding(rule.id, message, place, report.severity)

    def _list_steps(self, report: Report, sink: Location) -> tuple[Step, ...]:
        """List the source, the calls, and the assignments of the attack string, in order, then the sink."""
        source, module, node = self._interpreter.sources[report.source]
        first = Step(_locate(module, node), source.title)
        middle = [Step(_locate(where, call), f"call of `{name}`") for where, call, name in report.call_sites]
        modules = {module, report.module, *(where for where, _, _ in report.call_sites)}
        for (where, _, _), (target, witnesses) in self._interpreter.assigned.get(report.source, {}).items():
            if report.witness in witnesses and where in modules and len(middle) < _MOST_STEPS:
                place = _locate(where, target)
                if place.path != sink.path or place.line <= sink.line:
                    middle.append(Step(place, f"assignment to `{ast.unparse(target)[:60]}`"))
        own = [step for step in middle if step.location.path == module]
        others = [step for step in middle if step.location.path != module]
        own.sort(key=lambda step: step.location)
        last = Step(sink, "use")
        unique = dict.fromkeys(step for step in (*own, *others) if step.location not in (first.location, sink))
        return (first, *unique, last)


def _rate_confidence(report: Report) -> Confidence:
    if not report.source:
        return Confidence.MEDIUM if report.rule.severity is Severity.LOW else Confidence.HIGH
    return Confidence.HIGH if report.severity is not Severity.LOW else Confidence.LOW


def _locate(path: str, node: ast.AST) -> Location:
    line = int(getattr(node, "lineno", 1))
    column = int(getattr(node, "col_offset", 0))
    end_line = int(getattr(node, "end_lineno", None) or line)
    end_column = int(getattr(node, "end_col_offset", None) or column)
    return Location(path, line, column + 1, end_line, end_column + 1)


def _shorten_location(location: Location, node: ast.AST, lines: list[str]) -> Location:
    """Shorten the place of a statement with a body to its first line."""
    if location.end_line == location.line or isinstance(node, ast.expr) or location.line > len(lines):
        return location
    end = len(lines[location.line - 1].encode("utf-8", "replace").rstrip()) + 1
    return Location(location.path, location.line, location.column, location.line, end)


def _is_within(inner: ast.AST, outer: ast.AST) -> bool:
    start, end = getattr(outer, "lineno", 0), getattr(outer, "end_lineno", None) or 0
    return bool(start <= getattr(inner, "lineno", -1) <= end)


def _list_imports(tree: ast.Module) -> frozenset[str]:
    """List the top packages that a module imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def _find_views(contents: dict[str, bytes]) -> frozenset[str] | None:
    """Find the names that URLconfs mention, None if there is no URLconf."""
    texts = [content for path, content in sorted(contents.items()) if b"urlpatterns" in content]
    if not texts:
        return None
    return frozenset(word.decode() for text in texts for word in re.findall(rb"[A-Za-z_]\w*", text))


def _compile_prefilter(models: LibraryModels) -> re.Pattern[bytes]:
    """Compile a pattern that finds a word of any sink or pattern: files without one cannot have a finding."""
    names = [*models.sinks, *models.call_patterns, *models.assign_patterns, *models.reference_patterns]
    words = {re.split(r"[.:]", name.removesuffix("[]").removesuffix("()"))[-1] for name in names}
    words |= {"except", "route", "get", "post", "session"}
    return re.compile(b"|".join(rb"\b" + re.escape(word.encode()) + rb"\b" for word in sorted(words) if word))
