"""JavaScript and TypeScript of a project as syntax trees, with names followed from file to file. Nothing is run."""

import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple

from tree_sitter import Node

from muniment.design.routes.route import UnreadSource
from muniment.syntax.javascript import (
    Script,
    UnparsedError,
    find_grammar,
    get_field,
    list_call_arguments,
    list_pairs,
    parse_script,
    read_name,
    read_string,
    read_text,
    unwrap_value,
)

_MOST_KEPT = 4096  # files that a process keeps parsed
_MOST_STEPS = 20  # names that are followed from one to the next
_SUFFIXES = ("", ".js", ".ts", ".mjs", ".cjs", ".mts", ".tsx", ".jsx", "/index.js", "/index.ts", "/index.mjs")
_NOT_SHIPPED = frozenset(
    {
        *("test", "tests", "__tests__", "spec", "e2e", "cypress", "fixtures", "examples", "docs", "__mocks__"),
        *("node_modules", "dist", "build", "public", "static", "vendor", "coverage"),
    }
)
CLASSES = frozenset({"class_declaration", "class"})

LoopVariables = Mapping[str, Node]  # elements of a loop by the name of its variable


class Meaning(NamedTuple):
    """Expression that a name stands for, in its file. Without a node: `external` is a name of another package."""

    module: "ScriptModule"
    node: Node | None
    external: str = ""


class ScriptModule:
    """Parsed file. `imports` has for a local name the file or package, and which of its exports ("*" for all)."""

    def __init__(self, path: str, script: Script) -> None:
        self.path = path
        self.nodes = script.nodes
        self.imports: dict[str, tuple[str, str]] = {}
        self.values: dict[str, Node] = {}
        self.exports: dict[str, Node | tuple[str, str]] = {}
        self.star_exports: list[str] = []  # files all of whose exports this file exports
        self.members: dict[str, Node] = {}  # values of `this.name`
        for node in script.nodes:
            self._read_node(node)

    def _read_node(self, node: Node) -> None:
        match node.type:
            case "import_statement":
                self._read_import(node)
            case "export_statement":
                self._read_export(node)
            case "variable_declarator":
                self._read_declarator(node)
            case "function_declaration" | "generator_function_declaration" | "class_declaration":
                self.values[read_text(node.child_by_field_name("name"))] = node
            case "assignment_expression":
                self._read_assignment(node)
            case "public_field_definition" | "field_definition":
                value = get_field(node, "value")
                name = node.child_by_field_name("name") or node.child_by_field_name("property")
                if value is not None:
                    self.members.setdefault(read_text(name), value)
            case _:
                pass

    def _read_import(self, node: Node) -> None:
        source = node.child_by_field_name("source")
        place = (read_string(source) if source is not None else None) or "?"
        waiting = list(node.named_children)
        while waiting:
            one = waiting.pop()
            if one.type in ("import_clause", "named_imports"):
                waiting += one.named_children
            elif one.type == "namespace_import":
                self.imports[read_text(one.named_children[-1])] = (place, "*")
            elif one.type == "identifier":
                self.imports[read_text(one)] = (place, "default")
            elif one.type == "import_specifier":
                name = read_text(one.child_by_field_name("name"))
                self.imports[read_text(one.child_by_field_name("alias")) or name] = (place, name)

    def _read_export(self, node: Node) -> None:
        source = node.child_by_field_name("source")
        place = read_string(source) if source is not None else None
        declared = node.child_by_field_name("declaration")
        value = get_field(node, "value")
        if value is not None:
            self.exports["default"] = value
        if declared is not None:
            is_default = any(child.type == "default" for child in node.children)
            names = [declared, *(each for each in declared.named_children if each.type == "variable_declarator")]
            for each in names:
                name = read_text(each.child_by_field_name("name"))
                if name:
                    self.exports[name] = get_field(each, "value") or each
                if is_default:
                    self.exports["default"] = each
        clauses = [each for each in node.named_children if each.type == "export_clause"]
        for specifier in (one for clause in clauses for one in clause.named_children):
            exported = specifier.child_by_field_name("name")
            alias = read_text(specifier.child_by_field_name("alias")) or read_text(exported)
            if exported is not None:
                self.exports[alias] = (place, read_text(exported)) if place else exported
        if place and not clauses:
            self.star_exports.append(place)

    def _read_declarator(self, node: Node) -> None:
        name, value = node.child_by_field_name("name"), get_field(node, "value")
        if name is None or value is None:
            return
        if name.type == "identifier":
            place = read_required(value)
            if place is not None:
                self.imports[read_text(name)] = (place, "default")
            else:
                self.values.setdefault(read_text(name), value)
            return
        place = read_required(value)
        for each in name.named_children if place is not None and name.type == "object_pattern" else ():
            key = read_text(each.child_by_field_name("key") or each)
            local = read_text(each.child_by_field_name("value") or each)
            self.imports[local] = (place or "", key)

    def _read_assignment(self, node: Node) -> None:
        target, value = read_name(node.child_by_field_name("left")), get_field(node, "right")
        if value is None:
            return
        first, _, rest = target.partition(".")
        if first == "this" and rest and "." not in rest:
            self.members.setdefault(rest, value)
        elif target in ("module.exports", "exports"):
            self.exports["default"] = value
        elif target.startswith(("module.exports.", "exports.")):
            self.exports[target.rpartition(".")[2]] = value
        elif "." not in target:
            self.values.setdefault(target, value)

    @property
    def is_shipped(self) -> bool:
        """Whether the file belongs to the product, not to its tests, documents or what a build made."""
        parts = PurePosixPath(self.path).parts
        name = parts[-1].lower()
        marks = (".test.", ".spec.", ".min.", ".d.ts", ".stories.", ".config.")
        return not _NOT_SHIPPED & set(parts[:-1]) and not any(mark in name for mark in marks)


