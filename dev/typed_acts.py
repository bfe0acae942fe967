"""What people do in the service is typed acts, and what they are told is errors with a code, a sentence and a remedy.

A `ValueError` means a defect there, so nothing of `muniment.server` raises one, or shows one to a person; and no act is
a dictionary that is read by `what["..."]`. docs/guides/add-an-act.md is the recipe.
"""

import ast
import sys
from collections.abc import Iterator

from dev.rules import PACKAGE, Breach, find_in_nodes, report_breaches

SERVER = PACKAGE / "server"
RAISED = "raise RefusedError or ParseError, with a code, a sentence and a remedy: a ValueError means a defect"
SHOWN = "a ValueError means a defect and is never shown: catch the error that has a sentence and a remedy"
UNTYPED = 'an act is a struct of its own, not a dictionary: read no what["..."]'


def find_breaches(source: str) -> list[Breach]:
    """Each place in a module's source text where an act is no struct, or a ValueError is no defect."""
    return find_in_nodes(ast.parse(source), _find_messages)


def main() -> int:
    """Print every breach; 1 if there is any."""
    found = sorted(path for path in SERVER.rglob("*.py"))
    if not found:
        raise FileNotFoundError(f"{SERVER} has no modules")
    return report_breaches(found, find_breaches, "Acts are typed, and no ValueError is shown to a person.")


def _find_messages(node: ast.stmt | ast.expr) -> Iterator[str]:
    match node:
        case ast.Raise(exc=ast.Name(id="ValueError") | ast.Call(func=ast.Name(id="ValueError"))):
            yield RAISED
        case ast.Subscript(value=ast.Name(id="what")):
            yield UNTYPED
        case ast.Try(handlers=handlers):
            yield from (SHOWN for handler in handlers if _shows_value_error(handler))
        case _:
            pass


def _shows_value_error(handler: ast.ExceptHandler) -> bool:
    """Whether a handler of ValueError turns the error itself into text."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if not any(isinstance(one, ast.Name) and one.id == "ValueError" for one in caught):
        return False
    return any(_is_text_of(node, handler.name) for statement in handler.body for node in ast.walk(statement))


def _is_text_of(node: ast.AST, name: str | None) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=shown)]):
            return shown == name
        case ast.FormattedValue(value=ast.Name(id=shown)):
            return shown == name
        case _:
            return False


if __name__ == "__main__":
    sys.exit(main())
