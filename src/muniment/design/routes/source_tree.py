"""Python source of a project as syntax trees, with names followed from module to module. Nothing of it is imported.

A file that the parser refuses is named in `unread`. Names are followed through imports, also those inside functions,
and through modules that import what others define.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from muniment.design.routes.route import UnreadSource

LARGEST_SOURCE = 1_000_000  # characters of one file; a larger one is generated, or an attack on the parser
_EXCEPT_LIST = re.compile(r"^([ \t]*except)[ \t]+([\w.]+(?:[ \t]*,[ \t]*[\w.]+)+)[ \t]*:", re.MULTILINE)
_DEEPEST = 200  # nodes inside each other; hostile code has thousands
_MOST_KEPT = 8192  # modules that a process keeps parsed
_MOST_STEPS = 20  # imports that one name is followed through
_NOT_SHIPPED = frozenset({"tests", "test", "testing", "migrations", "docs", "examples"})
_NOT_OURS = frozenset({".venv", "venv", "node_modules", "site-packages", ".git", ".tox", ".tools", "build", "dist"})

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def list_nodes(node: ast.AST) -> tuple[ast.AST, ...]:
    """List a node and all below it, as `ast.walk` does. The list stays at the node: readers ask for the same often."""
    found: tuple[ast.AST, ...] | None = getattr(node, "_all_nodes", None)
    if found is None:
        found = tuple(ast.walk(node))
        setattr(node, "_all_nodes", found)  # noqa: B010 -- no attribute that the class declares
    return found


class SourceModule:
    """Parsed file. `imports` maps local names to full ones, `values` names to the last value assigned to them."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        self.name = name
        self.path = path
        self.tree = tree
        self.is_package = path.endswith("__init__.py")
        self.imports: dict[str, str] = {}
        self.starred: list[str] = []
        self.values: dict[str, ast.expr] = {}
        self.functions: dict[str, FunctionNode] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.classes_of: dict[FunctionNode, ast.ClassDef] = {}  # by method
        for node in list_nodes(tree):
            self._read_node(node)
        for statement in tree.body:  # what stands at the top wins over what stands in functions and classes
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for alias in statement.names:
                    self.values.pop(alias.asname or alias.name, None)
            self._read_node(statement)

    def _read_node(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.asname:
                        self.imports[alias.asname] = alias.name
                    else:
                        first = alias.name.partition(".")[0]
                        self.imports[first] = first
            case ast.ImportFrom(module=module, names=names, level=level):
                base = self._absolute_name(module or "", level)
                for alias in names:
                    if alias.name == "*":
                        self.starred.append(base)
                    else:
                        self.imports[alias.asname or alias.name] = f"{base}.{alias.name}"
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.functions[node.name] = node
            case ast.ClassDef(body=body):
                self.classes[node.name] = node
                methods = [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
                self.classes_of |= dict.fromkeys(methods, node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.values[target.id] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                self.values[name] = value
            case _:
                pass

    def _absolute_name(self, module: str, level: int) -> str:
        if not level:
            return module
        parts = self.name.split(".")
        depth = len(parts) - level + self.is_package
        return ".".join([*parts[: max(depth, 0)], *([module] if module else [])])

    @property
    def is_shipped(self) -> bool:
        """Whether the file belongs to the product, not to its tests or documents."""
        parts = PurePosixPath(self.path).parts
        return not _NOT_SHIPPED & set(parts[:-1]) and not parts[-1].startswith(("test_", "conftest"))


class UnreadableSourceError(Exception):
    """The parser refuses a text. `line` is 0 if it does not say where."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.line = line


@lru_cache(maxsize=_MOST_KEPT)
def _read_module(name: str, path: str, text: str) -> SourceModule:
    """Parsed module, once for each text: two commits share most of their files."""
    return SourceModule(name, path, _parse_text(text))


def _parse_text(text: str) -> ast.Module:
    if len(text) > LARGEST_SOURCE:
        raise UnreadableSourceError(f"the file has more than {LARGEST_SOURCE} characters")
    # Python 3.14 permits `except A, B:`, which older parsers refuse. The two forms mean the same.
    line = 0
    for form in (text, _EXCEPT_LIST.sub(r"\1 (\2):", text)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the project's own code, as for wrong escapes
                tree = ast.parse(form)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", 0) or 0
            continue
        if _is_deeper_than(tree, _DEEPEST):
            raise UnreadableSourceError("its expressions lie too deep in each other")
        return tree
    raise UnreadableSourceError("the parser refuses this file", line)


def _is_deeper_than(tree: ast.AST, most: int) -> bool:
    """Whether nodes lie deeper than `most` in each other: what follows would exhaust the stack on them."""
    level: list[ast.AST] = [tree]
    for _ in range(most):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return False
    return True


class Definition(NamedTuple):
    """Function, class or value that a name means, and the module in which it stands."""

    module: SourceModule
    name: str
    node: FunctionNode | ast.ClassDef | ast.expr


class SourceTree:
    """Modules of a project by name."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.modules: dict[str, SourceModule] = {}
        self.unread: list[UnreadSource] = []
        self._by_suffix: dict[str, list[SourceModule]] = {}
        self._unread_names: set[str] = set()
        self._parts: dict[tuple[str, str], tuple[SourceModule | None, str]] = {}  # answers of `_split_name`
        for path in sorted(files):
            if path.endswith(".py") and not _NOT_OURS & set(PurePosixPath(path).parts):
                self._parse_file(path, files[path])

    def _parse_file(self, path: str, text: str) -> None:
        parts = list(PurePosixPath(path).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        names = [".".join(parts[start:]) for start in range(len(parts))]
        try:
            module = _read_module(".".join(parts), path, text)
        except UnreadableSourceError as error:
            where = f"{path}:{error.line}" if error.line else path
            self.unread.append(UnreadSource(where, str(error)))
            self._unread_names.update(names)
            return
        self.modules[module.name] = module
        for name in names:
            self._by_suffix.setdefault(name, []).append(module)

    def is_unread(self, name: str) -> bool:
        """Whether a full name stands in a file that the parser refuses: nobody knows its meaning."""
        parts = name.split(".")
        return any(".".join(parts[:end]) in self._unread_names for end in range(1, len(parts)))

    def find_module(self, name: str, near: SourceModule | None = None) -> SourceModule | None:
        """The module that an import of `name` means: of several, the one that is nearest to `near`."""
        found = self._by_suffix.get(name, [])
        if not found:
            return None
        parts = near.path.split("/") if near else []

        def shared(module: SourceModule) -> tuple[int, int]:
            other = module.path.split("/")
            same = next((n for n, (a, b) in enumerate(zip(parts, other, strict=False)) if a != b), len(parts))
            return same, -len(other)

        return max(found, key=shared)

    def full_name(self, module: SourceModule, node: ast.expr) -> str:
        """Full name of a Name or of attributes of one, such as `flask.Flask`; "" for any other expression."""
        match node:
            case ast.Name(id=name):
                return self._name_in(module, name)
            case ast.Attribute(value=value, attr=attr):
                base = self.full_name(module, value)
                return f"{base}.{attr}" if base else ""
            case ast.Call(func=func):
                return self.full_name(module, func) + "()" if self.full_name(module, func) else ""
            case _:
                return ""

    def _name_in(self, module: SourceModule, name: str) -> str:
        if name in module.functions or name in module.classes or name in module.values:
            return f"{module.name}.{name}"
        if name in module.imports:
            return module.imports[name]
        for starred in module.starred:
            other = self.find_module(starred, module)
            if (
                other
                and other is not module
                and (name in other.functions or name in other.classes or name in other.values)
            ):
                return f"{other.name}.{name}"
        return name

    def find_definition(self, module: SourceModule, node: ast.expr) -> Definition | None:
        """Definition that an expression names, followed through imports; None if it is not in the project."""
        return self.find_named(self.full_name(module, node), module)

    def find_named(self, full_name: str, near: SourceModule | None = None) -> Definition | None:
        """Definition of a full name; None if it is not in the project."""
        name = full_name
        for _ in range(_MOST_STEPS):
            home, rest = self._split_name(name, near)
            if home is None or not rest or "." in rest:
                return None
            for table in (home.functions, home.classes, home.values):
                if rest in table:
                    found = table[rest]
                    following = self.full_name(home, found) if isinstance(found, ast.Name | ast.Attribute) else ""
                    if following and following != name and self._split_name(following, home)[0]:
                        name, near = following, home
                        break
                    return Definition(home, rest, found)
            else:
                following = home.imports.get(rest, "") or self._name_in(home, rest)
                if following in (name, rest):
                    return None
                name, near = following, home
        return None

    def _split_name(self, name: str, near: SourceModule | None) -> tuple[SourceModule | None, str]:
        """The longest part of a name that is a module, and the rest."""
        key = (name, near.path if near is not None else "")
        if key not in self._parts:
            self._parts[key] = (None, name)
            parts = name.split(".")
            for end in range(len(parts) - 1, 0, -1):
                module = self.find_module(".".join(parts[:end]), near)
                if module is not None:
                    self._parts[key] = module, ".".join(parts[end:])
                    break
        return self._parts[key]

    def external_name(self, module: SourceModule, node: ast.expr) -> str:
        """Full name outside the project that an expression means, followed through the project's imports."""
        name = self.full_name(module, node)
        near = module
        for _ in range(_MOST_STEPS):
            home, rest = self._split_name(name, near)
            if home is None:
                return name
            first, dot, others = rest.partition(".")
            if first in home.imports and home.imports[first] != name:
                name, near = home.imports[first] + dot + others, home
                continue
            value = home.values.get(first)
            if isinstance(value, ast.Call) and others:
                # A method of an object: the name of its class stands for the object.
                made_by = self.full_name(home, value.func)
                if made_by and made_by != name:
                    name, near = f"{made_by}.{others}", home
                    continue
            if isinstance(value, ast.Name | ast.Attribute):
                following = self.full_name(home, value)
                if following and following != name:
                    name, near = following + dot + others, home
                    continue
            return name
        return name

    def list_bases(self, module: SourceModule, node: ast.ClassDef) -> Iterator[tuple[str, Definition | None]]:
        """Each base class in the order in which Python looks (depth first), with its definition if it is ours."""
        waiting = [(module, base) for base in node.bases]
        seen: set[str] = set()
        while waiting:
            home, base = waiting.pop(0)
            if isinstance(base, ast.Subscript):
                base = base.value
            name = self.external_name(home, base)
            if name in seen:
                continue
            seen.add(name)
            found = self.find_definition(home, base)
            yield name, found
            if found and isinstance(found.node, ast.ClassDef):
                waiting = [(found.module, each) for each in found.node.bases] + waiting

    def is_subclass(self, module: SourceModule, node: ast.expr, names: frozenset[str]) -> bool:
        """Whether an expression is one of the classes, or one of the project's own below them."""
        if self.external_name(module, node) in names:
            return True
        found = self.find_definition(module, node)
        if found is None or not isinstance(found.node, ast.ClassDef):
            return False
        return any(name in names for name, _ in self.list_bases(found.module, found.node))

    def read_text(self, module: SourceModule, node: ast.expr | None, depth: int = 0) -> str | None:
        """Text that an expression gives without running it; None if only running it would tell."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=values):
                parts = [self.read_text(module, value, depth) for value in values]
                return None if None in parts else "".join(part for part in parts if part is not None)
            case ast.FormattedValue(value=value):
                return self.read_text(module, value, depth)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                one, two = self.read_text(module, left, depth), self.read_text(module, right, depth)
                return None if one is None or two is None else one + two
            case ast.Call(func=ast.Name(id="_" | "gettext_lazy" | "_lazy" | "str" | "Path"), args=[inner]):
                return self.read_text(module, inner, depth)
            case ast.Name() | ast.Attribute() if depth < _MOST_STEPS:
                found = self.find_definition(module, node)
                if found is None or not isinstance(found.node, ast.expr):
                    return None
                return self.read_text(found.module, found.node, depth + 1)
            case _:
                return None

    def read_texts(self, module: SourceModule, node: ast.expr | None) -> tuple[str, ...] | None:
        """Texts of a list, tuple or set; None if one of them cannot be read."""
        if isinstance(node, ast.Name | ast.Attribute):
            found = self.find_definition(module, node)
            if found is None or not isinstance(found.node, ast.expr) or found.node is node:
                return None
            return self.read_texts(found.module, found.node)
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            return None
        texts = [self.read_text(module, element) for element in node.elts]
        return None if None in texts else tuple(text for text in texts if text is not None)


def find_keyword(call: ast.Call, name: str, position: int = -1) -> ast.expr | None:
    """Argument of a call by its keyword, or by its position."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[position] if 0 <= position < len(call.args) else None
