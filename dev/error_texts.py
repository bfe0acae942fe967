"""Every sentence of an error that `muniment.server` raises is marked for translation: a person reads it.

Modules that run before Django's settings are there cannot translate; their errors reach the operator's terminal alone.
"""

import ast
import sys
from collections.abc import Iterator

from dev.rules import PACKAGE, Breach, find_in_nodes, report_breaches

SERVER = PACKAGE / "server"
UNMARKED = 'mark the sentence for translation: _("It is taken."), with values in % {...} behind it'
_BEFORE_SETTINGS = (
    "running/",
    "guarding/home_keys.py",
    "guarding/database_passwords.py",
    "telemetry.py",
    "settings.py",
)
_NO_ANSWERS = frozenset(  # a defect, or what a caller turns into an error of our own
    {
        "TypeError",
        "ValueError",
        "KeyError",
        "LookupError",
        "RuntimeError",
        "NotImplementedError",
        "OSError",
        "UnreadableListError",
    }
)
_OTHER_ERRORS = frozenset({"ApiProblem", "PolicyNotAllowedError"})
_SENTENCE = " "  # a code has no space


def find_breaches(source: str) -> list[Breach]:
    """Each sentence in a module's source text that an error is given and that nothing marks for translation."""
    return find_in_nodes(ast.parse(source), _find_messages)


def main() -> int:
    """Print every breach; 1 if there is any."""
    found = [
        path
        for path in sorted(SERVER.rglob("*.py"))
        if not path.relative_to(SERVER).as_posix().startswith(_BEFORE_SETTINGS)
    ]
    if not found:
        raise FileNotFoundError(f"{SERVER} has no modules")
    return report_breaches(found, find_breaches, "Every sentence of an error is marked for translation.")


def _find_messages(node: ast.stmt | ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Call) and _is_error(node.func):
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        yield from (UNMARKED for one in given if _has_sentence(one))


def _is_error(called: ast.expr) -> bool:
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return (name.endswith("Error") and name != "Error" and name not in _NO_ANSWERS) or name in _OTHER_ERRORS


def _has_sentence(node: ast.expr) -> bool:
    """Whether a text with a space stands in an expression, outside a call: `_("...")` is one that marks it."""
    match node:
        case ast.Constant(value=str(text)):
            return _SENTENCE in text.strip()
        case ast.JoinedStr(values=values):
            return any(_is_words(value) for value in values)
        case ast.BinOp(left=left):
            return _has_sentence(left)
        case ast.IfExp(body=body, orelse=orelse):
            return _has_sentence(body) or _has_sentence(orelse)
        case ast.Starred(value=value):
            return _has_sentence(value)
        case ast.Call(func=ast.Attribute(value=value)):  # "...".format()
            return _has_sentence(value)
        case ast.Tuple(elts=elements):
            return any(_has_sentence(one) for one in elements)
        case _:
            return False


def _is_words(node: ast.expr) -> bool:
    """Whether a part of an f-string is words, and no mere sign between two values."""
    if not isinstance(node, ast.Constant):
        return False
    text = str(node.value)
    return _SENTENCE in text and any(sign.isalpha() for sign in text)


if __name__ == "__main__":
    sys.exit(main())
