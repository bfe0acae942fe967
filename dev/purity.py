"""The pure part of Muniment reads nothing but its arguments: no I/O, no clock, no randomness.

import-linter follows imports from module to module. This rule reads the code itself, so it also sees imports
by name, clocks and built-ins. It catches slips; it is no sandbox for code that means harm.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.rules import PACKAGE, Breach, find_in_nodes, report_breaches

PURE = ("access", "decision", "controls", "policy", "facts", "errors")

MODULES = frozenset(
    {
        "asyncio",
        "click",
        "cryptography",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "rich",
        "secrets",
        "shutil",
        "socket",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    }
)
LOADERS = frozenset({"builtins", "importlib", "sys"})
BUILTINS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})
CLOCKS = frozenset({"now", "today", "utcnow"})

IMPORT = "import of {}: the pure part takes what it needs as arguments; move this to `git` or `workflows`"
LOADER = "{}: it gives access to everything; import what is needed by its name"
BUILTIN = "{}: the pure part reads and writes nothing, and runs no text; move this to `git`, `home` or `cli`"
CLOCK = "{}: the clock is read once per judgement, outside; take the moment as an argument"
ZONE = "{}: without a time zone it means the zone of this machine; give it one"
GLOBAL = "global {}: a module's state outlives the judgement; return the value"


def breaches(source: str) -> list[Breach]:
    """Every breach in a module's source text, in the order of its lines."""
    return find_in_nodes(ast.parse(source), _judge)


def pure_files(package: Path) -> list[Path]:
    """The modules of the pure part of a package; none at all is an error of whoever asks."""
    modules = [package / f"{name}.py" for name in PURE]
    files = [path for path in modules if path.exists()]
    for name in PURE:
        files += sorted((package / name).rglob("*.py"))
    if not files:
        raise FileNotFoundError(f"{package} has none of {', '.join(PURE)}")
    return files


def main() -> int:
    """Print every breach; 1 if there is any."""
    return report_breaches(pure_files(PACKAGE), breaches, "The pure part is pure.")


def _judge(node: ast.stmt | ast.expr) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield from _judge_import(alias.name)
        case ast.ImportFrom(module=str(module), level=0):
            yield from _judge_import(module)
        case ast.Name(id=name, ctx=ast.Load()) if name in BUILTINS:
            yield BUILTIN.format(name)
        case ast.Attribute(value=ast.Name(id=("date" | "datetime") as owner), attr=name) if name in CLOCKS:
            yield CLOCK.format(f"{owner}.{name}")  # called or handed on
        case ast.Call():
            yield from _judge_call(node)
        case ast.Global(names=variables):
            yield GLOBAL.format(", ".join(variables))
        case _:
            pass


def _judge_import(module: str) -> Iterator[str]:
    root = module.partition(".")[0]
    if root in MODULES:
        yield IMPORT.format(module)
    elif root in LOADERS:
        yield LOADER.format(f"import of {module}")


def _judge_call(call: ast.Call) -> Iterator[str]:
    match call.func:
        case ast.Attribute(value=ast.Name(id="date" | "datetime"), attr=name) if name in CLOCKS:
            pass  # judged as an attribute
        case ast.Attribute(attr=name) | ast.Name(id=name):
            if name in CLOCKS:
                yield CLOCK.format(f"{name}()")
            elif name == "import_module":
                yield LOADER.format(f"{name}()")
            elif (name == "fromtimestamp" and not _has_zone(call, 1)) or (
                name == "astimezone" and not _has_zone(call, 0)
            ):
                yield ZONE.format(f"{name}()")
        case _:
            pass


def _has_zone(call: ast.Call, position: int) -> bool:
    zones = [keyword.value for keyword in call.keywords if keyword.arg == "tz"] or call.args[position:]
    return any(not (isinstance(zone, ast.Constant) and zone.value is None) for zone in zones)


if __name__ == "__main__":
    sys.exit(main())
