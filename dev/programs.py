"""Only `muniment.programs` starts programs: nothing else in the product has what it takes to start one.

There a value never becomes an option, and a child gets no secret and no time without end. This rule finds imports and
calls that would start a program anywhere else. It catches slips; it is no sandbox for code that means harm.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.rules import PACKAGE, Breach, files_outside, find_in_nodes, report_breaches

PLACE = "programs"
MODULES = frozenset({"subprocess", "_posixsubprocess", "pty", "webbrowser"})
LOADERS = frozenset({"__import__", "import_module"})
OF_SYSTEM = re.compile(r"system|popen|startfile|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?")
OF_CLICK = frozenset({"edit", "launch", "echo_via_pager"})
ANYWHERE = re.compile(r"create_subprocess_(?:exec|shell)|subprocess_(?:exec|shell)|find_library")

MESSAGE = "{}: only muniment.programs starts programs; build a command there and run it"


def breaches(source: str) -> list[Breach]:
    """Every place in a module's source text that could start a program, in the order of its lines."""
    tree = ast.parse(source)
    names = {"os": "os", "posix": "os", "click": "click", **_aliases(tree)}
    return find_in_nodes(tree, lambda node: (MESSAGE.format(what) for what in _starts(node, names)))


def files(package: Path) -> list[Path]:
    """The modules of the package that may start nothing. Raises FileNotFoundError if there is none."""
    return files_outside(package, PLACE)


def main() -> int:
    """Print every breach; 1 if there is any."""
    return report_breaches(files(PACKAGE), breaches, "One place starts programs.")


def _aliases(tree: ast.AST) -> dict[str, str]:
    """Other names that the module gives to `os` and `click`."""
    return {
        alias.asname: "os" if alias.name == "posix" else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.asname and alias.name in ("os", "posix", "click")
    }


def _starts(node: ast.stmt | ast.expr, names: dict[str, str]) -> Iterator[str]:
    match node:
        case ast.Import(names=imported):
            yield from (f"import of {alias.name}" for alias in imported if alias.name.partition(".")[0] in MODULES)
        case ast.ImportFrom(module=str(module), names=imported, level=0):
            if module.partition(".")[0] in MODULES:
                yield f"import of {module}"
            yield from (
                f"import of {module}.{alias.name}" for alias in imported if _is_starter(names.get(module), alias.name)
            )
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if _is_starter(names.get(owner), name):
            yield f"{owner}.{name}"
        case ast.Attribute(attr=name) if ANYWHERE.fullmatch(name):
            yield name
        case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id=owner), ast.Constant(value=str(name)), *_]) if (
            _is_starter(names.get(owner), name)
        ):
            yield f"{owner}.{name}"
        case ast.Call(func=ast.Name(id=loader) | ast.Attribute(attr=loader), args=[ast.Constant(value=str(name)), *_]):
            if loader in LOADERS and name.partition(".")[0] in MODULES:
                yield f"import of {name}"
        case _:
            pass


def _is_starter(owner: str | None, name: str) -> bool:
    """Whether `name` of that module starts a program, or any module's does."""
    if owner == "os" and OF_SYSTEM.fullmatch(name):
        return True
    return (owner == "click" and name in OF_CLICK) or ANYWHERE.fullmatch(name) is not None


if __name__ == "__main__":
    sys.exit(main())
