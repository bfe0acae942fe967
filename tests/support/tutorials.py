"""Follows a tutorial: runs its commands in their order, as written, and compares what they print with the page."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dev.generate import DOCS

_TUTORIAL = DOCS / "tutorial"
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


def find_missing_line(visible: list[str], printed: str) -> str:
    """Name the first shown line that was not printed in its place, or "". `…` stands for anything."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    gap = False
    for line in visible:
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
        self.environment = {"HOME": str(folder), "PATH": programs, "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
        self.process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Run a command; give its exit code and output."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{{ {command}\n}} < /dev/null\ncode=$?; echo; echo {_END} $code\n")
        self.process.stdin.flush()
        lines: list[str] = []
        for line in self.process.stdout:
            if line.startswith(_END):
                return int(line.removeprefix(_END)), "".join(lines)
            lines.append(line)
        raise EOFError("".join(lines))

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate("exit\n", timeout=60)


def read_sections(name: str) -> dict[str, list[ShownCommand]]:
    """Give the commands of each section of a tutorial, by its heading."""
    page = (_TUTORIAL / name).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)[1:]
    return {heading: list(read_commands(text)) for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def run_commands(shell: Shell, commands: Iterable[ShownCommand], **values: str) -> None:
    """Run commands; fail where one fails or prints something else. `values`: what replaces words, as by a reader."""
    for command in commands:
        text = command.text
        for word, value in values.items():
            text = text.replace(word, value)
        code, printed = shell.run(text)
        if command.output is None:
            assert (code, printed.strip()) == (0, ""), f"{text}\n{printed}"
            continue
        again = 20 if text.startswith("muniment ledger") else 0  # the hook records a push after git has answered
        while (missing := find_missing_line(command.output, printed)) and again:
            again -= 1
            time.sleep(0.5)
            _, printed = shell.run(text)
        assert missing == "", f"{text}\n{printed}"


def follow(shell: Shell, name: str) -> None:
    """Run all commands of a tutorial."""
    for commands in read_sections(name).values():
        run_commands(shell, commands)