def is_script(path: str) -> bool:
    """Whether a file with this name is JavaScript or TypeScript of a product."""
    return bool(find_grammar(path)) and not path.endswith((".d.ts", ".min.js"))


@lru_cache(maxsize=_MOST_KEPT)
def _read_module(path: str, text: str) -> ScriptModule:
    """Parsed module, once for each text: two commits share most of their files."""
    return ScriptModule(path, parse_script(path, text.encode("utf-8", "surrogatepass")))


class ScriptTree:
    """Scripts of a project by path."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.modules: dict[str, ScriptModule] = {}
        self.unread: list[UnreadSource] = []
        for path in sorted(files):
            parts = set(PurePosixPath(path).parts[:-1])
            if not is_script(path) or parts & {"node_modules", "dist", "build"}:
                continue
            try:
                self.modules[path] = _read_module(path, files[path])
            except UnparsedError as error:
                self.unread.append(UnreadSource(path, str(error)))

    def find_module(self, place: str, near: ScriptModule) -> ScriptModule | None:
        """File that an import of `place` means; None for a package."""
        if place.startswith("."):
            base = posixpath.normpath(posixpath.join(posixpath.dirname(near.path), place))
            bases = [base, base.removesuffix(".js"), base.removesuffix(".mjs")]
            for each in bases:
                for suffix in _SUFFIXES:
                    if each + suffix in self.modules:
                        return self.modules[each + suffix]
            return None
        short = place.lstrip("@~").lstrip("/")
        if "/" not in place or not short:
            return None
        ends = tuple(f"/{short}{suffix}" for suffix in _SUFFIXES if suffix)
        found = [module for path, module in self.modules.items() if f"/{path}".endswith(ends)]
        return found[0] if len(found) == 1 else None

    def resolve_value(self, module: ScriptModule, node: Node, env: LoopVariables, depth: int = 0) -> Meaning:
        """Follow names and members to the expression that they stand for."""
        node = unwrap_value(node)
        if depth > _MOST_STEPS:
            return Meaning(module, node)
        if node.type in ("identifier", "shorthand_property_identifier"):
            return self._resolve_name(module, node, env, depth)
        if node.type == "member_expression":
            return self._resolve_member(module, node, env, depth)
        if node.type == "call_expression":
            place = read_required(node)
            if place is not None:
                return self._resolve_import(module, place, "default", node, depth)
            callee = get_field(node, "function")
            if callee is not None and callee.type == "member_expression" and read_name(callee).endswith(".bind"):
                bound = get_field(callee, "object")
                return self.resolve_value(module, bound, env, depth + 1) if bound is not None else Meaning(module, node)
        return Meaning(module, node)

    def _resolve_name(self, module: ScriptModule, node: Node, env: LoopVariables, depth: int) -> Meaning:
        name = read_text(node)
        if name in env:
            return self.resolve_value(module, env[name], {}, depth + 1)
        if name in module.values and module.values[name].id != node.id:
            return self.resolve_value(module, module.values[name], env, depth + 1)
        if name in module.imports:
            place, exported = module.imports[name]
            return self._resolve_import(module, place, exported, node, depth)
        return Meaning(module, node)

    def _resolve_import(self, module: ScriptModule, place: str, name: str, node: Node, depth: int) -> Meaning:
        target = self.find_module(place, module)
        if target is None:
            return Meaning(module, None, place if name in ("default", "*") else f"{place}.{name}")
        if name == "*":
            return Meaning(target, None)
        return self.resolve_export(target, name, depth + 1) or Meaning(module, node)

    def resolve_export(self, module: ScriptModule, name: str, depth: int = 0) -> Meaning | None:
        """Expression that a file exports under a name; None if it exports no such thing."""
        if depth > _MOST_STEPS:
            return None
        found = module.exports.get(name)
        if isinstance(found, tuple):
            target = self.find_module(found[0], module)
            return self.resolve_export(target, found[1], depth + 1) if target is not None else None
        if found is not None:
            return self.resolve_value(module, found, {}, depth + 1)
        whole = module.exports.get("default")
        if name != "default" and isinstance(whole, Node):
            meaning = self.resolve_value(module, whole, {}, depth + 1)
            inner = self._find_member(meaning, name, depth)
            if inner is not None:
                return inner
        if name == "default" and module.exports:
            return Meaning(module, None)  # `require` of a file with named exports only
        for place in module.star_exports:
            target = self.find_module(place, module)
            passed = self.resolve_export(target, name, depth + 1) if target is not None else None
            if passed is not None:
                return passed
        return None

    def _resolve_member(self, module: ScriptModule, node: Node, env: LoopVariables, depth: int) -> Meaning:
        owner, name = get_field(node, "object"), read_text(node.child_by_field_name("property"))
        if owner is None:
            return Meaning(module, node)
        if owner.type == "this":
            found = self.find_class_member(module, find_class(node), name)
            if found is not None:
                return self.resolve_value(found.module, found.node, {}, depth + 1) if found.node is not None else found
            return Meaning(module, node)
        meaning = self.resolve_value(module, owner, env, depth + 1)
        if meaning.external:
            return Meaning(module, None, f"{meaning.external}.{name}")
        return self._find_member(meaning, name, depth) or Meaning(module, node)

    def _find_member(self, meaning: Meaning, name: str, depth: int) -> Meaning | None:
        if meaning.node is None:
            return None if meaning.external else self.resolve_export(meaning.module, name, depth + 1)
        if meaning.node.type == "object":
            value = list_pairs(meaning.node).get(name) or find_member(meaning.node, name)
            return self.resolve_value(meaning.module, value, {}, depth + 1) if value is not None else None
        made = get_field(meaning.node, "constructor") if meaning.node.type == "new_expression" else None
        kind = self.resolve_value(meaning.module, made, {}, depth + 1) if made is not None else meaning
        if kind.node is not None and kind.node.type in CLASSES:
            found = self.find_class_member(kind.module, kind.node, name)
            if found is not None and found.node is not None:
                return self.resolve_value(found.module, found.node, {}, depth + 1)
        return None

    def find_class_member(self, module: ScriptModule, node: Node | None, name: str) -> Meaning | None:
        """Method or attribute of a class, or of its base class."""
        for _ in range(_MOST_STEPS):
            if node is None:
                return None
            body = node.child_by_field_name("body")
            method = find_member(body, name) if body is not None else None
            if method is not None:
                return Meaning(module, method)
            if name in module.members:
                return Meaning(module, module.members[name])
            heritage = next((each for each in node.named_children if each.type == "class_heritage"), None)
            bases = [each for each in walk_tree(heritage) if each.type == "identifier"] if heritage is not None else []
            base = self.resolve_value(module, bases[0], {}) if bases else None
            if base is None or base.node is None or base.node.type not in CLASSES:
                return None
            module, node = base.module, base.node
        return None


def read_required(node: Node) -> str | None:
    """File or package of `require("...")` or `import("...")`; None for anything else."""
    node = unwrap_value(node)
    if node.type != "call_expression" or read_text(node.child_by_field_name("function")) not in ("require", "import"):
        return None
    arguments = list_call_arguments(node)
    return read_string(arguments[0]) if arguments else None


def find_member(body: Node, name: str) -> Node | None:
    """Method of a class body or an object by its name."""
    for each in body.named_children:
        if each.type == "method_definition" and read_text(each.child_by_field_name("name")) == name:
            return each
        key = each.child_by_field_name("property") or each.child_by_field_name("name")
        if each.type in ("field_definition", "public_field_definition") and read_text(key) == name:
            return get_field(each, "value")
    return None


def find_class(node: Node) -> Node | None:
    """Class around a node."""
    at = node.parent
    while at is not None and at.type not in CLASSES:
        at = at.parent
    return at


def walk_tree(node: Node | None) -> Iterator[Node]:
    """Walk all named nodes below a node, each before those inside it."""
    waiting = [node] if node is not None else []
    while waiting:
        each = waiting.pop()
        yield each
        waiting += reversed(each.named_children)
