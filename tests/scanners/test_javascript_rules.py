"""Rules for JavaScript and TypeScript: each reports its bad examples, and none of its good ones."""

import pytest

from muniment.scanners.engine import run_engine
from muniment.scanners.findings import CoverageState, Finding, ScanResult, SourceFile
from muniment.scanners.javascript.engine import ScriptEngine
from muniment.scanners.javascript.script_rules import load_script_rules

RULES = load_script_rules()
EXAMPLES = [
    pytest.param(name, is_bad, code, id=f"{name}-{'bad' if is_bad else 'good'}-{number}")
    for name, rule in RULES.items()
    for is_bad, codes in ((True, rule.bad), (False, rule.good))
    for number, code in enumerate(codes)
]


def scan(code: str, path: str = "app.jsx") -> ScanResult:
    return ScriptEngine().scan_files([SourceFile(path, code.encode())], {path})


def find(rule: str, code: str, path: str = "app.jsx") -> list[Finding]:
    result = scan(code, path)
    assert [line.state for line in result.coverage] == [CoverageState.SCANNED], result.coverage
    return [finding for finding in result.findings if finding.rule == rule]


@pytest.mark.parametrize(("name", "is_bad", "code"), EXAMPLES)
def test_a_rule_reports_its_bad_examples_and_not_its_good_ones(name: str, is_bad: bool, code: str) -> None:
    assert bool(find(name, code)) is is_bad


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_texts_categories_and_a_remedy(name: str) -> None:
    rule = RULES[name]
    assert rule.bad
    assert rule.good
    assert rule.find_category(2025)
    assert all(text.endswith(".") for text in (rule.requirement, rule.impact, rule.message))


def test_every_category_that_scripts_show_has_a_canary_in_each_grammar() -> None:
    canaries = ScriptEngine().list_canaries()
    assert len({canary.category for canary in canaries}) == len(canaries) >= 8
    assert {canary.file.path.rpartition(".")[2] for canary in canaries} == {"js", "ts", "tsx"}
    result = run_engine(ScriptEngine(), [SourceFile("a.ts", b"const a: number = 1;\n")])
    assert result.coverage[0].state is CoverageState.SCANNED


@pytest.mark.parametrize(
    ("path", "content", "because"),
    [
        ("a.js", b"function f( {\n}\n", "syntax is not known at line"),
        ("a.ts", b"const a: = 1;\n", "syntax"),
        ("a.js", b"\nlet s = `${a\n", "syntax"),
        ("a.js", b"\xff\xfe", "UTF-8"),
        ("a.js", b"a(" * 5000 + b")" * 5000, "nested too deeply"),
        ("a.js", b"x" * 1_000_001, "larger"),
    ],
)
def test_a_file_that_does_not_parse_whole_is_failed(path: str, content: bytes, because: str) -> None:
    (line,) = run_engine(ScriptEngine(), [SourceFile(path, content)]).coverage
    assert line.state is CoverageState.FAILED
    assert because in line.because


def test_typescript_and_jsx_are_parsed_by_their_own_grammars() -> None:
    typed = (
        "export async function GET(request: NextRequest): Promise<Response> {\n"
        "  return redirect(request.nextUrl.searchParams.get('to') as string);\n}\n"
    )
    assert find("js-open-redirect", typed, "app/route.ts")
    page = "export default function P({ searchParams }: Props) { return <a href={searchParams.to!}>x</a>; }"
    assert find("js-cross-site-scripting", page, "app/page.tsx")
    assert scan("<template></template>", "a.vue").coverage[0].state is CoverageState.SKIPPED


def test_a_finding_has_its_source_its_place_and_a_fingerprint_that_survives_moves() -> None:
    code = (
        "const app = require('express')();\n"
        "app.get('/', (req, res) => {\n  const to = req.query.to;\n  res.redirect(to);\n});\n"
    )
    (finding,) = find("js-open-redirect", code)
    assert (finding.location.line, [step.text for step in finding.steps]) == (4, ["request query", "use"])
    (moved,) = find("js-open-redirect", "// above\n\n" + code)
    assert moved.fingerprint == finding.fingerprint
