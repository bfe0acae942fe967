"""Commands in texts are valid: each exists and has every option that it needs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from muniment.cli.commands import muniment

SOURCES = Path(muniment.callback.__code__.co_filename).parents[1]  # type: ignore[union-attr]
_SHOWN = re.compile(r"\bmuniment((?: [a-z][a-z-]*)+)((?: (?:--?[a-z][\w-]*|[^\s.,;:()]+))*)")
_OPENING = re.compile(r"(?:: |\n *|\b[Rr]uns? )$")  # before a command that is to be run


def find_faults(text: str) -> Iterator[str]:
    """List faults of the commands in `text`: an unknown name, or a missing option."""
    for visible in _SHOWN.finditer(text):
        if not _OPENING.search(text[: visible.start()]):
            continue
        found: click.Command = muniment
        context = click.Context(muniment, info_name="muniment")
        names = visible[1].split()
        while names and isinstance(found, click.Group):
            name = names.pop(0)
            command = found.get_command(context, name)
            if command is None:
                yield f"{visible[0]}: there is no {name}"
                return
            found = command
        given = [*names, *visible[2].split()]
        for parameter in found.params:
            if not parameter.required:
                continue
            if isinstance(parameter, click.Option) and not any(name in given for name in parameter.opts):
                yield f"{visible[0]}: it needs {parameter.opts[0]}"
            if isinstance(parameter, click.Argument) and not given:
                yield f"{visible[0]}: it needs {parameter.name}"


def read_texts(tree: ast.AST) -> Iterator[str]:
    """Texts of a module without docstrings and helps of options; placeholders become X."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "help":
            skipped |= {id(inner) for inner in ast.walk(node)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))
        if isinstance(node, ast.JoinedStr) and id(node) not in skipped:
            skipped |= {id(inner) for inner in ast.walk(node)}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield re.sub(r"%\(\w+\)s|\{\w+\}", "X", node.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Run: muniment ledger shwo --home DIR", "there is no shwo"),
        ("Run: muniment ledger show", "it needs --home"),
        ("See: muniment ledger reconcile --home DIR", "it needs --reason"),
        ("Sign it with: muniment exception sign", "it needs name"),
    ],
)
def test_invalid_command_is_found(text: str, fault: str) -> None:
    assert [found.partition(": ")[2] for found in find_faults(text)] == [fault]


@pytest.mark.parametrize("text", ["Run: muniment ledger show --home DIR", "what muniment ledger show prints"])
def test_valid_command_and_mere_command_name_are_accepted(text: str) -> None:
    assert list(find_faults(text)) == []


def test_each_command_in_a_text_is_valid() -> None:
    faults = [
        f"{file.relative_to(SOURCES)}: {fault}"
        for file in sorted(SOURCES.rglob("*.py"))
        for text in read_texts(ast.parse(file.read_text()))
        for fault in find_faults(text)
    ]
    assert faults == []
