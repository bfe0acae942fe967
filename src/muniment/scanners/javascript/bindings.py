"""Names of a file: what is assigned to each variable, where functions are called, and what modules names come from."""

from typing import NamedTuple

from tree_sitter import Node

from muniment.syntax.javascript import (
    FUNCTIONS,
    Script,
    find_function,
    get_field,
    list_call_arguments,
    read_name,
    read_string,
    read_text,
    unwrap_value,
)

_BLOCKS = frozenset({"program", "statement_block", "class_body", "switch_case", "switch_default"})


class Assigned(NamedTuple):
    """Value that a variable gets: the expression, the path into it that a pattern takes, and the statement.

    `function` and `parameter` instead for a parameter: the function, and its number (-1: unknown).
    """

    value: Node | None
    path: tuple[str, ...]
    place: Node
    function: Node | None = None
    parameter: int = -1


class Bindings:
    """Bindings of one file. A variable belongs to the function around its declaration, 0 for the top of the file."""

    def __init__(self, script: Script) -> None:
        self.values: dict[tuple[int, str], list[Assigned]] = {}
        self.calls: dict[str, list[Node]] = {}  # by the last part of the name of what is called
        self.origins: dict[str, str] = {}  # dotted names of imports at the top, by local name
        self.written: dict[tuple[int, str, str], list[Node]] = {}  # values of `name.property = value`
        later: list[Node] = []
        for node in script.nodes:
            self._collect_node(node, later)
        for node in later:
            self._collect_assignment(node)

    def _collect_node(self, node: Node, later: list[Node]) -> None:
        kind = node.type
        if kind == "variable_declarator":
            self._bind_pattern(node.child_by_field_name("name"), get_field(node, "value"), (), node)
        elif kind in ("assignment_expression", "augmented_assignment_expression"):
            later.append(node)
        elif kind in ("call_expression", "new_expression"):
            callee = node.child_by_field_name("function") or node.child_by_field_name("constructor")
            self.calls.setdefault(read_name(callee).rpartition(".")[2], []).append(node)
        elif kind in FUNCTIONS:
            self._bind_function(node)
        elif kind == "import_statement":
            self._bind_import(node)
        elif kind == "for_in_statement":
            self._bind_pattern(node.child_by_field_name("left"), get_field(node, "right"), ("*",), node)

    def _bind_function(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        if name is not None and node.type in ("function_declaration", "generator_function_declaration"):
            self._add_value(name, Assigned(node, (), node))
        single = node.child_by_field_name("parameter")
        parameters = node.child_by_field_name("parameters")
        listed = [single] if single is not None else list(parameters.named_children) if parameters is not None else []
        for number, one in enumerate(part for part in listed if part.type != "comment"):
            pattern = one.child_by_field_name("pattern") or one  # TypeScript
            self._bind_pattern(pattern, None, (), node, parameter=number, function=node)

    def _bind_pattern(
        self,
        pattern: Node | None,
        value: Node | None,
        path: tuple[str, ...],
        place: Node,
        *,
        parameter: int = -1,
        function: Node | None = None,
    ) -> None:
        """Bind every name of a pattern. `path` are the keys that lead to it from the value."""
        left = [(pattern, path)]
        while left:
            one, keys = left.pop()
            if one is None:
                continue
            kind = one.type
            if kind in ("identifier", "shorthand_property_identifier_pattern"):
                own = (*keys, read_text(one)) if kind != "identifier" else keys
                self._add_value(one, Assigned(value, own, place, function, parameter), inside=function)
            elif kind in ("assignment_pattern", "object_assignment_pattern"):
                left.append((one.child_by_field_name("left"), keys))
            elif kind == "pair_pattern":
                key = read_text(one.child_by_field_name("key")).strip("'\"")
                left.append((one.child_by_field_name("value"), (*keys, key)))
            elif kind == "array_pattern":
                left += [(child, (*keys, "*")) for child in one.named_children]
            elif kind in ("object_pattern", "rest_pattern"):
                left += [(child, keys) for child in one.named_children]

    def _add_value(self, name: Node, assigned: Assigned, inside: Node | None = None) -> None:
        scope = inside if inside is not None else find_function(name)
        if inside is None and scope is not None and scope.child_by_field_name("name") == name:
            scope = find_function(scope)  # a function's own name belongs to the scope around it
        self.values.setdefault((scope.id if scope else 0, read_text(name)), []).append(assigned)

    def _bind_import(self, node: Node) -> None:
        source = node.child_by_field_name("source")
        module = (read_string(source) if source is not None else None) or "?"
        module = module.removeprefix("node:")
        left = list(node.named_children)
        while left:
            one = left.pop()
            if one.type in ("import_clause", "named_imports", "namespace_import"):
                left += one.named_children
            elif one.type == "identifier":
                self.origins[read_text(one)] = module
            elif one.type == "import_specifier":
                name = read_text(one.child_by_field_name("name"))
                self.origins[read_text(one.child_by_field_name("alias")) or name] = f"{module}.{name}"

    def _collect_assignment(self, node: Node) -> None:
        target, value = node.child_by_field_name("left"), get_field(node, "right")
        if target is None or value is None:
            return
        if target.type == "identifier":
            scope = self.find_scope(target)
            self.values.setdefault((scope, read_text(target)), []).append(Assigned(value, (), node))
        elif target.type in ("object_pattern", "array_pattern"):
            self._bind_pattern(target, value, (), node)
        elif target.type in ("member_expression", "subscript_expression"):
            base, _, name = read_name(target).rpartition(".")
            if base and "." not in base:
                scope = self.find_scope(target, base)
                self.written.setdefault((scope, base, name), []).append(value)

    def find_scope(self, node: Node, name: str = "") -> int:
        """Find the scope to which a name at a node belongs; 0 if none declares it."""
        name = name or read_text(node)
        at = find_function(node)
        while at is not None:
            if (at.id, name) in self.values:
                return at.id
            at = find_function(at)
        return 0

    def list_values(self, node: Node) -> list[Assigned]:
        """List what a variable may hold where it is used: a later assignment on the same way ends earlier ones."""
        name = read_text(node)
        scope = self.find_scope(node)
        values = self.values.get((scope, name), [])
        around = find_function(node)
        if len(values) < 2 or (around.id if around else 0) != scope:
            return values
        reached: list[Assigned] = []
        for one in sorted(values, key=lambda one: -one.place.start_byte if one.function is None else 1):
            if one.function is None and one.place.start_byte <= node.start_byte < one.place.end_byte:
                continue  # the assignment that it is part of
            if one.function is None and one.place.start_byte > node.start_byte:
                continue
            reached.append(one)
            if one.function is None and _always_runs(one.place, node):
                break
        return reached or values

    def resolve_origin(self, node: Node | None, depth: int = 0) -> str:
        """Dotted name of a value by the module that it comes from: `exec` may be `child_process.exec`."""
        if node is None or depth > 8:
            return ""
        node = unwrap_value(node)
        if node.type == "identifier":
            name = read_text(node)
            values = self.list_values(node)
            if len(values) == 1 and values[0].value is not None:
                base = self.resolve_origin(values[0].value, depth + 1)
                return ".".join((base, *values[0].path)) if base else name
            return self.origins.get(name, name) if not values else name
        if node.type in ("member_expression", "subscript_expression"):
            base = self.resolve_origin(node.child_by_field_name("object"), depth + 1)
            return f"{base or '?'}.{read_name(node).rpartition('.')[2]}"
        if node.type in ("call_expression", "new_expression"):
            callee = node.child_by_field_name("function") or node.child_by_field_name("constructor")
            name = self.resolve_origin(callee, depth + 1)
            arguments = list_call_arguments(node)
            if name in ("require", "import") and arguments:
                return (read_string(arguments[0]) or "?").removeprefix("node:")
            if name.endswith("promisify") and arguments:
                return self.resolve_origin(arguments[0], depth + 1)
            return f"{name}()" if name else ""
        return "this" if node.type == "this" else ""


def _always_runs(place: Node, node: Node) -> bool:
    """Whether an assignment runs on every way to a later node of the same function: its block is around the node."""
    statement: Node | None = place
    while statement is not None and (statement.parent is None or statement.parent.type not in _BLOCKS):
        if statement.type in ("if_statement", "ternary_expression", "binary_expression", *FUNCTIONS):
            return False
        statement = statement.parent
    block = statement.parent if statement is not None else None
    at = node.parent
    while at is not None and block is not None:
        if at.id == block.id:
            return True
        at = at.parent
    return False
