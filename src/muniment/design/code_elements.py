"""Stores and outside calls that the code has, to be compared with what the model knows."""

import ast
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from muniment.design.drafting import find_resources
from muniment.design.findings import DesignFinding, FindingCode
from muniment.design.model import ComponentKind, DesignModel
from muniment.design.routes.source_tree import SourceModule, SourceTree, list_nodes

_CLIENTS = ("requests", "httpx", "aiohttp", "urllib3", "urllib.request", "websockets")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "example.com", "example.org", ""})  # noqa: S104


class CodeElements(Struct, frozen=True):
    """Names of tables and of hosts that are called, with the file and line of each."""

    stores: dict[str, str] = {}
    hosts: dict[str, str] = {}


def find_code_elements(files: Mapping[str, str]) -> CodeElements:
    """Tables of a project, and hosts outside that its Python code calls by a written address."""
    tree = SourceTree(files)
    places = {
        name: f"{module.path}:{node.lineno}"
        for module in tree.modules.values()
        for name, node in module.classes.items()
    }
    hosts: dict[str, str] = {}
    for module in tree.modules.values():
        if module.is_shipped:
            for host, line in _find_hosts(tree, module):
                hosts.setdefault(host, f"{module.path}:{line}")
    return CodeElements({name: places.get(name, "") for name, _ in find_resources(tree)}, hosts)


def _find_hosts(tree: SourceTree, module: SourceModule) -> Iterator[tuple[str, int]]:
    for node in list_nodes(module.tree):
        if not isinstance(node, ast.Call) or not tree.external_name(module, node.func).startswith(_CLIENTS):
            continue
        for each in (*node.args, *(keyword.value for keyword in node.keywords)):
            text = tree.read_text(module, each) or _read_beginning(each)
            if text.startswith(("http://", "https://", "ws://", "wss://")):
                host = _read_host(text)
                if host not in _LOCAL:
                    yield host, node.lineno


def _read_beginning(node: ast.expr) -> str:
    """Text with which an expression begins: `f"https://pay.example.net/{order}"` names its host."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if text.count("/") > 2:
            return text
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add()):
            return text
        case _:
            return ""


def _read_host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def find_new_elements(before: CodeElements, after: CodeElements, model: DesignModel) -> Iterator[DesignFinding]:
    """Stores and outside calls that a change brings and the model does not know."""
    stores = {text.lower() for each in model.resources for text in (each.id, each.label)}
    home = next((each.id for each in model.components if each.kind is ComponentKind.STORE), "database")
    for name, where in after.stores.items():
        if name not in before.stores and name.lower() not in stores:
            yield DesignFinding(FindingCode.UNKNOWN_STORE, name, home, where=where)
    known = {text.lower() for each in model.components for text in (each.id, each.label)}
    caller = next((each.id for each in model.components if each.kind is ComponentKind.PROCESS), "web")
    for host, where in after.hosts.items():
        if host not in before.hosts and host not in known:
            yield DesignFinding(FindingCode.UNKNOWN_OUTSIDE_CALL, host, caller, where=where)
