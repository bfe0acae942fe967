"""Every regular expression of the code takes linear time for any input, so hostile input stops no process."""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import muniment
from muniment.facts.people import Person
from muniment.forges.gitlab import notes
from muniment.pipelines import pipeline_files
from muniment.server.people import personal_traces, privacy
from muniment.store import erasure
from muniment.vault import policy_rules
from tests.support.regex_attacks import find_superlinear, hostile_families
from tests.support.regex_engine import Engine

ROOT = Path(muniment.__file__).parent
FUNCTIONS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
ANCHORED = {"match", "fullmatch"}
BUILT_AS_THEY_RUN = {  # each has a test below, or where it says
    "forges/gitlab/notes.py": 1,
    "forges/gitlab/merge_request_query.py": 1,  # of digits alone
    "pipelines/pipeline_files.py": 1,
    "policy/built_in_policy.py": 1,  # of our own words
    "policy/patterns.py": 1,  # tests/policy/test_path_patterns.py
    "policy/toml_reading.py": 2,  # those that it is called with are found here
    "scanners/javascript/calls.py": 1,  # of our own lists of modules and names
    "scanners/javascript/input_rules.py": 6,  # of those, and of a name in the file: a scan has a time limit
    "scanners/javascript/pattern_rules.py": 3,
    "scanners/python/analysis.py": 1,  # of escaped words
    "scanners/python/assignments.py": 1,  # of our own rules and models, as the next two
    "scanners/python/models.py": 1,
    "scanners/python/reports.py": 3,
    "scanners/secrets/formats.py": 1,  # tests/scanners/test_secrets.py
    "server/acts/inputs/texts.py": 2,  # those that it is called with are found here
    "server/people/privacy.py": 1,
    "store/erasure.py": 1,
    "updates/repository_locks.py": 1,  # of the names of lock files, a list of our own
    "vault/policy_rules.py": 1,
}


class Expression(NamedTuple):
    """Regular expression with its location and use: "fullmatch", "match", or "finditer" for all else."""

    where: str
    pattern: str | bytes
    flags: int
    method: str


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, ast.expr, list[ast.expr], str]]:
    """Calls that pass a regular expression: (call, expression, flags, method)."""
    names = {
        id(node.value): node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        flags = [keyword.value for keyword in call.keywords if keyword.arg == "flags"]
        match call.func:
            case ast.Attribute(ast.Name("re"), "compile"):
                yield call, call.args[0], flags + call.args[1:], find_usage(tree, names.get(id(call), ""))
            case ast.Attribute(ast.Name("re"), function) if function in FUNCTIONS:
                yield call, call.args[0], flags, function if function in ANCHORED else "finditer"
            case ast.Attribute(_, "get_text" | "get_texts") if len(call.args) == 3:  # of policy.toml_reading.TomlTable
                yield call, call.args[2], [], "fullmatch"
            case ast.Name("Text" | "TextLines"):  # of server.acts.inputs
                yield from (
                    (call, keyword.value, [], "fullmatch") for keyword in call.keywords if keyword.arg == "pattern"
                )
            case ast.Name("RegexValidator"):
                yield call, call.args[0], [], "finditer"
            case _:
                pass


def find_usage(tree: ast.Module, name: str) -> str:
    """Strictest use of a constant that its own module shows; a public one may be used in any way."""
    used = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == name
    }
    alone = name.startswith("_") and used
    return max(used) if alone and used <= ANCHORED else "finditer"


def found_in(path: Path) -> Iterator[Expression | ast.Call]:
    tree = ast.parse(path.read_text())
    where = str(path.relative_to(ROOT))
    module: ModuleType | None = None
    for call, pattern, flags, method in calls(tree):
        module = module or importlib.import_module(
            ".".join(("muniment", *path.relative_to(ROOT).with_suffix("").parts))
        )
        try:
            values = [eval(ast.unparse(one), vars(module)) for one in (pattern, *flags)]
        except NameError:  # it is built of what a function is given
            yield call
        else:
            yield Expression(f"{where}:{call.lineno}:{call.col_offset}", values[0], sum(values[1:]), method)


SOURCES = [path for path in sorted(ROOT.rglob("*.py")) if "migrations" not in path.parts]
FOUND = [(path, found) for path in SOURCES for found in found_in(path)]
EXPRESSIONS = [found for _, found in FOUND if isinstance(found, Expression)]


def test_every_expression_takes_linear_time() -> None:
    found = {one.where: find_superlinear(one.pattern, one.flags, one.method) for one in EXPRESSIONS}
    assert {where: text for where, text in found.items() if text} == {}


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(a+)+b", "finditer"),
        (r"(?:a|a)*b", "fullmatch"),
        (r"\s+$", "finditer"),
        (r"<!--.*?-->", "finditer"),
        (r"x*y*x*z", "fullmatch"),
        (r"\[[^\]]*\]\(", "finditer"),
        (rb"\s+$", "finditer"),
    ],
)
def test_backtracking_expression_is_detected(pattern: str | bytes, method: str) -> None:
    assert find_superlinear(pattern, re.DOTALL, method)


def test_step_counting_engine_matches_like_the_engine_of_python() -> None:
    for one in EXPRESSIONS[::3]:
        _compare_engines(one)


def _compare_engines(one: Expression) -> None:
    engine = Engine(one.pattern, one.flags)
    compiled = re.compile(one.pattern, one.flags)
    for family in islice(hostile_families(engine), 0, None, 7):
        text = family(3)
        if isinstance(one.pattern, bytes) and not text.isascii():
            continue
        subject: Any = text.encode() if isinstance(one.pattern, bytes) else text
        first = getattr(compiled, one.method)(subject)
        matches = list(first) if one.method == "finditer" else [first] if first else []
        assert engine.run(text, one.method) == [match.span() for match in matches], text


def test_expressions_built_at_run_time_are_listed() -> None:
    built: Counter[str] = Counter()
    for path, found in FOUND:
        built.update([str(path.relative_to(ROOT))] if isinstance(found, ast.Call) else [])
    assert built == BUILT_AS_THEY_RUN


BUILT = (
    (notes._mention_pattern("ada.l"), "finditer"),
    *((pattern, "fullmatch") for _, pattern in pipeline_files._SYSTEMS),
    *((erasure._name_pattern(name), "finditer") for name in ("Ada Lovelace", "a a a a", "a.a a-a", "")),
    (
        personal_traces.compile_certain_pattern(
            Person("a", "a a a", ("a@a.a",), ("k a",), ("gitlab/a",), (), True, ())
        ),
        "finditer",
    ),
    (privacy.compile_name_pattern(Person("a", "a a a", ("a@a.a",), ("k a",), ("gitlab/a",), (), True, ())), "finditer"),
    *(
        (re.compile(policy_rules._translate_pattern(path), re.DOTALL), "fullmatch")
        for path in ("a/+/b*", "+a/{{b}}/+a/c/+b*", "")
    ),
)


@pytest.mark.parametrize(("built", "method"), BUILT, ids=range(len(BUILT)))  # their texts differ from run to run
def test_expressions_built_at_run_time_take_linear_time(built: re.Pattern[str], method: str) -> None:
    assert find_superlinear(built.pattern, built.flags & ~re.UNICODE, method) == ""
