"""Tutorials: their commands work as written, and print what the page shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tutorials import Shell, find_missing_line, follow


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Shell(tmp_path) as one:
        yield one


@pytest.mark.slow
def test_the_first_two_tutorials_work_as_written(shell: Shell) -> None:
    follow(shell, "first-evaluation.md")
    follow(shell, "first-enforced-branch.md")


@pytest.mark.parametrize(
    ("visible", "printed", "fault"),
    [
        ("one\ntwo", "one\ntwo\n", ""),
        ("one\n…", "one\ntwo\nthree\n", ""),
        ("…\nthree", "one\ntwo\nthree\n", ""),
        ("made …/x", "made /tmp/x\n", ""),
        ("one", "one\ntwo\n", "the page does not show: two"),
        ("one\nthree", "one\ntwo\nthree\n", "three"),
        ("one\n…\nfour", "one\ntwo\nthree\n", "four"),
    ],
)
def test_wrong_output_of_a_tutorial_is_found(visible: str, printed: str, fault: str) -> None:
    assert find_missing_line(visible.splitlines(), printed) == fault
