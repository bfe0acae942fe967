"""Statements of a module with what surrounds them: the function, and the conditions under which they are executed."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from muniment.design.routes.source_tree import FunctionNode, SourceModule, list_nodes


class StatementScope(NamedTuple):
    """Statement with the functions around it, and the conditions under which it runs."""

    module: SourceModule
    function: FunctionNode | None
    switch: str


def walk_assignments(module: SourceModule) -> Iterator[tuple[str, ast.expr]]:
    """Every variable that a module assigns, with its value."""
    for node in list_nodes(module.tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def walk_scopes(module: SourceModule) -> Iterator[tuple[StatementScope, ast.stmt]]:
    """Every statement of a module, with the function around it and the conditions under which it runs."""

    def walk(statements: list[ast.stmt], scope: StatementScope) -> Iterator[tuple[StatementScope, ast.stmt]]:
        for statement in statements:
            yield scope, statement
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    yield from walk(statement.body, scope._replace(function=statement))
                case ast.If(test=test, body=body, orelse=otherwise):
                    condition = ast.unparse(test)
                    yield from walk(body, _add_switch(scope, condition))
                    yield from walk(otherwise, _add_switch(scope, f"not ({condition})"))
                case ast.Try(body=body, handlers=handlers, orelse=otherwise, finalbody=final):
                    yield from walk(body, scope)
                    for handler in handlers:
                        yield from walk(handler.body, scope)
                    yield from walk([*otherwise, *final], scope)
                case ast.With(body=body) | ast.AsyncWith(body=body) | ast.For(body=body) | ast.While(body=body):
                    yield from walk(body, scope)
                case _:
                    pass

    yield from walk(module.tree.body, StatementScope(module, None, ""))


def _add_switch(scope: StatementScope, condition: str) -> StatementScope:
    if condition == "__name__ == '__main__'":
        return scope
    return scope._replace(switch=f"{scope.switch} and {condition}" if scope.switch else condition)


def walk_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Expressions of a statement, without those of statements inside it, which are walked on their own."""
    waiting: list[ast.AST] = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
