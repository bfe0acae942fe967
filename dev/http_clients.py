"""HTTP is spoken by `muniment.http` alone: it decides on time, size, redirects, authorities and proxies, once."""

import ast
import sys
from collections.abc import Iterator

from dev.rules import PACKAGE, Breach, files_outside, find_in_nodes, report_breaches

PLACE = "http"
MODULES = ("urllib.request", "urllib.error", "http.client", "requests", "urllib3", "httpx", "aiohttp")
MESSAGE = "{}: ask servers by muniment.http.client, which limits the time of the whole request"


def find_breaches(source: str) -> list[Breach]:
    """Each place in a module's source text that brings HTTP by other means."""
    return find_in_nodes(ast.parse(source), lambda node: (MESSAGE.format(name) for name in _find_names(node)))


def main() -> int:
    """Print every breach; 1 if there is any."""
    return report_breaches(files_outside(PACKAGE, PLACE), find_breaches, "HTTP is spoken by muniment.http alone.")


def _find_names(node: ast.stmt | ast.expr) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names if _is_forbidden(alias.name))
        case ast.ImportFrom(module=str(module), level=0, names=names):
            whole = [module, *(f"{module}.{alias.name}" for alias in names)]
            yield from (name for name in whole[:1] if _is_forbidden(name))
            yield from (name for name in whole[1:] if not _is_forbidden(module) and _is_forbidden(name))
        case ast.Constant(value=str(text)) if " HTTP/1." in text:
            yield "a request written by hand"
        case _:
            pass


def _is_forbidden(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in MODULES)


if __name__ == "__main__":
    sys.exit(main())
