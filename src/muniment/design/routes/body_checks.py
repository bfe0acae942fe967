"""Checks in the code of handlers and hooks: whose objects a handler reads, and whom a hook refuses."""

import ast
import re
from collections.abc import Iterator

from muniment.design.routes.source_tree import Definition, FunctionNode, SourceModule, SourceTree, list_nodes

_USER = re.compile(
    r"(?:^|[._])(?:current_)?user(?:_id)?(?:\.\w{1,60}){0,4}$|(?:^|\.)identity$|get_jwt_identity\(\)$|\.profile$"
)
_LOOKUPS = frozenset({"get_object_or_404", "get_list_or_404", "get", "filter", "filter_by", "first_or_404", "aget"})
_MISSING = re.compile(r"(?:^|\.)(?:Http404|NotFound|NotFoundError|ObjectDoesNotExist)$")
_PERSON_TEST = re.compile(r"auth|user|login|session|token|team|member|account|identity", re.IGNORECASE)
_REQUEST_TEST = re.compile(
    r"auth|user|login|session|token|role|admin|owner|permission|key|secret|sign|request|header|cookie|remote|host|addr"
    r"|allow|den|forbid|member|account|identity|\bip\b|scope|\bg\.",
    re.IGNORECASE,
)
_FORGERY = re.compile(r"csrf|xsrf|nonce", re.IGNORECASE)
_DEPTH = 3  # functions that are followed from one to the next


def find_method(tree: SourceTree, module: SourceModule, function: FunctionNode, name: str) -> Definition | None:
    """Method that `self.name` means inside a method, its class's own or that of a base class."""
    own = module.classes_of.get(function)
    if own is None:
        return None
    classes = [Definition(module, own.name, own)]
    classes += [base for _, base in tree.list_bases(module, own) if base is not None]
    for each in classes:
        for statement in each.node.body if isinstance(each.node, ast.ClassDef) else ():
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
                return Definition(each.module, name, statement)
    return None


def find_called(tree: SourceTree, module: SourceModule, function: FunctionNode, node: ast.expr) -> Definition | None:
    """Function of the project that a call inside a function means; methods of `self` too."""
    match node:
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return find_method(tree, module, function, name)
        case _:
            found = tree.find_definition(module, node)
            return None if found is None or isinstance(found.node, ast.expr) else found


def looks_up_owner(tree: SourceTree, found: Definition, depth: int = 0) -> bool:
    """Whether a function gives only objects of the person who asks, and answers 404 for those of others."""
    if depth > _DEPTH or not isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    names_user = any(_names_user(node) for node in list_nodes(found.node))
    if names_user and any(_is_missing(node) for node in list_nodes(found.node)):
        return True
    calls = [node for node in list_nodes(found.node) if isinstance(node, ast.Call)]
    inner = [find_called(tree, found.module, found.node, call.func) for call in calls]
    return any(each is not None and looks_up_owner(tree, each, depth + 1) for each in inner)


def list_owner_filters(function: FunctionNode) -> Iterator[str]:
    """Look-ups of a handler that are limited to the person who asks, as `user=request.user`."""
    for node in list_nodes(function):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in _LOOKUPS:
            continue
        for keyword in node.keywords:
            if keyword.arg is not None and _names_user(keyword.value):
                yield f"{keyword.arg}={ast.unparse(keyword.value)}"[:80]


def refuses_only_known(function: ast.AST, denials: list[ast.AST], *, is_hook: bool) -> bool:
    """Whether a guard refuses only people that it knows (banned ones), or forged forms: strangers pass.

    Of a hook also a refusal for reasons that have nothing to do with the request, such as an import that runs.
    """
    excused = {id(node) for node in _walk_excused(function, is_hook=is_hook)}
    return bool(denials) and all(id(each) in excused for each in denials)


def _walk_excused(function: ast.AST, *, is_hook: bool) -> Iterator[ast.AST]:
    """Nodes inside branches in which a refusal protects nothing from strangers."""
    for node in list_nodes(function):
        if not isinstance(node, ast.If):
            continue
        test = ast.unparse(node.test)
        about_known = bool(_PERSON_TEST.search(test)) and not _has_negation(node.test)
        unrelated = is_hook and not _REQUEST_TEST.search(test)
        if about_known or unrelated or _FORGERY.search(test):
            for statement in node.body:
                yield from list_nodes(statement)


def _has_negation(test: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Not | ast.NotEq | ast.NotIn | ast.Lt | ast.LtE)
        or (isinstance(node, ast.Constant) and node.value in (None, False))
        or (isinstance(node, ast.Name | ast.Attribute) and "anonymous" in ast.unparse(node).lower())
        for node in list_nodes(test)
    )


def _names_user(node: ast.AST) -> bool:
    return isinstance(node, ast.Name | ast.Attribute | ast.Call) and bool(_USER.search(_join_names(node)))


def _join_names(node: ast.AST) -> str:
    """Dotted name of an expression; ast.unparse gives the same for names, and is slow."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_join_names(value)}.{attr}"
        case ast.Call(func=func):
            return f"{_join_names(func)}()"
        case _:
            return ""


def _is_missing(node: ast.AST) -> bool:
    """Whether a node answers that an object does not exist."""
    match node:
        case ast.Raise(exc=ast.Call(func=error, args=args, keywords=keywords)):
            codes = [*args, *(each.value for each in keywords)]
            return bool(_MISSING.search(ast.unparse(error))) or any(_is_404(each) for each in codes)
        case ast.Raise(exc=ast.expr() as error):
            return bool(_MISSING.search(ast.unparse(error)))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
            return name.endswith("_or_404") or (name == "abort" and any(_is_404(each) for each in args))
        case _:
            return False


def _is_404(node: ast.expr) -> bool:
    return (isinstance(node, ast.Constant) and node.value == 404) or "404" in ast.unparse(node)
