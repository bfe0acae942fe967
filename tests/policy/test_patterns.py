import pytest

from muniment.policy import patterns


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
    assert patterns.compiled(("**/Auth/*",), ignore_case=True).fullmatch("SRC/auth/X")
    assert not patterns.compiled(("**/Auth/*",)).fullmatch("src/auth/x")


@pytest.mark.parametrize("pattern", ["a", "**/*.py", "release/*", "docs/ü?.md", "a b"])
def test_a_plain_pattern_has_no_problem(pattern: str) -> None:
    assert patterns.problem(pattern) == ""


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
    assert said in patterns.problem(pattern)
