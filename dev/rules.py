"""What our own lint rules share: a rule finds breaches in a module's source text, and prints them as `path:line`."""

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "muniment"

Node = ast.stmt | ast.expr


class Breach(NamedTuple):
    """One place in the code that breaks a rule, and what to do about it."""

    line: int
    message: str


def find_in_nodes(tree: ast.AST, find_messages: Callable[[Node], Iterator[str]]) -> list[Breach]:
    """Every breach that `find_messages` finds in a statement or expression, in the order of their lines."""
    return sorted(
        Breach(node.lineno, message)
        for node in ast.walk(tree)
        if isinstance(node, Node)
        for message in find_messages(node)
    )


def files_outside(package: Path, place: str) -> list[Path]:
    """The modules of a package that are not below its folder `place`. Raises FileNotFoundError if there is none."""
    found = sorted(path for path in package.rglob("*.py") if path.relative_to(package).parts[0] != place)
    if not found:
        raise FileNotFoundError(f"{package} has no modules")
    return found


def report_breaches(paths: Iterable[Path], find_breaches: Callable[[str], list[Breach]], clean: str) -> int:
    """Print every breach as `path:line: message`, or `clean`. An exit code: 1 if there is any."""
    found = [
        f"{path.relative_to(ROOT)}:{breach.line}: {breach.message}"
        for path in paths
        for breach in find_breaches(path.read_text(encoding="utf-8"))
    ]
    print("\n".join(found) or clean)
    return 1 if found else 0
