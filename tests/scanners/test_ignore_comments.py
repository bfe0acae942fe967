"""Comments that ask to ignore a rule: one form exists, it silences nothing by itself, and all others are findings."""

import pytest

from muniment.facts.code_facts import IgnoreComment
from muniment.scanners.child import ScanRequest, scan_request
from muniment.scanners.comments.comment_rules import FORM_RULE
from muniment.scanners.comments.engine import CommentEngine, list_hard_rules
from muniment.scanners.engine import run_engine
from muniment.scanners.findings import CoverageState, ScanResult, SourceFile
from muniment.scanners.own_rules import load_own_rules

PREFIX = "muni" + "ment: ignore"  # this file is scanned too
REASON = "the digest names a cache entry"
EXACT = f"# {PREFIX} weak-hash: {REASON}"


def scan(content: str | bytes, path: str = "app.py") -> ScanResult:
    data = content.encode() if isinstance(content, str) else content
    return run_engine(CommentEngine(), [SourceFile(path, data)])


def list_targets(content: str | bytes, path: str = "app.py") -> list[tuple[int, str]]:
    return [(one.target, one.rule) for one in scan(content, path).comments]


def test_the_exact_form_names_line_rule_and_reason() -> None:
    (comment,) = scan(f"import hashlib\n{EXACT}\nhashlib.md5(b'')\n").comments
    assert comment == IgnoreComment("app.py", 2, 3, "weak-hash", REASON)


def test_it_applies_to_its_own_line_or_stands_above() -> None:
    assert list_targets(f"x = 1\nhashlib.md5(b'')  {EXACT}\n") == [(2, "weak-hash")]
    second = f"# {PREFIX} sql-injection: {REASON}"
    assert list_targets(f"{EXACT}\n{second}\nx = 1\n") == [(3, "weak-hash"), (3, "sql-injection")]
    assert list_targets(f"x: 1\n  {EXACT}\ny: 1\n", "a.yml") == [(3, "weak-hash")]
    script = f"// {PREFIX} js-weak-hash: {REASON}"
    assert list_targets(f"f();\r\n{script}\r\ng();\r\n", "a.ts") == [(3, "js-weak-hash")]


HOSTILE = [
    f"# {PREFIX}",
    f"# {PREFIX} weak-hash",
    f"# {PREFIX} weak-hash:",
    f"# {PREFIX} weak-hash: ",
    f"# {PREFIX} weak-hash: short",
    f"# {PREFIX} weak-hash:{REASON}",
    f"# {PREFIX} weak-hash {REASON}",
    f"# {PREFIX} weak-hash - {REASON}",
    f"# {PREFIX}: weak-hash: {REASON}",
    f"# {PREFIX} all: {REASON}",
    f"# {PREFIX} *: {REASON}",
    f"# {PREFIX} weak-*: {REASON}",
    f"# {PREFIX} weak-hash, sql-injection: {REASON}",
    f"# {PREFIX} weak-hash sql-injection: {REASON}",
    f"# {PREFIX} Weak-Hash: {REASON}",
    f"# {PREFIX} weak_hash: {REASON}",
    f"# {PREFIX} CWE-328: {REASON}",
    f"# {PREFIX} no-such-rule: {REASON}",
    f"# {PREFIX} token-in-code: {REASON}",
    f"# {PREFIX} private-key-in-code: {REASON}",
    f"# {PREFIX} credential-in-code: {REASON}",
    f"# {PREFIX} fail-open-check: {REASON}",
    f"# {PREFIX} js-fail-open-check: {REASON}",
    f"# {PREFIX} {FORM_RULE}: {REASON}",
    f"#{PREFIX} weak-hash: {REASON}",
    f"## {PREFIX} weak-hash: {REASON}",
    f"#  {PREFIX} weak-hash: {REASON}",
    f"#\t{PREFIX} weak-hash: {REASON}",
    f"# {PREFIX}  weak-hash: {REASON}",
    f"# {PREFIX.upper()} weak-hash: {REASON}",
    f"# {PREFIX.title()} weak-hash: {REASON}",
    f"# noqa {PREFIX} weak-hash: {REASON}",
    f"# {PREFIX} weak-hash: {REASON} \u202e",
    f"# {PREFIX} weak-hash: {'x' * 201}",
    "# muni" + f"ment:ignore weak-hash: {REASON}",
    "# muni" + f"ment-ignore: weak-hash: {REASON}",
    "# muni" + f"ment: disable weak-hash: {REASON}",
    "# muni" + f"ment: skip-file weak-hash: {REASON}",
    "# muni" + f"ment\u200b: ignore weak-hash: {REASON}",
    "# m\u0301uni" + f"ment: ignore weak-hash: {REASON}",
    "# \uff4duni" + f"ment: ignore weak-hash: {REASON}",
    "# nosec muni" + f"ment weak-hash: {REASON}",
    "# noqa: muni" + "ment",
]


