"""Linear matching: what it decides agrees with the standard library, whatever the pattern is."""

import re
from contextlib import suppress

import pytest

from muniment.scanners.python.linear_matching import compile_linear
from muniment.scanners.python.values import UndecidedError

PATTERNS = [
    "a", "ab|cd", "[a-c]+", "[^a-c]*", "a?b{2,3}", "(a|b)*c", r"\d+", r"\w+\s\w+", r"\Aab\Z", "^a.c$", "a.*?b",
    "(?i)AB", r"\bab\b", "(?:a|ab)(?:c|bcd)", "", "a{0}", "(a*)*", r"[\w.-]+@[\w-]+", r"\S+", "x*",
]  # fmt: skip
TEXTS = ["", "a", "ab", "abc", "abcd", "cd", "aab", "abb", "abbb", "12 34", "a\nc", "AB", "x ab y", "a@b-c", "ccc"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_matching_agrees_with_the_standard_library(pattern: str) -> None:
    for text in TEXTS:
        assert (len(text) in compile_linear(pattern).find_ends(text, 0)) == bool(re.fullmatch(pattern, text)), text
        assert bool(compile_linear(pattern).find_span(text)) == bool(re.search(pattern, text)), text


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a*)*b", "a{0,400}a{0,400}a{0,400}b"])
def test_a_pattern_that_would_run_for_ever_is_matched_or_undecided(pattern: str) -> None:
    with suppress(UndecidedError):
        assert compile_linear(pattern).find_ends("a" * 300 + "c", 0) is not None


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=a)", "(?<!a)b", "(", "a" * 501])
def test_what_it_cannot_decide_it_does_not(pattern: str) -> None:
    with pytest.raises(UndecidedError):
        compile_linear(pattern).find_ends("aa", 0)
