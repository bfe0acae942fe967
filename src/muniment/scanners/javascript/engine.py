"""Engine for JavaScript and TypeScript. A file that does not parse is failed, and its rules say nothing of it."""

from collections.abc import Collection, Iterator, Sequence

from tree_sitter import Node

from muniment.scanners.engine import CANARY_FOLDER, Canary
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
from muniment.scanners.fingerprints import MOST_SNIPPET, compute_fingerprint, normalise_snippet
from muniment.scanners.javascript import input_rules, pattern_rules
from muniment.scanners.javascript.bindings import Bindings
from muniment.scanners.javascript.calls import Hit, ScriptContext
from muniment.scanners.javascript.flow import ScriptFlow
from muniment.scanners.javascript.script_rules import load_script_rules
from muniment.scanners.rule_texts import FindingPlace
from muniment.syntax.javascript import (
    Script,
    UnparsedError,
    find_grammar,
    find_symbol,
    parse_script,
    read_text,
)

JAVASCRIPT_ENGINE = "muniment-javascript"
_MOST_FINDINGS = 500  # of one file


class ScriptEngine:
    """Engine for JavaScript and TypeScript."""

    name = JAVASCRIPT_ENGINE

    def list_canaries(self) -> tuple[Canary, ...]:
        """List one canary for each OWASP category of 2021, in the three grammars by turns."""
        canaries: dict[str, Canary] = {}
        for name, rule in load_script_rules().items():
            category = rule.find_category(2021)
            if category not in canaries:
                suffix = (".js", ".ts", ".tsx")[len(canaries) % 3]
                path = f"{CANARY_FOLDER}/{name}{suffix}"
                canaries[category] = Canary(category or "no category", name, SourceFile(path, rule.bad[0].encode()))
        return tuple(canaries.values())

    def scan_files(self, files: Sequence[SourceFile], targets: Collection[str]) -> ScanResult:
        """Scan the files among the targets; each gets one line of coverage."""
        findings: list[Finding] = []
        coverage = []
        for file in files:
            if file.path not in targets:
                continue
            if not find_grammar(file.path):
                coverage.append(
                    FileCoverage(file.path, CoverageState.SKIPPED, "it is no JavaScript or TypeScript file")
                )
                continue
            try:
                found = scan_script(parse_script(file.path, file.content))
            except UnparsedError as error:
                coverage.append(FileCoverage(file.path, CoverageState.FAILED, str(error)))
                continue
            except RecursionError:
                coverage.append(FileCoverage(file.path, CoverageState.FAILED, "it is nested too deeply"))
                continue
            findings += found[:_MOST_FINDINGS]
            coverage.append(FileCoverage(file.path, CoverageState.SCANNED))
        return ScanResult(self.name, tuple(findings), tuple(coverage))


def scan_script(script: Script) -> list[Finding]:
    """Find what the rules report in a parsed file."""
    bindings = Bindings(script)
    context = ScriptContext(script, bindings, ScriptFlow(bindings))
    counts: dict[tuple[str, str, str], int] = {}
    seen: set[tuple[str, int]] = set()
    found = []
    for hit in _list_hits(context):
        if (hit.rule, hit.place.start_byte) in seen:
            continue
        seen.add((hit.rule, hit.place.start_byte))
        snippet = normalise_snippet(read_text(hit.place))[:MOST_SNIPPET]
        symbol = find_symbol(hit.place)
        key = (hit.rule, snippet, symbol)
        counts[key] = counts.get(key, -1) + 1
        found.append(_build_finding(script.path, hit, snippet, symbol, counts[key]))
    return found


def _list_hits(context: ScriptContext) -> Iterator[Hit]:
    for node in context.script.nodes:
        match node.type:
            case "call_expression" | "new_expression":
                yield from input_rules.check_call(context, node)
                yield from pattern_rules.match_call(context, node)
            case "assignment_expression" | "augmented_assignment_expression":
                yield from input_rules.check_assignment(context, node)
                yield from pattern_rules.match_assignment(context, node)
            case "variable_declarator":
                yield from pattern_rules.match_assignment(context, node)
            case "jsx_attribute":
                yield from input_rules.check_attribute(context, node)
            case "pair":
                yield from pattern_rules.match_pair(context, node)
            case "catch_clause":
                yield from pattern_rules.match_catch(context, node)
            case _:
                pass


def _build_finding(path: str, hit: Hit, snippet: str, symbol: str, occurrence: int) -> Finding:
    rule = load_script_rules()[hit.rule]
    steps: tuple[Step, ...] = ()
    if hit.taint is not None:
        steps = (
            Step(_make_location(path, hit.taint.place), hit.taint.source),
            Step(_make_location(path, hit.place), "use"),
        )
    place = FindingPlace(
        location=_make_location(path, hit.place),
        confidence=Confidence.HIGH if steps else Confidence.MEDIUM,
        symbol=symbol,
        snippet=snippet,
        fingerprint=compute_fingerprint(hit.rule, snippet, symbol, occurrence),
        steps=steps,
    )
    return rule.make_finding(hit.rule, rule.message, place, Severity(hit.severity) if hit.severity else None)


def _make_location(path: str, node: Node) -> Location:
    (line, column), (end_line, end_column) = node.start_point, node.end_point
    return Location(path, line + 1, column + 1, end_line + 1, end_column + 1)
