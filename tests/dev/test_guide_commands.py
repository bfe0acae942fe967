"""Commands that documents and the front page show are valid: each command, option and number of arguments exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dev.generate import DOCS
from muniment.cli.commands import muniment

PAGES = sorted(
    (
        *DOCS.glob("guides/*.md"),
        *DOCS.glob("tutorial/*.md"),
        *DOCS.glob("explanation/*.md"),
        DOCS.parent / "README.md",
        DOCS.parent / "CONTRIBUTING.md",
    )
)
_BLOCK = re.compile(r"^( *)```(?:sh|console|text)?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_START = re.compile(r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*muniment ")
_INLINE = re.compile(r"`muniment ([a-z][^`]*)`")


def find_commands(text: str) -> Iterator[tuple[str, bool]]:
    """(words after the program's name, whether it is a whole command) of each command in a page."""
    for _, block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if _START.match(line):
                yield re.sub(r"\s#.*$", "", _START.sub("", line, count=1)), True
    for words in _INLINE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        yield " ".join(words.split()), False


def find_fault(line: str, *, whole: bool) -> str:
    """Say what is wrong with a command, or "". A command that is only named may lack options and arguments."""
    words = shlex.split(line.split(" | ")[0].split(" > ")[0].split(" < ")[0])
    found: click.Command = muniment
    context = click.Context(muniment, info_name="muniment")
    while words and isinstance(found, click.Group) and "|" not in words[0]:
        command = found.get_command(context, name := words.pop(0))
        if command is None:
            return f"no command {name}"
        found = command
    known = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = words[: words.index("--")] if "--" in words else words
    for option in (word.partition("=")[0] for word in given if re.match(r"--?[a-z]", word)):
        if option not in known | {"--help"} and not isinstance(found, click.Group):
            return f"{found.name} has no option {option}"
    if whole and not isinstance(found, click.Group):
        for parameter in found.params:
            if parameter.required and isinstance(parameter, click.Option) and not set(parameter.opts) & set(given):
                return f"{found.name} needs {parameter.opts[0]}"
            if parameter.required and isinstance(parameter, click.Argument) and not words:
                return f"{found.name} needs {parameter.name}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_of_a_page_is_valid(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    faults = [f"{line}: {fault}" for line, whole in find_commands(text) if (fault := find_fault(line, whole=whole))]
    assert faults == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```sh\nmuniment ledger shwo --home DIR\n```\n", "no command shwo"),
        ("```sh\nMUNIMENT_URL=x muniment up --loud\n```\n", "command has no option --loud"),
        ("```console\n$ muniment ledger show\n```\n", "show needs --home"),
        ("See `muniment vault plna`.", "no command plna"),
        ("See `muniment ledger show`.", ""),
        ("```sh\nmuniment run --env staging --secret KEY -- ./test.sh --loud\n```\n", ""),
    ],
)
def test_fault_of_a_command_is_found(text: str, fault: str) -> None:
    assert [find_fault(line, whole=whole) for line, whole in find_commands(text)] == [fault]
