from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from muniment.policy import patterns
from tests.support.regex_engine import Engine

PATTERNS = some.lists(some.sampled_from(["a", "b", ".", "/", "?", "*", "**", "**/", "/**"]), max_size=12).map("".join)
NAMES = some.text("aab./\n", max_size=14)
EXPONENTIAL = "*a*a*a*a*a*a*a*a*a*ab"  # for an engine that goes back


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("main", "main"),
        ("release/*", "release/1.2"),
        ("v?", "v1"),
        ("**/x", "x"),
        ("**/x", "a/b/x"),
        ("x/**", "x/a/b"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/c/d/b"),
        ("**", "a/b"),
        ("a**b", "a/c/b"),
        ("**/**/x", "a/x"),
        ("a.b", "a.b"),
        ("*", "two\nlines"),
        ("a**/b", "a/b"),
        ("a**/b", "ac/d/b"),
        ("***", "a/b"),
        ("a*b*c", "axbxbxc"),
        ("a*b/c*d", "axxb/cxd"),
    ],
)
def test_pattern_matches_path(pattern: str, name: str) -> None:
    assert patterns.matches_any(name, [pattern])


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("main", "main2"),
        ("main", "Main"),
        ("main", "main\n"),
        ("release/*", "release/1/2"),
        ("release/*", "release"),
        ("v?", "v/"),
        ("**/x", "ax"),
        ("x/**", "x"),
        ("a.b", "axb"),
        ("a/**/b", "ab"),
        ("a**/b", "ab"),
        ("a*a", "a"),
    ],
)
def test_pattern_does_not_match_path(pattern: str, name: str) -> None:
    assert not patterns.matches_any(name, [pattern])


def test_no_patterns_match_no_path() -> None:
    assert not patterns.matches_any("", [])
    assert not patterns.matches_any("main", [])


def test_several_patterns_match_if_any_matches() -> None:
    both = ("main", "**/x", "**/y/*")
    assert [name for name in ("main", "a/x", "y/z", "b", "maina/x") if patterns.matches_any(name, both)] == [
        *("main", "a/x", "y/z", "maina/x")
    ]


def test_case_is_ignored_only_on_request() -> None:
    assert patterns.compile_patterns(("**/Auth/*",), ignore_case=True).fullmatch("SRC/auth/X")
    assert not patterns.compile_patterns(("**/Auth/*",)).fullmatch("src/auth/x")


@pytest.mark.parametrize("pattern", ["a", "**/*.py", "release/*", "docs/ü?.md", "a b"])
def test_ordinary_pattern_is_valid(pattern: str) -> None:
    assert patterns.find_syntax_problem(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "empty"),
        ("x" * 201, "longer"),
        (" main", "blanks"),
        ("ma\u200bin", "cannot be seen"),
        ("/src/**", "begins with /"),
        ("src/", "ends with /"),
        ("a//b", "empty part"),
        ("!main", "begins with / or !"),
        ("[ab]", "[ has no special meaning"),
        ("{a,b}", "{ has no special meaning"),
        ("a\\*", "\\ has no special meaning"),
    ],
)
def test_refuses_pattern_that_can_match_nothing(pattern: str, message: str) -> None:
    assert message in patterns.find_syntax_problem(pattern)


def tokens(pattern: str) -> Iterator[str]:
    """Tokens named by docs/reference/policy.md: characters, and the wildcards `*`, `**` and `**/`."""
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and pattern[at - 1 : at] in ("", "/"):
            token = "**/"
        else:
            token = "**" if pattern.startswith("**", at) else pattern[at]
        yield token
        at += len(token)


def matches_by_definition(tokens: tuple[str, ...], name: str) -> bool:
    """Reference implementation of matching, by exhaustive search."""
    if not tokens:
        return not name
    first, rest = tokens[0], tokens[1:]
    if first == "**":
        return any(matches_by_definition(rest, name[at:]) for at in range(len(name) + 1))
    if first == "**/":
        return matches_by_definition(rest, name) or any(
            matches_by_definition(rest, name[at + 1 :]) for at, char in enumerate(name) if char == "/"
        )
    if first == "*":
        return any(matches_by_definition(rest, name[at:]) for at in range(len(name.split("/")[0]) + 1))
    return (
        name != "" and (name[0] == first or (first == "?" and name[0] != "/")) and matches_by_definition(rest, name[1:])
    )


@settings(max_examples=1000)
@given(PATTERNS, NAMES)
@example("a*b**/c", "abbxc")
@example("**a*b**b*c", "abc/abbc")
@example("**/a/**/b", "a/a/c/b")
def test_matching_equals_reference_implementation(pattern: str, name: str) -> None:
    assert patterns.matches_any(name, [pattern]) == matches_by_definition(tuple(tokens(pattern)), name)


@settings(max_examples=200)
@given(some.lists(PATTERNS, max_size=4), NAMES)
def test_combined_patterns_match_like_single_patterns(several: list[str], name: str) -> None:
    assert patterns.matches_any(name, several) == any(patterns.matches_any(name, [pattern]) for pattern in several)


@settings(max_examples=300)
@given(PATTERNS, some.lists(some.sampled_from(["a", "ab", "/", "a/", "a" * 50, "ab/" * 20]), max_size=8).map("".join))
@example(EXPONENTIAL, "a" * 300)
@example("**/a" * 12 + "/b", "a/" * 150)
@example("**a*" * 12 + "b", "a" * 300)
@example("**/" + "a*" * 12 + "/**/b", "a" * 300)
@example("a?" * 40 + "**/b", "a" * 300)
def test_matching_time_is_bounded_by_pattern_times_path_length(pattern: str, name: str) -> None:
    engine = Engine(patterns.compile_patterns((pattern,)).pattern, patterns.compile_patterns((pattern,)).flags)
    found = engine.run(name, "fullmatch")
    assert engine.steps <= 12 * (len(pattern) + 1) * (len(name) + 1)
    assert bool(found) == patterns.matches_any(name, [pattern])  # so the steps are those of the expression that is used


def test_exponential_backtracking_pattern_is_matched_quickly() -> None:
    assert not patterns.matches_any("a" * 4096, [EXPONENTIAL])
    assert patterns.matches_any("a" * 4096 + "b", [EXPONENTIAL])
