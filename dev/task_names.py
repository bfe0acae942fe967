"""A task is put off by a name that some function does: a misspelt one would fail only when its act is carried out."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.rules import PACKAGE, Breach, Node, find_in_nodes, report_breaches

SERVER = PACKAGE / "server"
MARKS = ("register_task", "register_repository_task")
CALLS = ("enqueue", "enqueue_first", "enqueue_in")
MESSAGE = 'no function is marked @register_task("{}"): name a task that there is'


def find_tasks(paths: list[Path]) -> frozenset[str]:
    """The names that one of `MARKS` gives to functions of these modules."""
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return frozenset(name for node in nodes if isinstance(node, ast.expr) for name in _find_name(node, MARKS))


def find_breaches(source: str, tasks: frozenset[str]) -> list[Breach]:
    """Each call in a module's source text that puts off a task which is not one of `tasks`."""

    def find_messages(node: Node) -> Iterator[str]:
        yield from (MESSAGE.format(name) for name in _find_name(node, CALLS) if name not in tasks)

    return find_in_nodes(ast.parse(source), find_messages)


def main() -> int:
    """Print every breach; 1 if there is any."""
    paths = sorted(SERVER.rglob("*.py"))
    tasks = find_tasks(paths)
    return report_breaches(paths, lambda source: find_breaches(source, tasks), "Every task that is put off exists.")


def _find_name(node: Node, functions: tuple[str, ...]) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id=function), args=[ast.Constant(value=str(name)), *_]) if function in functions:
            yield name
        case _:
            pass


if __name__ == "__main__":
    sys.exit(main())
