"""The mutants of a module: each differs from it in one condition.

A condition is what a statement, an expression or a comprehension decides by: the parts of `and`, `or` and `not`, and
every comparison. It is replaced by True and by False; `<` also by `<=`, and so on; `any` by `all` and the reverse.
Conditions that run when a module is imported are no mutants: nothing can be replaced once it was.
"""

import ast
import functools
import gc
import hashlib
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

_BOUNDARIES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
_QUANTIFIERS = {"any": "all", "all": "any"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Mutant(NamedTuple):
    """One condition of a function, made wrong. `before` and `after` are source text.

    `function` is the qualified name of the outermost function, `digest` of its unchanged text; `serial` tells equal
    mutants of one function apart, from 0. `code` takes the place of the function's own code.
    """

    path: Path
    function: str
    digest: str
    before: str
    after: str
    serial: int
    first_line: int
    last_line: int
    code: CodeType

    def place(self) -> str:
        """Where and what, for a person."""
        return f"{self.path}:{self.first_line}: {self.function}: `{self.before}` as `{self.after}`"


def find_mutants(path: Path, root: Path, unwanted: Collection[str] = ()) -> list[Mutant]:
    """All mutants of a module, in the order of its lines, but those of functions whose digest is `unwanted`.

    Their `path` is relative to `root`.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Mutant] = []
    for name, function in outermost_functions(tree, ""):
        digest = digest_of(function)
        if digest in unwanted:
            continue
        seen: Counter[tuple[str, str]] = Counter()
        for site in _sites(function):
            before = " ".join(ast.unparse(site.node).split())
            for new in _wrong(site.node):
                after = " ".join(ast.unparse(new).split())
                code = _compile(tree, site, new, path, name, function)
                lines = site.node.lineno, site.node.end_lineno or site.node.lineno
                serial = seen[before, after]
                found.append(Mutant(path.relative_to(root), name, digest, before, after, serial, *lines, code))
                seen[before, after] += 1
    return found


def digest_of(function: Function) -> str:
    """SHA-256 of a function's text, wherever it stands in whatever file."""
    return hashlib.sha256(ast.dump(function).encode()).hexdigest()


def install(mutant: Mutant, root: Path) -> None:
    """Give every function object of the mutant's function its code. Raises LookupError if none is alive."""
    target = mutant.code
    alive = [
        one
        for one in gc.get_objects()
        if type(one) is FunctionType  # isinstance asks some objects for a class that they make only then, or not at all
        and one.__code__.co_qualname == target.co_qualname
        and one.__code__.co_firstlineno == target.co_firstlineno
        and Path(one.__code__.co_filename) == root / mutant.path
    ]
    if not alive:
        raise LookupError(f"{mutant.function} of {mutant.path} is not in memory")
    for one in alive:
        one.__code__ = target


def empty_caches(folder: Path) -> None:
    """Forget what functions and properties of code in `folder` remember: it was found before anything was wrong."""
    properties: dict[type, tuple[str, ...]] = {}
    for one in gc.get_objects():
        kind = type(one)
        if issubclass(kind, functools._lru_cache_wrapper) and _is_in(folder, one.__wrapped__):
            one.cache_clear()
        elif kind not in properties:
            properties[kind] = tuple(_cached_properties(kind, folder))
        for name in properties.get(kind, ()):
            one.__dict__.pop(name, None)


def _cached_properties(kind: type, folder: Path) -> Iterator[str]:
    for base in kind.__mro__:
        for name, found in vars(base).items():
            if isinstance(found, functools.cached_property) and _is_in(folder, found.func):
                yield name


def _is_in(folder: Path, function: object) -> bool:
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and Path(code.co_filename).is_relative_to(folder)


class _Site(NamedTuple):
    """A condition, and where it hangs in the tree."""

    node: ast.expr
    parent: ast.AST
    field: str
    at: int | None  # in a list

    def put(self, new: ast.expr) -> None:
        if self.at is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.at] = new


def outermost_functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    """Functions of a module and of its classes, with their qualified names; not those within functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from outermost_functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from outermost_functions(child, prefix)


def _sites(function: Function) -> Iterator[_Site]:
    """Every condition in the body of a function, and every call of `any` and `all`."""
    for part in function.body:
        for parent in ast.walk(part):
            for field, value in ast.iter_fields(parent):
                for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
                    if isinstance(child, ast.expr) and (_decides(parent, field, child) or _quantifies(child)):
                        yield _Site(child, parent, field, index)


def _decides(parent: ast.AST, field: str, child: ast.expr) -> bool:
    """Whether an expression is a condition that has no parts which are."""
    if isinstance(child, ast.Compare):
        return not isinstance(parent, ast.Assert)
    if isinstance(child, ast.BoolOp | ast.Constant) or (
        isinstance(child, ast.UnaryOp) and isinstance(child.op, ast.Not)
    ):
        return False
    match parent:
        case ast.If() | ast.While() | ast.IfExp():
            return field == "test"
        case ast.BoolOp():
            return field == "values"
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.comprehension():
            return field == "ifs"
        case ast.match_case():
            return field == "guard"
        case _:
            return False


def _quantifies(child: ast.expr) -> bool:
    return isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in _QUANTIFIERS


def _wrong(node: ast.expr) -> Iterator[ast.expr]:
    """Wrong conditions in place of a condition. They name the same variables, so that closures stay the same."""
    yield ast.BoolOp(ast.Or(), [ast.Constant(True), node])
    yield ast.BoolOp(ast.And(), [ast.Constant(False), node])
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            if type(operator) in _BOUNDARIES:
                operators = [*node.ops[:at], _BOUNDARIES[type(operator)](), *node.ops[at + 1 :]]
                yield ast.Compare(node.left, operators, node.comparators)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _QUANTIFIERS:
        yield ast.Call(ast.Name(_QUANTIFIERS[node.func.id], ast.Load()), node.args, node.keywords)


def _compile(tree: ast.Module, site: _Site, new: ast.expr, path: Path, name: str, function: Function) -> CodeType:
    """The code of one outermost function of a module in which one condition is replaced."""
    site.put(ast.fix_missing_locations(ast.copy_location(new, site.node)))
    try:
        whole = compile(tree, str(path), "exec", dont_inherit=True)
    finally:
        site.put(site.node)
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    (found,) = (code for code in _codes(whole) if code.co_qualname == name and code.co_firstlineno == first)
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
