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
def test_a_pattern_matches(pattern: str, name: str) -> None:
    assert patterns.matches(name, [pattern])


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
def test_a_pattern_does_not_match(pattern: str, name: str) -> None:
    assert not patterns.matches(name, [pattern])


def test_no_pattern_matches_nothing() -> None:
    assert not patterns.matches("", [])
    assert not patterns.matches("main", [])


def test_several_patterns_match_what_any_of_them_does() -> None:
    both = ("main", "**/x", "**/y/*")
    assert [name for name in ("main", "a/x", "y/z", "b", "maina/x") if patterns.matches(name, both)] == [
        *("main", "a/x", "y/z", "maina/x")
    ]


def test_case_is_ignored_only_when_asked() -> None:
    assert patterns.compile_patterns(("**/Auth/*",), ignore_case=True).fullmatch("SRC/auth/X")
    assert not patterns.compile_patterns(("**/Auth/*",)).fullmatch("src/auth/x")


@pytest.mark.parametrize("pattern", ["a", "**/*.py", "release/*", "docs/ü?.md", "a b"])
def test_a_plain_pattern_has_no_problem(pattern: str) -> None:
    assert patterns.find_problem(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "said"),
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
def test_a_pattern_that_would_silently_match_nothing_is_refused(pattern: str, said: str) -> None:
    assert said in patterns.find_problem(pattern)


def tokens(pattern: str) -> Iterator[str]:
    """What docs/reference/policy.md names: characters, and the wildcards as `*`, `**` and `**/`."""
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and pattern[at - 1 : at] in ("", "/"):
            token = "**/"
        else:
            token = "**" if pattern.startswith("**", at) else pattern[at]
        yield token
        at += len(token)


def fits(tokens: tuple[str, ...], name: str) -> bool:
    """The meaning of a pattern, word for word, by trying everything."""
    if not tokens:
        return not name
    first, rest = tokens[0], tokens[1:]
    if first == "**":
        return any(fits(rest, name[at:]) for at in range(len(name) + 1))
    if first == "**/":
        return fits(rest, name) or any(fits(rest, name[at + 1 :]) for at, char in enumerate(name) if char == "/")
    if first == "*":
        return any(fits(rest, name[at:]) for at in range(len(name.split("/")[0]) + 1))
    return name != "" and (name[0] == first or (first == "?" and name[0] != "/")) and fits(rest, name[1:])


@settings(max_examples=1000)
@given(PATTERNS, NAMES)
@example("a*b**/c", "abbxc")
@example("**a*b**b*c", "abc/abbc")
@example("**/a/**/b", "a/a/c/b")
def test_a_pattern_matches_what_its_meaning_says(pattern: str, name: str) -> None:
    assert patterns.matches(name, [pattern]) == fits(tuple(tokens(pattern)), name)


@settings(max_examples=200)
@given(some.lists(PATTERNS, max_size=4), NAMES)
def test_patterns_match_together_what_each_matches_alone(several: list[str], name: str) -> None:
    assert patterns.matches(name, several) == any(patterns.matches(name, [pattern]) for pattern in several)


@settings(max_examples=300)
@given(PATTERNS, some.lists(some.sampled_from(["a", "ab", "/", "a/", "a" * 50, "ab/" * 20]), max_size=8).map("".join))
@example(EXPONENTIAL, "a" * 300)
@example("**/a" * 12 + "/b", "a/" * 150)
@example("**a*" * 12 + "b", "a" * 300)
@example("**/" + "a*" * 12 + "/**/b", "a" * 300)
@example("a?" * 40 + "**/b", "a" * 300)
def test_matching_looks_at_most_a_few_times_at_each_character_for_each_of_the_pattern(pattern: str, name: str) -> None:
    engine = Engine(patterns.compile_patterns((pattern,)).pattern, patterns.compile_patterns((pattern,)).flags)
    found = engine.run(name, "fullmatch")
    assert engine.steps <= 12 * (len(pattern) + 1) * (len(name) + 1)
    assert bool(found) == patterns.matches(name, [pattern])  # so the steps are those of the expression that is used


def test_a_pattern_that_stopped_the_worker_is_no_work() -> None:
    assert not patterns.matches("a" * 4096, [EXPONENTIAL])
    assert patterns.matches("a" * 4096 + "b", [EXPONENTIAL])
