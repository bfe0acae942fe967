"""Values in the calls of Express that parsing can tell: paths, lists of functions, elements of loops, switches."""

from collections.abc import Iterator, Mapping

from tree_sitter import Node

from muniment.design.routes.express_guards import list_parameters
from muniment.design.routes.script_tree import LoopVariables, ScriptModule, ScriptTree
from muniment.syntax.javascript import FUNCTIONS, get_field, read_name, read_string, read_text

NO_VARIABLES: Mapping[str, Node] = {}


class ExpressValues:
    """Reads the arguments of calls in one project."""

    def __init__(self, tree: ScriptTree) -> None:
        self._tree = tree

    def list_environments(self, module: ScriptModule, call: Node) -> list[LoopVariables]:
        """Elements of the loop around a call, by the name of its variable: one environment for each."""
        at = call.parent
        while at is not None:
            if at.type in FUNCTIONS and at.parent is not None and at.parent.type == "arguments":
                around = at.parent.parent
                callee = get_field(around, "function") if around is not None else None
                if callee is not None and read_name(callee).rpartition(".")[2] in ("forEach", "map"):
                    return self._bind_elements(module, get_field(callee, "object"), list_parameters(at)[:1])
            if at.type == "for_in_statement":
                name = at.child_by_field_name("left")
                return self._bind_elements(module, get_field(at, "right"), [read_text(name)])
            at = at.parent
        return [NO_VARIABLES]

    def _bind_elements(self, module: ScriptModule, listed: Node | None, names: list[str]) -> list[LoopVariables]:
        meaning = self._tree.resolve_value(module, listed, NO_VARIABLES) if listed is not None else None
        if meaning is None or meaning.node is None or meaning.node.type != "array" or not names:
            return [NO_VARIABLES]
        return [{names[0]: each} for each in meaning.node.named_children if each.type != "comment"]

    def split_arguments(
        self, module: ScriptModule, arguments: list[Node], verb: str, env: LoopVariables
    ) -> tuple[list[str], list[Node]]:
        """Paths of a call, and the functions after them. `use` may have no path."""
        if not arguments:
            return [], []
        paths = self.read_paths(module, arguments[0], env)
        if paths or verb != "use":
            return paths or [f"/{{{read_text(arguments[0])[:60]}}}"], arguments[1:]
        return [""], arguments

    def read_paths(self, module: ScriptModule, node: Node, env: LoopVariables) -> list[str]:
        """Patterns that a first argument gives: a text, an array of them, or a regular expression."""
        meaning = self._tree.resolve_value(module, node, env)
        at = meaning.node
        if at is None:
            return []
        if at.type == "array":
            found = [self.read_paths(meaning.module, each, env) for each in at.named_children]
            return [path for each in found for path in each] if all(found) else []
        if at.type == "regex":
            return [read_text(at)]
        if at.type == "binary_expression":
            sides = [self.read_paths(meaning.module, s, env) for f in ("left", "right") if (s := get_field(at, f))]
            return ["".join(each[0] for each in sides)] if len(sides) == 2 and all(sides) else []
        if at.type == "template_string":
            return ["".join(self._read_part(meaning.module, each, env) for each in at.named_children)]
        text = read_string(at)
        if text is None and at.type in ("member_expression", "subscript_expression"):
            return [f"/{{{read_text(at)[:60]}}}"]  # such as `config.basePath`: the prefix decides no guard
        return [text] if text is not None else []

    def _read_part(self, module: ScriptModule, node: Node, env: LoopVariables) -> str:
        if node.type != "template_substitution":
            return read_text(node)
        found = self.read_paths(module, node.named_children[0], env) if node.named_children else []
        return found[0] if found else f"{{{read_text(node)[2:-1]}}}"

    def list_functions(
        self, module: ScriptModule, nodes: list[Node], env: LoopVariables
    ) -> Iterator[tuple[ScriptModule, Node]]:
        """Functions of a call, also those in arrays."""
        for node in nodes:
            inner = node.named_children[0] if node.type == "spread_element" and node.named_children else node
            meaning = self._tree.resolve_value(module, inner, env)
            if meaning.node is not None and meaning.node.type == "array":
                yield from self.list_functions(meaning.module, list(meaning.node.named_children), env)
            elif inner.type != "comment":
                yield module, inner


def find_switch(node: Node) -> str:
    """Conditions under which a statement runs, from the outside in."""
    found: list[str] = []
    at: Node = node
    while at.parent is not None:
        parent = at.parent
        if parent.type == "if_statement":
            condition = read_text(get_field(parent, "condition"))
            consequence = parent.child_by_field_name("consequence")
            is_then = consequence is not None and consequence.id == at.id
            if is_then or at.type == "else_clause":
                found.append(condition if is_then else f"!({condition})")
        at = parent
    return " and ".join(reversed(found))
