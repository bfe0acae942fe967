"""Tutorials: their commands are run in their order, as written, and print what the page shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dev.generate import DOCS

TUTORIAL = DOCS / "tutorial"
_BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_END = "--- end of the command, with"


class ShownCommand(NamedTuple):
    """A command of a page, and the lines that it should print; None if the page shows none."""

    text: str
    output: list[str] | None


def read_commands(page: str) -> Iterator[ShownCommand]:
    """Give the commands of a page in their order."""
    for kind, block in _BLOCK.findall(page):
        if kind == "sh":
            yield ShownCommand(block, None)
            continue
        for session in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = session.partition("\n")
            yield ShownCommand(command, output.splitlines())


def find_missing_line(shown: list[str], printed: str) -> str:
    """Name the first shown line that was not printed in its place, or "". `…` stands for anything."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    gap = False
    for line in shown:
        if line == "…":
            gap = True
            continue
        pattern = re.compile(".+".join(map(re.escape, line.split("…"))))
        while gap and lines and not pattern.fullmatch(lines[0]):
            lines.pop(0)
        if not lines or not pattern.fullmatch(lines.pop(0)):
            return line
        gap = False
    return "" if gap or not lines else f"the page does not show: {lines[0]}"


class Shell:
    """A bash that runs one command after another, as in the terminal of a reader whose home is `folder`."""

    def __init__(self, folder: Path) -> None:
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"HOME": str(folder), "PATH": programs, "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
        self.process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; give its exit code and output."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{{ {command}\n}} < /dev/null\necho; echo {_END} $?\n")
        self.process.stdin.flush()
        lines: list[str] = []
        for line in self.process.stdout:
            if line.startswith(_END):
                return int(line.removeprefix(_END)), "".join(lines)
            lines.append(line)
        raise EOFError("".join(lines))

    def end(self) -> None:
        """Leave the shell, and wait for its end."""
        self.process.communicate("exit\n", timeout=60)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    one = Shell(tmp_path)
    yield one
    one.end()


def follow(shell: Shell, name: str) -> None:
    """Do what a tutorial says; fail where a command fails or prints something else."""
    for command in read_commands((TUTORIAL / name).read_text(encoding="utf-8")):
        code, printed = shell.run(command.text)
        if command.output is None:
            assert (code, printed.strip()) == (0, ""), f"{command.text}\n{printed}"
        else:
            assert find_missing_line(command.output, printed) == "", f"{command.text}\n{printed}"


@pytest.mark.slow
def test_the_first_two_tutorials_work_as_written(shell: Shell) -> None:
    follow(shell, "first-evaluation.md")
    follow(shell, "first-enforced-branch.md")


@pytest.mark.parametrize(
    ("shown", "printed", "fault"),
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
def test_wrong_output_of_a_tutorial_is_found(shown: str, printed: str, fault: str) -> None:
    assert find_missing_line(shown.splitlines(), printed) == fault