@pytest.mark.parametrize("comment", HOSTILE)
def test_another_form_silences_nothing_and_is_a_finding(comment: str) -> None:
    content = f"import hashlib\n{comment}\nhashlib.md5(b'')  {comment}\n"
    results = scan_request(ScanRequest((SourceFile("app.py", content.encode()),), ("app.py",), key=b"k"))
    assert not any(result.comments for result in results)
    rules = [finding.rule for result in results for finding in result.findings]
    assert rules.count("weak-hash") == 1
    assert rules.count(FORM_RULE) == 2


SILENT = [
    f"text = '''\n{EXACT}\n'''\nhashlib.md5(b'')\n",  # a text, no comment
    f"text = '{EXACT}'\n",
    f'"""\n{EXACT}\n"""\n',
    f"x = 1 \\\n{EXACT}\n(\n",  # does not parse
    f"def f(:\n    pass\n{EXACT}\n'''",
    f"x = 1  # a\r{EXACT}\rhashlib.md5(b'')\n",
    f"# # {EXACT}\n",
    f"# x\x0c{EXACT}\n",
    f"# x\u2028{EXACT}\n",
    f"# coding: utf-7\n+ACM- {PREFIX} weak-hash: {REASON}\n",
]


@pytest.mark.parametrize("content", SILENT)
def test_what_is_no_comment_of_its_own_silences_nothing(content: str) -> None:
    assert scan(content).comments == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.ts", f"f(); // {PREFIX} js-weak-hash: {REASON}\n"),
        ("a.ts", f"/* {PREFIX} js-weak-hash: {REASON} */\nf();\n"),
        ("a.tsx", f"<a>{{/* {PREFIX} js-weak-hash: {REASON} */}}</a>\n"),
        ("a.html", f"<!-- {PREFIX} weak-hash: {REASON} -->\n"),
        ("a.sql", f"-- {PREFIX} sql-injection: {REASON}\n"),
        ("Dockerfile", f"RUN a # {PREFIX} container-root-user: {REASON}\n"),
    ],
)
def test_other_files_have_the_same_one_form(path: str, text: str) -> None:
    result = scan(text, path)
    assert result.comments == ()
    assert [finding.rule for finding in result.findings] == [FORM_RULE]


def test_documents_and_code_of_others_are_left_alone() -> None:
    assert scan(f"Write {EXACT}\n", "guide.md").coverage[0].state is CoverageState.SKIPPED
    page = "<title>{% block title %}Not allowed{% endblock %} · Muniment</title>\n"
    assert scan(page, "403.html").findings == ()
    assert scan("# noqa: S101\n# the word muniment alone\nx = 1  # type: ignore\n").findings == ()


def test_a_comment_in_another_form_that_was_there_before_is_not_new() -> None:
    old = SourceFile("a.py", f"# {PREFIX}\n".encode())
    request = ScanRequest((SourceFile("a.py", b"\n\n" + old.content),), ("a.py",), before=(old,), key=b"k")
    assert [one for result in scan_request(request) for one in result.findings] == []


def test_hard_rules_are_secrets_checks_that_fail_open_and_the_form_itself() -> None:
    assert list_hard_rules() >= {"token-in-code", "fail-open-check", "js-fail-open-check", FORM_RULE}
    assert "weak-hash" not in list_hard_rules()
    assert list_hard_rules() < load_own_rules().keys()
